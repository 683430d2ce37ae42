use super::*;
use crate::source::{Overlay, builtin};
use Variant::{Exacto, Floor, Nitro, Online};

struct World {
    catalogue: Catalogue,
    names: Names,
}

impl World {
    fn builtin() -> Self {
        let source = builtin().expect("the built-in files are sound");
        let built = crate::build(&source, &Overlay::default(), &|_| false).expect("a catalogue");
        Self {
            catalogue: built.catalogue,
            names: built.names,
        }
    }

    fn resolve(&self, text: &str) -> Result<Resolved, NameError> {
        resolve_name(&self.catalogue, &self.names, text)
    }

    /// The text resolves to the model and these dynamic variants.
    fn check(&self, text: &str, id: &str, variants: &[Variant]) -> Resolved {
        let resolved = self
            .resolve(text)
            .unwrap_or_else(|e| panic!("{text}: {e:?}"));
        assert_eq!(self.catalogue.models()[resolved.model].id, id, "{text}");
        assert_eq!(resolved.variants, variants, "{text}");
        resolved
    }
}

#[test]
fn names_lead_to_models() {
    let world = World::builtin();
    for (text, id) in [
        ("openai/gpt-5.4", "openai/gpt-5.4"),
        ("OpenAI/GPT-5.4", "openai/gpt-5.4"),
        (" openai/gpt-5.4 ", "openai/gpt-5.4"),
        ("openai/gpt-5.4-20260305", "openai/gpt-5.4"),
        ("gpt-4o", "openai/gpt-4o"),
        ("gpt-4", "openai/gpt-4"),
        ("claude-sonnet-4-5", "anthropic/claude-sonnet-4.5"),
        ("anthropic/claude-3-5-sonnet", "anthropic/claude-3.5-sonnet"),
        ("~openai/gpt-latest", "openai/gpt-6.1-sol"),
        ("qwen/qwen3-coder:free", "qwen/qwen3-coder:free"),
        (
            "qwen/qwen3-coder-480b-a35b-07-25:free",
            "qwen/qwen3-coder:free",
        ),
        ("openai/gpt-4o:extended", "openai/gpt-4o:extended"),
        (
            "anthropic/claude-3.7-sonnet:thinking",
            "anthropic/claude-3.7-sonnet:thinking",
        ),
    ] {
        world.check(text, id, &[]);
    }
}

#[test]
fn variants_combine() {
    let world = World::builtin();
    world.check("openai/gpt-5.4:nitro", "openai/gpt-5.4", &[Nitro]);
    world.check("gpt-4o:floor", "openai/gpt-4o", &[Floor]);
    world.check(
        "openai/gpt-5.4:EXACTO:online",
        "openai/gpt-5.4",
        &[Exacto, Online],
    );
    world.check("openai/gpt-5.4:nitro:nitro", "openai/gpt-5.4", &[Nitro]);
    let free = "qwen/qwen3-coder:free";
    world.check("qwen/qwen3-coder:free:online", free, &[Online]);
    world.check("qwen/qwen3-coder:online:free", free, &[Online]);
    world.check("~openai/gpt-latest:nitro", "openai/gpt-6.1-sol", &[Nitro]);
}

#[test]
fn how_a_name_led_there_is_told() {
    let world = World::builtin();
    assert_eq!(
        world.check("openai/gpt-5.4", "openai/gpt-5.4", &[]).via,
        Via::Name
    );
    assert_eq!(
        world.check("gpt-5.4", "openai/gpt-5.4", &[]).via,
        Via::Alias
    );
    let alias = world
        .catalogue
        .find_model("~x-ai/grok-latest")
        .expect("a row");
    let latest = world.check("~x-ai/grok-latest", "x-ai/grok-4.7", &[]);
    assert_eq!(latest.via, Via::Latest(alias));
}

#[test]
fn thinking_is_a_row_or_a_default() {
    let world = World::builtin();
    let switched = world.check("x-ai/grok-4:thinking:floor", "x-ai/grok-4", &[Floor]);
    assert!(switched.reasons_by_default);
    let row = world.check(
        "qwen/qwen-plus-2025-07-28:thinking",
        "qwen/qwen-plus-2025-07-28:thinking",
        &[],
    );
    assert!(!row.reasons_by_default);
}

#[test]
fn presets_are_split_off() {
    let world = World::builtin();
    let resolved = world.check(
        "openai/gpt-5.4:nitro@preset/code",
        "openai/gpt-5.4",
        &[Nitro],
    );
    assert_eq!(resolved.preset.as_deref(), Some("code"));
    assert_eq!(
        world.resolve("@preset/code"),
        Err(NameError::PresetOnly("code".to_owned()))
    );
}

#[test]
fn refusals_name_what_may_serve_instead() {
    let world = World::builtin();
    let not_found = |text: &str, fallback: &[&str]| {
        let expected = NameError::NotFound {
            name: text.to_owned(),
            fallback_models: fallback.iter().map(|id| (*id).to_owned()).collect(),
        };
        assert_eq!(world.resolve(text), Err(expected));
    };
    not_found(
        "anthropic/claude-opus-5:thinking",
        &["anthropic/claude-opus-5"],
    );
    not_found("openai/gpt-4o:batch", &["openai/gpt-4o"]);
    not_found("openai/gpt-5.4:extended", &["openai/gpt-5.4"]);
    not_found("openai/gpt-5.4:nonsense", &["openai/gpt-5.4"]);
    not_found("", &[]);
    not_found("~google/gemini-pro-latest", &[]);
    assert_eq!(
        world.resolve("openai/gpt-4o:free"),
        Err(NameError::FreeVariantEnded {
            name: "openai/gpt-4o:free".to_owned(),
            fallback_models: vec!["openai/gpt-4o".to_owned()],
        })
    );
    let Err(NameError::NotFound {
        fallback_models, ..
    }) = world.resolve("openai/gpt-4oo")
    else {
        panic!("no such model");
    };
    assert!(
        fallback_models.contains(&"openai/gpt-4o".to_owned()),
        "{fallback_models:?}"
    );
    assert!(fallback_models.len() <= 3);
}

/// A slug that two authors have is nobody's short name.
#[test]
fn ambiguous_bare_names_are_refused() {
    let overlay = Overlay {
        models: vec![crate::ModelEntry {
            id: "acme/gpt-4o".to_owned(),
            ..crate::ModelEntry::default()
        }],
        ..Overlay::default()
    };
    let source = builtin().expect("the built-in files are sound");
    let built = crate::build(&source, &overlay, &|_| false).expect("a catalogue");
    assert!(resolve_name(&built.catalogue, &built.names, "gpt-4o").is_err());
    assert!(resolve_name(&built.catalogue, &built.names, "gpt-5.4").is_ok());
}

#[test]
fn messages_read_well() {
    let error = NameError::NotFound {
        name: "Foo/bar".to_owned(),
        fallback_models: Vec::new(),
    };
    assert_eq!(error.to_string(), "Foo/bar is not a valid model ID");
}
