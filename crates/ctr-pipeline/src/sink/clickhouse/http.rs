//! ClickHouse's HTTP interface: each request has a unique query id, and the response must prove its sender (docs/adr/0018).

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, HeaderMap, HeaderValue, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_tls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rand::RngExt as _;

use super::answer::{Lines, exception, written_rows};
use super::block::{self, MAX_BLOCK_BYTES};
use super::error::{Asker, ClickHouseError, shortened};
use super::servers::Servers;
use crate::config::ClickHouseConfig;
use crate::stopped;

const TCP_KEEPALIVE: Duration = Duration::from_secs(60);

/// Timeout for establishing a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Less than the 3 s after which ClickHouse closes an idle connection.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(2);

/// Maximum bytes read of an error response.
const MAX_REFUSAL_BYTES: usize = 64 << 10;

/// A response from ClickHouse itself.
pub(super) struct Answer {
    body: Incoming,
    /// Rows written to the table and to everything fed from it; `None` if the response does not contain the number.
    pub(super) written_rows: Option<u64>,
}

/// A request: a statement, and data for it.
pub(super) struct Query<'a> {
    pub(super) sql: &'a str,
    pub(super) settings: &'a [(&'a str, &'a str)],
    pub(super) data: &'a [Bytes],
    /// Timeout for the response headers, and for each frame of the body.
    pub(super) patience: Duration,
}

/// A pool of connections to the configured servers, for one user and database.
#[derive(Clone)]
pub(super) struct Http {
    pool: Pool,
    servers: Servers,
    headers: HeaderMap,
    pub(super) asker: Asker,
}

/// Without https, the system's trusted certificates are not read: that would take a tenth of a second of CPU, a quarter of the
/// startup time of the process.
#[derive(Clone)]
enum Pool {
    Plain(Client<HttpConnector, Blocks>),
    Tls(Client<HttpsConnector<HttpConnector>, Blocks>),
}

