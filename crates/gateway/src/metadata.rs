//! `openrouter_metadata`: the decision, for callers that ask to see it.

use interline_domain::catalogue::Catalogue;
use interline_domain::routing::{Needs, RoutePlan};
use serde_derive::Serialize;

#[derive(Serialize)]
struct Metadata<'a> {
    requested: &'a str,
    strategy: &'static str,
    region: Option<&'a str>,
    summary: String,
    /// The attempt that answered, counted from one; zero: no provider was reached.
    attempt: usize,
    is_byok: bool,
    endpoints: Endpoints<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attempts: Vec<Attempt<'a>>,
}

#[derive(Serialize)]
struct Endpoints<'a> {
    total: usize,
    available: Vec<Available<'a>>,
    /// Ours: who is out, and why.
    excluded: Vec<Excluded<'a>>,
}

#[derive(Serialize)]
struct Available<'a> {
    provider: &'a str,
    model: &'a str,
    selected: bool,
    /// Ours: the endpoint's tag and why it has its place.
    tag: &'a str,
    reason: &'static str,
}

#[derive(Serialize)]
struct Excluded<'a> {
    provider: &'a str,
    model: &'a str,
    tag: &'a str,
    reason: String,
}

#[derive(Serialize)]
struct Attempt<'a> {
    provider: &'a str,
    model: &'a str,
    status: u16,
}

/// What [`write`] tells about.
pub(crate) struct Decision<'a> {
    pub(crate) needs: &'a Needs,
    pub(crate) plan: &'a RoutePlan,
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) region: &'a str,
    /// The endpoint that answers.
    pub(crate) selected: Option<usize>,
    /// `(endpoint, status)` of every try, in order.
    pub(crate) attempts: &'a [(usize, u16)],
}

/// Renders the decision as JSON.
pub(crate) fn write(decision: &Decision<'_>) -> String {
    let catalogue = decision.catalogue;
    let name = |endpoint: usize| -> Option<(&str, &str, &str)> {
        let facts = catalogue.endpoints().get(endpoint)?;
        let provider = catalogue.providers().get(facts.provider)?;
        let model = catalogue.models().get(facts.model)?;
        Some((
            provider.name.as_str(),
            model.id.as_str(),
            facts.tag.as_str(),
        ))
    };
    let available: Vec<_> = decision
        .plan
        .candidates
        .iter()
        .filter_map(|candidate| {
            let (provider, model, tag) = name(candidate.endpoint)?;
            let selected = decision.selected == Some(candidate.endpoint);
            Some(Available {
                provider,
                model,
                selected,
                tag,
                reason: candidate.reason.as_str(),
            })
        })
        .collect();
    let excluded = decision
        .plan
        .excluded
        .iter()
        .filter_map(|(endpoint, why)| {
            let (provider, model, tag) = name(*endpoint)?;
            Some(Excluded {
                provider,
                model,
                tag,
                reason: why.describe(),
            })
        })
        .collect();
    let attempts = decision
        .attempts
        .iter()
        .filter_map(|(endpoint, status)| {
            let (provider, model, _) = name(*endpoint)?;
            Some(Attempt {
                provider,
                model,
                status: *status,
            })
        })
        .collect();
    let selected = decision.selected.and_then(name);
    let summary = match selected {
        Some((provider, ..)) => format!("available={}, selected={provider}", available.len()),
        None => format!("available={}", available.len()),
    };
    let requested = decision
        .needs
        .models
        .first()
        .map_or("", |wanted| wanted.requested.as_str());
    let is_fallback = selected.is_some_and(|(_, model, _)| {
        let first = decision
            .needs
            .models
            .first()
            .and_then(|w| catalogue.models().get(w.model));
        first.is_some_and(|first| first.id != model)
    });
    let metadata = Metadata {
        requested,
        strategy: if is_fallback { "fallback" } else { "direct" },
        region: Some(decision.region),
        summary,
        attempt: if selected.is_some() {
            decision.attempts.len()
        } else {
            0
        },
        is_byok: false,
        endpoints: Endpoints {
            total: available.len() + decision.plan.excluded.len(),
            available,
            excluded,
        },
        attempts,
    };
    serde_json::to_string(&metadata).unwrap_or_else(|_| "{}".to_owned())
}
