//! A small catalogue and a whole application on it, for the tests of this crate.

use crate::middleware::Front;
use crate::{App, ServerSettings, routes};
use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use interline_domain::catalogue::{
    Auth, Catalogue, DataPolicy, Dialect, Endpoint, Modalities, Modality, Model, PriceOverride,
    Prices, Provider, Quantization, Reasoning, Standing,
};
use interline_domain::id::{AccountId, NodeId};
use interline_domain::ledger::Lessee;
use interline_domain::money::Price;
use interline_domain::parameters::{Parameter, Parameters};
use interline_domain::{Money, Timestamp};
use interline_gateway::credit::Credit;
use interline_gateway::keys::{Keys, hash_of};
use interline_gateway::snapshot::Snapshot;
use interline_gateway::{Gateway, Parts, Settings};
use interline_outbound::{Client, Limits, MediaFetcher};
use interline_providers::Names;
use interline_spool::{Options, Spool};
use interline_store::{KeyKind, LimitReset, NewAccount, NewKey, Store};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt;

pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_760_000_000);
pub(crate) const KEY: &str = "sk-il-v1-an-inference-key";
pub(crate) const MANAGEMENT_KEY: &str = "sk-il-v1-a-management-key";
/// Belongs to another account.
pub(crate) const OTHER_KEY: &str = "sk-il-v1-another-accounts-key";
const PEPPER: &[u8] = b"pepper";

pub(crate) fn model(id: &str) -> Model {
    Model {
        id: id.to_owned(),
        canonical_slug: format!("{id}-20250101"),
        name: id.to_uppercase(),
        description: "A <model> & more".to_owned(),
        created: 1_750_000_000,
        context_length: Some(8_192),
        hugging_face_id: None,
        input_modalities: Modalities::default().with(Modality::Text),
        output_modalities: Modalities::default().with(Modality::Text),
        tokenizer: "Other".to_owned(),
        instruct_type: None,
        knowledge_cutoff: None,
        expiration_date: None,
        default_parameters: Vec::new(),
        reasoning: None,
        kind: "chat".to_owned(),
        alias_target: None,
        is_distillable: false,
        endpoints: 0..0,
    }
}

pub(crate) fn provider(slug: &str) -> Provider {
    Provider {
        slug: slug.to_owned(),
        name: slug.to_uppercase(),
        dialect: Dialect::OpenAiChat,
        base_url: "http://127.0.0.1:1".to_owned(),
        protocols: Vec::new(),
        auth: Auth::Bearer,
        key_variables: Vec::new(),
        headquarters: Some("US".to_owned()),
        datacenters: Vec::new(),
        privacy_policy_url: None,
        terms_of_service_url: None,
        status_page_url: None,
        data_policy: DataPolicy::default(),
        is_moderated: false,
        quirks: Arc::default(),
    }
}

/// An endpoint at a price in dollars per million tokens; `None`: unpriced.
pub(crate) fn endpoint(
    model: usize,
    provider: usize,
    tag: &str,
    price: Option<(i64, i64)>,
) -> Endpoint {
    Endpoint {
        id: format!("{model}@{tag}"),
        model,
        provider,
        tag: tag.to_owned(),
        upstream_model: "m".to_owned(),
        dialect: Dialect::OpenAiChat,
        base_url: "http://127.0.0.1:1".to_owned(),
        prices: price.map(|(prompt, completion)| Prices {
            prompt: Price::from_dollars_per_million(prompt),
            completion: Price::from_dollars_per_million(completion),
            ..Prices::default()
        }),
        context_length: Some(8_000),
        max_completion_tokens: Some(1_000),
        max_prompt_tokens: None,
        quantization: Quantization::Fp8,
        parameters: Parameters::EMPTY.with(Parameter::Temperature),
        has_implicit_caching: false,
        standing: if price.is_some() {
            Standing::Ready
        } else {
            Standing::Unpriced
        },
        quirks: Arc::default(),
    }
}

