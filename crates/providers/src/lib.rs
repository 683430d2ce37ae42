//! The built-in catalogue as data, and everything that turns such data into a
//! [`Catalogue`](interline_domain::catalogue::Catalogue): one file of facts and quirks per
//! provider, its endpoints and prices, the models, the names models go by.
//!
//! Read first: [`Source`] (files, read but not joined) and [`build`] (a source, the operator's
//! [`Overlay`] and the question "is there a key?" give a catalogue, or all mistakes at once).
//! [`check`], [`diff`] and [`import`] are what `interline catalogue` does, as plain functions.
//!
//! Invariants: a price comes from a decimal string, never from a float; an endpoint whose price or
//! wire format we do not know is shown and never routed to; a mistake names file, line and column.
//! Not here: awaiting, clocks, keys themselves, and the numbers of a live provider.

pub mod adapter;
mod assemble;
mod check;
mod diff;
mod entry;
mod import;
mod names;
mod problem;
mod quirks;
mod render;
mod source;
mod words;
mod write;

pub use assemble::{Built, build};
pub use check::{Hole, Report, check};
pub use diff::{Diff, LimitMove, PriceMove, diff};
pub use entry::{
    DataPolicyEntry, EndpointEntry, Listed, ModelEntry, Number, OverrideEntry, PricingEntry,
    ProtocolEntry, ProviderEntry, ReasoningEntry,
};
pub use import::{Imported, Tables, import, import_model_list};
pub use names::{NameError, Names, Resolved, Variant, Via, resolve_name};
pub use problem::{Place, Problem, Warning, decode};
pub use quirks::{QuirkRule, QuirksEntry};
pub use source::{Overlay, Source, builtin, load_dir};
pub use words::{Effort, ModelKind, Named, Word, ZeroRetention};
pub use write::write_dir;
