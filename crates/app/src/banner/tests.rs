use super::*;

const SECRET: &str = "sk-il-v1-0123456789abcdef";

fn found(slug: &str, origin: &str, models: &[&str]) -> FoundProvider {
    let models = models.iter().map(|model| (*model).to_owned()).collect();
    FoundProvider {
        slug: slug.into(),
        origin: origin.into(),
        models,
    }
}

fn rendered(first_key: Option<&str>, found: &[FoundProvider], style: Style) -> String {
    Banner {
        database: "SQLite",
        data_dir: "./data".into(),
        url: "http://127.0.0.1:8080".into(),
        first_key,
        first_key_limit: Some("$5/day"),
        make_key: "interline keys create".into(),
        make_key_quietly: "interline keys create --quiet".into(),
        found,
        missed: vec!["vLLM", "LM Studio"],
        has_provider_key: found.iter().any(|found| found.origin.starts_with("from ")),
        replayed: Replayed {
            posted: 3,
            interrupted: 1,
        },
        warnings: &["first line\nsecond line".to_owned()],
        took: Duration::from_millis(840),
    }
    .render(style)
}

fn usual() -> Vec<FoundProvider> {
    vec![
        found(
            "demo",
            "http://127.0.0.1:4",
            &["demo/echo", "demo/story", "demo/a", "demo/b", "demo/c"],
        ),
        found("openai", "from OPENAI_API_KEY", &["openai/x", "openai/y"]),
        found("groq", "from GROQ_API_KEY", &[]),
    ]
}

const UNICODE: Style = Style {
    is_unicode: true,
    has_colour: false,
};

#[test]
fn on_a_terminal_the_key_is_shown_and_the_line_works_as_it_stands() {
    let text = rendered(Some(SECRET), &usual(), UNICODE);
    assert_eq!(text.matches(SECRET).count(), 2, "{text}");
    for part in [
        "SQLite · data in ./data",
        "http://127.0.0.1:8080/api/v1 ",
        "shown once, limit $5/day",
        "✓ demo        built in, free, offline  demo/echo demo/story demo/a demo/b and more",
        "✓ openai      from OPENAI_API_KEY      2 models",
        "! groq        from GROQ_API_KEY        a key, but no model",
        "· vLLM, LM Studio  not running",
        "3 charges posted; 1 request interrupted",
        "! first line\n      second line",
        "\"model\":\"demo/story\",\"stream\":true",
        "Ready in 0.8 s.  Ctrl-C to stop.",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert!(!text.contains("$KEY") && !text.contains("not set"));
}

#[test]
fn elsewhere_there_is_no_secret_but_the_way_to_one() {
    let text = rendered(None, &usual(), Style::default());
    assert!(!text.contains("sk-il-"), "{text}");
    assert!(
        text.contains("KEY=$(interline keys create --quiet)"),
        "{text}"
    );
    assert!(text.contains("Bearer $KEY\""), "{text}");
    assert!(text.is_ascii() && !text.contains('\x1b'), "{text}");
    assert!(text.contains("+ demo "), "{text}");
}

#[test]
fn without_a_demo_the_first_model_is_tried_and_without_any_none() {
    let text = rendered(None, &usual()[1..], UNICODE);
    assert!(text.contains("\"model\":\"openai/x\""), "{text}");
    let text = rendered(None, &[], UNICODE);
    assert!(
        !text.contains("curl") && text.contains("OPENAI_API_KEY"),
        "{text}"
    );
    assert!(text.contains("not set"), "{text}");
}
