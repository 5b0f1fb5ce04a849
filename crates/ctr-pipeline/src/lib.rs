//! Real-time click-through rates: Kafka in, event-time windows, ClickHouse out.

pub mod config;
