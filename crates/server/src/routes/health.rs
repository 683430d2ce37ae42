//! `GET /health/…`: whether this process lives, may be sent requests, may be managed.

use super::Site;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::json;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A database that takes longer than this is no help to anybody who waits.
const DATABASE_PATIENCE: Duration = Duration::from_secs(2);

/// The process answers.
pub(crate) async fn live() -> Response {
    report(None)
}

/// Inference: charges can be recorded, and the process is not about to leave.
pub(crate) async fn ready(State(site): State<Site>) -> Response {
    let gateway = &site.app.gateway;
    let trouble = if gateway.is_draining.load(Ordering::Relaxed) {
        Some("shutting down: running requests finish, new ones belong elsewhere")
    } else if gateway.spool.status().failed.is_some() {
        Some("the spool cannot be written, so usage cannot be recorded")
    } else {
        None
    };
    report(trouble)
}

/// Management: the database answers.
pub(crate) async fn management(State(site): State<Site>) -> Response {
    let asked = tokio::time::timeout(DATABASE_PATIENCE, site.app.store.ping()).await;
    report(match asked {
        Ok(Ok(())) => None,
        Ok(Err(error)) => {
            tracing::warn!(%error, "the database does not answer");
            Some("the database does not answer")
        }
        Err(_) => Some("the database takes too long to answer"),
    })
}

fn report(trouble: Option<&str>) -> Response {
    let (status, body) = match trouble {
        None => (StatusCode::OK, json!({ "status": "ok" })),
        Some(reason) => (
            StatusCode::SERVICE_UNAVAILABLE,
            json!({ "status": "unavailable", "reason": reason }),
        ),
    };
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-store"),
    ];
    (status, headers, body.to_string()).into_response()
}
