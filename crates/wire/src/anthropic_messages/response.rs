//! A whole answer. Also what comes when a stream was asked for and plain JSON came (T39).

use super::answer::Answer;
use super::schema::{Block, ErrorBody, Kind, Message, Text};
use crate::event::Sink;
use crate::target::ReadBack;
use interline_domain::Failure;
use serde_json::value::RawValue;

/// Decodes a body into the same events as a stream of the same answer. An error object with
/// status 200 becomes [`Event::Failed`](crate::event::Event::Failed).
///
/// # Errors
/// The body is not a message of this format.
pub fn decode(body: &[u8], read_back: &ReadBack, sink: &mut dyn Sink) -> Result<(), Failure> {
    let message: Message<'_> = serde_json::from_slice(body)
        .map_err(|_| Failure::unavailable("the provider's answer is not a message"))?;
    let mut answer = Answer::new(read_back.clone());
    let is_error = message
        .kind
        .as_ref()
        .is_some_and(|kind| kind.as_str() == "error");
    if is_error || (message.error.is_some() && message.content.is_none()) {
        let error_type = message.error.and_then(error_type);
        answer.fail(error_type.as_ref().map(Text::as_str), body, sink);
        return Ok(());
    }
    let Some(content) = message.content else {
        return Err(Failure::unavailable("the provider's answer has no content"));
    };
    answer.start(message.id, message.model, sink);
    for (index, block) in (0_u64..).zip(content) {
        answer.open_block(index, read_block(block)?, sink);
        answer.close_block(index, sink);
    }
    if let Some(usage) = message.usage {
        answer.merge_usage(usage);
    }
    answer.set_stop_reason(message.stop_reason);
    answer.finish(sink);
    Ok(())
}

/// The type inside an error object, whatever else it holds.
pub(super) fn error_type(error: &RawValue) -> Option<Text<'_>> {
    let body: ErrorBody<'_> = serde_json::from_str(error.get()).ok()?;
    body.kind
}

/// A block of a kind we do not know may hold anything; one that we know must be readable.
fn read_block(raw: &RawValue) -> Result<Block<'_>, Failure> {
    if let Ok(block) = serde_json::from_str(raw.get()) {
        return Ok(block);
    }
    match Kind::of(Some(raw)) {
        Some(kind) if !is_known_block(&kind) => Ok(Block::default()),
        _ => Err(Failure::unavailable(
            "the provider's answer has an unreadable block",
        )),
    }
}

pub(super) fn is_known_block(kind: &str) -> bool {
    matches!(kind, "text" | "thinking" | "redacted_thinking" | "tool_use")
}
