//! The operator's listener: metrics and the inside of the node. Loopback by default, no keys.

use crate::App;
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::sync::atomic::Ordering;

/// Routes of the operator listener.
pub fn table(app: App) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/debug/leases", get(leases))
        .route("/debug/breakers", get(breakers))
        .route("/debug/queues", get(queues))
        .with_state(app)
}

/// Prometheus text format, version 0.0.4.
async fn metrics(State(app): State<App>) -> String {
    let spool = app.gateway.spool.status();
    let mut text = String::new();
    let mut gauge = |name: &str, help: &str, value: u64| {
        let _ = writeln!(
            text,
            "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}"
        );
    };
    let running = app.gateway.running.load(Ordering::Relaxed) as u64;
    gauge(
        "interline_requests_running",
        "Requests between admission and settlement.",
        running,
    );
    gauge(
        "interline_spool_backlog",
        "Charges not posted yet.",
        spool.backlog as u64,
    );
    gauge(
        "interline_spool_pending",
        "Records waiting for the disk.",
        spool.pending as u64,
    );
    gauge(
        "interline_spool_bytes",
        "Bytes of spool files.",
        spool.bytes,
    );
    gauge(
        "interline_spool_failed",
        "1: the spool takes no records.",
        u64::from(spool.failed.is_some()),
    );
    let resting = app
        .gateway
        .health
        .all()
        .iter()
        .filter(|health| health.is_resting)
        .count();
    gauge(
        "interline_endpoints_resting",
        "Endpoints asked to be left alone.",
        resting as u64,
    );
    text
}

async fn leases(State(app): State<App>) -> Json<Value> {
    let accounts: Vec<Value> = app
        .gateway
        .credit
        .accounts()
        .iter()
        .map(|account| {
            let status = account.purse.status();
            json!({
                "account": account.id.as_str(),
                "leased": status.leased.to_decimal(),
                "held": status.held.to_decimal(),
                "unposted": status.unposted.to_decimal(),
                "free": status.free().to_decimal(),
            })
        })
        .collect();
    Json(json!({ "node": app.gateway.credit.lessee().node.as_str(), "accounts": accounts }))
}

async fn breakers(State(app): State<App>) -> Json<Value> {
    let snapshot = app.gateway.snapshot.load();
    let endpoints: Vec<Value> = snapshot
        .catalogue
        .endpoints()
        .iter()
        .zip(app.gateway.health.all())
        .filter(|(_, health)| *health != interline_domain::routing::EndpointHealth::default())
        .map(|(endpoint, health)| {
            json!({
                "endpoint": endpoint.id,
                "is_unstable": health.is_unstable,
                "is_resting": health.is_resting,
                "latency_ms": health.latency_ms,
                "tokens_per_second_milli": health.throughput_milli,
            })
        })
        .collect();
    Json(json!({ "endpoints": endpoints }))
}

async fn queues(State(app): State<App>) -> Json<Value> {
    let spool = app.gateway.spool.status();
    Json(json!({
        "running": app.gateway.running.load(Ordering::Relaxed),
        "spool": {
            "backlog": spool.backlog,
            "pending": spool.pending,
            "bytes": spool.bytes,
            "failed": spool.failed,
        },
        "build": env!("CARGO_PKG_VERSION"),
    }))
}
