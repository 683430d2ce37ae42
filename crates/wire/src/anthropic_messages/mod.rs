//! Anthropic's Messages format (`POST /v1/messages`, version 2023-06-01), both directions.
//!
//! Read first: [`encode::encode`], which writes a chat request as a Messages body, and
//! [`stream::Decoder`], which reads the stream that comes back. A whole answer takes the same way
//! as a stream: both end in `answer::Answer`, which knows blocks and not framing.
//!
//! Facts about the wire come from Anthropic's public API documentation, read in autumn 2026;
//! what differs between models travels in `Quirks`.

mod answer;
pub mod encode;
pub mod response;
mod schema;
pub mod stream;
mod usage;

pub use encode::encode;

#[cfg(test)]
mod tests;
