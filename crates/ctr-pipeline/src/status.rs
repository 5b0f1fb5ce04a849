//! The process as others see it: snapshots of the workers, and the answers over HTTP.

pub mod report;
pub mod server;
pub mod snapshot;
