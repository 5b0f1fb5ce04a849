//! The HTTP routes: status page, REST, metrics, health. Only this file and `page.rs` use `axum`. Read-only by design.

use anyhow::Context as _;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::report::{StatusReport, StatusSources};
use super::visitors::Visitors;
use super::{board, exposition, page};
use crate::config::StatusConfig;

/// Listens on the configured address, and serves requests on a separate thread until the process ends, so that they do not
/// delay inserts.
///
/// # Errors
/// If the address cannot be bound; the error names the settings.
pub fn start(config: &StatusConfig, sources: StatusSources) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("status server")?;
    let listener = runtime.block_on(listen(config))?;
    let answer = move || {
        if let Err(error) = runtime.block_on(serve(listener, sources)) {
            tracing::error!(%error, "the status server failed; the job continues");
        }
    };
    std::thread::Builder::new().name("status".to_owned()).spawn(answer).context("status server")?;
    Ok(())
}

async fn listen(config: &StatusConfig) -> anyhow::Result<TcpListener> {
    let address = config.address();
    TcpListener::bind(&address)
        .await
        .with_context(|| format!("cannot listen on {address}: is the port in use? Set `status.port` (STATUS_PORT)"))
}

async fn serve(listener: TcpListener, sources: StatusSources) -> std::io::Result<()> {
    let routes = Router::new()
        .merge(page::routes())
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/api/v1/status", get(status))
        .route("/api/v1/partitions", get(partitions))
        .route("/api/v1/checkpoints", get(checkpoints))
        .route("/api/v1/dead-letters", get(dead_letters))
        .route("/api/v1/config", get(settings))
        .with_state(sources);
    axum::serve(Visitors::new(listener), routes).await
}

/// 200 while all workers have heartbeats; otherwise the process should be restarted.
async fn healthz(State(sources): State<StatusSources>) -> (StatusCode, Json<Value>) {
    let stuck = board::stuck(&sources.board.read());
    if stuck.is_empty() {
        (StatusCode::OK, Json(json!({ "status": "ok" })))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "stuck", "workers": stuck })))
    }
}

/// 200 while partitions are assigned, their replay is finished, and ClickHouse acknowledges rows.
async fn readyz(State(sources): State<StatusSources>) -> (StatusCode, Json<Value>) {
    let report = StatusReport::take(&sources);
    if report.ready {
        (StatusCode::OK, Json(json!({ "status": "ready" })))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "not ready", "obstacles": report.reasons })))
    }
}

/// Prometheus's text format.
async fn metrics(State(sources): State<StatusSources>) -> Response {
    match exposition::expose(&StatusReport::take(&sources)) {
        Ok(text) => ([(header::CONTENT_TYPE, exposition::CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// The whole status of the process, without the settings.
async fn status(State(sources): State<StatusSources>) -> Json<StatusReport> {
    Json(StatusReport::take(&sources))
}

/// The partitions read here, and the logs of all topics.
async fn partitions(State(sources): State<StatusSources>) -> Json<Value> {
    let report = StatusReport::take(&sources);
    Json(
        json!({ "at": report.at, "lag": report.lag, "partitions": report.partitions, "topics": report.topics, "group": report.group }),
    )
}

/// The last checkpoints.
async fn checkpoints(State(sources): State<StatusSources>) -> Json<Value> {
    let report = StatusReport::take(&sources);
    Json(json!({ "at": report.at, "checkpoints": report.checkpoints, "workers": report.workers }))
}

/// Dead letters by code, and the last ones.
async fn dead_letters(State(sources): State<StatusSources>) -> Json<Value> {
    let report = StatusReport::take(&sources);
    Json(json!({ "at": report.at, "deadLetters": report.dead_letters }))
}

/// All effective settings with their origin; secrets are masked.
async fn settings(State(sources): State<StatusSources>) -> Json<Value> {
    Json(json!({ "settings": &*sources.settings }))
}
