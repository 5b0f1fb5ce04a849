//! Sources of records: one consumer per worker, which reads batches from each partition's own queue.
//!
//! [`batch`] and [`consumer`] are public for `examples/bare_consumer.rs`, which reads like the pipeline and counts
//! nothing.

pub(crate) mod assignment;
pub mod batch;
pub mod cluster;
pub(crate) mod cluster_watch;
pub(crate) mod commit;
pub mod consumer;
pub(crate) mod end_offsets;
pub(crate) mod facts;
pub(crate) mod group_cleanup;
pub(crate) mod group_commits;
pub(crate) mod log_reader;
pub(crate) mod partition_error;
pub(crate) mod redriven;
pub(crate) mod topics;
