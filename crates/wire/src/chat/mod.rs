//! Our chat skin: the canonical request, and answers in its form, streamed and whole.

pub mod answer;
pub mod parse;
pub mod render;
pub mod request;
mod tally;
pub mod usage;

pub use render::Renderer;
