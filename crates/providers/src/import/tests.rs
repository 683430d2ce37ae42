use super::*;
use crate::source::{Overlay, builtin, load_dir};
use crate::write::write_dir;
use interline_domain::catalogue::Catalogue;

fn catalogue(source: &Source) -> Catalogue {
    crate::build(source, &Overlay::default(), &|_| true)
        .unwrap_or_else(|problems| panic!("{problems:?}"))
        .catalogue
}

const PROVIDERS: &str = r#"{"data": [
  {"slug": "acme", "name": "Acme", "kind": "host", "base_url": "https://acme.example/v1", "dialect": "openai-chat",
   "protocols": [{"dialect": "openai-chat", "base_url": "https://acme.example/v1"}], "auth": "bearer",
   "env": ["ACME_API_KEY"], "datacenters": [], "moderation_required": false,
   "data_policy": {"may_train": null, "retains_prompts": null, "retention_days": null, "zdr": "unknown", "src": "unknown"}}
]}"#;
const MODELS: &str = r#"[
  {"id": "acme/large", "canonical_slug": "acme/large-20260101", "name": "Large", "kind": "chat", "created": 1767225600,
   "context_length": 8192, "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"], "tokenizer": "Other"},
   "default_parameters": {"temperature": 0.7, "top_p": null}, "reasoning": {"mandatory": false, "supported_efforts": null}},
  {"id": "~acme/large-latest", "name": "Latest", "kind": "alias", "alias_target": "acme/larger"}
]"#;
const ENDPOINTS: &str = r#"{"data": [
  {"model": "acme/large", "provider": "acme", "tag": "acme/fp8", "provider_model_id": "Acme \"Large\"", "dialect": "openai-chat",
   "pricing": {"prompt": "0.0000025", "completion": "-1", "overrides": [{"min_prompt_tokens": 1000, "prompt": "0.000005"}]},
   "context_length": 8192, "max_completion_tokens": 4096, "quantization": "fp8", "supported_parameters": ["tools"],
   "src": {"price": "hand"}},
  {"model": "acme/large", "provider": "acme", "tag": "acme/fp8", "pricing": {"prompt": "1", "completion": "2"}}
]}"#;

const TABLES: Tables<'_> = Tables {
    providers: PROVIDERS,
    models: MODELS,
    endpoints: ENDPOINTS,
};

#[test]
fn tables_become_files() {
    let imported = import(TABLES, None).expect("sound tables");
    let file = |name: &str| imported.files.get(name).map(String::as_str);
    assert_eq!(
        file("providers/acme.toml"),
        Some(
            "[provider]\nslug = \"acme\"\nname = \"Acme\"\nkind = \"host\"\ndialect = \"openai-chat\"\n\
             base_url = \"https://acme.example/v1\"\nenv = [\"ACME_API_KEY\"]\n"
        )
    );
    assert_eq!(
        file("models/acme.toml"),
        Some(
            "[[models]]\nid = \"acme/large\"\ncanonical_slug = \"acme/large-20260101\"\nname = \"Large\"\n\
             created = 1767225600\ncontext_length = 8192\ninput_modalities = [\"text\", \"image\"]\n\
             default_parameters = { temperature = 0.7 }\nreasoning = {}\n\n\
             [[models]]\nid = \"~acme/large-latest\"\nname = \"Latest\"\nkind = \"alias\"\n"
        )
    );
    assert_eq!(
        file("endpoints/acme.toml"),
        Some(
            "for_provider = \"acme\"\n\n[[endpoints]]\nmodel = \"acme/large\"\ntag = \"acme/fp8\"\n\
             upstream_model = 'Acme \"Large\"'\n\
             pricing = { prompt = \"0.0000025\", completion = \"-1\", overrides = [{ min_prompt_tokens = 1000, prompt = \"0.000005\" }] }\n\
             max_completion_tokens = 4096\nquantization = \"fp8\"\nsupported_parameters = [\"tools\"]\nsource = \"hand\"\n\n\
             [[endpoints]]\nmodel = \"acme/large\"\ntag = \"acme/fp8-2\"\npricing = { prompt = \"1\", completion = \"2\" }\n\
             supported_parameters = []\n"
        )
    );
    assert_eq!(imported.notes.len(), 2, "{:?}", imported.notes);
}

#[test]
fn mistakes_are_all_named() {
    let models = MODELS.replace("\"image\"", "\"imag\"");
    let endpoints = ENDPOINTS
        .replace("\"0.0000025\"", "\"cheap\"")
        .replace("\"fp8\",", "\"fp9\",");
    let problems = import(
        Tables {
            models: &models,
            endpoints: &endpoints,
            ..TABLES
        },
        None,
    )
    .expect_err("three mistakes");
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "model acme/large: unknown modality `imag`\n  did you mean `image`?",
            "endpoint acme/large@acme/fp8: price `cheap`: not a decimal number such as \"0.000001\"",
            "endpoint acme/large@acme/fp8: unknown quantization `fp9`\n  did you mean `fp4`?",
        ]
    );
}

