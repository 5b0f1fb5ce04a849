-- Feeds ctr_window_history with every row that reaches ctr_results_raw.
CREATE MATERIALIZED VIEW IF NOT EXISTS ctr_window_history_mv TO ctr_window_history
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    product_id,
    window_start,
    window_end,
    source_partition,
    impressions,
    clicks,
    inserted_at AS first_written_at
FROM ctr_results_raw
COMMENT 'Copies the states of windows from ctr_results_raw into ctr_window_history; not meant to be read'
