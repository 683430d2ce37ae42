//! Our chat skin: the canonical request, and answers in its form, streamed and whole.

pub mod answer;
pub mod parse;
pub mod request;
