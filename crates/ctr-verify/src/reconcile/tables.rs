//! The contents of ClickHouse.

use std::collections::HashMap;
use std::ops::Range;

use anyhow::Context as _;
use foldhash::fast::RandomState;

use crate::clickhouse::ClickHouse;
use crate::count::Counts;

/// A row of `ctr_results_raw`, after merging.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) product: String,
    /// Epoch ms.
    pub(super) window: Range<i64>,
    pub(super) partition: usize,
    pub(super) counts: Counts,
}

/// A window of `ctr_windows`, all products together.
#[derive(Debug, Clone, Copy)]
pub(super) struct WindowSum {
    pub(super) window_start: i64,
    pub(super) counts: Counts,
    /// Rows in excess of one per product: always 0.
    pub(super) surplus_rows: u64,
}

/// How far recounts have read: (partition, window start) -> end offsets of impressions and clicks, exclusive.
pub(super) type Recounts = HashMap<(usize, i64), [i64; 2], RandomState>;

/// The end of the newest window whose rows the table may have dropped by now, epoch ms; `None` if it keeps rows
/// forever. ClickHouse drops them when it merges, so they may still be present.
pub(super) async fn dropped_up_to(clickhouse: &ClickHouse) -> anyhow::Result<Option<i64>> {
    // `toIntervalDay(N)` at the end of the TTL, as clickhouse/retention/limit.sql writes it; on a cluster, of the local table.
    const DAYS: &str = "SELECT toUnixTimestamp64Milli(now64(3)) - toInt64(extract(engine_full, \
                        ' TTL .*toIntervalDay\\\\((\\\\d+)\\\\)')) * 86400000 \
                        FROM system.tables WHERE database = currentDatabase() \
                        AND name IN ('ctr_results_raw', 'ctr_results_raw_local') \
                        AND match(engine_full, ' TTL .*toIntervalDay\\\\(\\\\d+\\\\)') ORDER BY name";
    Ok(clickhouse.all::<i64>(DAYS).await?.first().copied())
}

/// Calls `take` with every row of windows that begin in `compared`.
pub(super) async fn rows(
    clickhouse: &ClickHouse,
    compared: &Range<i64>,
    mut take: impl FnMut(Row),
) -> anyhow::Result<()> {
    let sql = format!(
        "SELECT product_id, toUnixTimestamp64Milli(window_start), toUnixTimestamp64Milli(window_end), source_partition, \
         impressions, clicks FROM ctr_results_raw FINAL WHERE {}",
        within(compared)
    );
    let mut cursor = clickhouse.rows::<(String, i64, i64, u32, u64, u64)>(&sql)?;
    while let Some(row) = cursor.next().await.with_context(|| clickhouse.place().to_owned())? {
        let (product, start, end, partition, impressions, clicks) = row;
        let partition = usize::try_from(partition)?;
        take(Row { product, window: start..end, partition, counts: Counts { impressions, clicks } });
    }
    Ok(())
}

/// The view's rows of the same windows.
pub(super) async fn window_sums(clickhouse: &ClickHouse, compared: &Range<i64>) -> anyhow::Result<Vec<WindowSum>> {
    let sql = format!(
        "SELECT toUnixTimestamp64Milli(window_start), sum(impressions), sum(clicks), count() - uniqExact(product_id) \
         FROM ctr_windows WHERE {} GROUP BY window_start ORDER BY window_start",
        within(compared)
    );
    let rows: Vec<(i64, u64, u64, i64)> = clickhouse.all(&sql).await?;
    let sum = |(window_start, impressions, clicks, surplus): (i64, u64, u64, i64)| WindowSum {
        window_start,
        counts: Counts { impressions, clicks },
        surplus_rows: surplus.unsigned_abs(),
    };
    Ok(rows.into_iter().map(sum).collect())
}

/// The recounts; none if the schema has no such table.
pub(super) async fn recounts(clickhouse: &ClickHouse) -> anyhow::Result<Recounts> {
    const TABLE: &str =
        "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'ctr_recounts'";
    if clickhouse.all::<u64>(TABLE).await? == [0] {
        return Ok(Recounts::default());
    }
    let rows: Vec<(u32, i64, i64, i64)> = clickhouse
        .all(
            "SELECT source_partition, toUnixTimestamp64Milli(window_start), toInt64(impressions_end), toInt64(clicks_end) \
             FROM ctr_recounts FINAL",
        )
        .await?;
    rows.into_iter().map(|(partition, start, a, b)| Ok(((usize::try_from(partition)?, start), [a, b]))).collect()
}

/// The condition on a window's start; the one on its end uses the table's key.
fn within(compared: &Range<i64>) -> String {
    let mut conditions = vec!["1".to_owned()];
    if compared.start > i64::MIN {
        conditions.push(format!(
            "window_start >= fromUnixTimestamp64Milli({0}, 'UTC') AND window_end > fromUnixTimestamp64Milli({0}, 'UTC')",
            compared.start
        ));
    }
    if compared.end < i64::MAX {
        conditions.push(format!("window_start < fromUnixTimestamp64Milli({}, 'UTC')", compared.end));
    }
    conditions.join(" AND ")
}
