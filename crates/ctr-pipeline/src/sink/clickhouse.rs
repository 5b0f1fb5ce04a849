//! The ClickHouse client: inserts and small queries. docs/adr/0018 defines what counts as an acknowledgement.

pub(crate) mod answer;
mod block;
mod error;
mod http;
mod servers;

use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::results_table::{self, ColumnType};
use crate::config::ClickHouseConfig;
use answer::row;
pub(crate) use error::Asker;
pub use error::ClickHouseError;
use http::{Answer, Http, Query};

/// The table of results; materialized views feed all other tables from it.
pub const RESULTS_TABLE: &str = "ctr_results_raw";

/// The settings of every insert, which override the profile of the server or the user.
const INSERT_SETTINGS: [(&str, &str); 7] = [
    // A response must mean that the rows are written, not queued.
    ("async_insert", "0"),
    // A batch may hold windows of many months (a replay of old events), which is not an error here.
    ("max_partitions_per_insert_block", "0"),
    // Respond only after everything, including views, has succeeded; the headers then count the rows written.
    ("wait_end_of_query", "1"),
    ("send_progress_in_http_headers", "0"),
    // Refuse a changed or missing column by name.
    ("input_format_with_names_use_header", "1"),
    ("input_format_with_types_use_header", "1"),
    ("input_format_skip_unknown_fields", "0"),
];

/// The settings of every query: 64-bit integers as numbers.
const QUESTION_SETTINGS: [(&str, &str); 2] =
    [("output_format_json_quote_64bit_integers", "0"), ("send_progress_in_http_headers", "0")];

/// A client of the configured ClickHouse servers, for inserts and small queries.
#[derive(Clone)]
pub struct ClickHouse {
    http: Http,
    timeout: Duration,
}

/// A table's column: name and type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as ClickHouse writes it.
    pub column_type: String,
}

/// Encoded rows of one insert.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// The rows, in pieces.
    pub chunks: &'a [Bytes],
    /// The number of rows.
    pub count: usize,
}

/// One row of the results table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRow {
    /// The product.
    pub product_id: String,
    /// The end of its window, epoch ms.
    pub window_end: i64,
    /// Impressions.
    pub impressions: u64,
    /// Clicks.
    pub clicks: u64,
}

impl ClickHouse {
    /// A client for the configured servers. It does not connect yet.
    #[must_use]
    pub fn new(config: &ClickHouseConfig) -> Self {
        Self { http: Http::new(config), timeout: config.request_timeout }
    }

