-- One row per product and minute, as plain numbers. What ctr_ml_view gives as states of the seed's average, this gives as
-- the ratio of the sums, with what the ratio can be trusted for.
-- The interval is Wilson's, for 95 %: where the true rate lies, given that few impressions tell little.
CREATE OR REPLACE VIEW ctr_by_minute
(
    product_id  String COMMENT 'The product the events name',
    minute      DateTime64(0, 'UTC') COMMENT 'The minute in which the windows start; filter on this one',
    impressions UInt64 COMMENT 'Impressions of the minute',
    clicks      UInt64 COMMENT 'Clicks of the minute',
    ctr         Nullable(Float64) COMMENT 'clicks / impressions of the minute; NULL without impressions',
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
    minute,
    impressions,
    clicks,
    clicks / shown AS ctr,
    centre - half_width AS ctr_low,
    centre + half_width AS ctr_high
FROM
(
    SELECT
        product_id,
        minute,
        sum(window_impressions) AS impressions,
        sum(window_clicks) AS clicks
    FROM
    (
        SELECT product_id, window_minute AS minute, impressions AS window_impressions, clicks AS window_clicks
        FROM ctr_ml FINAL
    )
    GROUP BY product_id, minute
)
COMMENT 'Clicks per impression of each product by minute, with its 95 % interval'
