//! `interline providers list` and `models list`: what a server with this configuration could serve.

use super::exit::{Code, WithCode, failure};
use super::session::{Session, table};
use super::style::{Mark, count};
use crate::cli::{ModelsVerb, ProvidersVerb};
use crate::config::Config;
use crate::credentials::Credentials;
use crate::{discovery, node};
use anyhow::{Context, Result};
use interline_domain::Price;
use interline_domain::catalogue::{Auth, Catalogue, Endpoint, Model, Provider, Standing};
use interline_gateway::snapshot::Snapshot;
use interline_sim::{Handle, Sim};
use serde_json::{Value, json};

/// Tokens that people quote prices for.
const PER_MILLION: i64 = 1_000_000;

/// Everything there is to serve, as a start would find it.
pub(crate) struct Offer {
    pub(crate) snapshot: Snapshot,
    pub(crate) credentials: Credentials,
    pub(crate) warnings: Vec<String>,
    /// Slugs of the servers found running on this machine.
    pub(crate) local: Vec<String>,
    /// The demo's address means something as long as this lives.
    _demo: Option<Handle>,
}

impl Offer {
    /// Joins catalogue, configuration, keys and what runs on this machine.
    pub(crate) async fn find(session: &Session, mut config: Config) -> Result<Self> {
        let mut overlay = config.take_overlay();
        let mut warnings = Vec::new();
        let demo = if config.has_demo() {
            let demo = Sim::start(interline_sim::demo_scripts())
                .await
                .context("demo provider")?;
            discovery::add_demo(&mut overlay, &demo);
            Some(demo)
        } else {
            None
        };
        let configured = overlay.providers.len();
        if config.has_discovery() {
            let own = config.server.listen.port();
            warnings.extend(discovery::add_local_servers(&mut overlay, own).await);
        }
        let found = overlay.providers.iter().skip(configured);
        let local = found.map(|provider| provider.slug.clone()).collect();
        let environment = &session.environment;
        let credentials = Credentials::read(&overlay, environment).code(Code::Configuration)?;
        let snapshot = node::snapshot(&config, &overlay, &credentials, environment, &mut warnings);
        let snapshot = snapshot.code(Code::Configuration)?;
        Ok(Self {
            snapshot,
            credentials,
            warnings,
            local,
            _demo: demo,
        })
    }

    pub(crate) fn catalogue(&self) -> &Catalogue {
        &self.snapshot.catalogue
    }

    /// Where a provider's key comes from; `None`: there is none.
    pub(crate) fn key_origin(&self, provider: &Provider) -> Option<String> {
        if provider.auth == Auth::None {
            return Some("none needed".to_owned());
        }
        self.credentials.find(provider).map(|found| found.origin)
    }
}

pub(crate) async fn providers(session: &Session, verb: ProvidersVerb) -> Result<Code> {
    let ProvidersVerb::List { all } = verb;
    let offer = Offer::find(session, session.load()?.config).await?;
    let catalogue = offer.catalogue();
    let (usable, others): (Vec<_>, Vec<_>) = catalogue
        .providers()
        .iter()
        .enumerate()
        .map(|(index, provider)| Row::new(&offer, index, provider))
        .partition(Row::is_usable);
    let hidden = if all { 0 } else { others.len() };
    let mut rows = usable;
    if all {
        rows.extend(others);
    }
    let json =
        || json!({ "data": rows.iter().map(Row::json).collect::<Vec<_>>(), "not_usable": hidden });
    let text = || {
        let header = ["", "SLUG", "NAME", "SPEAKS", "READY", "KEY"]
            .map(str::to_owned)
            .to_vec();
        let mut lines = vec![header];
        for row in &rows {
            let mark = if row.ready > 0 {
                Mark::Good
            } else {
                Mark::Neutral
            };
            lines.push(vec![
                // Painted marks would count as wider than they are.
                super::style::Style {
                    has_colour: false,
                    ..session.style
                }
                .mark(mark),
                row.provider.slug.clone(),
                row.provider.name.clone(),
                row.provider.dialect.as_str().to_owned(),
                format!("{}/{}", row.ready, row.endpoints),
                row.key.clone().unwrap_or_else(|| row.wanted()),
            ]);
        }
        table(&lines)
    };
    session.result(json, text)?;
    if hidden > 0 {
        session.note(&format!(
            "{} cannot be used here; --all lists them",
            count(hidden, "more provider")
        ));
    }
    Ok(Code::Done)
}

struct Row<'a> {
    provider: &'a Provider,
    key: Option<String>,
    ready: usize,
    endpoints: usize,
}

impl<'a> Row<'a> {
    fn new(offer: &Offer, index: usize, provider: &'a Provider) -> Self {
        let all = offer.catalogue().endpoints().iter();
        let own: Vec<&Endpoint> = all.filter(|endpoint| endpoint.provider == index).collect();
        let ready = own
            .iter()
            .filter(|endpoint| endpoint.standing == Standing::Ready)
            .count();
        Self {
            provider,
            key: offer.key_origin(provider),
            ready,
            endpoints: own.len(),
        }
    }

