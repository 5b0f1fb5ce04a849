-- Feeds ctr_ml with every row that reaches ctr_results_raw.
CREATE MATERIALIZED VIEW IF NOT EXISTS ctr_ml_mv TO ctr_ml
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    product_id,
    toDateTime64(intDiv(toUnixTimestamp64Milli(window_start), 60000) * 60, 0, 'UTC') AS window_minute,
    window_end,
    source_partition,
    impressions,
    clicks
FROM ctr_results_raw
COMMENT 'Copies counts from ctr_results_raw into ctr_ml; not meant to be read'
