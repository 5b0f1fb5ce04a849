-- Feeds ctr_latest with every row that reaches ctr_results_raw.
CREATE MATERIALIZED VIEW IF NOT EXISTS ctr_latest_mv TO ctr_latest
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    product_id,
    source_partition,
    impressions,
    clicks,
    window_start,
    window_end,
    bitOr(bitShiftLeft(toUInt128(toUnixTimestamp64Milli(window_end)), 64), toUInt128(impressions + clicks)) AS version
FROM ctr_results_raw
COMMENT 'Copies rows from ctr_results_raw into ctr_latest; not meant to be read'
