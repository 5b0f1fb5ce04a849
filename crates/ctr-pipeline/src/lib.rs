//! Real-time click-through rates: Kafka in, event-time windows, ClickHouse out.
//!
//! ```text
//! source ─> worker (tasks of ctr-domain) ─> sink
//! ```
//!
//! In reading order: [`job`] puts everything together; `worker` is the loop; [`source`] and [`sink`] are its two ends;
//! `supervisor` restarts workers that fail; [`status`] reports their state; [`check`] verifies settings, brokers, topics and
//! tables; [`dlq`] and [`recount`] repair what the job could not count.

pub mod cli;
pub mod config;
pub mod crash_point;

pub mod job;
mod supervisor;
mod worker;

pub mod sink;
pub mod source;

pub mod check;
pub mod failures;
pub mod status;

pub mod dlq;
pub mod recount;

pub mod descriptors;
#[doc(hidden)]
pub mod fuzzing;
pub mod histogram;
mod kafka_log;
pub mod logging;
pub mod probe;
mod shutdown;
mod stopped;
mod wall_clock;
