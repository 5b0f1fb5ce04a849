-- Which windows were counted again from the log, and how much of it: a window here follows the rule of recounts (every valid
-- record of the window, whatever its lateness), all others follow the rule of the pipeline.
CREATE TABLE IF NOT EXISTS ctr_recounts
(
    window_start     DateTime64(3, 'UTC') COMMENT 'First millisecond of the window, event time',
    window_end       DateTime64(3, 'UTC') COMMENT 'First millisecond after the window, event time',
    source_partition UInt32 COMMENT 'The Kafka partition, of both topics, that was counted again',
    impressions_end  UInt64 COMMENT 'Offset of the impressions topic up to which it was read, exclusive',
    clicks_end       UInt64 COMMENT 'Offset of the clicks topic up to which it was read, exclusive',
    recounted_at     DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When; the last time stays'
)
ENGINE = ReplacingMergeTree(recounted_at)
PARTITION BY toYYYYMM(window_end)
ORDER BY (window_end, source_partition, window_start)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Windows that ctr-pipeline recount has counted again, a row per window and Kafka partition; read it with FINAL'
