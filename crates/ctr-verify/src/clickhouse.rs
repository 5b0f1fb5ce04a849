//! The ClickHouse client of this binary: questions only.

use anyhow::{Context as _, ensure};
use clickhouse::query::RowCursor;
use clickhouse::{Client, Compression, RowOwned, RowRead};
use ctr_pipeline::config::ClickHouseConfig;

/// One database, asked as the pipeline's user.
#[derive(Clone)]
pub(crate) struct ClickHouse {
    client: Client,
    place: String,
}

impl ClickHouse {
    pub(crate) fn new(config: &ClickHouseConfig) -> Self {
        // Made here and not by the pipeline: what checks it shares nothing with it but the settings.
        let client = Client::default()
            .with_url(&config.url)
            .with_database(&config.database)
            .with_user(&config.user)
            .with_password(config.password.expose())
            .with_compression(Compression::Lz4)
            .with_product_info(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
        Self { client, place: format!("ClickHouse at {}, database {}", config.url, config.database) }
    }

    /// The rows of a query, one after another. That it is ClickHouse who answers is proved by the names and types of the columns
    /// before the first row: nothing else can know them.
    pub(crate) fn rows<R: RowOwned + RowRead>(&self, sql: &str) -> anyhow::Result<RowCursor<R>> {
        self.client.query(sql).fetch().with_context(|| self.place.clone())
    }

    /// All rows of a query with a small answer.
    pub(crate) async fn all<R: RowOwned + RowRead>(&self, sql: &str) -> anyhow::Result<Vec<R>> {
        self.client.query(sql).fetch_all().await.with_context(|| self.place.clone())
    }

    /// Reads the whole answer to a query as text, as people's clients do; its length in bytes.
    pub(crate) async fn answer_length(&self, sql: &str) -> anyhow::Result<u64> {
        let mut cursor = self.client.query(sql).fetch_bytes("TabSeparated")?;
        while cursor.next().await?.is_some() {}
        ensure!(cursor.summary().is_some(), "{}: answered by something that is not ClickHouse", self.place);
        Ok(cursor.received_bytes())
    }

    /// Where the questions go, for messages.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }
}
