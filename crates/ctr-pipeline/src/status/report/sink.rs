//! The row sink.

use serde::Serialize;

use super::age;
use crate::histogram::{Histogram, Quantiles};
use crate::sink::state::{SinkFailure, SinkState};

/// The row sink.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SinkReport {
    /// Whether the last request to ClickHouse succeeded.
    pub available: bool,
    /// How long the request to ClickHouse has been pending; `None` if there is none.
    pub unanswered_seconds: Option<f64>,
    /// Batches acknowledged.
    pub batches: u64,
    /// Rows acknowledged.
    pub rows: u64,
    /// Inserts that failed and were retried.
    pub retries: u64,
    /// Acknowledged rows that ClickHouse drops, because they are older than the table's TTL.
    pub rows_beyond_retention: u64,
    /// Bytes of encoded rows that are not acknowledged.
    pub buffered_bytes: u64,
    /// How long ago rows were last acknowledged.
    pub last_durable_seconds_ago: Option<f64>,
    /// The last failure.
    pub last_error: Option<SinkError>,
    /// Durations of inserts.
    pub insert: Quantiles,
    /// Time from the end of a window until its first rows are durable.
    pub end_to_end: Quantiles,
    /// The durations in full, for the metrics.
    #[serde(skip)]
    pub insert_durations: Histogram,
    /// See `insert_durations`.
    #[serde(skip)]
    pub end_to_end_latencies: Histogram,
}

/// A failure of the sink.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SinkError {
    /// How long ago.
    pub seconds_ago: f64,
    /// Its kind in one word.
    pub kind: &'static str,
    /// The message.
    pub error: String,
}

impl SinkError {
    fn of(failure: SinkFailure) -> Self {
        Self { seconds_ago: age(failure.at), kind: failure.kind, error: failure.error }
    }
}

impl SinkReport {
    pub(super) fn of(sink: &SinkState) -> Self {
        let history = sink.history();
        Self {
            available: sink.is_available(),
            unanswered_seconds: history.asked_since.map(|asked| asked.elapsed().as_secs_f64()),
            batches: sink.batches(),
            rows: sink.rows(),
            retries: sink.retries(),
            rows_beyond_retention: sink.rows_beyond_retention(),
            buffered_bytes: sink.buffered_bytes(),
            last_durable_seconds_ago: history.last_durable.map(age),
            last_error: history.last_error.map(SinkError::of),
            insert: history.insert_durations.quantiles(),
            end_to_end: history.end_to_end_latencies.quantiles(),
            insert_durations: history.insert_durations,
            end_to_end_latencies: history.end_to_end_latencies,
        }
    }
}
