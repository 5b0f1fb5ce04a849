//! The status page, embedded in the binary. It loads nothing from other origins, which the content security policy enforces.

use axum::Router;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::report::StatusSources;

/// Allows scripts, styles and requests of this server only, no embedding of the page, and no form submission.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The files of the page.
pub(super) fn routes() -> Router<StatusSources> {
    Router::new()
        .route("/", get(|| file("text/html; charset=utf-8", include_str!("page/index.html"))))
        .route("/page.css", get(|| file("text/css; charset=utf-8", include_str!("page/page.css"))))
        .route("/page.js", get(|| file("text/javascript; charset=utf-8", include_str!("page/page.js"))))
        .route("/draw.js", get(|| file("text/javascript; charset=utf-8", include_str!("page/draw.js"))))
        .route("/favicon.svg", get(|| file("image/svg+xml", include_str!("page/favicon.svg"))))
}

async fn file(content_type: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, &str); 5] = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        // A new binary must not run with a cached script of an old one.
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}
