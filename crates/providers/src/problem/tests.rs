//! Broken files and exactly what is said about them.

use crate::entry::CatalogueFile;
use crate::problem::decode;
use crate::source::{Overlay, Source};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A sound catalogue of one provider, one model and one endpoint.
const SOUND: &str = r#"
[provider]
slug = "acme"
dialect = "openai-chat"
base_url = "https://api.acme.example/v1"

[[models]]
id = "acme/large"

[[endpoints]]
model = "acme/large"
provider = "acme"
upstream_model = "large"
pricing = { prompt = "0.000001", completion = "0.000002" }
supported_parameters = ["tools", "max_tokens"]
"#;

/// Everything said about `text`, whether reading or joining it fails.
fn said(text: &str, overlay: &str) -> String {
    let file = ("acme.toml".to_owned(), Cow::Owned(text.to_owned()));
    let source = match Source::from_files([file]) {
        Ok(source) => source,
        Err(problems) => return joined(&problems),
    };
    let overlay = match decode::<OverlayFile>("interline.toml", overlay) {
        Ok(file) => Overlay {
            providers: file.providers,
            models: file.models,
            endpoints: file.endpoints,
            file: "interline.toml".to_owned(),
            text: overlay.to_owned(),
        },
        Err(problems) => return joined(&problems),
    };
    match crate::build(&source, &overlay, &|_| true) {
        Ok(_) => String::new(),
        Err(problems) => joined(&problems),
    }
}

#[derive(serde_derive::Deserialize)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct OverlayFile {
    providers: Vec<crate::ProviderEntry>,
    models: Vec<crate::ModelEntry>,
    endpoints: Vec<crate::EndpointEntry>,
}

fn joined(problems: &[crate::Problem]) -> String {
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    texts.join("\n")
}

/// Puts `new` in the place of `old` in the sound file and compares what is said.
fn check(old: &str, new: &str, expected: &str) {
    assert!(SOUND.contains(old), "`{old}` is not in the sound file");
    let text = SOUND.replacen(old, new, 1);
    let said = said(&text, "");
    assert_eq!(said.trim(), expected.trim(), "\n--- said ---\n{said}\n");
}

fn check_overlay(overlay: &str, expected: &str) {
    let said = said(SOUND, overlay);
    assert_eq!(said.trim(), expected.trim(), "\n--- said ---\n{said}\n");
}

#[test]
fn the_sound_file_is_sound() {
    assert_eq!(said(SOUND, ""), "");
}

#[test]
fn syntax() {
    check(
        r#"base_url = "https://api.acme.example/v1""#,
        "base_url = https",
        r"
acme.toml:5:12: string values must be quoted, expected literal string
  5 | base_url = https
    |            ^^^^^
",
    );
}

#[test]
fn unknown_field() {
    check(
        r#"upstream_model = "large""#,
        r#"upstream_modell = "large""#,
        r#"
acme.toml:13:1: unknown field `upstream_modell`
  13 | upstream_modell = "large"
     | ^^^^^^^^^^^^^^^
  did you mean `upstream_model`?
"#,
    );
}

#[test]
fn unknown_price_name() {
    check(
        r#"completion = "0.000002""#,
        r#"completions = "0.000002""#,
        r#"
acme.toml:14:34: unknown field `completions`
  14 | pricing = { prompt = "0.000001", completions = "0.000002" }
     |                                  ^^^^^^^^^^^
  did you mean `completion`?
"#,
    );
}

#[test]
fn price_as_number() {
    check(
        r#"prompt = "0.000001""#,
        "prompt = 0.000001",
        r#"
acme.toml:14:22: a price is a decimal string, not a number
  14 | pricing = { prompt = 0.000001, completion = "0.000002" }
     |                      ^^^^^^^^
  write it in quotes: "0.000001"
"#,
    );
}

#[test]
fn price_malformed() {
    check(
        r#"prompt = "0.000001""#,
        r#"prompt = "$1""#,
        r#"
acme.toml:14:22: price `$1`: not a decimal number such as "0.000001"
  14 | pricing = { prompt = "$1", completion = "0.000002" }
     |                      ^^^^
"#,
    );
}

#[test]
fn unknown_dialect() {
    check(
        r#"dialect = "openai-chat""#,
        r#"dialect = "openai_chat""#,
        r#"
acme.toml:4:11: unknown dialect `openai_chat`
  4 | dialect = "openai_chat"
    |           ^^^^^^^^^^^^^
  did you mean `openai-chat`?
"#,
    );
}

#[test]
fn unknown_parameter() {
    check(
        r#"["tools", "max_tokens"]"#,
        r#"["tools", "max_token", "temprature"]"#,
        r#"
acme.toml:15:34: unknown parameter `max_token`
  15 | supported_parameters = ["tools", "max_token", "temprature"]
     |                                  ^^^^^^^^^^^
  did you mean `max_tokens`?
acme.toml:15:47: unknown parameter `temprature`
  15 | supported_parameters = ["tools", "max_token", "temprature"]
     |                                               ^^^^^^^^^^^^
  did you mean `temperature`?
"#,
    );
}

#[test]
fn wrong_kind() {
    check(
        r#"slug = "acme""#,
        "slug = 5",
        r"
acme.toml:3:8: invalid type: integer `5`, expected a string
  3 | slug = 5
    |        ^
",
    );
}

#[test]
fn missing_id() {
    check(
        r#"id = "acme/large""#,
        r#"name = "Large""#,
        r"
acme.toml:7:1: missing field `id`
  7 | [[models]]
    | ^^^^^^^^^^
",
    );
}

