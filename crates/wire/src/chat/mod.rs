//! Our chat skin: the canonical request, and answers in its form, streamed and whole.

pub mod answer;
pub mod assemble;
pub mod debug;
pub mod error;
pub mod facts;
pub mod parse;
pub mod preferences;
pub mod render;
pub mod request;
mod tally;
pub mod translate;
pub mod usage;

pub use assemble::Assembler;
pub use render::Renderer;
pub use translate::Translated;