#[test]
fn names_cannot_lead_out_of_the_directory() {
    let models = MODELS.replace("acme/large\"", "../../etc/passwd\"");
    let endpoints = "[]";
    let tables = Tables {
        models: &models,
        endpoints,
        ..TABLES
    };
    assert!(import(tables, None).is_err());
}

/// The built-in models and endpoints are exactly what `import` would write: no drift between the
/// files in review and the writer.
#[test]
fn builtin_files_are_in_the_writers_form() {
    let source = builtin().expect("sound");
    let imported = import_model_list("[]", "openai-compatible", &source).expect("sound");
    for file in &source.files {
        let written = imported.files.get(&file.name).map(String::as_str);
        assert_eq!(written, Some(&*file.text), "{}", file.name);
    }
    assert_eq!(imported.files.len(), source.files.len());
    assert!(crate::diff(&catalogue(&source), &catalogue(&imported.source)).is_empty());
}

#[test]
fn a_directory_written_is_read_back_the_same() {
    let source = builtin().expect("sound");
    let imported = import_model_list("[]", "openai-compatible", &source).expect("sound");
    let root = tempfile::tempdir().expect("a directory");
    let directory = root.path().join("catalogue");
    write_dir(&imported.files, &directory).expect("written");
    std::fs::write(directory.join("NOTES.md"), "mine").expect("written");
    write_dir(&imported.files, &directory).expect("written twice");
    let back = load_dir(&directory).expect("sound");
    assert!(crate::diff(&catalogue(&source), &catalogue(&back)).is_empty());
    assert!(
        directory.join("NOTES.md").exists(),
        "other people's files stay"
    );
    let left: Vec<_> = std::fs::read_dir(root.path()).expect("readable").collect();
    assert_eq!(left.len(), 1, "nothing is left beside it: {left:?}");
}

#[test]
fn a_refresh_keeps_what_is_kept_by_hand() {
    let first = import(TABLES, None).expect("sound");
    let mut files = first.files.clone();
    let provider = files.get_mut("providers/acme.toml").expect("a file");
    provider.push_str("\n# Why.\n[provider.quirks]\ncancels = true\n");
    let provider = provider.clone();
    let endpoints = files.get_mut("endpoints/acme.toml").expect("a file");
    *endpoints = endpoints.replacen(
        "source = \"hand\"",
        "quirks = { limit = \"max_tokens\" }\nsource = \"hand\"",
        1,
    );
    files.insert(
        "aliases.toml".to_owned(),
        "[aliases]\nlarge-1 = \"acme/large\"\n".to_owned(),
    );
    let texts = files
        .iter()
        .map(|(name, text)| (name.clone(), Cow::Owned(text.clone())));
    let current = Source::from_files(texts).expect("sound");
    let endpoints = ENDPOINTS.replace("0.0000025", "0.000003");
    let second = import(
        Tables {
            endpoints: &endpoints,
            ..TABLES
        },
        Some(&current),
    )
    .expect("sound");
    assert_eq!(second.files.get("providers/acme.toml"), Some(&provider));
    assert!(second.files.contains_key("aliases.toml"));
    let text = second.files.get("endpoints/acme.toml").expect("a file");
    assert!(
        text.contains("quirks = { limit = \"max_tokens\" }"),
        "{text}"
    );
    assert!(text.contains("0.000003"), "{text}");
}

#[test]
fn a_model_list_becomes_one_providers_endpoints() {
    let current = import(TABLES, None).expect("sound").source;
    let list = r#"{"data": [
      {"id": "Acme/Large", "name": "Large", "context_length": 4096,
       "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
       "pricing": {"prompt": "0.000001", "completion": "0.000002", "request": "0", "image": "0"},
       "top_provider": {"context_length": 4096, "max_completion_tokens": 1024, "is_moderated": false},
       "supported_parameters": ["tools", "a_new_one"]},
      {"id": "other/new", "pricing": {"prompt": "-1", "completion": "-1"}}
    ]}"#;
    let imported = import_model_list(list, "acme", &current).expect("sound");
    let new = catalogue(&imported.source);
    let changes = crate::diff(&catalogue(&current), &new);
    assert_eq!(changes.models_added, ["other/new"]);
    assert_eq!(
        changes.endpoints_added,
        ["acme/large@acme", "other/new@acme"]
    );
    assert_eq!(
        changes.endpoints_removed,
        ["acme/large@acme/fp8", "acme/large@acme/fp8-2"]
    );
    let endpoint = &new.endpoints()[0];
    assert_eq!(endpoint.upstream_model, "Acme/Large");
    assert_eq!(endpoint.max_completion_tokens, Some(1024));
    assert_eq!(
        endpoint.prices.as_ref().and_then(|prices| prices.request),
        None
    );
    assert!(import_model_list(list, "nobody", &current).is_err());
}
