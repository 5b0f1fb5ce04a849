//! The rules of the CTR pipeline: events, windows, watermarks, counting and recovery.
//!
//! Pure: no IO, no clock, no threads, no logging. Time comes in as an argument, so that tests can drive these rules through
//! millions of histories. The two ideas everything rests on:
//!
//! - **Results only grow.** The counts of a window in one Kafka partition never go down, and the tables keep the largest. A
//!   row may be sent twice, late, out of order, or by a process that should be dead.
//! - **The log is the state.** A checkpoint is a Kafka offset with a few numbers; whoever starts there takes every decision
//!   again, just as it was taken.
//!
//! In reading order:

pub mod event;
pub mod rejection;
pub mod timestamp;

pub mod rules;
pub mod watermark;
pub mod window;

pub mod counts;
pub mod dead_letter;
pub mod ledger;
pub mod redriven;

pub mod checkpoint;
pub mod recovery;
pub mod task;

pub mod recount;
