//! Simulated providers: the only fake provider we have, for tests, benchmarks and the demo.
//!
//! Read first: [`Script`], what a provider does, and [`Sim`], a running one. It speaks OpenAI
//! chat (with embeddings and models), Anthropic Messages and Gemini by path, streamed and whole,
//! with the framing, usage and errors of the real ones, and fails in every way a provider can.
//!
//! Invariants: the same seed, script and order of requests give the same answers; credentials are
//! logged only by hash and last four characters; everything kept is bounded; a client that hangs
//! up is noticed at once, also while a stream pauses.
//!
//! It deliberately does not: speak TLS or HTTP/2, count tokens like a real tokenizer, or think.

mod answer;
mod body;
mod check;
mod demo;
mod dialect;
mod embed;
mod log;
mod plan;
mod render;
mod schema;
mod script;
mod seen;
mod server;
mod socket;

pub use answer::Tokens;
pub use demo::demo_scripts;
pub use dialect::Dialect;
pub use log::{Credential, Entry, Outcome};
pub use script::{Behaviour, Call, Check, Counts, Fault, Finish, Script, Text, Tools, What};
pub use seen::Medium;
pub use server::{Error, Handle, Sim};