#[test]
fn unknown_model() {
    check(
        r#"model = "acme/large""#,
        r#"model = "acme/larg""#,
        r#"
acme.toml:11:9: no model `acme/larg`
  11 | model = "acme/larg"
     |         ^^^^^^^^^^^
  did you mean `acme/large`?
"#,
    );
}

#[test]
fn unknown_provider() {
    check(
        r#"provider = "acme""#,
        r#"provider = "acne""#,
        r#"
acme.toml:12:12: no provider `acne`
  12 | provider = "acne"
     |            ^^^^^^
  did you mean `acme`?
"#,
    );
}

#[test]
fn missing_dialect() {
    check(
        r#"dialect = "openai-chat"
"#,
        "",
        r#"
acme.toml:3:8: provider `acme` states no `dialect`
  3 | slug = "acme"
    |        ^^^^^^
"#,
    );
}

#[test]
fn bad_address() {
    check(
        r#"base_url = "https://api.acme.example/v1""#,
        r#"base_url = "api.acme.example""#,
        r#"
acme.toml:5:12: `api.acme.example` is not an http or https address
  5 | base_url = "api.acme.example"
    |            ^^^^^^^^^^^^^^^^^^
"#,
    );
}

#[test]
fn bad_model_id() {
    check(
        r#"id = "acme/large""#,
        r#"id = "Acme/Large""#,
        r#"
acme.toml:8:6: `Acme/Large` is not a model id
  8 | id = "Acme/Large"
    |      ^^^^^^^^^^^^
  `author/slug` or `author/slug:variant`, lower case, without spaces or `@`
"#,
    );
}

#[test]
fn key_in_catalogue() {
    check(
        r#"slug = "acme""#,
        r#"slug = "acme"
api_key = "sk-secret""#,
        r#"
acme.toml:4:11: `api_key` does not belong in a catalogue
  4 | api_key = "*********"
    |           ^^^^^^^^^^^
  state it under `[[providers]]` of interline.toml
"#,
    );
}

#[test]
fn twice() {
    check(
        "[[endpoints]]",
        r#"[[models]]
id = "acme/large"

[[endpoints]]"#,
        r#"
acme.toml:11:6: model `acme/large` is listed twice
  11 | id = "acme/large"
     |      ^^^^^^^^^^^^
"#,
    );
}

#[test]
fn unknown_quirk() {
    check(
        r#"base_url = "https://api.acme.example/v1""#,
        r#"base_url = "https://api.acme.example/v1"
quirks = { limits = "max_tokens", strict_tools = "drops" }"#,
        r#"
acme.toml:6:12: unknown field `limits`
  6 | quirks = { limits = "max_tokens", strict_tools = "drops" }
    |            ^^^^^^
  did you mean `limit`?
acme.toml:6:50: unknown strict-tools habit `drops`
  6 | quirks = { limits = "max_tokens", strict_tools = "drops" }
    |                                                  ^^^^^^^
  did you mean `drop`?
"#,
    );
}

#[test]
fn alias_to_nowhere() {
    check(
        "[provider]",
        r#"[aliases]
large = "acme/larger"

[provider]"#,
        r#"
acme.toml:3:9: alias `large` leads to `acme/larger`, which is no model
  3 | large = "acme/larger"
    |         ^^^^^^^^^^^^^
  did you mean `acme/large`?
"#,
    );
}

#[test]
fn many_at_once() {
    check(
        r#"upstream_model = "large""#,
        r#"upstream_modell = "large"
quantization = "fp9"
context_length = "long""#,
        r#"
acme.toml:13:1: unknown field `upstream_modell`
  13 | upstream_modell = "large"
     | ^^^^^^^^^^^^^^^
  did you mean `upstream_model`?
acme.toml:14:16: unknown quantization `fp9`
  14 | quantization = "fp9"
     |                ^^^^^
  did you mean `fp4`?
acme.toml:15:18: invalid type: string "long", expected a whole number
  15 | context_length = "long"
     |                  ^^^^^^
"#,
    );
}

#[test]
fn overlay_new_provider() {
    check_overlay(
        r#"[[providers]]
slug = "acm"
api_key = "k"
"#,
        r#"
interline.toml:2:8: provider `acm` is new and states no `dialect` and no `base_url`
  2 | slug = "acm"
    |        ^^^^^
  did you mean the known provider `acme`?
"#,
    );
}

#[test]
fn overlay_twice() {
    check_overlay(
        r#"[[models]]
id = "acme/large"
[[models]]
id = "acme/large"
"#,
        r#"
interline.toml:4:6: model `acme/large` is listed twice
  4 | id = "acme/large"
    |      ^^^^^^^^^^^^
"#,
    );
}

#[test]
fn overlay_unknown_model() {
    check_overlay(
        r#"[[endpoints]]
model = "acme/lrge"
provider = "acme"
pricing = { prompt = "1", completion = "1" }
"#,
        r#"
interline.toml:2:9: no model `acme/lrge`
  2 | model = "acme/lrge"
    |         ^^^^^^^^^^^
  did you mean `acme/large`?
"#,
    );
}

#[test]
fn a_generic_file_is_read_the_same_way() {
    let problems = decode::<BTreeMap<String, u8>>("x.toml", "a = 1\nb = 300\nc = \"x\"\n")
        .expect_err("two values are wrong");
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert_eq!(problems[0].place.as_ref().map(|place| place.line), Some(2));
    assert_eq!(problems[1].place.as_ref().map(|place| place.line), Some(3));
}

#[test]
fn columns_count_characters() {
    let problems =
        decode::<CatalogueFile>("x.toml", "[aliases]\n\"ä\" = 5\n").expect_err("not a string");
    let place = problems[0].place.as_ref().expect("a place");
    assert_eq!((place.line, place.column, place.width), (2, 7, 1));
}
