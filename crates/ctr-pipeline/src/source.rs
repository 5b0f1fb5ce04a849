//! Where records come from: one consumer for each worker, records in batches from each partition's own queue.

pub(crate) mod assignment;
pub(crate) mod batch;
pub(crate) mod consumer;
pub(crate) mod end_offsets;
pub(crate) mod first_start;
pub(crate) mod group_cleanup;
pub(crate) mod topics;