/// Five models: a cheap new one with two hosts, a dear one that thinks and sees, a free variant,
/// an alias, one that draws and has no price.
pub(crate) fn catalogue() -> Catalogue {
    let dear = Model {
        context_length: Some(200_000),
        created: 1_740_000_000,
        input_modalities: Modalities::default()
            .with(Modality::Text)
            .with(Modality::Image),
        tokenizer: "GPT".to_owned(),
        is_distillable: true,
        default_parameters: vec![
            ("temperature".into(), "0.30".into()),
            ("top_k".into(), "20".into()),
            ("min_p".into(), "0.1".into()),
        ],
        reasoning: Some(Reasoning {
            is_mandatory: true,
            supported_efforts: Some(vec!["high".into(), "low".into()]),
            default_effort: Some("high".into()),
            default_enabled: Some(true),
            supports_max_tokens: None,
        }),
        ..model("acme/dear")
    };
    let models = vec![
        model("acme/cheap"),
        dear,
        Model {
            created: 0,
            ..model("acme/cheap:free")
        },
        Model {
            alias_target: Some("acme/dear".into()),
            kind: "alias".into(),
            created: 0,
            ..model("~acme/latest")
        },
        Model {
            output_modalities: Modalities::default().with(Modality::Image),
            kind: "image".into(),
            created: 1_755_000_000,
            ..model("other/draws")
        },
    ];
    let quiet = Provider {
        datacenters: vec!["DE".into()],
        data_policy: DataPolicy {
            zero_retention: true,
            ..DataPolicy::default()
        },
        ..provider("quiet")
    };
    let mut tiered = endpoint(1, 1, "quiet/fp8", Some((10, 30)));
    if let Some(prices) = &mut tiered.prices {
        prices.input_cache_read = Some(Price::from_pico(1));
        prices.overrides = vec![PriceOverride {
            min_prompt_tokens: 128_000,
            prompt: Some(Price::from_dollars_per_million(20)),
            ..PriceOverride::default()
        }];
    }
    let endpoints = vec![
        endpoint(0, 0, "loud", Some((1, 2))),
        Endpoint {
            standing: Standing::NoCredential,
            ..endpoint(0, 1, "quiet", Some((0, 1)))
        },
        Endpoint {
            parameters: Parameters::EMPTY.with(Parameter::Tools),
            ..tiered
        },
        endpoint(2, 0, "loud", Some((0, 0))),
        endpoint(4, 0, "loud", None),
    ];
    Catalogue::new(models, vec![provider("loud"), quiet], endpoints).unwrap()
}

/// An application whose database is in memory.
pub(crate) struct TestApp {
    pub(crate) app: App,
    pub(crate) account: AccountId,
    front: Front<Router>,
    _directory: tempfile::TempDir,
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open("sqlite::memory:").await.unwrap();
        let account = AccountId::parse("acct_owner").unwrap();
        let other = AccountId::parse("acct_other").unwrap();
        for (id, keys) in [
            (
                &account,
                &[
                    (KEY, KeyKind::Inference),
                    (MANAGEMENT_KEY, KeyKind::Management),
                ][..],
            ),
            (&other, &[(OTHER_KEY, KeyKind::Inference)]),
        ] {
            let new = NewAccount {
                id: id.clone(),
                name: "Owner".into(),
                email: None,
            };
            store.accounts().create(&new, NOW).await.unwrap();
            for (key, kind) in keys {
                store
                    .keys()
                    .create(&new_key(id, key, *kind), NOW)
                    .await
                    .unwrap();
            }
        }
        let ten = Money::from_dollars(10);
        store
            .ledger()
            .grant("grant:test", &account, ten, "test", NOW)
            .await
            .unwrap();
        let clock = || NOW;
        let lessee = Lessee {
            node: NodeId::parse("node_test").unwrap(),
            epoch: 1,
        };
        let credit = Credit::new(store.clone(), lessee, clock, true);
        let (spool, _) = Spool::open(Options::new(directory.path())).unwrap();
        let gateway = Gateway::new(Parts {
            settings: Settings::default(),
            clock,
            snapshot: Snapshot::new(catalogue(), Names::default(), |_, _| None),
            keys: Keys::new(store.clone(), Arc::clone(&credit), PEPPER),
            credit,
            spool,
            client: Client::new(&Limits::default()),
            media: MediaFetcher::new(&Limits::default(), 1_024, Duration::from_secs(1)),
            seed: 1,
        });
        let app = App {
            gateway,
            store,
            settings: Arc::new(ServerSettings::default()),
        };
        let front = routes::table(app.clone());
        Self {
            app,
            account,
            front,
            _directory: directory,
        }
    }

    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = self.front.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        Answer {
            status: head.status,
            headers: head.headers,
            text,
        }
    }

    pub(crate) async fn get(&self, path: &str, key: Option<&str>) -> Answer {
        match key {
            Some(key) => {
                self.send("GET", path, &[("authorization", &format!("Bearer {key}"))])
                    .await
            }
            None => self.send("GET", path, &[]).await,
        }
    }
}

fn new_key(account: &AccountId, key: &str, kind: KeyKind) -> NewKey {
    NewKey {
        hash: hash_of(key),
        lookup: Keys::lookup_with(PEPPER, key),
        account: account.clone(),
        kind,
        name: "test".into(),
        label: "sk-il-v1-an-...key".into(),
        limit: Some(Money::from_nano(5_500_000_000)),
        limit_reset: Some(LimitReset::Monthly),
        include_byok_in_limit: false,
        expires_at: Some(Timestamp::from_seconds(1_900_000_000)),
        creator_user_id: None,
    }
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}