    /// The same client, with another timeout for queries.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self { timeout, ..self.clone() }
    }

    /// Inserts encoded rows in one request, waiting at most `patience` for the response. `Ok` means that ClickHouse itself has
    /// acknowledged the rows in the table and in everything fed from it.
    ///
    /// # Errors
    /// Any [`ClickHouseError`]: the rows may or may not have been written. Sending the same rows again is always correct.
    pub async fn insert(&self, rows: Rows<'_>, patience: Duration) -> Result<(), ClickHouseError> {
        self.insert_into(RESULTS_TABLE, &results_table::COLUMNS, rows, patience).await
    }

    /// Like [`ClickHouse::insert`] for any table; `columns` in the order in which the rows are encoded.
    ///
    /// # Errors
    /// As [`ClickHouse::insert`].
    pub async fn insert_into(
        &self,
        table: &str,
        columns: &[ColumnType],
        rows: Rows<'_>,
        patience: Duration,
    ) -> Result<(), ClickHouseError> {
        let names = columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ");
        let sql = format!("INSERT INTO {table} ({names}) FORMAT RowBinaryWithNamesAndTypes");
        let mut data = vec![results_table::header(columns)];
        data.extend_from_slice(rows.chunks);
        let query = Query { sql: &sql, settings: &INSERT_SETTINGS, data: &data, patience };
        let acknowledged = async |answer: Answer| {
            let written = answer.written_rows;
            answer.finish(patience).await?;
            judge_written(written, rows.count)
        };
        self.http.ask(&query, acknowledged).await
    }

    /// Checks whether this user can insert rows in this encoding into the results table, by an insert without rows.
    ///
    /// # Errors
    /// Any [`ClickHouseError`].
    pub async fn try_insert(&self) -> Result<(), ClickHouseError> {
        self.insert(Rows { chunks: &[], count: 0 }, self.timeout).await
    }

    /// Checks whether the server accepts queries of this user in this database.
    ///
    /// # Errors
    /// Any [`ClickHouseError`].
    pub async fn ping(&self, patience: Duration) -> Result<(), ClickHouseError> {
        self.all_within::<(u8,)>("SELECT 1", patience).await.map(|_| ())
    }

    /// The stored rows of one Kafka partition whose windows end in `(after, until]`, epoch ms.
    ///
    /// # Errors
    /// Any [`ClickHouseError`].
    pub async fn results(
        &self,
        source_partition: u32,
        after: i64,
        until: i64,
    ) -> Result<Vec<StoredRow>, ClickHouseError> {
        let rows: Vec<(String, i64, u64, u64)> = self
            .all(&format!(
                "SELECT product_id, toUnixTimestamp64Milli(window_end), impressions, clicks FROM {RESULTS_TABLE} FINAL \
                 WHERE window_end > fromUnixTimestamp64Milli(toInt64({after}), 'UTC') \
                 AND window_end <= fromUnixTimestamp64Milli(toInt64({until}), 'UTC') \
                 AND source_partition = {source_partition}"
            ))
            .await?;
        let row =
            |(product_id, window_end, impressions, clicks)| StoredRow { product_id, window_end, impressions, clicks };
        Ok(rows.into_iter().map(row).collect())
    }

    /// The version of the first server that responds.
    ///
    /// # Errors
    /// Any [`ClickHouseError`]: that of the last server, if none responds.
    pub async fn version(&self) -> Result<String, ClickHouseError> {
        for _ in 1..self.http.servers() {
            if let Ok(version) = self.version_of_current().await {
                return Ok(version);
            }
        }
        self.version_of_current().await
    }

    async fn version_of_current(&self) -> Result<String, ClickHouseError> {
        let mut rows: Vec<(String,)> = self.all("SELECT version()").await?;
        Ok(rows.pop().map(|(version,)| version).unwrap_or_default())
    }

    /// The names of all tables and views of the database.
    ///
    /// # Errors
    /// Any [`ClickHouseError`].
    pub async fn tables(&self) -> Result<Vec<String>, ClickHouseError> {
        let sql = "SELECT name FROM system.tables WHERE database = currentDatabase() ORDER BY name";
        Ok(self.all::<(String,)>(sql).await?.into_iter().map(|(name,)| name).collect())
    }

    /// The engine clause, with its TTL, of the table that holds the results: on a cluster the local table behind the distributed
    /// one (docs/cluster.md). `None` if it has no TTL.
    ///
    /// # Errors
    /// Any [`ClickHouseError`].
    pub(super) async fn engine_with_ttl(&self) -> Result<Option<String>, ClickHouseError> {
        let sql = format!(
            "SELECT engine_full FROM system.tables WHERE database = currentDatabase() \
             AND name IN ('{RESULTS_TABLE}', '{RESULTS_TABLE}_local') AND engine_full LIKE '% TTL %' ORDER BY name LIMIT 1"
        );
        Ok(self.all::<(String,)>(&sql).await?.pop().map(|(engine,)| engine))
    }

    /// The length of an interval that ends now by the server's clock: the length of `toIntervalMonth(3)` depends on the date.
    ///
    /// # Errors
    /// Any [`ClickHouseError`].
    pub(super) async fn length_of(&self, interval: &str) -> Result<Option<Duration>, ClickHouseError> {
        let sql = format!("SELECT dateDiff('second', now('UTC') - {interval}, now('UTC'))");
        let seconds = self.all::<(i64,)>(&sql).await?.pop().map_or(0, |(seconds,)| seconds);
        Ok(u64::try_from(seconds).ok().map(Duration::from_secs))
    }

    /// The columns of a table in order; empty if the table does not exist.
    ///
    /// # Errors
    /// Any [`ClickHouseError`].
    pub async fn columns(&self, table: &str) -> Result<Vec<Column>, ClickHouseError> {
        let sql = format!(
            "SELECT name, type FROM system.columns \
             WHERE database = currentDatabase() AND table = '{table}' ORDER BY position"
        );
        let rows: Vec<(String, String)> = self.all(&sql).await?;
        Ok(rows.into_iter().map(|(name, column_type)| Column { name, column_type }).collect())
    }

    /// All rows of a query.
    async fn all<R: DeserializeOwned>(&self, sql: &str) -> Result<Vec<R>, ClickHouseError> {
        self.all_within(sql, self.timeout).await
    }

    async fn all_within<R: DeserializeOwned>(&self, sql: &str, patience: Duration) -> Result<Vec<R>, ClickHouseError> {
        let sql = format!("{sql} FORMAT JSONCompactEachRow");
        let query = Query { sql: &sql, settings: &QUESTION_SETTINGS, data: &[], patience };
        let rows = async |answer: Answer| {
            let mut rows = Vec::new();
            let read = answer.lines(patience, |line| {
                rows.push(row(line)?);
                Ok(())
            });
            read.await?;
            Ok(rows)
        };
        self.http.ask(&query, rows).await
    }
}

/// Whether a response acknowledges all rows of an insert. Rows of the views count too, so there may be more.
fn judge_written(written: Option<u64>, count: usize) -> Result<(), ClickHouseError> {
    match written {
        Some(written) if written >= count as u64 => Ok(()),
        Some(written) => {
            Err(ClickHouseError::NotClickHouse(format!("the response acknowledges {written} of {count} rows")))
        }
        None => Err(ClickHouseError::NotClickHouse("the response has no row count (X-ClickHouse-Summary)".to_owned())),
    }
}

#[cfg(test)]
pub(crate) mod tests;