impl Http {
    /// Does not connect yet.
    pub(super) fn new(config: &ClickHouseConfig) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_keepalive(Some(TCP_KEEPALIVE));
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_idle_timeout(POOL_IDLE_TIMEOUT);
        let pool = if config.urls().any(|url| url.starts_with("https:")) {
            connector.enforce_http(false);
            Pool::Tls(builder.build(HttpsConnector::new_with_connector(connector)))
        } else {
            Pool::Plain(builder.build(connector))
        };
        let mut headers = HeaderMap::new();
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"))),
        );
        for (name, value) in
            [("X-ClickHouse-User", &config.user), ("X-ClickHouse-Key", &config.password.expose().to_owned())]
        {
            // A value that is invalid in a header (a line feed) cannot be a valid login: ClickHouse will refuse it.
            if let Ok(mut value) = HeaderValue::from_bytes(value.as_bytes()) {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
        let asker = Asker { user: config.user.clone(), database: config.database.clone() };
        Self { pool, servers: Servers::new(config.urls()), headers, asker }
    }

    /// How many servers there are.
    pub(super) fn servers(&self) -> usize {
        self.servers.len()
    }

    /// Sends a query to the current server, verifies who responds, and reads the response with `read`. After any error, also one
    /// of `read`, the next query goes to the next server.
    ///
    /// # Errors
    /// Any [`ClickHouseError`].
    pub(super) async fn ask<T>(
        &self,
        query: &Query<'_>,
        read: impl AsyncFnOnce(Answer) -> Result<T, ClickHouseError>,
    ) -> Result<T, ClickHouseError> {
        let (place, url) = self.servers.current();
        let result = match self.ask_server(url, query).await {
            Ok(answer) => read(answer).await,
            Err(error) => Err(error),
        };
        if result.is_err() {
            self.servers.leave(place);
        }
        result.map_err(|error| match error {
            ClickHouseError::Unreachable(words) => ClickHouseError::Unreachable(self.servers.name(place, words)),
            ClickHouseError::NotClickHouse(words) => ClickHouseError::NotClickHouse(self.servers.name(place, words)),
            other => other,
        })
    }

    async fn ask_server(&self, url: &str, query: &Query<'_>) -> Result<Answer, ClickHouseError> {
        let query_id = format!("{}-{:032x}", env!("CARGO_PKG_NAME"), rand::rng().random::<u128>());
        let request = self.request(url, query, &query_id)?;
        let asked = async {
            match &self.pool {
                Pool::Plain(pool) => pool.request(request).await,
                Pool::Tls(pool) => pool.request(request).await,
            }
        };
        let response = within(query.patience, asked).await?.map_err(|error| unreachable(&error))?;
        if response.status() != StatusCode::OK || response.headers().contains_key(EXCEPTION_CODE) {
            return Err(self.refusal(response, query.patience).await);
        }
        if header(response.headers(), QUERY_ID) != Some(query_id.as_str()) {
            return Err(stranger(&response));
        }
        let written_rows = header(response.headers(), SUMMARY).and_then(written_rows);
        Ok(Answer { body: response.into_body(), written_rows })
    }

    fn request(&self, url: &str, query: &Query<'_>, query_id: &str) -> Result<Request<Blocks>, ClickHouseError> {
        let mut pairs = form_urlencoded::Serializer::new(format!("{url}/?"));
        pairs.append_pair("database", &self.asker.database).append_pair("query_id", query_id);
        pairs.append_pair("query", query.sql).extend_pairs(query.settings);
        if !query.data.is_empty() {
            pairs.append_pair("decompress", "1");
        }
        let mut request = Request::post(pairs.finish())
            .body(Blocks::new(query.data))
            .map_err(|error| ClickHouseError::Unreachable(format!("`clickhouse.url`: {error}")))?;
        request.headers_mut().extend(self.headers.clone());
        if query.data.is_empty() {
            // ClickHouse refuses a POST without a length, which the client omits if there is no body.
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        Ok(request)
    }

    /// The error that a failed response stands for.
    async fn refusal(&self, response: Response<Incoming>, patience: Duration) -> ClickHouseError {
        let code = header(response.headers(), EXCEPTION_CODE).map(str::to_owned);
        let who = stranger(&response);
        let mut body = response.into_body();
        let mut text = Vec::new();
        while text.len() < MAX_REFUSAL_BYTES {
            let Ok(Some(Ok(frame))) = within(patience, body.frame()).await else { break };
            text.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
        }
        text.truncate(MAX_REFUSAL_BYTES);
        exception(code.as_deref(), &text, &self.asker).unwrap_or(who)
    }
}

const QUERY_ID: &str = "X-ClickHouse-Query-Id";
const SUMMARY: &str = "X-ClickHouse-Summary";
const EXCEPTION_CODE: &str = "X-ClickHouse-Exception-Code";

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The error for a response that is not from ClickHouse.
fn stranger(response: &Response<Incoming>) -> ClickHouseError {
    let status = response.status().as_u16();
    let who =
        header(response.headers(), "Server").map_or_else(String::new, |name| format!(" from `{}`", shortened(name)));
    let what = match header(response.headers(), QUERY_ID) {
        None => "without a query id",
        Some(_) => "with the id of another query",
    };
    ClickHouseError::NotClickHouse(format!("HTTP {status}{who} {what}"))
}

/// The root cause of an error, which is the useful one: "connection refused" rather than "client error".
fn unreachable(error: &(dyn std::error::Error + 'static)) -> ClickHouseError {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    ClickHouseError::Unreachable(cause.to_string())
}

impl Answer {
    /// Calls `each` for every line of the result, and stops at its first error.
    ///
    /// # Errors
    /// If the response is incomplete or not a result.
    pub(super) async fn lines(
        mut self,
        patience: Duration,
        mut each: impl FnMut(&[u8]) -> Result<(), ClickHouseError>,
    ) -> Result<(), ClickHouseError> {
        let mut lines = Lines::default();
        while let Some(frame) = within(patience, self.body.frame()).await? {
            let frame = frame.map_err(|error| unreachable(&error))?;
            if let Some(data) = frame.data_ref() {
                lines.push(data, &mut each)?;
            }
        }
        lines.end(&mut each)
    }

    /// Reads to the end, where an exception may follow.
    pub(super) async fn finish(self, patience: Duration) -> Result<(), ClickHouseError> {
        self.lines(patience, |line| {
            let text = String::from_utf8_lossy(line);
            if text.trim().is_empty() { Ok(()) } else { Err(ClickHouseError::Refused(shortened(&text))) }
        })
        .await
    }
}

/// How often a wait checks whether the process was suspended.
const TICK: Duration = Duration::from_millis(500);

/// Waits at most `patience`, not counting time in which this process was suspended: otherwise it would report a timeout that
/// the server did not cause.
async fn within<T>(patience: Duration, answer: impl Future<Output = T>) -> Result<T, ClickHouseError> {
    let mut answer = std::pin::pin!(answer);
    let begun = tokio::time::Instant::now();
    let stopped_before = stopped::total();
    loop {
        let deadline = begun + patience + (stopped::total() - stopped_before);
        let tick = deadline.min(tokio::time::Instant::now() + TICK);
        match tokio::time::timeout_at(tick, &mut answer).await {
            Ok(value) => return Ok(value),
            Err(_) => {
                stopped::look();
                let deadline = begun + patience + (stopped::total() - stopped_before);
                if tokio::time::Instant::now() >= deadline {
                    return Err(ClickHouseError::TimedOut(patience));
                }
            }
        }
    }
}

/// A request body: chunks of rows, compressed block by block while sending.
struct Blocks {
    plain: VecDeque<Bytes>,
}

impl Blocks {
    fn new(chunks: &[Bytes]) -> Self {
        let blocks = |chunk: &Bytes| {
            let chunk = chunk.clone();
            (0..chunk.len())
                .step_by(MAX_BLOCK_BYTES)
                .map(move |begin| chunk.slice(begin..chunk.len().min(begin + MAX_BLOCK_BYTES)))
        };
        Self { plain: chunks.iter().flat_map(blocks).collect() }
    }
}

impl Body for Blocks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.plain.pop_front().map(|plain| Ok(Frame::data(block::compress(&plain)))))
    }

    fn is_end_stream(&self) -> bool {
        self.plain.is_empty()
    }
}
