-- The newest window of each product and source partition. The version puts the window first and the counts second, so an
-- older window that arrives late never replaces a newer one. Without TTL: a product without new events keeps its last result.
-- Small granules, because queries select single products, and each unmerged part costs at least one granule.
CREATE TABLE IF NOT EXISTS ctr_latest
(
    product_id       String COMMENT 'The product the events name',
    source_partition UInt32 COMMENT 'The Kafka partition the events came from',
    impressions      UInt64 COMMENT 'Impressions of the window in this source partition',
    clicks           UInt64 COMMENT 'Clicks of the window in this source partition',
    window_start     DateTime64(3, 'UTC') COMMENT 'First millisecond of the window, event time',
    window_end       DateTime64(3, 'UTC') COMMENT 'First millisecond after the window, event time',
    version          UInt128 COMMENT 'window_end in milliseconds, shifted left by 64 bits, plus impressions + clicks'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (product_id, source_partition)
SETTINGS index_granularity = 512, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Newest window per product and Kafka partition; filled by ctr_latest_mv, read through ctr_latest_view'
