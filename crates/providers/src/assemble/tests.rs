//! The built-in catalogue as a whole, and how the operator's differences win.

mod quirks;

use super::*;
use crate::entry::ProviderEntry;
use crate::problem::decode;
use crate::source::builtin;
use interline_domain::money::Price;
use interline_domain::quirks::LimitField;

fn source() -> Source {
    builtin().unwrap_or_else(|problems| panic!("{}", all(&problems)))
}

fn all(problems: &[Problem]) -> String {
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    texts.join("\n")
}

fn built(overlay: &str, has_key: &dyn Fn(&Provider) -> bool) -> Built {
    #[derive(Default, serde_derive::Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct File {
        providers: Vec<ProviderEntry>,
        models: Vec<ModelEntry>,
        endpoints: Vec<EndpointEntry>,
    }
    let file: File = decode("interline.toml", overlay).unwrap_or_else(|p| panic!("{}", all(&p)));
    let overlay = Overlay {
        providers: file.providers,
        models: file.models,
        endpoints: file.endpoints,
        file: "interline.toml".to_owned(),
        text: overlay.to_owned(),
    };
    build(&source(), &overlay, has_key).unwrap_or_else(|p| panic!("{}", all(&p)))
}

fn endpoint<'a>(built: &'a Built, id: &str) -> &'a Endpoint {
    built
        .catalogue
        .endpoints()
        .iter()
        .find(|endpoint| endpoint.id == id)
        .unwrap_or_else(|| panic!("no endpoint {id}"))
}

#[test]
fn the_builtin_catalogue_is_whole() {
    let built = built("", &|_| true);
    let catalogue = &built.catalogue;
    assert_eq!(catalogue.providers().len(), 138);
    assert_eq!(catalogue.models().len(), 712);
    assert_eq!(catalogue.endpoints().len(), 2254);
    for warning in &built.warnings {
        let text = warning.to_string();
        let is_expected = text.contains("rounded up") || text.contains("address");
        assert!(is_expected, "{text}");
    }
}

/// A wrong slip in a data file could give service away: whoever adds a free endpoint says so by
/// its name.
#[test]
fn nothing_ready_is_free_by_accident() {
    let built = built("", &|_| true);
    for endpoint in built.catalogue.endpoints() {
        let is_free = endpoint
            .prices
            .as_ref()
            .is_some_and(|p| p.prompt == Price::ZERO && p.completion == Price::ZERO);
        if is_free && endpoint.standing == Standing::Ready {
            assert!(endpoint.id.contains(":free@"), "{} is free", endpoint.id);
        }
    }
}

#[test]
fn ready_endpoints_are_chat_in_a_spoken_dialect_at_a_whole_address() {
    let built = built("", &|_| true);
    for endpoint in built.catalogue.endpoints() {
        if endpoint.standing != Standing::Ready {
            continue;
        }
        let model = &built.catalogue.models()[endpoint.model];
        assert_eq!(model.kind, "chat", "{}", endpoint.id);
        assert!(endpoint.dialect.is_spoken(), "{}", endpoint.id);
        assert!(!endpoint.base_url.contains('{'), "{}", endpoint.id);
        assert!(endpoint.base_url.starts_with("http"), "{}", endpoint.id);
        assert!(endpoint.prices.is_some(), "{}", endpoint.id);
    }
}

/// Names as they appear in responses and routing preferences are unique in lower case.
#[test]
fn provider_files_are_named_by_slug() {
    for file in &source().files {
        if let Some(stem) = file.name.strip_prefix("providers/") {
            let slug = format!("slug = \"{}\"", stem.trim_end_matches(".toml"));
            assert!(file.text.contains(&slug), "{}", file.name);
        }
    }
}

#[test]
fn prices_are_exact() {
    let built = built("", &|_| true);
    let check = |id: &str, prompt: i64, completion: i64, cache_read: Option<i64>| {
        let prices = endpoint(&built, id).prices.clone().expect("a price");
        assert_eq!(prices.prompt.pico(), prompt, "{id}");
        assert_eq!(prices.completion.pico(), completion, "{id}");
        assert_eq!(prices.input_cache_read.map(Price::pico), cache_read, "{id}");
    };
    check(
        "openai/gpt-5.4@openai",
        2_500_000,
        15_000_000,
        Some(250_000),
    );
    check(
        "deepseek/deepseek-v4-flash@deepseek",
        300_000,
        1_200_000,
        Some(6_000),
    );
    check(
        "xiaomi/mimo-v2.6-pro@deepinfra",
        435_000,
        870_000,
        Some(3_600),
    );
    // A start must not greet newcomers with warnings about our own data.
    let finer = |w: &&crate::Warning| w.to_string().contains("finer than a pico-dollar");
    assert_eq!(built.warnings.iter().filter(finer).count(), 0);
    let listed = crate::entry::Listed::read("0.000000003599999").expect("a price");
    assert!(listed.is_rounded, "finer than a pico-dollar: reported");
    assert_eq!(listed.price.map(Price::pico), Some(3_600), "and rounded up");
    let tiers = endpoint(&built, "openai/gpt-5.4@azure")
        .prices
        .clone()
        .expect("a price");
    assert_eq!(tiers.overrides[0].min_prompt_tokens, 272_000);
    assert_eq!(
        tiers.overrides[0].completion.map(Price::pico),
        Some(22_500_000)
    );
}

