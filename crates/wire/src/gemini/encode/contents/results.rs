//! Results of tool calls: all of one step, in the order of the calls, in one content.

use super::{Part, Reader, is_object, is_third_generation, wrapped};
use crate::chat::request::{Message, Role, ToolCall};
use crate::gemini::encode::media::Blob;
use interline_domain::Failure;
use std::borrow::Cow;

/// For a call that nobody answered. Constant, so that caches hold.
const NO_RESULT: &str = r#"{"error":"The tool gave no result."}"#;

/// Takes the results of `calls` out of the messages up to the model's next word.
pub(super) fn read<'r, 'm: 'r>(
    calls: &[&'r ToolCall<'m>],
    messages: impl Iterator<Item = &'r Message<'m>>,
    reader: Reader<'r, '_>,
) -> Result<Vec<Part<'r>>, Failure> {
    let mut results: Vec<Option<&Message<'_>>> = messages
        .filter(|message| message.role == Role::Tool)
        .map(Some)
        .collect();
    let mut parts = Vec::with_capacity(calls.len());
    let mut loose = Vec::new();
    for call in calls {
        let name = reader.names.sent(&call.name);
        let answers = |result: &&mut Option<&Message<'_>>| {
            let id = result.and_then(|message| message.tool_call_id.as_deref());
            id == Some(&*call.id)
        };
        // Each result answers one call, also where a client gives two calls the same id.
        let Some(message) = results.iter_mut().find(answers).and_then(Option::take) else {
            parts.push(Part::Result {
                name,
                response: Cow::Borrowed(NO_RESULT),
                media: Vec::new(),
            });
            continue;
        };
        let (response, media) = split(reader.parts(message)?);
        let (inside, beside) = media
            .into_iter()
            .partition(|blob| blob.is_inline() && is_third_generation(reader.target));
        loose.extend::<Vec<Blob<'r>>>(beside);
        parts.push(Part::Result {
            name,
            response,
            media: inside,
        });
    }
    parts.extend(loose.into_iter().map(Part::Media));
    Ok(parts)
}

/// The object that is sent as the response, and the media.
fn split(parts: Vec<Part<'_>>) -> (Cow<'_, str>, Vec<Blob<'_>>) {
    let mut text = Cow::Borrowed("");
    let mut media = Vec::new();
    for part in parts {
        match part {
            Part::Text { text: more, .. } if text.is_empty() => text = more,
            Part::Text { text: more, .. } => {
                let joined = text.to_mut();
                joined.push('\n');
                joined.push_str(&more);
            }
            Part::Media(blob) => media.push(blob),
            _ => {}
        }
    }
    (response(text), media)
}

fn response(text: Cow<'_, str>) -> Cow<'_, str> {
    // References inside a response are resolved, and refused (vercel/ai#14369).
    let has_references = text.contains("\"$ref\"") || text.contains("\"$defs\"");
    if is_object(text.trim()) && !has_references {
        return text;
    }
    Cow::Owned(wrapped("output", &text))
}
