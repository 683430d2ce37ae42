//! From a parsed request to what routing and the wallet need, or a refusal that says what is wrong.

use crate::refusal::{Availability, AvailabilityCode, Refusal};
use aws_lc_rs::digest;
use bytes::Bytes;
use interline_domain::ErrorType;
use interline_domain::catalogue::{Catalogue, Modality, Standing};
use interline_domain::pricing::Exposure;
use interline_domain::routing::{Exclusion, Needs, Preferences, RoutePlan, SortBy, Wanted};
use interline_providers::{NameError, Names, Variant, resolve_name};
use interline_wire::chat::facts::Facts;
use interline_wire::chat::preferences;
use interline_wire::chat::request::{Request, RequestError};
use std::fmt::Write as _;

/// A request that is well formed and names models we know.
pub struct Admitted {
    pub facts: Facts,
    pub needs: Needs,
    pub preferences: Preferences,
    /// The end user as providers may know them: hashed, never raw.
    pub user_hash: Option<String>,
}

impl Admitted {
    pub fn requested_models(&self) -> Vec<String> {
        self.needs
            .models
            .iter()
            .map(|wanted| wanted.requested.clone())
            .collect()
    }

    /// The most this request could use at an endpoint that answers with up to `output_tokens`.
    pub fn exposure(&self, output_tokens: u64) -> Exposure {
        Exposure {
            prompt_tokens: self.facts.prompt_tokens_bound,
            output_tokens,
            images: self.facts.images,
            has_audio: self.facts.input_modalities.contains(Modality::Audio),
            has_cache_markers: self.facts.has_cache_markers,
            searches: 0,
        }
    }
}

/// Reads what routing needs. The body is not looked at again before an endpoint is chosen.
pub fn admit(
    request: &Request<'_>,
    body: &Bytes,
    catalogue: &Catalogue,
    known: &Names,
) -> Result<Admitted, Refusal> {
    let facts = Facts::of(request, body.len());
    let preferences =
        preferences::parse(request.provider, request.field("route")).map_err(bad_request)?;
    let mut models: Vec<Wanted> = Vec::with_capacity(facts.models.len());
    let mut unknown = None;
    for name in &facts.models {
        match resolve_name(catalogue, known, name) {
            Ok(found) => models.push(Wanted {
                model: found.model,
                sort: found.variants.iter().find_map(|variant| sort_of(*variant)),
                thinks: found.reasons_by_default,
                requested: name.clone(),
            }),
            // A fallback that is not known does not spoil those that are.
            Err(error) => unknown = unknown.or(Some((name, error))),
        }
    }
    if models.is_empty() {
        return Err(match unknown {
            Some((name, error)) => unresolved(name, error, &facts.models),
            None => no_model(catalogue),
        });
    }
    let user_hash = facts.user.as_deref().map(hash_user);
    let needs = Needs {
        models,
        parameters: facts.parameters,
        input: facts.input_modalities,
        output: facts.output_modalities,
        prompt_tokens: facts.prompt_tokens_estimate,
        max_tokens: facts.max_tokens,
    };
    Ok(Admitted {
        facts,
        needs,
        preferences,
        user_hash,
    })
}

/// A body that is no request.
pub fn bad_request(error: RequestError) -> Refusal {
    let error_type = error.error_type;
    let message = if error.path.is_empty() {
        error.message
    } else {
        format!("{}: {}", error.path, error.message)
    };
    Refusal::new(error_type, message)
}

fn no_model(catalogue: &Catalogue) -> Refusal {
    let example = catalogue
        .endpoints()
        .iter()
        .find(|endpoint| endpoint.standing == Standing::Ready)
        .and_then(|endpoint| catalogue.models().get(endpoint.model))
        .map_or("author/model", |model| model.id.as_str());
    let message = format!("model: no model was named. Send for example \"model\": \"{example}\".");
    Refusal::new(ErrorType::InvalidRequest, message)
}

/// What a dynamic variant asks of the order. `:online` is served once web search exists.
fn sort_of(variant: Variant) -> Option<SortBy> {
    match variant {
        Variant::Nitro => Some(SortBy::Throughput),
        Variant::Floor => Some(SortBy::Price),
        Variant::Exacto => Some(SortBy::Exacto),
        Variant::Online => None,
    }
}

