//! The row sink: collects rows of all workers into batches, and writes each batch until it is acknowledged, one at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::Sender;
use tokio::sync::mpsc;

use super::backoff::Backoff;
use super::clickhouse::{ClickHouse, ClickHouseError, RESULTS_TABLE, Rows};
use super::pace::Pace;
use super::patience::Patience;
use super::results_table::{self, Mismatch};
use super::retention::Retention;
use super::state::SinkState;
use super::{Receipt, TaskId};
use crate::config::ClickHouseConfig;
use crate::crash_point::crash_point;
use crate::wall_clock::now_ms;

/// How often an idle sink pings ClickHouse.
const PING_INTERVAL: Duration = Duration::from_secs(1);

/// How often a persisting failure is logged.
const REMINDER: Duration = Duration::from_secs(10);

/// How often the table's TTL is read.
const RETENTION_INTERVAL: Duration = Duration::from_secs(300);

/// Rows of one firing of one task, encoded.
#[derive(Debug)]
pub struct RowChunk {
    /// The task that fired.
    pub task: TaskId,
    /// The number of the firing, for the acknowledgement.
    pub batch: u64,
    /// The number of rows.
    pub rows: usize,
    /// The rows.
    pub bytes: Vec<u8>,
    /// The end of the newest window in it, epoch ms, if a window fires for the first time.
    pub shown_first: Option<i64>,
    /// When it was handed over.
    pub handed_over: Instant,
    /// The channel for the acknowledgement.
    pub reply: Sender<Receipt>,
}

/// The workers' end of the sink.
#[derive(Debug, Clone)]
pub struct RowSink {
    chunks: mpsc::UnboundedSender<RowChunk>,
    state: Arc<SinkState>,
    max_buffered_bytes: u64,
}

impl RowSink {
    /// Whether there is room for more rows.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.state.buffered_bytes() < self.max_buffered_bytes
    }

    /// Status of the sink.
    #[must_use]
    pub fn state(&self) -> &Arc<SinkState> {
        &self.state
    }

    /// Hands over rows without blocking; check [`RowSink::has_room`] first. False if the sink has stopped, so that the rows will
    /// never be acknowledged.
    #[must_use]
    pub fn send(&self, chunk: RowChunk) -> bool {
        self.state.taken(chunk.bytes.len());
        self.chunks.send(chunk).is_ok()
    }
}

/// The sink's own end: run it as a task.
pub struct Writer {
    chunks: mpsc::UnboundedReceiver<RowChunk>,
    carried: Option<RowChunk>,
    clickhouse: ClickHouse,
    state: Arc<SinkState>,
    config: ClickHouseConfig,
    pace: Pace,
    ping_patience: Patience,
    retention: Retention,
    retention_asked: Option<Instant>,
}

/// A sink for the configured server: the workers' end, and the end to run.
#[must_use]
pub fn row_sink(config: &ClickHouseConfig) -> (RowSink, Writer) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let state = Arc::new(SinkState::default());
    let sink =
        RowSink { chunks: sender, state: Arc::clone(&state), max_buffered_bytes: config.max_buffered_bytes as u64 };
    let writer = Writer {
        chunks: receiver,
        carried: None,
        clickhouse: ClickHouse::new(config),
        state,
        config: config.clone(),
        pace: Pace::new(config.batch_interval),
        ping_patience: Patience::new(config.request_timeout),
        retention: Retention::default(),
        retention_asked: None,
    };
    (sink, writer)
}

/// The attempts to write one batch, for the log.
struct Attempts {
    rows: usize,
    begun: Instant,
    failed: u32,
    said: Option<(Instant, &'static str)>,
}

impl Attempts {
    fn new(rows: usize) -> Self {
        Self { rows, begun: Instant::now(), failed: 0, said: None }
    }

    /// An attempt failed. Logs the first failure, every change of the reason, and periodic reminders.
    fn say(&mut self, error: &ClickHouseError) {
        self.failed += 1;
        let kind = error.kind();
        if self.said.is_some_and(|(at, said)| said == kind && at.elapsed() < REMINDER) {
            return;
        }
        self.said = Some((Instant::now(), kind));
        let duration_seconds = self.begun.elapsed().as_secs();
        tracing::warn!(
            %error, reason = kind, rows = self.rows, attempt = self.failed, duration_seconds,
            "insert failed; retrying the same batch, reading is paused"
        );
    }

    fn say_that_it_worked(&self) {
        if self.failed > 0 {
            let duration_seconds = self.begun.elapsed().as_secs();
            tracing::info!(rows = self.rows, attempt = self.failed + 1, duration_seconds, "insert succeeded again");
        }
    }
}

/// Chunks that are inserted together.
#[derive(Default)]
struct InsertBatch {
    receipts: Vec<(TaskId, u64, Sender<Receipt>)>,
    chunks: Vec<Bytes>,
    shown_first: Vec<i64>,
    rows: usize,
    bytes: usize,
}

impl InsertBatch {
    fn push(&mut self, chunk: RowChunk) {
        self.rows += chunk.rows;
        self.bytes += chunk.bytes.len();
        self.shown_first.extend(chunk.shown_first);
        self.receipts.push((chunk.task, chunk.batch, chunk.reply));
        self.chunks.push(Bytes::from(chunk.bytes));
    }
}

impl Writer {
    /// Writes until all workers' ends are dropped and everything handed over is acknowledged.
    pub async fn run(mut self) {
        self.ping().await;
        while let Some(batch) = self.next_batch().await {
            self.refresh_retention().await;
            self.write(&batch).await;
            self.acknowledge(batch);
        }
    }

