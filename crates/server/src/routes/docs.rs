//! The description of the API: `openapi.json`, `openapi.yaml`, and a page to read.

mod page;

use super::{Route, Site};
use crate::cached::Document;
use crate::openapi;
use crate::routes::index::with_page_headers;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

/// The description in its three forms, written once.
pub(crate) struct Docs {
    json: Document,
    yaml: Document,
    page: Document,
}

impl Docs {
    pub(crate) fn new(table: &[Route]) -> Self {
        let description = openapi::describe(table);
        let json = serde_json::to_string_pretty(&description).unwrap_or_default();
        let value = serde_json::to_value(&description).unwrap_or_default();
        Self {
            json: Document::json(json),
            yaml: Document::new(
                openapi::yaml::write(&value, openapi::ORDER),
                "application/yaml",
            ),
            page: Document::new(page::write(table), "text/html; charset=utf-8"),
        }
    }
}

pub(crate) async fn json(State(site): State<Site>, headers: HeaderMap) -> Response {
    site.docs.json.answer(&headers)
}

pub(crate) async fn yaml(State(site): State<Site>, headers: HeaderMap) -> Response {
    site.docs.yaml.answer(&headers)
}

pub(crate) async fn page(State(site): State<Site>, headers: HeaderMap) -> Response {
    with_page_headers(site.docs.page.answer(&headers))
}
