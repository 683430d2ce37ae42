//! A canonical chat request as `generateContent`.
//!
//! Deterministic, and in an order that caches like: what stays the same over a conversation comes
//! first, `contents` last, so that one more turn only adds bytes at the end.

mod config;
mod contents;
pub(crate) mod media;
mod names;
mod tools;

use crate::chat::request::{Request, ResponseFormat};
use crate::json::ObjectWriter;
use crate::target::{Encoded, ReadBack, Target};
use bytes::{Bytes, BytesMut};
use contents::Conversation;
use interline_domain::{Failure, Parameter};
use names::Names;

/// Looks up media that were fetched before: the MIME type and the bytes of a link.
pub type Fetched<'f> = dyn Fn(&str) -> Option<(String, Bytes)> + 'f;

/// Writes `request` for `target`.
///
/// `Err` for media that cannot be sent, among them links that Gemini does not follow: fetch those
/// that [`super::links_to_fetch`] names and use [`encode_with_media`].
pub fn encode(request: &Request<'_>, target: &Target<'_>) -> Result<Encoded, Failure> {
    encode_with_media(request, target, &|_| None)
}

/// As [`encode`], with the contents of links at hand.
pub fn encode_with_media(
    request: &Request<'_>,
    target: &Target<'_>,
    fetched: &Fetched<'_>,
) -> Result<Encoded, Failure> {
    let names = Names::new(request);
    let plan = Plan::new(request, target);
    let mut conversation = Conversation::read(request, target, &names, fetched)?;
    if let Some(instruction) = plan.json_instruction() {
        conversation.system.push(instruction.into());
    }

    let mut body = BytesMut::with_capacity(1_024);
    let mut object = ObjectWriter::open(&mut body);
    conversation.write_system(&mut object);
    tools::write(request, target, &plan, &names, &mut object);
    config::write(request, target, &plan, &mut object);
    write_tier(request, &mut object);
    for name in &target.quirks.passthrough {
        if let Some(value) = request.field(name) {
            object.raw(name, value.get());
        }
    }
    conversation.write_contents(&mut object);
    object.close();

    let (method, query) = if request.stream {
        ("streamGenerateContent", "?alt=sse")
    } else {
        ("generateContent", "")
    };
    Ok(Encoded {
        path: format!("/models/{}:{method}{query}", target.upstream_model),
        headers: Vec::new(),
        body: body.freeze(),
        read_back: ReadBack {
            json_tool: None,
            tool_names: names.into_changed(),
        },
    })
}

/// How structured output is asked for, and whether tools go along.
#[derive(Clone, Copy)]
struct Plan<'r> {
    has_tools: bool,
    output: Output<'r>,
}

#[derive(Clone, Copy)]
enum Output<'r> {
    Free,
    /// `responseMimeType` alone, and the schema, if any, in the prompt.
    Json(Option<&'r str>),
    /// The schema in its field.
    Schema(&'r str),
    /// Only the prompt asks for JSON.
    Prompt(Option<&'r str>),
}

impl<'r> Plan<'r> {
    fn new(request: &'r Request<'_>, target: &Target<'_>) -> Self {
        let has_tools = target.parameters.contains(Parameter::Tools)
            && tools::functions_of(request).next().is_some();
        Self {
            has_tools,
            output: Output::new(request, target, has_tools),
        }
    }

    fn json_instruction(&self) -> Option<String> {
        match self.output {
            Output::Free | Output::Schema(_) | Output::Json(None) => None,
            Output::Prompt(None) => Some("Answer with one JSON object and nothing else.".into()),
            Output::Json(Some(schema)) | Output::Prompt(Some(schema)) => Some(format!(
                "Answer with JSON that matches this JSON Schema, and nothing else:\n{schema}"
            )),
        }
    }
}

impl<'r> Output<'r> {
    fn new(request: &'r Request<'_>, target: &Target<'_>, has_tools: bool) -> Self {
        let schema = match &request.response_format {
            Some(ResponseFormat::JsonObject) => None,
            Some(ResponseFormat::JsonSchema { schema, .. }) => Some(schema.get()),
            _ => return Self::Free,
        };
        let supported = target.parameters;
        let takes_schema = supported.contains(Parameter::StructuredOutputs)
            || supported.contains(Parameter::ResponseFormat);
        // "Function calling with a response mime type: 'application/json' is unsupported": a 400
        // of all models before the third generation (observed).
        let is_refused = has_tools && !is_third_generation(target);
        match schema {
            _ if is_refused => Self::Prompt(schema),
            Some(schema) if takes_schema && target.quirks.json_schema => Self::Schema(schema),
            _ if supported.contains(Parameter::ResponseFormat) && target.quirks.json_object => {
                Self::Json(schema)
            }
            _ => Self::Prompt(schema),
        }
    }
}

/// What came with Gemini 3 comes together: signatures are required, function responses take
/// media, and hosted tools and JSON output go along with functions.
fn is_third_generation(target: &Target<'_>) -> bool {
    target.quirks.thought_signatures
}

/// `default` and `auto` are Google's own default and are not sent.
fn write_tier(request: &Request<'_>, object: &mut ObjectWriter<'_, BytesMut>) {
    match request.service_tier.as_deref() {
        Some("flex") => object.str("serviceTier", "flex"),
        Some("priority" | "fast") => object.str("serviceTier", "priority"),
        _ => object,
    };
}
