-- Exactly one row per product: its newest window. Partitions whose newest window is an older one have no events in it, so
-- they add nothing.
CREATE OR REPLACE VIEW ctr_latest_view
(
    product_id         String COMMENT 'The product the events name',
    latest_ctr         Float64 COMMENT 'clicks / impressions of the newest window, 0 without impressions',
    latest_impressions UInt64 COMMENT 'Impressions of the newest window',
    latest_clicks      UInt64 COMMENT 'Clicks of the newest window',
    window_end         DateTime64(3, 'UTC') COMMENT 'First millisecond after the newest window, event time'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    product_id,
    if(latest_impressions = 0, 0., latest_clicks / latest_impressions) AS latest_ctr,
    arraySum(newest -> if(newest.1 = window_end, newest.2, 0), partitions) AS latest_impressions,
    arraySum(newest -> if(newest.1 = window_end, newest.3, 0), partitions) AS latest_clicks,
    arrayMax(newest -> newest.1, partitions) AS window_end
FROM
(
    SELECT
        product_id,
        groupArray((ctr_latest.window_end, impressions, clicks)) AS partitions
    FROM ctr_latest FINAL
    GROUP BY product_id
)
COMMENT 'The newest window of each product, one row a product, Kafka partitions added up'
