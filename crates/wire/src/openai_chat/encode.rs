//! Chat request to OpenAI-shaped provider: the same dialect on both sides, so the body is edited
//! and not rebuilt.
//!
//! Every top-level value that stays is copied as it was written; `messages` as a whole when nothing
//! in them must change, otherwise message by message ([`messages`]). What differs between
//! providers is data: [`Quirks`](interline_domain::quirks::Quirks) and the parameters the endpoint
//! lists. The same input gives the same bytes, and a conversation with one more turn begins with
//! the bytes it had before, so that the provider's prompt cache holds.

mod messages;
mod names;
mod reasoning;
mod surrogates;
mod tools;

#[cfg(test)]
mod tests;

use crate::chat::request::{Request, ResponseFormat};
use crate::json::ObjectWriter;
use crate::target::{Encoded, Target};
use bytes::{BufMut, Bytes, BytesMut};
use interline_domain::quirks::LimitField;
use interline_domain::{Failure, Parameter};
use names::ToolNames;
use serde_json::value::RawValue;

pub(crate) use messages::may_need_rewrite;

/// Our extensions and what we write ourselves: never copied.
const OURS: &[&str] = &[
    "provider",
    "plugins",
    "models",
    "route",
    "preset",
    "session_id",
    "trace",
    "debug",
    "transforms",
    "usage",
    "cache_control",
    "prompt",
    "speed",
    "max_tool_calls",
    "stop_server_tools_when",
    "structured_outputs",
    "include_reasoning",
    "reasoning",
    "reasoning_effort",
    "x_search_filter",
    "stream_options",
    "user",
    "max_tokens",
    "max_completion_tokens",
    "n",
];

/// Fields that only `OpenAI` itself is known to take: dropped unless the provider declares them.
const DECLARED_ONLY: &[&str] = &[
    "store",
    "metadata",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "service_tier",
];

/// Writes `request` for an endpoint that speaks the chat dialect. `body` is what it was parsed
/// from.
///
/// # Errors
///
/// None today: whatever the endpoint cannot take is left out or said in words.
pub fn encode(
    request: &Request<'_>,
    body: &Bytes,
    target: &Target<'_>,
) -> Result<Encoded, Failure> {
    let plan = Plan::new(request, *target);
    let mut out = BytesMut::with_capacity(body.len() + target.upstream_model.len() + 256);
    plan.write(&mut out);
    let body = surrogates::replace_lone(out.freeze());
    Ok(Encoded {
        path: "/chat/completions".to_owned(),
        headers: Vec::new(),
        body,
        read_back: crate::target::ReadBack {
            json_tool: None,
            tool_names: plan.names.into_pairs(),
        },
    })
}

/// Everything that is decided before the first byte is written.
struct Plan<'r, 'a> {
    request: &'r Request<'a>,
    target: Target<'r>,
    names: ToolNames<'r>,
    tools: tools::Tools<'r, 'a>,
    format: Format<'r>,
    reasoning: reasoning::Fields,
    /// Sentences for the model, in place of parameters the endpoint does not understand.
    instructions: Vec<String>,
}

/// How the wanted form of the answer is asked for.
enum Format<'r> {
    Raw(&'r RawValue),
    JsonObject,
    Omit,
}

impl<'r, 'a> Plan<'r, 'a> {
    fn new(request: &'r Request<'a>, target: Target<'r>) -> Self {
        let names = ToolNames::of(request);
        let reasoning = reasoning::fields(request, &target);
        let mut instructions = Vec::new();
        let tools = tools::Tools::plan(request, &target, reasoning.thinks, &mut instructions);
        let format = plan_format(request, &target, &mut instructions);
        Self {
            request,
            target,
            names,
            tools,
            format,
            reasoning,
            instructions,
        }
    }

    fn write(&self, out: &mut BytesMut) {
        let mut object = ObjectWriter::open(out);
        if self.request.field("model").is_none() {
            object.str("model", self.target.upstream_model);
        }
        for (name, raw) in &self.request.fields {
            if raw.get() != "null" {
                self.write_field(&mut object, name, raw.get());
            }
        }
        if let (None, Some(prompt)) = (self.request.field("messages"), &self.request.prompt) {
            object.array("messages", |messages| {
                for text in &self.instructions {
                    messages.object(|message| {
                        message.str("role", "system").str("content", text);
                    });
                }
                messages.object(|message| {
                    message.str("role", "user").str("content", prompt);
                });
            });
        }
        self.write_limit(&mut object);
        for (name, value) in &self.reasoning.fields {
            object.raw(name, value);
        }
        let quirks = self.target.quirks;
        if self.request.stream && quirks.include_usage {
            object.raw(
                "stream_options",
                if quirks.include_obfuscation {
                    r#"{"include_usage":true,"include_obfuscation":false}"#
                } else {
                    r#"{"include_usage":true}"#
                },
            );
        }
        if let Some(hash) = self.target.user_hash {
            let declared = self.declares("safety_identifier");
            object.str(
                if declared {
                    "safety_identifier"
                } else {
                    "user"
                },
                hash,
            );
        }
        object.close();
    }

