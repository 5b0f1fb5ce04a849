//! Status of the row sink.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::clickhouse::ClickHouseError;
use crate::histogram::Histogram;
use crate::stopped;
use crate::wall_clock::now_ms;

/// The state of the row sink, written by the sink and read by workers and the status report.
#[derive(Debug, Default)]
pub struct SinkState {
    available: AtomicBool,
    buffered_bytes: AtomicU64,
    batches: AtomicU64,
    rows: AtomicU64,
    retries: AtomicU64,
    beyond_retention: AtomicU64,
    history: Mutex<SinkHistory>,
}

/// The last success and failure of the sink, and its durations.
#[derive(Debug, Default, Clone)]
pub struct SinkHistory {
    /// When rows were last acknowledged.
    pub last_durable: Option<Instant>,
    /// The last failure.
    pub last_error: Option<SinkFailure>,
    /// The pending request to ClickHouse; `None` if there is none.
    pub asked_since: Option<Asked>,
    /// Durations of successful inserts, from request to response.
    pub insert_durations: Histogram,
    /// Time from the end of a window, by the wall clock, until its first rows were durable.
    pub end_to_end_latencies: Histogram,
}

/// A failure of the sink.
#[derive(Debug, Clone)]
pub struct SinkFailure {
    /// When.
    pub at: Instant,
    /// Its kind in one word ([`ClickHouseError::kind`]).
    pub kind: &'static str,
    /// The message.
    pub error: String,
}

/// A request without a response yet.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    since: Instant,
    stopped_before: Duration,
}

impl Asked {
    fn now() -> Self {
        Self { since: Instant::now(), stopped_before: stopped::total() }
    }

    /// How long the request has been pending, not counting time in which this process was suspended.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.since.elapsed().saturating_sub(stopped::total().saturating_sub(self.stopped_before))
    }
}

impl SinkState {
    /// Whether the last request to ClickHouse succeeded. If not, reading is paused: the log keeps the records.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.available.load(Ordering::Relaxed)
    }

    /// Encoded rows that are not acknowledged, in bytes.
    #[must_use]
    pub fn buffered_bytes(&self) -> u64 {
        self.buffered_bytes.load(Ordering::Relaxed)
    }

    /// Batches acknowledged.
    #[must_use]
    pub fn batches(&self) -> u64 {
        self.batches.load(Ordering::Relaxed)
    }

    /// Rows acknowledged.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Inserts that failed.
    #[must_use]
    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// What happened so far.
    #[must_use]
    pub fn history(&self) -> SinkHistory {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, SinkHistory> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rows were handed over.
    pub(super) fn taken(&self, bytes: usize) {
        self.buffered_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// A request was sent to ClickHouse.
    pub(super) fn asked(&self) {
        self.lock().asked_since = Some(Asked::now());
    }

    /// The request ended, by a response or a timeout. Returns its duration.
    pub(super) fn answered(&self) -> Duration {
        self.lock().asked_since.take().map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// A request succeeded. Returns true if the previous one had failed.
    pub(super) fn succeeded(&self) -> bool {
        !self.available.swap(true, Ordering::Relaxed)
    }

    /// A request failed.
    pub(crate) fn failed(&self, error: &ClickHouseError) {
        self.available.store(false, Ordering::Relaxed);
        self.lock().last_error = Some(SinkFailure { at: Instant::now(), kind: error.kind(), error: error.to_string() });
    }

    /// Counts rows that ClickHouse acknowledged and drops, because they are older than the table's TTL.
    pub(super) fn beyond_retention(&self, rows: u64) {
        self.beyond_retention.fetch_add(rows, Ordering::Relaxed);
    }

    /// Rows that were acknowledged and are dropped because of the table's TTL.
    #[must_use]
    pub fn rows_beyond_retention(&self) -> u64 {
        self.beyond_retention.load(Ordering::Relaxed)
    }

    /// An insert failed and will be retried.
    pub(super) fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// An insert succeeded.
    pub(super) fn inserted(&self, took: Duration) {
        self.lock().insert_durations.observe(took);
    }

    /// A batch is durable. `shown_first` are the ends (epoch ms) of windows that fired for the first time.
    pub(super) fn acknowledged(&self, rows: usize, bytes: usize, shown_first: &[i64]) {
        self.succeeded();
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
        self.buffered_bytes.fetch_sub(bytes as u64, Ordering::Relaxed);
        let now = Duration::from_millis(u64::try_from(now_ms()).unwrap_or_default());
        let mut history = self.lock();
        history.last_durable = Some(Instant::now());
        for end in shown_first {
            let end = Duration::from_millis(u64::try_from(*end).unwrap_or_default());
            // If event time is ahead of this clock, a window is durable before it ends: count 0.
            history.end_to_end_latencies.observe(now.saturating_sub(end));
        }
    }
}
