//! Every path there is, in one table. The router and the OpenAPI document are both made from it,
//! so neither can know a route that the other does not.

mod account;
mod chat;
mod docs;
mod endpoints;
mod generation;
mod health;
mod index;
mod models;
mod providers;
mod unknown;

use crate::App;
use crate::middleware::Front;
use crate::openapi::Field;
use axum::Router;
use axum::extract::FromRef;
use axum::routing::{MethodRouter, get, post};
use std::sync::Arc;

/// Where the API lies. `/v1` is for clients whose base URL ends in the host name.
pub(crate) const BASES: [&str; 2] = ["/api/v1", "/v1"];

/// What the handlers of this crate share. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) app: App,
    pub(crate) catalogue: Arc<models::Views>,
    pub(crate) docs: Arc<docs::Docs>,
}

impl FromRef<Site> for App {
    fn from_ref(site: &Site) -> Self {
        site.app.clone()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
}

impl Verb {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// Where a path is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mount {
    /// Under each of [`BASES`].
    Api,
    /// Under each of [`BASES`] and at the root as well.
    Everywhere,
    /// As it is.
    Root,
}

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Public,
    AnyKey,
    InferenceKey,
    ManagementKey,
}

impl Access {
    pub(crate) const fn describe(self) -> &'static str {
        match self {
            Self::Public => "No key needed",
            Self::AnyKey => "Any key",
            Self::InferenceKey => "Inference key",
            Self::ManagementKey => "Management key",
        }
    }
}

/// What comes back when all goes well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// JSON of a shape of `openapi::shapes`.
    Json(&'static str),
    /// JSON of the first shape, or server-sent events whose data are the second.
    JsonOrEvents(&'static str, &'static str),
    /// JSON of a shape, or another format of this media type.
    JsonOr(&'static str, &'static str),
    /// This media type.
    Media(&'static str),
}

/// One row.
pub(crate) struct Route {
    pub(crate) verb: Verb,
    /// As axum and OpenAPI both write it.
    pub(crate) path: &'static str,
    pub(crate) mount: Mount,
    pub(crate) access: Access,
    pub(crate) tag: &'static str,
    /// The name generated clients call it by.
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) about: &'static str,
    pub(crate) query: &'static [Field],
    /// The shape of the body.
    pub(crate) request: Option<&'static str>,
    pub(crate) answer: Answer,
    /// Statuses of refusals worth knowing.
    pub(crate) refusals: &'static [u16],
    handler: fn() -> MethodRouter<Site>,
}

impl Route {
    /// Every path the row is mounted at, the one we name first.
    pub(crate) fn paths(&self) -> impl Iterator<Item = String> {
        let bases: &[&str] = match self.mount {
            Mount::Api => &BASES,
            Mount::Everywhere => &[BASES[0], BASES[1], ""],
            Mount::Root => &[""],
        };
        bases.iter().map(|base| format!("{base}{}", self.path))
    }
}

const MODELS: &str = "Models";
const ACCOUNT: &str = "Account";
const CHAT: &str = "Chat";
const SERVER: &str = "Server";

/// What most rows have.
const ROW: Route = Route {
    verb: Verb::Get,
    path: "/",
    mount: Mount::Api,
    access: Access::Public,
    tag: SERVER,
    id: "",
    summary: "",
    about: "",
    query: &[],
    request: None,
    answer: Answer::Media("text/plain"),
    refusals: &[],
    handler: || MethodRouter::new(),
};

