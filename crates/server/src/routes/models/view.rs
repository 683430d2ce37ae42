//! The catalogue as the API shows it, written once per snapshot.

use super::ListQuery;
use super::object::{ModelObject, created};
use crate::cached::Document;
use crate::routes::providers;
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use interline_domain::catalogue::{Catalogue, Standing};
use interline_gateway::snapshot::Snapshot;
use std::cmp::Reverse;
use std::fmt::Write as _;
use std::sync::Arc;

/// The view of the snapshot that was asked about last.
#[derive(Default)]
pub(crate) struct Views {
    last: ArcSwapOption<View>,
}

/// One snapshot, written.
pub(crate) struct View {
    /// Held, so that another snapshot cannot come to lie at the same address.
    pub(crate) snapshot: Arc<Snapshot>,
    /// Each model's object as JSON, by index.
    rows: Vec<String>,
    /// All models, newest first.
    pub(crate) order: Vec<usize>,
    /// The answer to `GET /models` without a query.
    pub(crate) all: Document,
    /// The answer to `GET /providers`.
    pub(crate) providers: Document,
    /// Models that a request could be sent to now.
    pub(crate) ready: Vec<usize>,
}

impl Views {
    /// The view of `snapshot`. The first to ask after a change writes it, in some milliseconds.
    pub(crate) fn of(&self, snapshot: &Arc<Snapshot>) -> Arc<View> {
        if let Some(view) = &*self.last.load()
            && Arc::ptr_eq(&view.snapshot, snapshot)
        {
            return Arc::clone(view);
        }
        let view = Arc::new(View::new(Arc::clone(snapshot)));
        self.last.store(Some(Arc::clone(&view)));
        view
    }
}

impl View {
    pub(crate) fn new(snapshot: Arc<Snapshot>) -> Self {
        let catalogue = &snapshot.catalogue;
        let rows: Vec<String> = catalogue
            .models()
            .iter()
            .map(|model| {
                serde_json::to_string(&ModelObject::new(catalogue, model)).unwrap_or_default()
            })
            .collect();
        let order = default_order(catalogue);
        let is_ready = |index: &usize| {
            catalogue
                .endpoints_of(*index)
                .iter()
                .any(|e| e.standing == Standing::Ready)
        };
        let ready = order.iter().copied().filter(is_ready).collect();
        let plain = ListQuery::parse(&[]).unwrap_or_default();
        // Nothing in a list without a query depends on health or time.
        let listed = plain.select(catalogue, &order, &interline_domain::routing::AllHealthy, 0);
        let all = Document::json(list(&rows, &listed, listed.len(), None));
        let providers = Document::json(providers::render(catalogue));
        Self {
            snapshot,
            rows,
            order,
            all,
            providers,
            ready,
        }
    }

    pub(crate) fn row(&self, index: usize) -> &str {
        self.rows.get(index).map_or("null", String::as_str)
    }

    /// A list answer of these models, of `total` that fit.
    pub(crate) fn list(&self, indices: &[usize], total: usize, next: Option<&str>) -> Bytes {
        list(&self.rows, indices, total, next)
    }
}

/// Newest first; those without a date last; then by id.
fn default_order(catalogue: &Catalogue) -> Vec<usize> {
    let mut order: Vec<usize> = (0..catalogue.models().len()).collect();
    order.sort_by_cached_key(|index| {
        catalogue
            .models()
            .get(*index)
            .map(|model| (Reverse(created(catalogue, model)), model.id.clone()))
    });
    order
}

fn list(rows: &[String], indices: &[usize], total: usize, next: Option<&str>) -> Bytes {
    let chosen = || indices.iter().filter_map(|index| rows.get(*index));
    let mut body = String::with_capacity(chosen().map(|row| row.len() + 1).sum::<usize>() + 256);
    body.push_str("{\"data\":[");
    for (place, row) in chosen().enumerate() {
        if place > 0 {
            body.push(',');
        }
        body.push_str(row);
    }
    let next = serde_json::to_string(&next).unwrap_or_else(|_| "null".to_owned());
    // Writing to a `String` cannot fail.
    let _ = write!(
        body,
        "],\"total_count\":{total},\"links\":{{\"next\":{next}}}}}"
    );
    Bytes::from(body)
}