fn unresolved(name: &str, error: NameError, requested: &[String]) -> Refusal {
    let (code, error_type, fallback_models, message) = match error {
        NameError::NotFound {
            fallback_models, ..
        } => {
            let mut message = format!("{name} is not a valid model ID");
            if !fallback_models.is_empty() {
                message.push_str(". Did you mean ");
                message.push_str(&fallback_models.join(", "));
                message.push('?');
            }
            (
                AvailabilityCode::ModelNotFound,
                ErrorType::InvalidRequest,
                fallback_models,
                message,
            )
        }
        NameError::FreeVariantEnded {
            fallback_models, ..
        } => {
            let instead = fallback_models.join(", ");
            let message = format!("The free variant {name} is not offered. Use {instead} instead.");
            (
                AvailabilityCode::FreeVariantEnded,
                ErrorType::NotFound,
                fallback_models,
                message,
            )
        }
        NameError::PresetOnly(preset) => {
            let message = format!("model: @preset/{preset} is not known on this server");
            (
                AvailabilityCode::ModelNotFound,
                ErrorType::InvalidRequest,
                Vec::new(),
                message,
            )
        }
    };
    Refusal::new(error_type, message).with_availability(Availability {
        code,
        is_retryable: false,
        requested_models: requested.to_vec(),
        affected_providers: Vec::new(),
        excluded_by: Vec::new(),
        fallback_models,
        constraint: None,
    })
}

/// Every endpoint was excluded: says by what, one by one.
pub fn nobody_left(admitted: &Admitted, plan: &RoutePlan, catalogue: &Catalogue) -> Refusal {
    let requested = admitted.requested_models();
    let mut excluded_by: Vec<&'static str> = plan
        .excluded
        .iter()
        .filter_map(|(_, why)| why.excluded_by())
        .collect();
    excluded_by.sort_unstable();
    excluded_by.dedup();
    let all = |test: fn(Exclusion) -> bool| plan.excluded.iter().all(|(_, why)| test(*why));
    let code = if plan.excluded.is_empty()
        || all(|why| {
            matches!(
                why,
                Exclusion::Standing(_) | Exclusion::NotAllowed | Exclusion::Ignored
            )
        }) {
        AvailabilityCode::NoEndpoints
    } else if all(|why| {
        matches!(
            why,
            Exclusion::Standing(_) | Exclusion::DataCollection | Exclusion::ZeroRetention
        )
    }) {
        AvailabilityCode::PrivacyRestricted
    } else {
        AvailabilityCode::ConstraintFiltered
    };
    let constraint = (code == AvailabilityCode::ConstraintFiltered)
        .then(|| {
            plan.excluded
                .iter()
                .rev()
                .find(|(_, why)| !matches!(why, Exclusion::Standing(_)))
        })
        .flatten()
        .and_then(|(_, why)| Some((why.excluded_by()?, why.describe())));
    let names = requested.join(", ");
    let message = if plan.excluded.is_empty() {
        format!("No endpoints found for {names}.")
    } else {
        format!(
            "No endpoints found for {names}. Excluded: {}.",
            reasons(plan, catalogue)
        )
    };
    Refusal::new(ErrorType::NotFound, message).with_availability(Availability {
        code,
        is_retryable: false,
        requested_models: requested,
        affected_providers: Vec::new(),
        excluded_by,
        fallback_models: Vec::new(),
        constraint,
    })
}

/// `alpha (dearer than provider.max_price), beta/fp8 (…)`, the first dozen.
fn reasons(plan: &RoutePlan, catalogue: &Catalogue) -> String {
    const SHOWN: usize = 12;
    let mut parts: Vec<String> = plan
        .excluded
        .iter()
        .take(SHOWN)
        .filter_map(|(endpoint, why)| {
            let facts = catalogue.endpoints().get(*endpoint)?;
            let reason = match why {
                Exclusion::Standing(Standing::NoCredential) => no_key(catalogue, facts.provider),
                other => other.describe(),
            };
            Some(format!("{} ({reason})", facts.tag))
        })
        .collect();
    let rest = plan.excluded.len().saturating_sub(SHOWN);
    if rest > 0 {
        parts.push(format!("and {rest} more"));
    }
    parts.join(", ")
}

fn no_key(catalogue: &Catalogue, provider: usize) -> String {
    let variable = catalogue
        .providers()
        .get(provider)
        .and_then(|p| p.key_variables.first());
    match variable {
        Some(variable) => format!("no key: set {variable}"),
        None => "no key for this provider".to_owned(),
    }
}

/// Providers see the same opaque name for the same user, and never who it is.
fn hash_user(user: &str) -> String {
    let digest = digest::digest(&digest::SHA256, user.as_bytes());
    let mut text = String::with_capacity(40);
    text.push_str("user_");
    for byte in digest.as_ref().iter().take(16) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