pub(crate) const TABLE: &[Route] = &[
    Route {
        verb: Verb::Post,
        path: "/chat/completions",
        access: Access::InferenceKey,
        tag: CHAT,
        id: "createChatCompletion",
        summary: "Answer a chat",
        about: "Sends the messages to the best endpoint of the model, falls back to others while \
                nothing has been sent to you, and answers whole or, with `stream: true`, as \
                server-sent events that end with `data: [DONE]`. Lines that begin with a colon \
                are keep-alive comments. `usage.cost` is what the call was charged.",
        request: Some("ChatRequest"),
        answer: Answer::JsonOrEvents("ChatResponse", "ChatChunk"),
        refusals: &[400, 401, 402, 403, 404, 408, 413, 429, 500, 502, 503, 504],
        handler: || post(chat::complete),
        ..ROW
    },
    Route {
        path: "/models",
        tag: MODELS,
        id: "listModels",
        summary: "List the models",
        about: "Newest first unless `sort` says otherwise; the whole list unless `offset` or \
                `limit` asks for a page. Models without a price or a key of this server are \
                listed too: their endpoints say so in `status`.",
        query: crate::openapi::shapes::MODEL_QUERY,
        answer: Answer::JsonOr("ModelList", "application/rss+xml"),
        refusals: &[400],
        handler: || get(models::list),
        ..ROW
    },
    Route {
        path: "/models/count",
        tag: MODELS,
        id: "countModels",
        summary: "Count the models",
        about: "The length of the list that the same query gives.",
        query: crate::openapi::shapes::COUNT_QUERY,
        answer: Answer::Json("ModelCount"),
        refusals: &[400],
        handler: || get(models::count),
        ..ROW
    },
    Route {
        path: "/models/user",
        access: Access::AnyKey,
        tag: MODELS,
        id: "listModelsForCaller",
        summary: "List the models you may use",
        about: "The list as your account's settings leave it.",
        query: crate::openapi::shapes::PAGE_QUERY,
        answer: Answer::Json("ModelList"),
        refusals: &[400, 401],
        handler: || get(models::list_for_caller),
        ..ROW
    },
    Route {
        path: "/model/{author}/{slug}",
        tag: MODELS,
        id: "getModel",
        summary: "Show a model",
        about: "Aliases, dated slugs and variants (`:free`) lead to the model they stand for.",
        answer: Answer::Json("ModelAnswer"),
        refusals: &[404],
        handler: || get(models::show),
        ..ROW
    },
    Route {
        path: "/models/{author}/{slug}/endpoints",
        tag: MODELS,
        id: "listEndpoints",
        summary: "Show who serves a model",
        about: "Every provider's endpoint with its price, limits and state.",
        answer: Answer::Json("ModelEndpoints"),
        refusals: &[404],
        handler: || get(endpoints::of_model),
        ..ROW
    },
    Route {
        path: "/endpoints/zdr",
        tag: MODELS,
        id: "listEndpointsZdr",
        summary: "List the endpoints that keep nothing",
        about: "Endpoints of providers with zero data retention for every call.",
        answer: Answer::Json("EndpointList"),
        handler: || get(endpoints::zero_retention),
        ..ROW
    },
    Route {
        path: "/providers",
        tag: MODELS,
        id: "listProviders",
        summary: "List the providers",
        answer: Answer::Json("ProviderList"),
        handler: || get(providers::list),
        ..ROW
    },
    Route {
        path: "/key",
        access: Access::AnyKey,
        tag: ACCOUNT,
        id: "getCurrentKey",
        summary: "Show your key",
        about: "What the key that makes the call may spend and has spent. Days, weeks (from \
                Monday) and months are UTC.",
        answer: Answer::Json("CurrentKey"),
        refusals: &[401],
        handler: || get(account::show_key),
        ..ROW
    },
    Route {
        path: "/auth/key",
        access: Access::AnyKey,
        tag: ACCOUNT,
        id: "getCurrentKeyByOldPath",
        summary: "Show your key (old path)",
        about: "The same as `GET /key`.",
        answer: Answer::Json("CurrentKey"),
        refusals: &[401],
        handler: || get(account::show_key),
        ..ROW
    },
    Route {
        path: "/credits",
        access: Access::ManagementKey,
        tag: ACCOUNT,
        id: "getCredits",
        summary: "Show your account's credit",
        about: "Lifetime sums; their difference is the balance.",
        answer: Answer::Json("Credits"),
        refusals: &[401, 403],
        handler: || get(account::show_credits),
        ..ROW
    },
    Route {
        path: "/generation",
        access: Access::AnyKey,
        tag: ACCOUNT,
        id: "getGeneration",
        summary: "Show a finished call",
        about: "Tokens, cost, timing and attempts of one generation of your account, from the \
                moment its answer ended. Prompts and answers are not kept.",
        query: crate::openapi::shapes::GENERATION_QUERY,
        answer: Answer::Json("GenerationAnswer"),
        refusals: &[400, 401, 404],
        handler: || get(generation::show),
        ..ROW
    },
    Route {
        path: "/openapi.json",
        mount: Mount::Everywhere,
        id: "getOpenApiJson",
        summary: "This description, as JSON",
        answer: Answer::Media("application/json"),
        handler: || get(docs::json),
        ..ROW
    },
    Route {
        path: "/openapi.yaml",
        mount: Mount::Everywhere,
        id: "getOpenApiYaml",
        summary: "This description, as YAML",
        answer: Answer::Media("application/yaml"),
        handler: || get(docs::yaml),
        ..ROW
    },
    Route {
        path: "/health/live",
        mount: Mount::Root,
        id: "getHealthLive",
        summary: "Does the process answer?",
        answer: Answer::Json("Health"),
        handler: || get(health::live),
        ..ROW
    },
    Route {
        path: "/health/ready",
        mount: Mount::Root,
        id: "getHealthReady",
        summary: "May inference be sent here?",
        about: "503 while usage cannot be recorded or the process is shutting down. Providers and \
                the database have no say: running out of either does not stop all requests.",
        answer: Answer::Json("Health"),
        refusals: &[503],
        handler: || get(health::ready),
        ..ROW
    },
    Route {
        path: "/health/ready/management",
        mount: Mount::Root,
        id: "getHealthReadyManagement",
        summary: "Does the database answer?",
        answer: Answer::Json("Health"),
        refusals: &[503],
        handler: || get(health::management),
        ..ROW
    },
    Route {
        mount: Mount::Root,
        path: "/",
        id: "getStartPage",
        summary: "Start page",
        answer: Answer::Media("text/html"),
        handler: || get(index::page),
        ..ROW
    },
    Route {
        mount: Mount::Root,
        path: "/docs/api",
        id: "getApiReference",
        summary: "This description, to read",
        answer: Answer::Media("text/html"),
        handler: || get(docs::page),
        ..ROW
    },
    Route {
        mount: Mount::Root,
        path: "/assets/{name}",
        id: "getAsset",
        summary: "Style sheet and drawings of the pages",
        answer: Answer::Media("text/css"),
        refusals: &[404],
        handler: || get(index::asset),
        ..ROW
    },
];

/// The public API and everything else on the main listener.
pub fn table(app: App) -> Front<Router> {
    let site = Site {
        app,
        catalogue: Arc::default(),
        docs: Arc::new(docs::Docs::new(TABLE)),
    };
    // Each path is registered whole: nesting would rebuild every request's address.
    let mut router = Router::new();
    for route in TABLE {
        for path in route.paths() {
            router = router.route(&path, (route.handler)());
        }
    }
    let router = router
        .method_not_allowed_fallback(unknown::method)
        .fallback(unknown::path)
        .with_state(site);
    Front::new(router)
}

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use generation::tests::spool as record_a_generation;
