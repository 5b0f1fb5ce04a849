//! The ClickHouse client: one insert, one question. The only file that knows the `clickhouse` crate.

use std::time::Duration;

use bytes::Bytes;
use clickhouse::{Client, Compression};
use hyper_util::client::legacy::Client as HttpPool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::row_binary::COLUMNS;
use crate::config::ClickHouseConfig;

/// The table that results go to; everything else is fed from it by views.
pub const RESULTS_TABLE: &str = "ctr_results_raw";

const TCP_KEEPALIVE: Duration = Duration::from_secs(60);

/// Less than the 3 s after which ClickHouse closes a connection that nobody uses.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(2);

/// Why ClickHouse did not take or answer something. Every kind is worth trying again: nothing is ever given up.
#[derive(Debug, thiserror::Error)]
pub enum ClickHouseError {
    /// It could not be reached, or the connection broke.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// It did not answer in time.
    #[error("no answer within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    /// It answered with an exception.
    #[error("{0}")]
    Refused(String),
}

/// A connection to one ClickHouse, for inserts and small questions.
#[derive(Clone)]
pub struct ClickHouse {
    client: Client,
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

/// Bytes of rows that are compressed as one block at most. ClickHouse's own blocks are of a mebibyte; LZ4's frames, through
/// which the local stack's engine reads them, end at four.
const MAX_BLOCK_BYTES: usize = 1 << 20;

/// A client for the server of the settings; nothing is connected yet. Without https none of the system's trusted certificates
/// are read: that takes a tenth of a second of CPU, a quarter of the start of the process.
fn client(config: &ClickHouseConfig) -> Client {
    let client = if config.url.starts_with("https:") {
        Client::default()
    } else {
        let mut connector = HttpConnector::new();
        connector.set_keepalive(Some(TCP_KEEPALIVE));
        Client::with_http_client(
            HttpPool::builder(TokioExecutor::new()).pool_idle_timeout(POOL_IDLE_TIMEOUT).build(connector),
        )
    };
    client
        .with_url(&config.url)
        .with_database(&config.database)
        .with_user(&config.user)
        .with_password(config.password.expose())
        .with_compression(Compression::Lz4)
}

impl ClickHouse {
    /// A client for the server of the settings. Nothing is connected yet.
    #[must_use]
    pub fn new(config: &ClickHouseConfig) -> Self {
        let client = client(config).with_product_info(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
        Self { client, timeout: config.request_timeout }
    }

    /// Inserts encoded rows in one request. Once this is `Ok`, the rows are in the table and everything that is fed by it.
    ///
    /// # Errors
    /// Any [`ClickHouseError`]: the rows may or may not have been written. Sending the same again is always right.
    pub async fn insert(&self, chunks: &[Bytes]) -> Result<(), ClickHouseError> {
        self.insert_into(RESULTS_TABLE, COLUMNS, chunks).await
    }

    /// The same for any table: `columns` in the order in which the rows are encoded.
    ///
    /// # Errors
    /// As [`ClickHouse::insert`].
    pub async fn insert_into(&self, table: &str, columns: &str, chunks: &[Bytes]) -> Result<(), ClickHouseError> {
        let sql = format!("INSERT INTO {table} ({columns}) FORMAT RowBinary");
        let mut insert = self
            .client
            .insert_formatted_with(sql)
            // An answer must mean that the rows are written, not queued.
            .with_setting("async_insert", "0")
            // A batch may hold windows of many months (a replay of old events): that is no mistake here.
            .with_setting("max_partitions_per_insert_block", "0")
            // Do not answer 200 before everything, views included, has succeeded.
            .with_setting("wait_end_of_query", "1")
            .with_timeouts(Some(self.timeout), Some(self.timeout));
        for chunk in chunks {
            for begin in (0..chunk.len()).step_by(MAX_BLOCK_BYTES) {
                let block = chunk.slice(begin..chunk.len().min(begin + MAX_BLOCK_BYTES));
                insert.send(block).await.map_err(|error| self.error(&error))?;
            }
        }
        insert.end().await.map_err(|error| self.error(&error))
    }

    /// Asks whether the server takes requests of this user in this database.
    ///
    /// # Errors
    /// Any [`ClickHouseError`].
    pub async fn ping(&self) -> Result<(), ClickHouseError> {
        self.ask::<u8>("SELECT 1").await.map(|_| ())
    }

    /// The rows that the results table has of one Kafka partition and of windows that end in `(after, until]`, epoch ms:
    /// product, window end, impressions, clicks.
    ///
    /// # Errors
    /// Any [`ClickHouseError`].
    pub async fn results(
        &self,
        source_partition: u32,
        after: i64,
        until: i64,
    ) -> Result<Vec<(String, i64, u64, u64)>, ClickHouseError> {
        self.ask(&format!(
            "SELECT product_id, toUnixTimestamp64Milli(window_end), impressions, clicks FROM {RESULTS_TABLE} FINAL \
             WHERE window_end > fromUnixTimestamp64Milli({after}, 'UTC') \
             AND window_end <= fromUnixTimestamp64Milli({until}, 'UTC') AND source_partition = {source_partition}"
        ))
        .await
    }

    /// The server's version.
    ///
    /// # Errors
    /// Any [`ClickHouseError`].
    pub async fn version(&self) -> Result<String, ClickHouseError> {
        Ok(self.ask::<String>("SELECT version()").await?.pop().unwrap_or_default())
    }

    /// The names of all tables and views of the database.
    ///
    /// # Errors
    /// Any [`ClickHouseError`].
    pub async fn tables(&self) -> Result<Vec<String>, ClickHouseError> {
        self.ask("SELECT name FROM system.tables WHERE database = currentDatabase() ORDER BY name").await
    }

    /// The columns of a table in their order; empty where there is no such table.
    ///
    /// # Errors
    /// Any [`ClickHouseError`].
    pub async fn columns(&self, table: &str) -> Result<Vec<Column>, ClickHouseError> {
        let sql = format!(
            "SELECT name || '\t' || type FROM system.columns \
             WHERE database = currentDatabase() AND table = '{table}' ORDER BY position"
        );
        let rows: Vec<String> = self.ask(&sql).await?;
        Ok(rows
            .iter()
            .filter_map(|row| row.split_once('\t'))
            .map(|(name, column_type)| Column { name: name.to_owned(), column_type: column_type.to_owned() })
            .collect())
    }

    async fn ask<T>(&self, sql: &str) -> Result<Vec<T>, ClickHouseError>
    where
        T: clickhouse::RowOwned + clickhouse::RowRead,
    {
        match tokio::time::timeout(self.timeout, self.client.query(sql).fetch_all::<T>()).await {
            Ok(answer) => answer.map_err(|error| self.error(&error)),
            Err(_) => Err(ClickHouseError::TimedOut(self.timeout)),
        }
    }

    fn error(&self, error: &clickhouse::error::Error) -> ClickHouseError {
        use clickhouse::error::Error;
        match error {
            Error::TimedOut => ClickHouseError::TimedOut(self.timeout),
            Error::Network(source) => ClickHouseError::Unreachable(innermost(source.as_ref())),
            Error::BadResponse(text) => ClickHouseError::Refused(text.trim().to_owned()),
            other => ClickHouseError::Refused(other.to_string()),
        }
    }
}

/// The last cause of an error, which is the one that helps: "connection refused" rather than "client error".
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
