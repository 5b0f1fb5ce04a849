-- One row per product and hour. The hour is a function of the table's key that keeps its order, so a filter on it reaches
-- the table (arithmetic on seconds would not).
-- The interval is Wilson's, for 95 %: where the true rate lies, given that few impressions tell little.
CREATE OR REPLACE VIEW ctr_by_hour
(
    product_id  String COMMENT 'The product the events name',
    hour        DateTime64(0, 'UTC') COMMENT 'The hour in which the windows start; filter on this one',
    impressions UInt64 COMMENT 'Impressions of the hour',
    clicks      UInt64 COMMENT 'Clicks of the hour',
    ctr         Nullable(Float64) COMMENT 'clicks / impressions of the hour; NULL without impressions',
    ctr_low     Nullable(Float64) COMMENT 'Lower end of the 95 % interval of the rate; clicks beyond the impressions left out',
    ctr_high    Nullable(Float64) COMMENT 'Upper end of the 95 % interval of the rate'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS WITH
    nullIf(toFloat64(impressions), 0) AS shown,
    least(clicks, impressions) / shown AS rate,
    1 + 3.8416 / shown AS scale,
    (rate + 1.9208 / shown) / scale AS centre,
    1.96 * sqrt(rate * (1 - rate) / shown + 0.9604 / (shown * shown)) / scale AS half_width
SELECT
    product_id,
    hour,
    impressions,
    clicks,
    clicks / shown AS ctr,
    centre - half_width AS ctr_low,
    centre + half_width AS ctr_high
FROM
(
    SELECT
        product_id,
        hour,
        sum(window_impressions) AS impressions,
        sum(window_clicks) AS clicks
    FROM
    (
        SELECT product_id, dateTrunc('hour', window_minute) AS hour, impressions AS window_impressions, clicks AS window_clicks
        FROM ctr_ml FINAL
    )
    GROUP BY product_id, hour
)
COMMENT 'Clicks per impression of each product by hour, with its 95 % interval'
