//! `GET /models`, `/models/count`, `/models/user`, `/model/{author}/{slug}`.

mod object;
mod query;
mod rss;
mod view;

pub(crate) use object::{Architecture, Pricing, endpoints_of, parameter_names};
pub(crate) use query::ListQuery;
pub(crate) use view::{View, Views};

use super::Site;
use crate::auth;
use crate::cached::{Document, PRIVATE};
use crate::error::ApiError;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::{HeaderMap, Uri};
use interline_gateway::snapshot::Snapshot;
use interline_providers::resolve_name;
use std::sync::Arc;

/// List the models.
pub(crate) async fn list(
    State(site): State<Site>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let query = ListQuery::parse(&pairs(&uri)?)?;
    let view = site.view();
    if query.is_default() {
        return Ok(view.all.answer(&headers));
    }
    Ok(render(&site, &view, &query, &uri).answer(&headers))
}

/// List the models for the caller. Nothing restricts accounts yet, so all see the same.
pub(crate) async fn list_for_caller(
    State(site): State<Site>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    auth::caller(&site.app, &headers).await?;
    let query = ListQuery::parse(&pairs(&uri)?)?;
    let view = site.view();
    Ok(render(&site, &view, &query, &uri).answer_kept(&headers, PRIVATE))
}

/// Count what [`list`] would list.
pub(crate) async fn count(
    State(site): State<Site>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let query = ListQuery::parse(&pairs(&uri)?)?;
    let count = select(&site, &site.view(), &query).len();
    Ok(Document::json(format!("{{\"data\":{{\"count\":{count}}}}}")).answer(&headers))
}

/// Show one model.
pub(crate) async fn show(
    State(site): State<Site>,
    Path((author, slug)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let view = site.view();
    let index = find(&view.snapshot, &author, &slug)?;
    let body = format!("{{\"data\":{}}}", view.row(index));
    Ok(Document::json(body).answer(&headers))
}

/// The model of a path, aliases and variants resolved; 404 with the nearest names.
pub(crate) fn find(snapshot: &Snapshot, author: &str, slug: &str) -> Result<usize, ApiError> {
    let name = format!("{author}/{slug}");
    match resolve_name(&snapshot.catalogue, &snapshot.names, &name) {
        Ok(resolved) => Ok(resolved.model),
        Err(error) => {
            let shown: String = name.chars().take(128).collect();
            let near = match &error {
                interline_providers::NameError::NotFound {
                    fallback_models, ..
                }
                | interline_providers::NameError::FreeVariantEnded {
                    fallback_models, ..
                } => fallback_models.as_slice(),
                interline_providers::NameError::PresetOnly(_) => &[],
            };
            Err(ApiError::not_found(if near.is_empty() {
                format!("There is no model {shown}.")
            } else {
                format!(
                    "There is no model {shown}. Did you mean {}?",
                    near.join(", ")
                )
            }))
        }
    }
}

fn render(site: &Site, view: &View, query: &ListQuery, uri: &Uri) -> Document {
    let found = select(site, view, query);
    if query.is_rss {
        let catalogue = &view.snapshot.catalogue;
        let models = found
            .iter()
            .filter_map(|index| catalogue.models().get(*index));
        let site = &site.app.settings.public_url;
        let feed = rss::write(catalogue, models, site, query.has_chat_links);
        return Document::new(feed, "application/rss+xml");
    }
    let Some(page) = query.page else {
        return Document::json(view.list(&found, found.len(), None));
    };
    let start = page.offset.min(found.len());
    let end = start.saturating_add(page.limit).min(found.len());
    let next = (end < found.len()).then(|| next_link(uri, end, page.limit));
    let shown = found.get(start..end).unwrap_or_default();
    Document::json(view.list(shown, found.len(), next.as_deref()))
}

fn select(site: &Site, view: &View, query: &ListQuery) -> Vec<usize> {
    let gateway = &site.app.gateway;
    let now = gateway.now().seconds();
    query.select(
        &view.snapshot.catalogue,
        &view.order,
        &gateway.health.now(),
        now,
    )
}

/// The same address with another offset.
fn next_link(uri: &Uri, offset: usize, limit: usize) -> String {
    let kept = uri.query().unwrap_or_default().split('&').filter(|pair| {
        !pair.is_empty() && !pair.starts_with("offset=") && !pair.starts_with("limit=")
    });
    let kept: String = kept.flat_map(|pair| [pair, "&"]).collect();
    format!("{}?{kept}offset={offset}&limit={limit}", uri.path())
}

fn pairs(uri: &Uri) -> Result<Vec<(String, String)>, ApiError> {
    Query::try_from_uri(uri)
        .map(|Query(pairs)| pairs)
        .map_err(|error| ApiError::invalid(format!("the query is not readable: {error}")))
}

impl Site {
    /// The catalogue as it stands now.
    pub(crate) fn view(&self) -> Arc<View> {
        self.catalogue.of(&self.app.gateway.snapshot.load_full())
    }
}

#[cfg(test)]
mod tests;
