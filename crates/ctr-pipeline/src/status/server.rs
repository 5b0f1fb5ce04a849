//! `/healthz`, `/readyz` and `/api/v1/status`. The only file that knows `axum`.

use std::sync::Arc;

use anyhow::Context as _;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::report::report;
use super::snapshot::WorkerBoard;
use crate::config::StatusConfig;
use crate::sink::writer::SinkState;

/// What the answers are made of.
#[derive(Clone)]
pub struct StatusSources {
    /// The workers.
    pub board: Arc<WorkerBoard>,
    /// The row sink.
    pub sink: Arc<SinkState>,
}

/// Listens at the address of the settings.
///
/// # Errors
/// Where the address cannot be had, naming the settings.
pub async fn listen(config: &StatusConfig) -> anyhow::Result<TcpListener> {
    let address = config.address();
    TcpListener::bind(&address).await.with_context(|| {
        format!("cannot listen on {address}: is another process there? Set `status.port` (STATUS_PORT)")
    })
}

/// Answers until the process ends.
///
/// # Errors
/// Where the listener fails.
pub async fn serve(listener: TcpListener, sources: StatusSources) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/api/v1/status", get(status))
        .with_state(sources);
    axum::serve(listener, routes).await
}

/// 200 while the workers give signs of life; restarting the process would help otherwise.
async fn healthz(State(sources): State<StatusSources>) -> (StatusCode, Json<Value>) {
    let stuck = sources.board.stuck();
    if stuck.is_empty() {
        (StatusCode::OK, Json(json!({ "status": "ok" })))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "stuck", "workers": stuck })))
    }
}

/// 200 while partitions are assigned, their replay is over, and ClickHouse acknowledges.
async fn readyz(State(sources): State<StatusSources>) -> (StatusCode, Json<Value>) {
    let mut obstacles = sources.board.obstacles();
    if !sources.sink.is_available() {
        let why = sources.sink.history().last_error.map_or_else(|| "not asked yet".to_owned(), |(_, error)| error);
        obstacles.push(format!("ClickHouse does not acknowledge: {why}"));
    }
    if obstacles.is_empty() {
        (StatusCode::OK, Json(json!({ "status": "ready" })))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "not ready", "obstacles": obstacles })))
    }
}

/// Everything the process shows of itself.
async fn status(State(sources): State<StatusSources>) -> Json<Value> {
    Json(report(&sources.board, &sources.sink))
}
