//! OpenAI Chat Completions, and every provider that speaks it with habits of its own.
//!
//! Read first: [`StreamEditor`], which turns a provider's stream into ours by editing its bytes,
//! and [`Decoder`], which turns it into events for the other skins. Both stand on the same two
//! parts: `chunk`, a chunk seen as spans, and `turn`, what must be remembered between chunks.
//!
//! Outside facts: <https://platform.openai.com/docs/api-reference/chat> and the providers' own
//! documentation, read until 2026-11; habits are data, see `interline_domain::quirks`.

mod calls;
mod chunk;
pub mod edit;
pub mod encode;
mod intake;
mod message;
mod response;
mod stream;
mod think;
mod turn;
pub(crate) mod usage;

pub use edit::{ResponseEdit, StreamEditor};
pub use response::decode;
pub use stream::Decoder;

use crate::failure::classify;
use crate::json::string;
use crate::target::ReadBack;
use interline_domain::Failure;
use interline_domain::catalogue::Dialect;
use std::borrow::Cow;

/// An error that arrives inside a 200: the object that holds it, or whatever came instead.
fn reported(body: &[u8]) -> Failure {
    classify(Dialect::OpenAiChat, 200, &|_| None, body)
}

/// What came is not this protocol.
fn malformed() -> Failure {
    Failure::unavailable("The provider sent something that is not a chat answer")
}

/// The bytes ended before the answer did.
fn cut() -> Failure {
    Failure::unavailable("The provider's answer ended early")
}

/// The name of a tool as the caller wrote it (T42).
fn caller_name<'a>(read_back: &ReadBack, name: Cow<'a, str>) -> Cow<'a, str> {
    let mut names = read_back.tool_names.iter();
    match names.find(|(sent, _)| *sent == name) {
        Some((_, written)) => Cow::Owned(written.clone()),
        None => name,
    }
}

/// A provider's service tier in our words: what it calls the ordinary one has several names.
fn service_tier(raw: &str) -> Option<Cow<'_, str>> {
    let tier = string(raw).filter(|tier| !tier.is_empty())?;
    Some(match tier.as_ref() {
        "auto" | "standard" | "on_demand" => Cow::Borrowed("default"),
        _ => tier,
    })
}

#[cfg(test)]
mod tests;
