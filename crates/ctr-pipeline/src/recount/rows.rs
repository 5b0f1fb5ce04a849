//! Compares the rows of a recount with those of the table, and writes them.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use ctr_domain::counts::Counts;
use ctr_domain::recount::{Recount, WindowRange};
use ctr_domain::rules::Rules;
use ctr_domain::side::Side;
use ctr_domain::window::Window;
use tokio::runtime::Runtime;

use super::NotUsable;
use super::plan::Pair;
use super::report::{RecountReport, RowFinding};
use crate::config::{ClickHouseConfig, Config};
use crate::sink::clickhouse::{ClickHouse, Rows, StoredRow};
use crate::sink::results_table::ColumnType;
use crate::sink::retention::Retention;
use crate::sink::row_binary;

/// The table of recounted windows.
const RECOUNTS_TABLE: &str = "ctr_recounts";

/// Its columns, in the order in which they are encoded.
const RECOUNTS_COLUMNS: [ColumnType; 5] = [
    ColumnType { name: "window_start", column_type: "DateTime64(3, 'UTC')" },
    ColumnType { name: "window_end", column_type: "DateTime64(3, 'UTC')" },
    ColumnType { name: "source_partition", column_type: "UInt32" },
    ColumnType { name: "impressions_end", column_type: "UInt64" },
    ColumnType { name: "clicks_end", column_type: "UInt64" },
];

/// Rows of the table, by product and window end.
type Stored = HashMap<(String, i64), Counts>;

/// Blocking access to the tables, for a command.
pub(super) struct Results<'a> {
    server: ClickHouse,
    runtime: &'a Runtime,
    max_batch_bytes: usize,
    patience: Duration,
}

impl<'a> Results<'a> {
    /// # Errors
    /// [`NotUsable`] if the table of recounts is missing.
    pub(super) fn connect(config: &Config, runtime: &'a Runtime) -> anyhow::Result<Self> {
        let server = ClickHouse::new(&config.clickhouse);
        if runtime.block_on(server.columns(RECOUNTS_TABLE))?.is_empty() {
            let database = &config.clickhouse.database;
            bail!(NotUsable(format!(
                "table {database}.{RECOUNTS_TABLE} does not exist; apply the schema: ./scripts/init-clickhouse.sh"
            )));
        }
        let ClickHouseConfig { max_batch_bytes, request_timeout: patience, .. } = config.clickhouse;
        Ok(Self { server, runtime, max_batch_bytes, patience })
    }

    /// The stored rows of a pair of partitions.
    pub(super) fn stored(&self, source_partition: u32, range: &WindowRange) -> anyhow::Result<Stored> {
        let rows = self
            .runtime
            .block_on(self.server.results(source_partition, range.start(), range.end()))
            .context("could not read the results")?;
        let counts = |row: StoredRow| {
            ((row.product_id, row.window_end), Counts { impressions: row.impressions, clicks: row.clicks })
        };
        Ok(rows.into_iter().map(counts).collect())
    }

    /// Rows of windows that end at or before this time, epoch ms, are dropped by the table's TTL; `None` if it keeps all.
    pub(super) fn drops_until(&self, now: i64) -> anyhow::Result<Option<i64>> {
        let retention =
            self.runtime.block_on(Retention::ask(&self.server)).context("could not read the table's TTL")?;
        Ok(retention.drops_until(now))
    }

    /// Writes encoded rows of results, in requests of bounded size.
    pub(super) fn write(&self, rows: &[Bytes]) -> anyhow::Result<()> {
        for chunks in bounded(rows, self.max_batch_bytes) {
            let count = chunks.iter().map(|chunk| row_binary::window_ends(chunk).count()).sum();
            self.runtime
                .block_on(self.server.insert(Rows { chunks, count }, self.patience))
                .context("could not write rows; the rows already written are correct, run the command again")?;
        }
        Ok(())
    }