    /// A key we have is worth a line even if it opens nothing; a catalogue entry that needs none
    /// is not.
    fn is_usable(&self) -> bool {
        self.ready > 0 || (self.key.is_some() && self.provider.auth != Auth::None)
    }

    fn wanted(&self) -> String {
        match self.provider.key_variables.first() {
            Some(variable) => format!("set {variable}"),
            None => "no key".to_owned(),
        }
    }

    fn json(&self) -> Value {
        json!({
            "slug": self.provider.slug,
            "name": self.provider.name,
            "dialect": self.provider.dialect.as_str(),
            "base_url": self.provider.base_url,
            "key_from": self.key,
            "key_variables": self.provider.key_variables,
            "endpoints_ready": self.ready,
            "endpoints": self.endpoints,
        })
    }
}

pub(crate) async fn models(session: &Session, verb: ModelsVerb) -> Result<Code> {
    let ModelsVerb::List { provider, all } = verb;
    let offer = Offer::find(session, session.load()?.config).await?;
    let catalogue = offer.catalogue();
    let only =
        match &provider {
            Some(slug) => Some(catalogue.find_provider(slug).ok_or_else(|| {
                failure(Code::NotFound, format!("there is no provider `{slug}`"))
            })?),
            None => None,
        };
    let mut hidden = 0;
    let mut listed: Vec<(&Model, Vec<&Endpoint>)> = Vec::new();
    for (index, model) in catalogue.models().iter().enumerate() {
        let endpoints: Vec<&Endpoint> = catalogue
            .endpoints_of(index)
            .iter()
            .filter(|endpoint| only.is_none_or(|only| endpoint.provider == only))
            .collect();
        let is_usable = endpoints
            .iter()
            .any(|endpoint| endpoint.standing == Standing::Ready);
        if is_usable || (all && (only.is_none() || !endpoints.is_empty())) {
            listed.push((model, endpoints));
        } else if !endpoints.is_empty() {
            hidden += 1;
        }
    }
    let json = || {
        let data = listed
            .iter()
            .map(|(model, endpoints)| model_json(catalogue, model, endpoints));
        json!({ "data": data.collect::<Vec<_>>(), "not_usable": hidden })
    };
    let text = || {
        let header = ["MODEL", "CONTEXT", "PROMPT $/M", "ANSWER $/M", "PROVIDERS"];
        let mut rows = vec![header.map(str::to_owned).to_vec()];
        rows.extend(
            listed
                .iter()
                .map(|(model, endpoints)| model_row(catalogue, model, endpoints)),
        );
        table(&rows)
    };
    session.result(json, text)?;
    if hidden > 0 {
        let models = count(hidden, "model");
        session.note(&format!(
            "{models} that nobody here can serve; --all lists them"
        ));
    }
    Ok(Code::Done)
}

fn model_row(catalogue: &Catalogue, model: &Model, endpoints: &[&Endpoint]) -> Vec<String> {
    let ready = endpoints
        .iter()
        .filter(|endpoint| endpoint.standing == Standing::Ready);
    let prices = endpoints
        .iter()
        .filter_map(|endpoint| endpoint.prices.as_ref());
    // Providers of one model are compared by what most requests cost: mostly prompt.
    let cheapest = prices.min_by_key(|prices| (prices.prompt, prices.completion));
    let price = |price: Option<Price>| price.map_or_else(|| "?".to_owned(), per_million);
    let mut providers: Vec<&str> = ready
        .filter_map(|endpoint| Some(catalogue.providers().get(endpoint.provider)?.slug.as_str()))
        .collect();
    providers.dedup();
    vec![
        model.id.clone(),
        model
            .context_length
            .map_or_else(|| "?".to_owned(), |tokens| tokens.to_string()),
        price(cheapest.map(|prices| prices.prompt)),
        price(cheapest.map(|prices| prices.completion)),
        providers.join(" "),
    ]
}

fn model_json(catalogue: &Catalogue, model: &Model, endpoints: &[&Endpoint]) -> Value {
    let endpoints = endpoints.iter().map(|endpoint| {
        json!({
            "tag": endpoint.tag,
            "provider": catalogue.providers().get(endpoint.provider).map(|one| &one.slug),
            "upstream_model": endpoint.upstream_model,
            "standing": standing(endpoint.standing),
            "prompt": endpoint.prices.as_ref().map(|prices| prices.prompt.to_decimal()),
            "completion": endpoint.prices.as_ref().map(|prices| prices.completion.to_decimal()),
        })
    });
    json!({
        "id": model.id,
        "name": model.name,
        "context_length": model.context_length,
        "endpoints": endpoints.collect::<Vec<_>>(),
    })
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Ready => "ready",
        Standing::NoCredential => "no_key",
        Standing::Unpriced => "no_price",
        Standing::NotSpoken => "not_spoken",
        Standing::Disabled => "disabled",
    }
}

/// Dollars for a million tokens.
fn per_million(price: Price) -> String {
    Price::from_pico(price.pico().saturating_mul(PER_MILLION)).to_decimal()
}