#[test]
fn standings_follow_keys_kinds_and_dialects() {
    let openai = |provider: &Provider| provider.slug == "openai";
    let built = built("", &openai);
    let check = |id: &str, expected: Standing| {
        assert_eq!(endpoint(&built, id).standing, expected, "{id}");
    };
    check("openai/gpt-5.4@openai", Standing::Ready);
    check("openai/gpt-5.4@azure", Standing::NoCredential);
    check(
        "anthropic/claude-sonnet-4.5@anthropic",
        Standing::NoCredential,
    );
    // Only on the Responses API.
    check("openai/gpt-5.4-pro@openai", Standing::NotSpoken);
    // Not chat; a sign-in we do not speak.
    check("openai/text-embedding-3-small@openai", Standing::NotSpoken);
    check("google/gemini-2.5-flash@google-vertex", Standing::NotSpoken);
    // Charged per song, which a count of tokens cannot bill.
    check(
        "google/lyria-3-pro-preview@google-ai-studio",
        Standing::Unpriced,
    );
}

#[test]
fn openai_falls_back_to_the_dialect_we_speak() {
    let built = built("", &|_| true);
    let check = |id: &str, dialect: Dialect, url: &str| {
        let endpoint = endpoint(&built, id);
        assert_eq!(endpoint.dialect, dialect, "{id}");
        assert_eq!(endpoint.base_url, url, "{id}");
    };
    check(
        "openai/gpt-5.4@openai",
        Dialect::OpenAiChat,
        "https://api.openai.com/v1",
    );
    check(
        "anthropic/claude-opus-4.5@anthropic",
        Dialect::AnthropicMessages,
        "https://api.anthropic.com/v1",
    );
    check(
        "google/gemini-2.5-pro@google-ai-studio",
        Dialect::Gemini,
        "https://generativelanguage.googleapis.com/v1beta",
    );
    check(
        "cohere/command-a@cohere",
        Dialect::OpenAiChat,
        "https://api.cohere.ai/compatibility/v1",
    );
}

#[test]
fn addresses_are_filled_from_the_environment() {
    let mut source = source();
    source.fill_addresses(&|variable| match variable {
        "DATABRICKS_HOST" => Some("https://acme.cloud.databricks.com/".to_owned()),
        "CLOUDFLARE_ACCOUNT_ID" => Some("abc".to_owned()),
        _ => None,
    });
    let built = build(&source, &Overlay::default(), &|_| true).expect("a catalogue");
    let check = |slug: &str, url: &str| {
        let at = built.catalogue.find_provider(slug).expect("a provider");
        assert_eq!(built.catalogue.providers()[at].base_url, url);
    };
    check(
        "databricks",
        "https://acme.cloud.databricks.com/serving-endpoints",
    );
    check(
        "cloudflare",
        "https://api.cloudflare.com/client/v4/accounts/abc/ai/v1",
    );
    let said: Vec<String> = built.warnings.iter().map(ToString::to_string).collect();
    assert!(said.iter().any(|text| text.contains("`azure`")), "{said:?}");
    assert!(
        !said.iter().any(|text| text.contains("`cloudflare`")),
        "{said:?}"
    );
}

#[test]
fn a_new_provider_model_and_endpoint_need_little() {
    let built = built(
        r#"
        [[providers]]
        slug = "alpha"
        name = "Alpha"
        dialect = "openai-chat"
        base_url = "http://127.0.0.1:9101/v1/"
        auth = "bearer"
        api_key = "test-key"
        data_policy = { training = false, retention_days = 0 }
        quirks = { limit = "max_tokens" }

        [[models]]
        id = "acme/test-large"
        name = "Acme Test Large"
        context_length = 128000
        input_modalities = ["text", "image"]
        output_modalities = ["text"]

        [[endpoints]]
        model = "acme/test-large"
        provider = "alpha"
        upstream_model = "test-large"
        pricing = { prompt = "0.000001", completion = "0.000002" }
        max_completion_tokens = 8192
        quantization = "fp8"
        supported_parameters = ["tools", "temperature", "max_tokens"]
        "#,
        &|provider| provider.slug == "alpha",
    );
    let endpoint = endpoint(&built, "acme/test-large@alpha");
    assert_eq!(endpoint.standing, Standing::Ready);
    assert_eq!(endpoint.base_url, "http://127.0.0.1:9101/v1");
    assert_eq!(endpoint.context_length, Some(128_000));
    assert_eq!(endpoint.quirks.limit, LimitField::MaxTokens);
    assert_eq!(endpoint.quantization, Quantization::Fp8);
    assert!(endpoint.parameters.contains(Parameter::Tools));
    assert!(!endpoint.parameters.contains(Parameter::Seed));
    let provider = &built.catalogue.providers()[endpoint.provider];
    assert_eq!(provider.data_policy.may_train, Some(false));
    assert!(provider.data_policy.is_zero_retention());
    let model = &built.catalogue.models()[endpoint.model];
    assert_eq!(
        model.description,
        "Chat model from acme: 128,000-token context; accepts image; tool calling; 1 provider."
    );
}

