//! A chat request as the body of `POST /messages`.
//!
//! Deterministic: the same conversation gives the same bytes, and one turn more changes nothing
//! before it, because providers cache prompts by prefix. `messages` is written last.

mod block;
mod media;
mod names;
mod output;
mod settings;
#[cfg(test)]
mod testing;
mod tools;
mod turns;

use crate::chat::request::Request;
use crate::json::ObjectWriter;
use crate::target::{Encoded, ReadBack, Target};
use interline_domain::{ErrorType, Failure, Parameter};
use names::{CallIds, ToolNames};
use output::OutputForm;
use serde_json::value::RawValue;
use settings::{Settings, Thinking};
use tools::Toolbox;
use turns::Conversation;

const VERSION: &str = "2023-06-01";
/// Needed for `output_config.format` on older API versions, harmless on newer ones.
const STRUCTURED_OUTPUTS_BETA: &str = "structured-outputs-2025-11-13";
/// More markers are a 400 (T17).
const MAX_CACHE_MARKERS: usize = 4;

/// Writes `request` for `target`. The body carries `model` and `stream`, as Anthropic's own API
/// wants them; credentials are attached by others.
///
/// # Errors
/// The request cannot be said in this format: an empty user message, a file or image of a kind
/// that is not taken, a forced tool on a model that cannot stop thinking.
pub fn encode(request: &Request<'_>, target: &Target<'_>) -> Result<Encoded, Failure> {
    let mut names = ToolNames::new(&request.tools);
    let mut conversation = turns::build(request, target, &mut names, &mut CallIds::default())?;
    let form = output::plan(request, target);
    let settings = settings::plan(request, target, &conversation)?;
    let mut toolbox = tools::plan(
        request,
        target,
        &conversation,
        &mut names,
        &form,
        settings.thinking.is_on(),
    );
    conversation.instruct(toolbox.instruction.take());
    conversation.instruct(form.instruction());
    limit_markers(
        &mut toolbox,
        &mut conversation,
        request.cache_control.is_some(),
    );

    let mut body = Vec::with_capacity(1024);
    write_body(
        &mut body,
        request,
        target,
        &settings,
        &form,
        &toolbox,
        &conversation,
    );
    Ok(Encoded {
        path: "/messages".to_owned(),
        headers: headers(&form),
        body: body.into(),
        read_back: ReadBack {
            json_tool: form.tool_name().map(str::to_owned),
            tool_names: names.into_pairs(),
        },
    })
}

fn headers(form: &OutputForm<'_>) -> Vec<(&'static str, String)> {
    let mut headers = vec![("anthropic-version", VERSION.to_owned())];
    if matches!(form, OutputForm::Native { .. }) {
        headers.push(("anthropic-beta", STRUCTURED_OUTPUTS_BETA.to_owned()));
    }
    headers
}

fn write_body(
    out: &mut Vec<u8>,
    request: &Request<'_>,
    target: &Target<'_>,
    settings: &Settings<'_>,
    form: &OutputForm<'_>,
    toolbox: &Toolbox<'_>,
    conversation: &Conversation<'_>,
) {
    let mut body = ObjectWriter::open(out);
    body.str("model", target.upstream_model);
    body.int("max_tokens", settings.max_tokens);
    if request.stream {
        body.bool("stream", true);
    }
    for (name, value) in &settings.sampling {
        body.raw(name, value);
    }
    write_stops(&mut body, request, target);
    write_thinking(&mut body, &settings.thinking);
    write_output_config(&mut body, settings.effort, form);
    if let Some(user) = target.user_hash {
        body.object("metadata", |metadata| {
            metadata.str("user_id", user);
        });
    }
    if let Some(tier) = service_tier(request.service_tier.as_deref()) {
        body.str("service_tier", tier);
    }
    if let Some(marker) = request.cache_control {
        body.raw("cache_control", marker.get());
    }
    toolbox.write(&mut body, request.stream);
    conversation.write(&mut body);
    body.close();
}

/// Blank stop sequences are refused upstream and stop nothing.
fn write_stops(body: &mut ObjectWriter<'_, Vec<u8>>, request: &Request<'_>, target: &Target<'_>) {
    let mut stops = request
        .stop
        .iter()
        .filter(|stop| !stop.trim().is_empty())
        .peekable();
    if stops.peek().is_some() && target.parameters.contains(Parameter::Stop) {
        body.array("stop_sequences", |list| {
            for stop in stops {
                list.str(stop);
            }
        });
    }
}

fn write_thinking(body: &mut ObjectWriter<'_, Vec<u8>>, thinking: &Thinking) {
    let (kind, budget, display) = match thinking {
        Thinking::Unsaid => return,
        Thinking::Disabled => ("disabled", None, None),
        Thinking::Budget(budget) => ("enabled", Some(*budget), None),
        Thinking::Adaptive { is_shown: true } => ("adaptive", None, Some("summarized")),
        Thinking::Adaptive { is_shown: false } => ("adaptive", None, Some("omitted")),
    };
    body.object("thinking", |thinking| {
        thinking.str("type", kind);
        if let Some(budget) = budget {
            thinking.int("budget_tokens", budget);
        }
        if let Some(display) = display {
            thinking.str("display", display);
        }
    });
}

fn write_output_config(
    body: &mut ObjectWriter<'_, Vec<u8>>,
    effort: Option<&str>,
    form: &OutputForm<'_>,
) {
    let schema = match form {
        OutputForm::Native { schema } => Some(schema),
        _ => None,
    };
    if effort.is_none() && schema.is_none() {
        return;
    }
    body.object("output_config", |config| {
        if let Some(effort) = effort {
            config.str("effort", effort);
        }
        if let Some(schema) = schema {
            config.object("format", |format| {
                format.str("type", "json_schema").raw("schema", schema);
            });
        }
    });
}

/// Anthropic knows `auto` (use priority capacity where the account has it) and `standard_only`.
/// Its fast mode is a beta of some models and not a tier; it is never asked for here.
fn service_tier(tier: Option<&str>) -> Option<&'static str> {
    match tier? {
        "auto" | "priority" | "fast" => Some("auto"),
        "default" | "standard" | "standard_only" => Some("standard_only"),
        _ => None,
    }
}

/// Callers' positions are kept; of too many the last ones win, because they cover most.
fn limit_markers<'r>(
    toolbox: &mut Toolbox<'r>,
    conversation: &mut Conversation<'r>,
    has_top_level: bool,
) {
    let blocks = conversation.system.iter_mut().chain(
        conversation
            .turns
            .iter_mut()
            .flat_map(|turn| turn.blocks.iter_mut()),
    );
    let tools = toolbox.tools.iter_mut().map(|tool| &mut tool.cache);
    let markers: Vec<&mut Option<&'r RawValue>> = tools
        .chain(blocks.map(|block| &mut block.cache))
        .filter(|marker| marker.is_some())
        .collect();
    let room = MAX_CACHE_MARKERS - usize::from(has_top_level);
    let excess = markers.len().saturating_sub(room);
    for marker in markers.into_iter().take(excess) {
        *marker = None;
    }
}

/// A refusal of the request itself, before anything was sent.
fn refuse(error_type: ErrorType, path: &str, message: &str) -> Failure {
    Failure::invalid(error_type, format!("{path}: {message}"))
}

#[cfg(test)]
mod tests;