    /// Records that the windows of a pair were recounted, with the end offsets.
    pub(super) fn note(&self, pair: &Pair, windows: impl Iterator<Item = Window>) -> anyhow::Result<()> {
        let (mut bytes, mut count) = (Vec::new(), 0);
        for window in windows {
            count += 1;
            bytes.extend_from_slice(&window.start.to_le_bytes());
            bytes.extend_from_slice(&window.end.to_le_bytes());
            bytes.extend_from_slice(&pair.source_partition().to_le_bytes());
            for side in Side::BOTH {
                bytes.extend_from_slice(&pair.parts[side].end.to_le_bytes());
            }
        }
        let chunks = [Bytes::from(bytes)];
        let rows = Rows { chunks: &chunks, count };
        self.runtime
            .block_on(self.server.insert_into(RECOUNTS_TABLE, &RECOUNTS_COLUMNS, rows, self.patience))
            .context("could not record the recount; run the command again")
    }
}

/// Groups of chunks, each group of at most `limit` bytes, or of one chunk.
fn bounded(chunks: &[Bytes], limit: usize) -> impl Iterator<Item = &[Bytes]> {
    let mut rest = chunks;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fitting = rest.iter().take_while(|chunk| {
            bytes += chunk.len();
            bytes <= limit
        });
        let (group, after) = rest.split_at(fitting.count().max(1).min(rest.len()));
        rest = after;
        (!group.is_empty()).then_some(group)
    })
}

/// Rows encoded together.
const ROWS_PER_CHUNK: usize = 1_000;

/// Compares the counts of a pair with the stored ones and encodes them, including equal ones, because tables fed from the
/// results table may lack the row.
pub(super) fn compare(
    mut recount: Recount,
    mut stored: Stored,
    is_wanted: impl Fn(i64) -> bool,
    rules: &Rules,
    drops_until: Option<i64>,
    report: &mut RecountReport,
) -> Vec<Bytes> {
    // Rows dropped by the table's TTL are not missing: every recount would write them again, and they would be dropped again.
    let is_kept = |window_end: i64| drops_until.is_none_or(|until| window_end > until);
    let watermark = recount.watermark();
    let has_passed = |window_end| rules.has_passed(window_end, watermark);
    let (mut chunks, mut rows, mut bytes) = (Vec::new(), 0, Vec::new());
    recount.rows(
        |window| is_wanted(window.start),
        |row| {
            if !is_kept(row.window.end) {
                return report.note_beyond_retention();
            }
            let known = stored.remove(&(row.product_id.to_owned(), row.window.end));
            report.note(row.product_id, judge(known, row.counts), has_passed(row.window.end));
            row_binary::encode(&row, &mut bytes);
            rows += 1;
            if rows % ROWS_PER_CHUNK == 0 {
                chunks.push(std::mem::take(&mut bytes).into());
            }
        },
    );
    if !bytes.is_empty() {
        chunks.push(bytes.into());
    }
    let unknown =
        stored.keys().filter(|(_, end)| is_kept(*end) && has_passed(*end) && is_wanted(rules.window_of(end - 1).start));
    report.note_unknown(unknown.count());
    chunks
}

fn judge(stored: Option<Counts>, counted: Counts) -> RowFinding {
    match stored {
        None => RowFinding::Missing,
        Some(stored) if stored == counted => RowFinding::Same,
        Some(stored) if stored.impressions <= counted.impressions && stored.clicks <= counted.clicks => {
            RowFinding::Grown
        }
        Some(_) => RowFinding::Larger,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_bounded_and_lose_nothing() {
        let chunks: Vec<Bytes> = [3, 4, 9, 1, 1, 1].map(|len| Bytes::from(vec![0; len])).to_vec();
        let groups: Vec<Vec<usize>> = bounded(&chunks, 7).map(|group| group.iter().map(Bytes::len).collect()).collect();
        assert_eq!(groups, [vec![3, 4], vec![9], vec![1, 1, 1]]);
        assert_eq!(bounded(&[], 7).count(), 0);
    }

    #[test]
    fn a_row_is_judged_by_both_counts() {
        let counts = |impressions, clicks| Counts { impressions, clicks };
        assert_eq!(judge(None, counts(1, 0)), RowFinding::Missing);
        assert_eq!(judge(Some(counts(1, 0)), counts(1, 0)), RowFinding::Same);
        assert_eq!(judge(Some(counts(1, 0)), counts(1, 1)), RowFinding::Grown);
        assert_eq!(judge(Some(counts(1, 2)), counts(9, 1)), RowFinding::Larger);
    }
}
