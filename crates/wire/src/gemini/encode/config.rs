//! `generationConfig`: sampling, limits, the form of the answer, thinking.

use super::{Output, Plan};
use crate::chat::request::{Content, PartKind, Reasoning, Request};
use crate::gemini::schema;
use crate::json::{ObjectWriter, split_object, string};
use crate::target::Target;
use bytes::BytesMut;
use interline_domain::Parameter;
use interline_domain::quirks::GeminiThinking;
use serde_json::value::RawValue;

type Object<'o> = ObjectWriter<'o, BytesMut>;

/// Gemini takes no more stop sequences.
const MAX_STOPS: usize = 5;
/// What budgets are a share of, when neither the caller nor the catalogue names a limit.
const USUAL_MAX_OUTPUT: u64 = 65_536;

pub(super) fn write(
    request: &Request<'_>,
    target: &Target<'_>,
    plan: &Plan<'_>,
    object: &mut Object<'_>,
) {
    let mut bytes = BytesMut::new();
    let mut config = ObjectWriter::open(&mut bytes);
    let limit = output_limit(request, target);
    if let Some(limit) = limit {
        config.int("maxOutputTokens", limit);
    }
    write_sampling(request, target, &mut config);
    write_output(target, plan, &mut config);
    write_modalities(request, &mut config);
    write_thinking(request, target, limit, &mut config);
    let is_empty = config.is_empty();
    config.close();
    if !is_empty && let Ok(json) = std::str::from_utf8(&bytes) {
        object.raw("generationConfig", json);
    }
}

/// The caller's limit, what the endpoint can give and what is affordable: the least of them.
fn output_limit(request: &Request<'_>, target: &Target<'_>) -> Option<u64> {
    let asked = request.max_tokens.map(|asked| {
        target
            .max_completion_tokens
            .map_or(asked, |possible| asked.min(possible))
    });
    match (asked, target.output_cap) {
        (Some(asked), Some(cap)) => Some(asked.min(cap)),
        (asked, cap) => asked.or(cap),
    }
}

fn write_sampling(request: &Request<'_>, target: &Target<'_>, config: &mut Object<'_>) {
    let field = |parameter: Parameter| {
        let is_supported = target.parameters.contains(parameter);
        let value = request.field(parameter.as_str()).filter(|_| is_supported);
        value.map(RawValue::get)
    };
    for (parameter, name) in [
        (Parameter::Temperature, "temperature"),
        (Parameter::TopP, "topP"),
        (Parameter::TopK, "topK"),
        (Parameter::PresencePenalty, "presencePenalty"),
        (Parameter::FrequencyPenalty, "frequencyPenalty"),
    ] {
        // `top_k: 0` means "off" with us and is refused there.
        let is_off = |value: &str| parameter == Parameter::TopK && value == "0";
        if let Some(value) = field(parameter).filter(|value| !is_off(value)) {
            config.raw(name, value);
        }
    }
    if let Some(seed) = field(Parameter::Seed).and_then(|seed| seed.parse().ok()) {
        config.int("seed", narrow_seed(seed));
    }
    if target.parameters.contains(Parameter::Stop) && request.stop.iter().any(|it| !it.is_empty()) {
        config.array("stopSequences", |stops| {
            let stated = request.stop.iter().filter(|stop| !stop.is_empty());
            for stop in stated.take(MAX_STOPS) {
                stops.str(stop);
            }
        });
    }
    if field(Parameter::Logprobs) == Some("true") {
        config.bool("responseLogprobs", true);
        if let Some(count) = field(Parameter::TopLogprobs) {
            config.raw("logprobs", count);
        }
    }
}

/// Seeds are 32 bits wide there; a wider one is folded, the same way every time.
fn narrow_seed(seed: i64) -> i32 {
    i32::try_from(seed).unwrap_or_else(|_| {
        let folded = (seed ^ (seed >> 32)) & 0x7fff_ffff;
        i32::try_from(folded).unwrap_or(0)
    })
}

