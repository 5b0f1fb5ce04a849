//! The status of the process: snapshots of workers, sink and cluster, the report made from them, and the HTTP server.
//!
//! ```text
//! workers ─> board ────┐                   ┌─> REST (server) ─> the page
//! row sink ─> state ───┼─> report ─────────┤
//! brokers ─> cluster ──┘  (snapshot)       └─> metrics ─> exposition
//! ```

pub mod board;
pub mod exposition;
pub mod metrics;
mod page;
mod process;
pub mod report;
pub mod server;
pub mod snapshot;
mod visitors;
