//! The ClickHouse client of this binary, for queries only.

use anyhow::{Context as _, ensure};
use clickhouse::query::RowCursor;
use clickhouse::{Client, Compression, RowOwned, RowRead};
use ctr_pipeline::config::ClickHouseConfig;

/// One database, queried as the pipeline's user.
#[derive(Clone)]
pub(crate) struct ClickHouse {
    client: Client,
    place: String,
}

impl ClickHouse {
    pub(crate) fn new(config: &ClickHouseConfig) -> Self {
        // Separate from the pipeline's client: the verifier shares only the settings with the pipeline.
        let client = Client::default()
            // Any node of a cluster gives the same answers; the first one is queried.
            .with_url(config.urls().next().unwrap_or_default())
            .with_database(&config.database)
            .with_user(&config.user)
            .with_password(config.password.expose())
            .with_compression(Compression::Lz4)
            .with_product_info(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
        Self { client, place: format!("ClickHouse at {}, database {}", config.url, config.database) }
    }

    /// The rows of a query, one after another. The names and types of the columns before the first row prove that the response
    /// comes from ClickHouse.
    pub(crate) fn rows<R: RowOwned + RowRead>(&self, sql: &str) -> anyhow::Result<RowCursor<R>> {
        self.client.query(sql).fetch().with_context(|| self.place.clone())
    }

    /// All rows of a query with a small result.
    pub(crate) async fn all<R: RowOwned + RowRead>(&self, sql: &str) -> anyhow::Result<Vec<R>> {
        self.client.query(sql).fetch_all().await.with_context(|| self.place.clone())
    }

    /// Reads the whole result of a query as text, as interactive clients do. Returns its length in bytes.
    pub(crate) async fn answer_length(&self, sql: &str) -> anyhow::Result<u64> {
        let mut cursor = self.client.query(sql).fetch_bytes("TabSeparated")?;
        while cursor.next().await?.is_some() {}
        ensure!(cursor.summary().is_some(), "{}: the response is not from ClickHouse", self.place);
        Ok(cursor.received_bytes())
    }

    /// Server and database, for messages.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }
}
