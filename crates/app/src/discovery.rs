//! Providers nobody configured: the built-in demo, and model servers running on this machine.

use http::Method;
use http_body_util::BodyExt;
use interline_domain::Price;
use interline_domain::catalogue::{Auth, Dialect};
use interline_outbound::{Call, Client, Limits};
use interline_providers::{EndpointEntry, Listed, ModelEntry, Overlay, ProviderEntry, Word};
use interline_sim::Handle;
use std::time::Duration;

/// How long a local server has to say who it is.
const PROBE: Duration = Duration::from_millis(300);
/// Models taken from one local server.
const MAX_MODELS: usize = 200;

/// `(model, what it is for)`.
const DEMO_MODELS: &[(&str, &str)] = &[
    ("echo", "Says back what you said"),
    ("story", "Streams a short story at reading pace"),
    ("tools", "Calls the tools you declare"),
    ("vision", "Says which images it was sent"),
    ("flaky", "Fails every second time, so that you see fallback"),
    ("slow", "Takes its time to the first token"),
    ("cut", "Breaks off in the middle of its answer"),
    ("429", "Is always over its rate limit"),
];

/// Adds the demo provider: free, offline, deterministic.
pub(crate) fn add_demo(overlay: &mut Overlay, demo: &Handle) {
    overlay.providers.push(ProviderEntry {
        slug: "demo".into(),
        name: Some("Demo".into()),
        dialect: Some(Word(Dialect::OpenAiChat)),
        base_url: Some(demo.base_url(interline_sim::Dialect::OpenaiChat)),
        auth: Some(Word(Auth::None)),
        quirks: Some(interline_providers::QuirksEntry {
            cancels: Some(true),
            ..Default::default()
        }),
        data_policy: Some(interline_providers::DataPolicyEntry {
            training: Some(false),
            retains_prompts: Some(false),
            retention_days: Some(0),
            ..Default::default()
        }),
        ..ProviderEntry::default()
    });
    for (slug, purpose) in DEMO_MODELS {
        let mut model = free_model(&format!("demo/{slug}"), &format!("Demo: {slug}"));
        model.description = Some(format!("{purpose}. Built in, free, offline."));
        if *slug == "vision" {
            use interline_domain::catalogue::Modality;
            model.input_modalities = Some(vec![Word(Modality::Text), Word(Modality::Image)]);
        }
        overlay.models.push(model);
        overlay
            .endpoints
            .push(free_endpoint(&format!("demo/{slug}"), "demo", slug));
    }
}

struct Local {
    slug: &'static str,
    name: &'static str,
    port: u16,
    /// The cheapest call that tells this server from others.
    probe: &'static str,
    /// A word its answer must hold.
    sign: &'static str,
    base: &'static str,
}

const LOCAL_SERVERS: &[Local] = &[
    Local {
        slug: "ollama",
        name: "Ollama",
        port: 11434,
        probe: "/api/version",
        sign: "version",
        base: "/v1",
    },
    Local {
        slug: "vllm",
        name: "vLLM",
        port: 8000,
        probe: "/version",
        sign: "version",
        base: "/v1",
    },
    Local {
        slug: "llama-cpp",
        name: "llama.cpp",
        port: 8080,
        probe: "/props",
        sign: "default_generation_settings",
        base: "/v1",
    },
    Local {
        slug: "lmstudio",
        name: "LM Studio",
        port: 1234,
        probe: "/api/v0/models",
        sign: "data",
        base: "/v1",
    },
    Local {
        slug: "sglang",
        name: "SGLang",
        port: 30000,
        probe: "/get_model_info",
        sign: "model_path",
        base: "/v1",
    },
    Local {
        slug: "docker-model-runner",
        name: "Docker Model Runner",
        port: 12434,
        probe: "/engines/v1/models",
        sign: "data",
        base: "/engines/v1",
    },
];

/// Slug and name of every server that is looked for.
pub(crate) fn looked_for() -> impl Iterator<Item = (&'static str, &'static str)> {
    LOCAL_SERVERS
        .iter()
        .map(|server| (server.slug, server.name))
}