#[test]
fn an_endpoint_without_a_price_is_shown_and_not_routed_to() {
    let unpriced = |pricing: &str| {
        let overlay = format!(
            "[[models]]\nid = \"acme/x\"\n[[endpoints]]\nmodel = \"acme/x\"\nprovider = \"openai\"\n{pricing}"
        );
        let built = built(&overlay, &|_| true);
        let endpoint = endpoint(&built, "acme/x@openai").clone();
        assert_eq!(endpoint.upstream_model, "x");
        assert_eq!(endpoint.parameters.iter().count(), Parameter::ALL.len());
        (endpoint.standing, endpoint.prices.is_some())
    };
    assert_eq!(unpriced(""), (Standing::Unpriced, false));
    assert_eq!(
        unpriced("pricing = { prompt = \"1\" }"),
        (Standing::Unpriced, false)
    );
    assert_eq!(
        unpriced("pricing = { prompt = \"-1\", completion = \"1\" }"),
        (Standing::Unpriced, false)
    );
    assert_eq!(
        unpriced("pricing = { prompt = \"0\", completion = \"0\" }"),
        (Standing::Ready, true)
    );
}

#[test]
fn the_operator_wins_field_by_field() {
    let built = built(
        r#"
        [[providers]]
        slug = "openai"
        base_url = "http://127.0.0.1:9101/v1"
        api_key_env = "MY_KEY"
        quirks = { cancels = false }

        [[providers]]
        slug = "groq"
        enabled = false

        [[models]]
        id = "openai/gpt-5.4"
        name = "House model"

        [[endpoints]]
        model = "openai/gpt-5.4"
        provider = "openai"
        pricing = { prompt = "0.000001", completion = "0.000001" }
        quirks = { json_schema = false }

        [[endpoints]]
        model = "openai/gpt-5.4"
        provider = "azure"
        enabled = false
        "#,
        &|_| true,
    );
    let endpoint_of = |id: &str| endpoint(&built, id);
    let changed = endpoint_of("openai/gpt-5.4@openai");
    assert_eq!(changed.base_url, "http://127.0.0.1:9101/v1");
    assert_eq!(changed.dialect, Dialect::OpenAiChat);
    let prices = changed.prices.as_ref().expect("a price");
    assert_eq!(prices.prompt.pico(), 1_000_000);
    assert_eq!(
        prices.input_cache_read, None,
        "stale sub-prices go with the old price"
    );
    assert!(!changed.quirks.json_schema && !changed.quirks.cancels);
    // What the operator left alone stays.
    assert_eq!(changed.quirks.limit, LimitField::MaxCompletionTokens);
    assert_eq!(changed.upstream_model, "gpt-5.4");
    assert!(endpoint_of("openai/gpt-5.2@openai").quirks.json_schema);
    let model = &built.catalogue.models()[changed.model];
    assert_eq!(
        (model.name.as_str(), model.context_length),
        ("House model", Some(1_050_000))
    );
    let provider = &built.catalogue.providers()[changed.provider];
    assert_eq!(provider.key_variables, ["MY_KEY"]);
    assert_eq!(provider.name, "OpenAI");
    assert_eq!(
        endpoint_of("openai/gpt-5.4@azure").standing,
        Standing::Disabled
    );
    assert_eq!(
        endpoint_of("openai/gpt-oss-120b@groq").standing,
        Standing::Disabled
    );
}

#[test]
fn a_tag_picks_one_of_several_endpoints() {
    let built = built(
        r#"
        [[endpoints]]
        model = "openai/gpt-oss-120b"
        provider = "deepinfra"
        tag = "deepinfra/turbo"
        enabled = false
        "#,
        &|_| true,
    );
    let off: Vec<&str> = built
        .catalogue
        .endpoints()
        .iter()
        .filter(|endpoint| endpoint.standing == Standing::Disabled)
        .map(|endpoint| endpoint.id.as_str())
        .collect();
    assert_eq!(off, ["openai/gpt-oss-120b@deepinfra/turbo"]);
}

#[test]
fn secrets_are_not_printed() {
    let entry = ProviderEntry {
        api_key: Some("sk-very-secret".to_owned()),
        ..ProviderEntry::default()
    };
    let text = format!("{entry:?}");
    assert!(
        !text.contains("very-secret") && text.contains("[redacted]"),
        "{text}"
    );
}
