//! The process as others see it: what workers, sink and cluster show, one report made of it, and the answers over HTTP.
//!
//! ```text
//! workers ─> board ────┐                   ┌─> REST (server) ─> the page
//! row sink ─> state ───┼─> report ─────────┤
//! brokers ─> cluster ──┘  (one moment)     └─> metrics ─> exposition
//! ```

pub mod board;
pub mod exposition;
pub mod metrics;
mod page;
pub mod report;
pub mod server;
pub mod snapshot;
mod visitors;
