//! Wire formats: bytes in, values out. No socket, no clock, no dice.
//!
//! Read first: [`event::Event`], what every provider's stream is decoded into, and
//! [`chat::Renderer`], which writes those events as our chat answer. Where client and provider
//! speak the same dialect, [`openai_chat`] edits bytes in place and builds neither.
//!
//! Invariants: frames before text (a network cut anywhere changes nothing); tool arguments,
//! signatures and schemas are carried, never re-serialised; a stream without its protocol's
//! terminal marker never looks finished; absent usage is never zero usage.

pub mod anthropic_messages;
pub mod chat;
pub mod event;
pub mod failure;
pub mod gemini;
pub mod json;
pub mod openai_chat;
pub mod sse;
pub mod target;

#[cfg(test)]
mod testing;
