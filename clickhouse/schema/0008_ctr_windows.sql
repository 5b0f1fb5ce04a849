-- Whole windows, for people and dashboards. Of the time filters, only one on window_end is pushed down to the table.
CREATE OR REPLACE VIEW ctr_windows
(
    product_id   String COMMENT 'The product the events name',
    window_start DateTime64(3, 'UTC') COMMENT 'First millisecond of the window, event time',
    window_end   DateTime64(3, 'UTC') COMMENT 'First millisecond after the window, event time; filter on this one',
    impressions  UInt64 COMMENT 'Impressions of the window',
    clicks       UInt64 COMMENT 'Clicks of the window',
    ctr          Float64 COMMENT 'clicks / impressions of the window, 0 without impressions. Of several windows: sum(clicks) / sum(impressions)',
    updated_at   DateTime64(3, 'UTC') COMMENT 'When the last change of the window reached ClickHouse'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    product_id,
    window_start,
    window_end,
    window_impressions AS impressions,
    window_clicks AS clicks,
    if(window_impressions = 0, 0., window_clicks / window_impressions) AS ctr,
    window_updated_at AS updated_at
FROM
(
    SELECT
        product_id,
        window_start,
        window_end,
        sum(impressions) AS window_impressions,
        sum(clicks) AS window_clicks,
        max(inserted_at) AS window_updated_at
    FROM ctr_results_raw FINAL
    GROUP BY product_id, window_start, window_end
)
COMMENT 'One row per product and window, Kafka partitions added up: the results to read'