fn write_output(target: &Target<'_>, plan: &Plan<'_>, config: &mut Object<'_>) {
    let schema = match plan.output {
        Output::Json(_) => None,
        Output::Schema(schema) => Some(schema),
        Output::Free | Output::Prompt(_) => return,
    };
    config.str("responseMimeType", "application/json");
    if let Some(schema) = schema {
        if target.quirks.json_schema_fields {
            config.raw("responseJsonSchema", &schema::for_response(schema));
        } else {
            config.raw("responseSchema", &schema::to_openapi(schema));
        }
    }
}

fn write_modalities(request: &Request<'_>, config: &mut Object<'_>) {
    let wants = |modality: &str| request.modalities.iter().any(|wanted| wanted == modality);
    if wants("image") || wants("audio") {
        config.array("responseModalities", |modalities| {
            for (word, name) in [("text", "TEXT"), ("image", "IMAGE"), ("audio", "AUDIO")] {
                if wants(word) {
                    modalities.str(name);
                }
            }
        });
    }
    if let Some(settings) = request.field("image_config") {
        let members = split_object(settings.get().as_bytes()).unwrap_or_default();
        let find = |names: [&str; 2]| {
            let found = members.iter().find(|(name, _)| names.contains(&&**name));
            found.and_then(|(_, value)| string(value.get()))
        };
        let ratio = find(["aspect_ratio", "aspectRatio"]);
        let size = find(["image_size", "imageSize"]);
        if ratio.is_some() || size.is_some() {
            config.object("imageConfig", |image| {
                if let Some(ratio) = ratio {
                    image.str("aspectRatio", &ratio);
                }
                if let Some(size) = size {
                    image.str("imageSize", &size);
                }
            });
        }
    }
    if wants("audio")
        && let Some(settings) = request.field("audio")
        && let Ok(members) = split_object(settings.get().as_bytes())
        && let Some((_, voice)) = members.iter().find(|(name, _)| name == "voice")
        && let Some(voice) = string(voice.get())
    {
        config.object("speechConfig", |speech| {
            speech.object("voiceConfig", |config| {
                config.object("prebuiltVoiceConfig", |prebuilt| {
                    prebuilt.str("voiceName", &voice);
                });
            });
        });
    }
    if let Some(resolution) = media_resolution(request) {
        config.str("mediaResolution", resolution);
    }
}

