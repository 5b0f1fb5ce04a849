-- How often, when and by how much a window changed after it was first written: by late events, or by a recount. For as long
-- as ctr_window_history keeps it (HISTORY_TTL_DAYS). The first writing of each Kafka partition is no revision.
CREATE OR REPLACE VIEW ctr_window_revisions
(
    product_id        String COMMENT 'The product the events name',
    window_start      DateTime64(3, 'UTC') COMMENT 'First millisecond of the window, event time',
    window_end        DateTime64(3, 'UTC') COMMENT 'First millisecond after the window, event time; filter on this one',
    revisions         UInt64 COMMENT 'How often a partition''s counts changed after they were first written',
    first_written_at  DateTime64(3, 'UTC') COMMENT 'When anything of the window was first written',
    revised_at        Array(DateTime64(3, 'UTC')) COMMENT 'When each revision was written, ascending',
    first_impressions UInt64 COMMENT 'Impressions as first written',
    first_clicks      UInt64 COMMENT 'Clicks as first written',
    impressions       UInt64 COMMENT 'Impressions now',
    clicks            UInt64 COMMENT 'Clicks now'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    product_id,
    window_start,
    window_end,
    sum(length(written) - 1) AS revisions,
    min(written[1]) AS first_written_at,
    arraySort(arrayFlatten(groupArray(arraySlice(written, 2)))) AS revised_at,
    sum(least_impressions) AS first_impressions,
    sum(least_clicks) AS first_clicks,
    sum(most_impressions) AS impressions,
    sum(most_clicks) AS clicks
FROM
(
    SELECT
        product_id,
        window_start,
        window_end,
        source_partition,
        arraySort(groupArray(first_written_at)) AS written,
        min(impressions) AS least_impressions,
        min(clicks) AS least_clicks,
        max(impressions) AS most_impressions,
        max(clicks) AS most_clicks
    FROM ctr_window_history FINAL
    GROUP BY product_id, window_start, window_end, source_partition
)
GROUP BY product_id, window_start, window_end
COMMENT 'How often and when each window changed after it was first written'
