-- Every distinct state of a window that was written: how late events revised it. The counts are part of the key, so a row
-- sent again is the same row; only the time of its first writing is kept.
CREATE TABLE IF NOT EXISTS ctr_window_history
(
    product_id       String COMMENT 'The product the events name',
    window_start     DateTime64(3, 'UTC') COMMENT 'First millisecond of the window, event time',
    window_end       DateTime64(3, 'UTC') COMMENT 'First millisecond after the window, event time',
    source_partition UInt32 COMMENT 'The Kafka partition the events came from',
    impressions      UInt64 COMMENT 'Impressions in this state',
    clicks           UInt64 COMMENT 'Clicks in this state',
    first_written_at SimpleAggregateFunction(min, DateTime64(3, 'UTC')) COMMENT 'When this state was first written'
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(window_end)
PRIMARY KEY (window_end, product_id, source_partition)
ORDER BY (window_end, product_id, source_partition, impressions, clicks, window_start)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Every state of a window that was written, for revisions by late events; read it with FINAL, filled by ctr_window_history_mv'
