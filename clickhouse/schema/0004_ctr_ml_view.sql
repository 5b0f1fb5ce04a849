-- One row per product and minute, with aggregate states as in the seed project. From the inside out: the last counts of each
-- source partition, the whole window with partitions added up, and the minute. The CTR of a whole window comes before the
-- average: averaging the partitions' ratios would give a partition with one event as much weight as all others.
CREATE OR REPLACE VIEW ctr_ml_view
(
    product_id        String COMMENT 'The product the events name',
    window_minute     DateTime64(0, 'UTC') COMMENT 'The minute in which the windows start',
    avg_ctr           AggregateFunction(avg, Float64) COMMENT 'Average of the CTRs of the whole windows: avgMerge(avg_ctr)',
    total_impressions AggregateFunction(sum, UInt64) COMMENT 'Impressions: sumMerge(total_impressions)',
    total_clicks      AggregateFunction(sum, UInt64) COMMENT 'Clicks: sumMerge(total_clicks)',
    latest_window     AggregateFunction(max, DateTime64(3, 'UTC')) COMMENT 'End of the newest window: maxMerge(latest_window)'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    product_id,
    window_minute,
    avgState(if(window_impressions = 0, 0., window_clicks / window_impressions)) AS avg_ctr,
    sumState(window_impressions) AS total_impressions,
    sumState(window_clicks) AS total_clicks,
    maxState(window_end) AS latest_window
FROM
(
    SELECT
        product_id,
        window_minute,
        window_end,
        sum(partition_impressions) AS window_impressions,
        sum(partition_clicks) AS window_clicks
    FROM
    (
        SELECT
            product_id,
            window_minute,
            window_end,
            source_partition,
            max(impressions) AS partition_impressions,
            max(clicks) AS partition_clicks
        FROM ctr_ml
        GROUP BY product_id, window_minute, window_end, source_partition
    )
    GROUP BY product_id, window_minute, window_end
)
GROUP BY product_id, window_minute
COMMENT 'One row per product and minute, as aggregate states: read with avgMerge, sumMerge, maxMerge. CTR of a minute: sumMerge(total_clicks) / sumMerge(total_impressions)'