    /// Reads the table's TTL periodically, because it may change. If that fails, the last known TTL stays.
    async fn refresh_retention(&mut self) {
        if self.retention_asked.is_none_or(|asked| asked.elapsed() >= RETENTION_INTERVAL) {
            self.retention_asked = Some(Instant::now());
            if let Ok(retention) = Retention::ask(&self.clickhouse).await {
                self.retention = retention;
            }
        }
    }

    /// Counts acknowledged rows that are older than the table's TTL: ClickHouse's next merge drops them.
    fn count_what_is_dropped(&mut self, batch: &InsertBatch) {
        let now = now_ms();
        let dropped = self.retention.dropped(batch.chunks.iter().map(|chunk| &chunk[..]), now);
        if dropped > 0 && self.state.rows_beyond_retention() == 0 {
            tracing::warn!(
                rows = dropped,
                "rows are beyond retention: their windows are older than the table's TTL (RAW_TTL_DAYS). ClickHouse acknowledges \
                 and drops them; ctr_rows_beyond_retention_total counts them, and this message is logged once"
            );
        }
        self.state.beyond_retention(dropped);
    }

    /// The next chunks to insert together: bounded in rows and bytes, at the [`Pace`] of the batch interval.
    async fn next_batch(&mut self) -> Option<InsertBatch> {
        let first = self.first_chunk().await?;
        let due = self.pace.due(first.handed_over);
        let mut batch = InsertBatch::default();
        batch.push(first);
        while batch.rows < self.config.batch_size && batch.bytes < self.config.max_batch_bytes {
            let Ok(Some(chunk)) = tokio::time::timeout_at(due.into(), self.chunks.recv()).await else { break };
            let fits = batch.rows + chunk.rows <= self.config.batch_size
                && batch.bytes + chunk.bytes.len() <= self.config.max_batch_bytes;
            if !fits {
                self.carried = Some(chunk);
                break;
            }
            batch.push(chunk);
        }
        Some(batch)
    }

    /// Waits for a chunk, and pings ClickHouse while there is none.
    async fn first_chunk(&mut self) -> Option<RowChunk> {
        if let Some(chunk) = self.carried.take() {
            return Some(chunk);
        }
        loop {
            match tokio::time::timeout(PING_INTERVAL, self.chunks.recv()).await {
                Ok(chunk) => return chunk,
                Err(_) => self.ping().await,
            }
        }
    }

    /// Its timeout grows like an insert's: while pings fail nothing is read, so no insert could show that ClickHouse is only slow.
    async fn ping(&mut self) {
        self.state.asked();
        let answer = self.clickhouse.ping(self.ping_patience.get()).await;
        let took = self.state.answered();
        match answer {
            Ok(()) => {
                self.ping_patience.relax(took);
                if self.state.succeeded() {
                    tracing::info!("ClickHouse answers requests");
                }
            }
            Err(error) => {
                let last = self.state.history().last_error;
                if self.state.is_available() || last.is_none_or(|last| last.kind != error.kind()) {
                    let reason = error.kind();
                    tracing::warn!(
                        %error, reason, url = self.config.url,
                        "ClickHouse is not available; reading is paused until it is"
                    );
                }
                if matches!(error, ClickHouseError::TimedOut(_)) {
                    self.ping_patience.grow();
                }
                self.state.failed(&error);
            }
        }
    }

    /// Sends a batch until it is acknowledged, without a limit of attempts.
    async fn write(&mut self, batch: &InsertBatch) {
        let mut backoff = Backoff::new(self.config.backoff_min, self.config.backoff_max);
        let mut patience = Patience::new(self.config.request_timeout);
        let mut attempts = Attempts::new(batch.rows);
        self.pace.sent(attempts.begun);
        loop {
            crash_point!("before-row-send");
            self.state.asked();
            let rows = Rows { chunks: &batch.chunks, count: batch.rows };
            let answer = self.clickhouse.insert(rows, patience.get()).await;
            let took = self.state.answered();
            let error = match answer {
                Ok(()) => break self.state.inserted(took),
                Err(error) => self.explained(error).await,
            };
            if matches!(error, ClickHouseError::TimedOut(_)) {
                patience.grow();
            }
            self.state.failed(&error);
            self.state.retried();
            attempts.say(&error);
            tokio::time::sleep(backoff.next_wait()).await;
        }
        crash_point!("before-row-acknowledgement");
        attempts.say_that_it_worked();
    }

    /// Explains a refused insert: if the table was changed, the error names the column.
    async fn explained(&self, error: ClickHouseError) -> ClickHouseError {
        if !matches!(error, ClickHouseError::Refused(_)) {
            return error;
        }
        let Ok(columns) = self.clickhouse.columns(RESULTS_TABLE).await else { return error };
        results_table::mismatch(&columns).map_or(error, |Mismatch { what, remedy }| {
            let table = results_table::full_name(&self.config.database);
            ClickHouseError::TableChanged(format!("{table}: {what}; {remedy}"))
        })
    }

    fn acknowledge(&mut self, batch: InsertBatch) {
        self.count_what_is_dropped(&batch);
        self.state.acknowledged(batch.rows, batch.bytes, &batch.shown_first);
        for (task, number, reply) in batch.receipts {
            // A worker that has ended needs no receipt: its successor sends the rows of all held windows again.
            let _ = reply.send(Receipt::Rows { task, batch: number });
        }
    }
}
