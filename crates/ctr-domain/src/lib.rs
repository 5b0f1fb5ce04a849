//! The rules of the CTR pipeline: events, windows, watermarks, counting and recovery.
//!
//! Pure: no IO, no clock, no threads, no logging. Time is passed as an argument, so that tests can drive these rules through
//! millions of histories. Everything is based on two ideas:
//!
//! - **Results only grow.** The counts of a window in one Kafka partition never decrease, and the tables keep the largest. A
//!   row may be sent twice, late, out of order, or by a process that should have exited.
//! - **The log is the state.** A checkpoint is a Kafka offset with a few numbers; a process that starts there repeats every
//!   decision exactly.
//!
//! ```text
//! record ─> Event::parse ─> Task::on_event ─> open windows ─> Task::fire ─> rows
//!                                │                                            │ acknowledged
//!                                └─> dead letters ─ acknowledged ─> Task::checkpoint ─> offset commit
//! ```
//!
//! One pair of partitions, from two records to a row:
//!
//! ```
//! use ctr_domain::checkpoint::RecordMark;
//! use ctr_domain::event::Event;
//! use ctr_domain::recovery::PartitionStart;
//! use ctr_domain::rules::Rules;
//! use ctr_domain::side::{BySide, Side};
//! use ctr_domain::task::Task;
//!
//! let from_the_beginning = BySide([PartitionStart::at(0); 2]);
//! let mut task = Task::restore(Rules::default(), 0, from_the_beginning, 0);
//! for (side, kind, offset, timestamp) in [
//!     (Side::Impressions, "impression", 0, 1_700_000_000_000_i64),
//!     (Side::Clicks, "click", 0, 1_700_000_001_000),
//!     // Event time advances: both watermarks pass the end of the first window.
//!     (Side::Impressions, "impression", 1, 1_700_000_012_500),
//!     (Side::Clicks, "click", 1, 1_700_000_012_500),
//! ] {
//!     let json = format!(r#"{{"event_type":"{kind}","product_id":"shoe","timestamp":{timestamp}}}"#);
//!     let record = RecordMark { offset, timestamp: Some(timestamp) };
//!     task.on_event(side, record, Event::parse(Some(json.as_bytes())));
//! }
//! let mut rows = Vec::new();
//! let batch = task.fire(0, 100, |row| rows.push((row.product_id.to_owned(), row.counts)));
//! assert_eq!(rows.len(), 1);
//! assert_eq!((rows[0].1.impressions, rows[0].1.clicks), (1, 1));
//!
//! // The rows are written: the checkpoint covers only the window that is still open.
//! task.on_rows_acknowledged(batch.ok_or("a row was due")?.number);
//! let checkpoint = task.checkpoint().ok_or("no dead letter is missing")?;
//! assert_eq!(checkpoint.partitions[Side::Clicks as usize].position, 2);
//! # Ok::<(), &str>(())
//! ```
//!
//! In reading order:

pub mod event;
pub mod rejection;
pub mod timestamp;

pub mod rules;
pub mod side;
pub mod watermark;
pub mod window;

pub mod counts;
pub mod dead_letter;
pub mod ledger;
pub mod redriven;

pub mod checkpoint;
pub mod recovery;
pub mod shell;
pub mod task;

pub mod recount;
