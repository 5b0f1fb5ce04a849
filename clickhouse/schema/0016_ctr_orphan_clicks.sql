-- More clicks than impressions: events were lost on their way, or an impression and its click fell into neighbouring windows.
-- Single clicks do that; a product that stays here has a fault in what it reports.
CREATE OR REPLACE VIEW ctr_orphan_clicks
(
    product_id    String COMMENT 'The product the events name',
    window_start  DateTime64(3, 'UTC') COMMENT 'First millisecond of the window, event time',
    window_end    DateTime64(3, 'UTC') COMMENT 'First millisecond after the window, event time; filter on this one',
    impressions   UInt64 COMMENT 'Impressions of the window',
    clicks        UInt64 COMMENT 'Clicks of the window',
    orphan_clicks UInt64 COMMENT 'Clicks beyond the impressions'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    product_id,
    window_start,
    window_end,
    impressions,
    clicks,
    clicks - impressions AS orphan_clicks
FROM ctr_windows
WHERE clicks > impressions
COMMENT 'Windows with more clicks than impressions, one row per product and window'