    fn write_field<B: BufMut>(&self, object: &mut ObjectWriter<'_, B>, name: &str, raw: &str) {
        match name {
            "model" => {
                object.str("model", self.target.upstream_model);
            }
            "messages" => {
                let rewrite = messages::Rewrite {
                    target: &self.target,
                    names: &self.names,
                    instructions: &self.instructions,
                };
                rewrite.write(&self.request.messages, raw, object.name("messages"));
            }
            "tools" => self.tools.write(raw, &self.names, object),
            "tool_choice" => self.tools.write_choice(&self.names, object),
            "parallel_tool_calls" => {
                if self.tools.are_sent() && self.supports(Parameter::ParallelToolCalls) {
                    object.raw(name, raw);
                }
            }
            "response_format" => match self.format {
                Format::Raw(raw) => {
                    object.raw(name, raw.get());
                }
                Format::JsonObject => {
                    object.raw(name, r#"{"type":"json_object"}"#);
                }
                Format::Omit => {}
            },
            "stop" => self.write_stop(object, raw),
            "verbosity" => {
                if self.supports(Parameter::Verbosity) {
                    // The dialect ends at `high` (OpenAI reference, "verbosity").
                    let is_beyond =
                        matches!(self.request.verbosity.as_deref(), Some("xhigh" | "max"));
                    object.raw(name, if is_beyond { r#""high""# } else { raw });
                }
            }
            "service_tier" if self.passes(name) => {
                let is_fast = self.request.service_tier.as_deref() == Some("fast");
                object.raw(name, if is_fast { r#""priority""# } else { raw });
            }
            _ if OURS.contains(&name) || self.reasoning.writes(name) => {}
            _ => {
                let goes = match Parameter::parse(name) {
                    Some(parameter) => self.supports(parameter),
                    None => self.passes(name),
                };
                if goes {
                    object.raw(name, raw);
                }
            }
        }
    }

    /// The smaller of what the caller asked for and what may be spent, under the name the
    /// endpoint knows.
    fn write_limit<B: BufMut>(&self, object: &mut ObjectWriter<'_, B>) {
        let asked = self.request.max_tokens;
        let capped = match (asked, self.target.output_cap) {
            (Some(asked), Some(cap)) => Some(asked.min(cap)),
            // A cap beyond what the model can say is no limit, and would be refused as one.
            (None, Some(cap)) => Some(cap).filter(|cap| {
                self.target
                    .max_completion_tokens
                    .is_none_or(|most| *cap < most)
            }),
            (asked, None) => asked,
        };
        if let Some(limit) = capped {
            object.int(self.limit_name(), limit);
        }
    }

    fn limit_name(&self) -> &'static str {
        const NAMES: [&str; 2] = ["max_tokens", "max_completion_tokens"];
        let parameters = self.target.parameters;
        let is_new = match self.target.quirks.limit {
            LimitField::MaxTokens => false,
            LimitField::MaxCompletionTokens => true,
            LimitField::Any => match (
                parameters.contains(Parameter::MaxTokens),
                parameters.contains(Parameter::MaxCompletionTokens),
            ) {
                (true, false) => false,
                (false, true) => true,
                _ => self.request.field("max_completion_tokens").is_some(),
            },
        };
        NAMES[usize::from(is_new != self.target.swap_limit_field)]
    }

    fn write_stop<B: BufMut>(&self, object: &mut ObjectWriter<'_, B>, raw: &str) {
        let stops = &self.request.stop;
        if stops.is_empty() || !self.supports(Parameter::Stop) {
            return;
        }
        if raw.contains(r#""""#) {
            // Empty sequences mean nothing and are refused by some.
            object.array("stop", |array| {
                for stop in stops {
                    array.str(stop);
                }
            });
        } else {
            object.raw("stop", raw);
        }
    }

    fn supports(&self, parameter: Parameter) -> bool {
        self.target.parameters.contains(parameter)
    }

    fn declares(&self, name: &str) -> bool {
        declares(&self.target, name)
    }

    /// Whether a field outside the vocabulary goes to the provider. Without a declaration
    /// anything goes that was not invented by one provider for itself, so that a field we have
    /// not heard of works.
    fn passes(&self, name: &str) -> bool {
        let declared = &self.target.quirks.passthrough;
        self.declares(name) || (declared.is_empty() && !DECLARED_ONLY.contains(&name))
    }
}

/// Whether the provider's data names the field (`*` names all).
fn declares(target: &Target<'_>, name: &str) -> bool {
    let mut declared = target.quirks.passthrough.iter();
    declared.any(|field| field == name || field == "*")
}

/// Native schema, else JSON mode with the schema in words, else words alone.
fn plan_format<'r>(
    request: &'r Request<'_>,
    target: &Target<'_>,
    instructions: &mut Vec<String>,
) -> Format<'r> {
    let quirks = target.quirks;
    let takes_format = target.parameters.contains(Parameter::ResponseFormat);
    let takes_schema = takes_format || target.parameters.contains(Parameter::StructuredOutputs);
    let raw = request.field("response_format");
    match (&request.response_format, raw) {
        (Some(ResponseFormat::JsonSchema { .. }), Some(raw))
            if quirks.json_schema && takes_schema =>
        {
            Format::Raw(raw)
        }
        (Some(ResponseFormat::JsonSchema { schema, .. }), _) => {
            instructions.push(format!(
                "Answer with one JSON value that fits this JSON Schema, and nothing else: {}",
                schema.get()
            ));
            if quirks.json_object && takes_format {
                Format::JsonObject
            } else {
                Format::Omit
            }
        }
        (Some(ResponseFormat::JsonObject), _) if !quirks.json_object => Format::Omit,
        (Some(_), Some(raw)) if takes_format => Format::Raw(raw),
        _ => Format::Omit,
    }
}