/// One setting serves all images: the finest that was asked for.
fn media_resolution(request: &Request<'_>) -> Option<&'static str> {
    let mut details = request.messages.iter().flat_map(|message| {
        let parts = match &message.content {
            Content::Parts(parts) => parts.as_slice(),
            _ => &[],
        };
        parts.iter().filter_map(|part| match &part.kind {
            PartKind::Image { detail, .. } => Some(detail.as_deref()),
            _ => None,
        })
    });
    let first = details.next()?;
    let mut resolution = Some("MEDIA_RESOLUTION_LOW");
    for detail in std::iter::once(first).chain(details) {
        match detail {
            Some("low") => {}
            Some("high" | "original") => return Some("MEDIA_RESOLUTION_HIGH"),
            _ => resolution = None,
        }
    }
    resolution
}

/// What `thinkingConfig` says.
enum Depth {
    /// The model's own.
    Usual,
    Budget(u64),
    Level(&'static str),
}

fn write_thinking(
    request: &Request<'_>,
    target: &Target<'_>,
    limit: Option<u64>,
    config: &mut Object<'_>,
) {
    let kind = target.quirks.gemini_thinking;
    if kind == GeminiThinking::None {
        return;
    }
    let asked = request
        .reasoning
        .as_ref()
        .filter(|_| target.parameters.contains(Parameter::Reasoning));
    let is_off = asked.is_some_and(|asked| asked.effort.as_deref() == Some("none"));
    let depth = match (asked, kind) {
        (None, _) | (_, GeminiThinking::None) => Depth::Usual,
        (Some(asked), GeminiThinking::Budget) => budget_depth(asked, target, limit),
        (Some(asked), GeminiThinking::Level) => level_depth(asked, target, limit),
    };
    // Thoughts of a model that does not think are a 400 ("only enabled when thinking is enabled").
    let sleeps = asked.is_none_or(|asked| asked.effort.is_none() && asked.max_tokens.is_none())
        && target.reasoning.and_then(|it| it.default_enabled) == Some(false);
    let is_hidden = asked.is_some_and(|asked| asked.exclude);
    let shows = !is_off && !is_hidden && !sleeps;
    if sleeps && matches!(depth, Depth::Usual) {
        return;
    }
    config.object("thinkingConfig", |thinking| {
        thinking.bool("includeThoughts", shows);
        match depth {
            Depth::Usual => {}
            Depth::Budget(tokens) => {
                thinking.int("thinkingBudget", tokens);
            }
            Depth::Level(level) => {
                thinking.str("thinkingLevel", level);
            }
        }
    });
}

fn is_mandatory(target: &Target<'_>) -> bool {
    target
        .reasoning
        .is_some_and(|abilities| abilities.is_mandatory)
}

/// Gemini 2.5. Pro takes 128 to 32768 and cannot be switched off; Flash 0 to 24576 and
/// Flash-Lite 0 or 512 to 24576, so that below 512 nothing is lost but a special case.
fn budget_depth(asked: &Reasoning<'_>, target: &Target<'_>, limit: Option<u64>) -> Depth {
    let range = if is_mandatory(target) {
        (128, 32_768)
    } else {
        (512, 24_576)
    };
    let tokens = match (asked.max_tokens, asked.effort.as_deref()) {
        (_, Some("none")) if is_mandatory(target) => range.0,
        (_, Some("none")) => return Depth::Budget(0),
        (Some(tokens), _) => tokens,
        (None, Some(effort)) => {
            let whole = limit
                .or(target.max_completion_tokens)
                .unwrap_or(USUAL_MAX_OUTPUT);
            whole.saturating_mul(percent(effort)) / 100
        }
        (None, None) => return Depth::Usual,
    };
    Depth::Budget(tokens.clamp(range.0, range.1))
}

/// Gemini 3 and later: a level, or the older budget where the caller names one. Never both.
fn level_depth(asked: &Reasoning<'_>, target: &Target<'_>, limit: Option<u64>) -> Depth {
    let takes_budget = target.reasoning.and_then(|it| it.supports_max_tokens) != Some(false);
    let wanted = match (asked.effort.as_deref(), asked.max_tokens) {
        (Some(effort), _) => rank(effort),
        (None, Some(tokens)) if takes_budget => return Depth::Budget(tokens.clamp(128, 32_768)),
        (None, Some(tokens)) => {
            let whole = limit
                .or(target.max_completion_tokens)
                .unwrap_or(USUAL_MAX_OUTPUT);
            // The smallest level whose share holds the budget.
            let share = tokens.saturating_mul(100) / whole.max(1);
            LEVELS
                .iter()
                .position(|level| percent(level) >= share)
                .unwrap_or(LEVELS.len() - 1)
                + 1
        }
        (None, None) => return Depth::Usual,
    };
    nearest_level(wanted, target).map_or(Depth::Usual, Depth::Level)
}

/// From least to most; ranks count from 1, `none` is 0.
const LEVELS: [&str; 4] = ["minimal", "low", "medium", "high"];

fn rank(effort: &str) -> usize {
    match effort {
        "none" => 0,
        "minimal" => 1,
        "low" => 2,
        "medium" => 3,
        _ => 4,
    }
}

/// Share of the output limit that an effort stands for.
fn percent(effort: &str) -> u64 {
    match effort {
        "minimal" => 10,
        "low" => 20,
        "medium" => 50,
        "high" => 80,
        _ => 95,
    }
}

/// The level nearest to the wanted one among those the model has, downwards on ties. `None`: the
/// model has no levels.
fn nearest_level(wanted: usize, target: &Target<'_>) -> Option<&'static str> {
    let known = target
        .reasoning
        .and_then(|it| it.supported_efforts.as_ref());
    let has = |level: &str| {
        known.is_none_or(|efforts| {
            efforts.iter().any(|effort| {
                effort == level || (level == "high" && matches!(effort.as_str(), "xhigh" | "max"))
            })
        })
    };
    LEVELS
        .into_iter()
        .filter(|level| has(level))
        .min_by_key(|level| rank(level).abs_diff(wanted))
}
