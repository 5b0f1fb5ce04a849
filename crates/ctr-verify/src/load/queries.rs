//! The queries: the three of the README, one of a program, those of the dashboard's charts (as Superset runs them, for the last
//! half hour), and the saved ones. `tests/verify/test_load.py` compares them with `superset/assets`.

use clap::ValueEnum;

/// The source of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Group {
    /// The three queries of the README.
    Seed,
    /// A chart of the dashboard.
    Chart,
    /// A query saved in Superset.
    Saved,
    /// A lookup of the newest window of one product.
    Lookup,
}

impl Group {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Seed => "seed",
            Self::Chart => "chart",
            Self::Saved => "saved",
            Self::Lookup => "lookup",
        }
    }
}

/// One query.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) group: Group,
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
}

const fn seed(name: &'static str, sql: &'static str) -> Query {
    Query { group: Group::Seed, name, sql }
}

const fn lookup(name: &'static str, sql: &'static str) -> Query {
    Query { group: Group::Lookup, name, sql }
}

const fn chart(name: &'static str, sql: &'static str) -> Query {
    Query { group: Group::Chart, name, sql }
}

const fn saved(name: &'static str, sql: &'static str) -> Query {
    Query { group: Group::Saved, name, sql }
}

/// All queries. Charts and saved queries have the same names as in Superset.
pub(super) const QUERIES: &[Query] = &[
    seed("rows", "SELECT count() FROM ctr_results_raw"),
    seed("latest", "SELECT * FROM ctr_latest_view ORDER BY window_end DESC LIMIT 10"),
    seed(
        "minutes",
        "SELECT product_id, window_minute, avgMerge(avg_ctr) AS avg_ctr FROM ctr_ml_view \
         WHERE window_minute >= now64(3) - INTERVAL 10 MINUTE GROUP BY product_id, window_minute \
         ORDER BY product_id, window_minute LIMIT 20",
    ),
    lookup("one product", "SELECT * FROM ctr_latest_view WHERE product_id = 'product3'"),
    chart(
        "Overall CTR",
        "SELECT toStartOfMinute(window_end) AS minute, sum(clicks) / nullIf(sum(impressions), 0) AS ctr FROM ctr_windows \
         WHERE window_end >= now() - INTERVAL 30 MINUTE GROUP BY minute ORDER BY minute LIMIT 50000",
    ),
    chart(
        "Impressions",
        "SELECT toStartOfInterval(window_end, INTERVAL 10 SECOND) AS moment, sum(impressions) AS impressions FROM ctr_windows \
         WHERE window_end >= now() - INTERVAL 30 MINUTE GROUP BY moment ORDER BY moment LIMIT 50000",
    ),
    chart(
        "Clicks",
        "SELECT toStartOfInterval(window_end, INTERVAL 10 SECOND) AS moment, sum(clicks) AS clicks FROM ctr_windows \
         WHERE window_end >= now() - INTERVAL 30 MINUTE GROUP BY moment ORDER BY moment LIMIT 50000",
    ),
    chart(
        "Data lag",
        "SELECT if(count() = 0, NULL, greatest(0, dateDiff('second', max(window_end), now()))) AS lag FROM ctr_latest_view",
    ),
    chart(
        "Latest CTR per product",
        "SELECT product_id, sum(latest_clicks) / nullIf(sum(latest_impressions), 0) AS ctr FROM ctr_latest_view \
         GROUP BY product_id ORDER BY ctr DESC LIMIT 100",
    ),
    chart(
        "CTR per product",
        "SELECT window_minute, product_id, sum(clicks) / nullIf(sum(impressions), 0) AS ctr FROM (SELECT product_id, \
         window_minute, sumMerge(total_impressions) AS impressions, sumMerge(total_clicks) AS clicks FROM ctr_ml_view \
         GROUP BY product_id, window_minute) WHERE window_minute >= now() - INTERVAL 30 MINUTE \
         GROUP BY window_minute, product_id ORDER BY ctr DESC LIMIT 10000",
    ),
    chart(
        "Traffic",
        "SELECT toStartOfInterval(window_end, INTERVAL 10 SECOND) AS moment, sum(impressions) AS impressions_total, \
         sum(clicks) AS clicks_total FROM ctr_windows WHERE window_end >= now() - INTERVAL 30 MINUTE \
         GROUP BY moment ORDER BY impressions_total DESC LIMIT 10000",
    ),
    chart(
        "CTR by minute and product",
        "SELECT product_id, window_minute, sum(clicks) / nullIf(sum(impressions), 0) AS ctr FROM (SELECT product_id, \
         window_minute, sumMerge(total_impressions) AS impressions, sumMerge(total_clicks) AS clicks FROM ctr_ml_view \
         GROUP BY product_id, window_minute) WHERE window_minute >= now() - INTERVAL 30 MINUTE \
         GROUP BY product_id, window_minute ORDER BY window_minute LIMIT 10000",
    ),
    chart(
        "Windows revised by late events",
        "SELECT product_id, window_end, sum(states - 1) AS revisions, sum(late_impressions) AS late_impressions, \
         sum(late_clicks) AS late_clicks, max(last_written_at) AS last_revised_at FROM (SELECT product_id, window_end, \
         source_partition, count() AS states, max(impressions) - min(impressions) AS late_impressions, \
         max(clicks) - min(clicks) AS late_clicks, max(first_written_at) AS last_written_at FROM ctr_window_history FINAL \
         WHERE window_end >= now() - INTERVAL 30 MINUTE GROUP BY product_id, window_end, source_partition) \
         GROUP BY product_id, window_end HAVING revisions > 0 ORDER BY window_end DESC LIMIT 200",
    ),
    saved(
        "Products of the last hour",
        "SELECT product_id, sum(impressions) AS total_impressions, sum(clicks) AS total_clicks, \
         sum(clicks) / nullIf(sum(impressions), 0) AS ctr FROM ctr_windows WHERE window_end >= now() - INTERVAL 1 HOUR \
         GROUP BY product_id ORDER BY ctr DESC",
    ),
    saved(
        "The last ten minutes",
        "SELECT product_id, window_minute, avgMerge(avg_ctr) AS avg_ctr, sumMerge(total_impressions) AS impressions, \
         sumMerge(total_clicks) AS clicks FROM ctr_ml_view WHERE window_minute >= now64(3) - INTERVAL 10 MINUTE \
         GROUP BY product_id, window_minute ORDER BY product_id, window_minute",
    ),
    saved(
        "Kafka partitions of a window",
        "SELECT window_end, product_id, source_partition, impressions, clicks, inserted_at FROM ctr_results_raw FINAL \
         WHERE window_end >= now64(3) - INTERVAL 1 MINUTE ORDER BY window_end DESC, product_id, source_partition",
    ),
    saved(
        "What late events changed",
        "SELECT product_id, window_end, source_partition, impressions, clicks, first_written_at \
         FROM ctr_window_history FINAL WHERE window_end >= now64(3) - INTERVAL 10 MINUTE \
         AND (product_id, window_end, source_partition) IN (SELECT product_id, window_end, source_partition \
         FROM ctr_window_history FINAL WHERE window_end >= now64(3) - INTERVAL 10 MINUTE \
         GROUP BY product_id, window_end, source_partition HAVING count() > 1) \
         ORDER BY window_end DESC, product_id, source_partition, first_written_at",
    ),
];
