-- Each product's hour against its hour before. The interval of the difference is Newcombe's, made of both Wilson intervals: a
-- change whose interval holds 0 may be noise. Products that were not shown in both hours are left out: nothing can be said.
CREATE OR REPLACE VIEW ctr_top_movers
(
    product_id         String COMMENT 'The product the events name',
    hour               DateTime64(0, 'UTC') COMMENT 'The hour that is compared with the one before; filter on this one',
    impressions        UInt64 COMMENT 'Impressions of the hour',
    impressions_before UInt64 COMMENT 'Impressions of the hour before',
    ctr                Float64 COMMENT 'Clicks per impression in the hour, 1 at most',
    ctr_before         Float64 COMMENT 'Clicks per impression in the hour before, 1 at most',
    change             Float64 COMMENT 'ctr - ctr_before',
    change_low         Float64 COMMENT 'Lower end of the 95 % interval of the change',
    change_high        Float64 COMMENT 'Upper end of the 95 % interval of the change',
    is_news            UInt8 COMMENT '1 where the interval does not hold 0'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    product_id,
    hour,
    here.1 AS impressions,
    before.1 AS impressions_before,
    here.2 AS ctr,
    before.2 AS ctr_before,
    ctr - ctr_before AS change,
    change - sqrt(pow(ctr - here.3, 2) + pow(before.4 - ctr_before, 2)) AS change_low,
    change + sqrt(pow(here.4 - ctr, 2) + pow(ctr_before - before.3, 2)) AS change_high,
    change_low > 0 OR change_high < 0 AS is_news
FROM
(
    SELECT
        product_id,
        hour,
        maxIf(measured, is_here) AS here,
        maxIf(measured, NOT is_here) AS before
    FROM
    (
        SELECT product_id, hour, 1 AS is_here, (impressions, assumeNotNull(least(ctr, 1.)), assumeNotNull(ctr_low), assumeNotNull(ctr_high)) AS measured
        FROM ctr_by_hour
        WHERE impressions > 0
        UNION ALL
        SELECT product_id, hour + 3600, 0, (impressions, assumeNotNull(least(ctr, 1.)), assumeNotNull(ctr_low), assumeNotNull(ctr_high))
        FROM ctr_by_hour
        WHERE impressions > 0
    )
    GROUP BY product_id, hour
)
WHERE impressions > 0 AND impressions_before > 0
COMMENT 'Change of each product''s clicks per impression from hour to hour, with its 95 % interval'
