-- The pipeline's output: one row per product, window and source partition. A row may be sent any number of times, in
-- any order: the counts of a Kafka partition only grow within a window, so the row with the largest `version` is correct.
-- The first seven columns are those of the seed project; manually inserted rows may omit the others.
CREATE TABLE IF NOT EXISTS ctr_results_raw
(
    product_id       String COMMENT 'The product the events name',
    ctr              Float64 COMMENT 'clicks / impressions of this row alone, 0 without impressions. Never average it: read ctr_windows',
    impressions      UInt64 COMMENT 'Impressions of the window in this source partition, so far',
    clicks           UInt64 COMMENT 'Clicks of the window in this source partition, so far',
    window_start     DateTime64(3, 'UTC') COMMENT 'First millisecond of the window, event time',
    window_end       DateTime64(3, 'UTC') COMMENT 'First millisecond after the window, event time',
    inserted_at      DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the row reached ClickHouse',
    source_partition UInt32 DEFAULT 0 COMMENT 'The Kafka partition the events came from; a product may be in several',
    version          UInt64 MATERIALIZED impressions + clicks COMMENT 'Grows with the counts: of several rows the largest stays'
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(window_end)
ORDER BY (window_end, product_id, source_partition)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Results as the pipeline wrote them, a row per product, window and Kafka partition. Read ctr_windows instead, unless it is about partitions'
