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
    if(newest.2 = 0, 0., newest.3 / newest.2) AS latest_ctr,
    newest.2 AS latest_impressions,
    newest.3 AS latest_clicks,
    newest.1 AS window_end
FROM
(
    SELECT
        product_id,
        max((partition_window_end, window_impressions, window_clicks)) AS newest
    FROM
    (
        SELECT
            product_id,
            ctr_latest.window_end AS partition_window_end,
            sum(impressions) AS window_impressions,
            sum(clicks) AS window_clicks
        FROM ctr_latest FINAL
        GROUP BY product_id, partition_window_end
    )
    GROUP BY product_id
)
COMMENT 'The newest window of each product, one row a product, Kafka partitions added up'
