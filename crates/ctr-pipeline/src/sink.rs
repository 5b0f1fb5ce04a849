//! Destinations: rows go to ClickHouse, records that cannot be counted to the dead letter topic.
//!
//! ```text
//! worker ── RowChunk ──> Sink (one batch at a time, retried until it works) ──> ctr_results_raw
//!        <── rows acknowledged ──┘
//! worker ── Letter ──> DeadLetterSink ──> dlq-events
//!        <── letter acknowledged or handed back ──┘
//! ```
//!
//! Neither ever drops anything or blocks a worker: if a sink has no room, the worker stops draining its partitions and
//! continues polling.

pub mod backoff;
pub mod clickhouse;
pub mod dead_letter;
pub mod dead_letter_record;
mod pace;
pub(crate) mod patience;
pub(crate) mod redrive;
pub mod results_table;
pub mod retention;
pub mod row_binary;
pub mod state;
pub mod writer;

pub use ctr_domain::shell::TaskId;

/// Receipts for a worker.
#[derive(Debug)]
pub enum Receipt {
    /// All row batches of a task up to this number are durable.
    Rows {
        /// The task that sent them.
        task: TaskId,
        /// The number of the newest.
        batch: u64,
    },
    /// A dead letter is durable.
    Letter {
        /// The task that issued it.
        task: TaskId,
        /// Its number.
        number: u64,
    },
    /// A dead letter could not be written and must be sent again.
    Undelivered {
        /// The letter itself.
        letter: Box<dead_letter::Letter>,
        /// The reason, for people.
        reason: String,
    },
}
