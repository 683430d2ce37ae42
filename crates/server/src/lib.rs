//! The HTTP surface of Interline: routes, extractors, response types, the error table.
//!
//! Read first: [`routes::table`], every path there is, and [`error`], the only place where an
//! error becomes a status. Handlers authenticate, parse, call one use-case and render; they hold
//! no rule of their own.
//!
//! The inference route reads its body as bytes and hands it to `gateway::journey`; nothing here
//! knows a provider's wire format.

pub mod auth;
mod cached;
pub mod error;
mod html;
mod json;
pub mod listen;
pub mod middleware;
mod openapi;
pub mod operator;
pub mod routes;
#[cfg(test)]
mod testing;

use interline_gateway::Gateway;
use interline_store::Store;
use std::sync::Arc;
use std::time::Duration;

/// What every handler may use. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub gateway: Arc<Gateway>,
    pub store: Store,
    pub settings: Arc<ServerSettings>,
}

/// Settings of the HTTP surface.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    pub public_url: String,
    /// Bytes of an inference body.
    pub max_body_bytes: usize,
    /// To read the whole body in.
    pub body_timeout: Duration,
    /// To read a request's head in.
    pub header_timeout: Duration,
    /// Bytes of a request's head, and fields in it.
    pub max_head_bytes: usize,
    pub max_head_fields: usize,
    /// Requests running at once, over which new ones are shed before their body is read.
    pub max_running: usize,
    /// Whether the demo models are there, for the page at `/`.
    pub has_demo: bool,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            public_url: "http://127.0.0.1:8080".into(),
            max_body_bytes: 64 * 1024 * 1024,
            body_timeout: Duration::from_mins(1),
            header_timeout: Duration::from_secs(10),
            max_head_bytes: 64 * 1024,
            max_head_fields: 100,
            max_running: 20_000,
            has_demo: false,
        }
    }
}
