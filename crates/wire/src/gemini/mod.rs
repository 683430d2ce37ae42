//! Google's Gemini dialect, as the Gemini API and Vertex AI speak it.
//!
//! Read first: [`encode()`], which writes a canonical chat request as `generateContent`, and
//! [`Decoder`], which reads its stream. Both directions keep what only Google can read: a
//! `thoughtSignature` goes out as sealed reasoning that names its tool call, and comes back onto
//! the very part it stood on.
//!
//! Outside facts: <https://ai.google.dev/api/generate-content> and its guides on thinking,
//! function calling and grounding, read until 2026-11.

mod answer;
mod choice;
mod encode;
mod grounding;
pub(crate) mod ids;
mod response;
mod schema;
mod stream;
mod usage;

pub use encode::media::links_to_fetch;
pub use encode::{Fetched, encode, encode_with_media};
pub use response::decode;
pub use stream::Decoder;

use crate::target::ReadBack;

/// What a decoder must know beyond the bytes.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Our generation id. Ids of tool calls that the provider leaves out are derived from it, so
    /// that decoding twice gives the same ids.
    pub generation_id: String,
    /// What the encoder of the request asks to be undone.
    pub read_back: ReadBack,
}

#[cfg(test)]
mod tests;