/// Looks for model servers on loopback, all at once, and adds what answers. `own_port` is ours.
/// Answers with what was odd.
pub(crate) async fn add_local_servers(overlay: &mut Overlay, own_port: u16) -> Vec<String> {
    let client = Client::new(&Limits {
        connect_timeout: PROBE,
        ..Limits::default()
    });
    let looking: Vec<_> = LOCAL_SERVERS
        .iter()
        .filter(|server| server.port != own_port)
        .map(|server| {
            let client = client.clone();
            tokio::spawn(async move { (server, look(&client, server).await) })
        })
        .collect();
    let mut warnings = Vec::new();
    for task in looking {
        let Ok((server, Some(models))) = task.await else {
            continue;
        };
        let is_known = overlay
            .providers
            .iter()
            .any(|provider| provider.slug == server.slug);
        if is_known {
            continue;
        }
        if models.is_empty() {
            warnings.push(format!(
                "{} is running on port {} but lists no models",
                server.name, server.port
            ));
        }
        overlay.providers.push(ProviderEntry {
            slug: server.slug.into(),
            name: Some(server.name.into()),
            dialect: Some(Word(Dialect::OpenAiChat)),
            base_url: Some(format!("http://127.0.0.1:{}{}", server.port, server.base)),
            auth: Some(Word(Auth::None)),
            ..ProviderEntry::default()
        });
        for upstream in models {
            let id = model_id(server.slug, &upstream);
            overlay
                .models
                .push(free_model(&id, &format!("{}: {upstream}", server.name)));
            overlay
                .endpoints
                .push(free_endpoint(&id, server.slug, &upstream));
        }
    }
    warnings
}

/// The names of the models a server has, if it is there and is what we think it is.
async fn look(client: &Client, server: &Local) -> Option<Vec<String>> {
    let origin = format!("http://127.0.0.1:{}", server.port);
    let answer = get(client, &format!("{origin}{}", server.probe)).await?;
    if !answer.contains(server.sign) {
        return None;
    }
    let list = get(client, &format!("{origin}{}/models", server.base)).await?;
    let list: serde_json::Value = serde_json::from_str(&list).ok()?;
    let models = list.get("data")?.as_array()?;
    let names = models.iter().filter_map(|model| model.get("id")?.as_str());
    Some(names.take(MAX_MODELS).map(str::to_owned).collect())
}

async fn get(client: &Client, url: &str) -> Option<String> {
    let call = Call {
        method: Method::GET,
        url,
        headers: &[],
        body: hyper::body::Bytes::new(),
        credential: None,
        is_stream: false,
    };
    let answered = async {
        let answer = client.send(call).await.ok()?;
        if !answer.status.is_success() {
            return None;
        }
        let body = http_body_util::Limited::new(answer.body, 1024 * 1024)
            .collect()
            .await
            .ok()?;
        String::from_utf8(body.to_bytes().to_vec()).ok()
    };
    tokio::time::timeout(PROBE, answered).await.ok()?
}

/// `ollama/llama3.2-3b` for `llama3.2:3b`: a colon would read as a variant.
fn model_id(author: &str, upstream: &str) -> String {
    let slug: String = upstream
        .to_ascii_lowercase()
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "._-".contains(c) {
                c
            } else {
                '-'
            }
        })
        .collect();
    format!("{author}/{slug}")
}

fn free_model(id: &str, name: &str) -> ModelEntry {
    ModelEntry {
        id: id.to_owned(),
        name: Some(name.to_owned()),
        ..ModelEntry::default()
    }
}

/// Electricity is not our concern: what runs here costs nothing per token.
fn free_endpoint(model: &str, provider: &str, upstream: &str) -> EndpointEntry {
    let free = || Listed {
        text: "0".into(),
        price: Some(Price::ZERO),
        is_rounded: false,
    };
    EndpointEntry {
        model: model.to_owned(),
        provider: provider.to_owned(),
        upstream_model: Some(upstream.to_owned()),
        pricing: Some(interline_providers::PricingEntry {
            prompt: Some(free()),
            completion: Some(free()),
            ..Default::default()
        }),
        supported_parameters: Some(
            interline_domain::Parameter::ALL
                .iter()
                .map(|parameter| Word(*parameter))
                .collect(),
        ),
        ..EndpointEntry::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_names_become_ids() {
        assert_eq!(model_id("ollama", "llama3.2:3b"), "ollama/llama3.2-3b");
        assert_eq!(model_id("vllm", "Qwen/Qwen3-8B"), "vllm/qwen-qwen3-8b");
    }
}
