-- The counts behind ctr_ml_view. Not sums but maxima per window and source partition: a row sent again, or one of an older
-- state, has no effect. Kept forever, beyond the TTL of the raw rows.
-- The minute is a DateTime64(0): a DateTime ends in 2106, events may be dated up to 2200.
CREATE TABLE IF NOT EXISTS ctr_ml
(
    product_id       String COMMENT 'The product the events name',
    window_minute    DateTime64(0, 'UTC') COMMENT 'The minute in which the window starts',
    window_end       DateTime64(3, 'UTC') COMMENT 'First millisecond after the window, event time',
    source_partition UInt32 COMMENT 'The Kafka partition the events came from',
    impressions      SimpleAggregateFunction(max, UInt64) COMMENT 'Impressions of the window in this source partition',
    clicks           SimpleAggregateFunction(max, UInt64) COMMENT 'Clicks of the window in this source partition'
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(window_minute)
ORDER BY (window_minute, product_id, window_end, source_partition)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Largest counts per product, minute, window and Kafka partition; filled by ctr_ml_mv, read through ctr_ml_view'
