//! The vocabulary of Interline and every decision that needs no socket, clock or disk.
//!
//! Read first: [`routing::plan`], the one function that chooses providers, and [`pricing`], the
//! one place where a price meets a quantity. Then [`catalogue::Catalogue`], the snapshot that both
//! of them read.
//!
//! Invariants: nothing here awaits, reads a clock or rolls dice (time and seed are arguments); no
//! floats near money; a missing price is never zero. The crate derives no serde and depends on
//! nothing of ours: formats live in `wire`, persistence in `store`.

pub mod catalogue;
pub mod failure;
pub mod finish;
pub mod id;
pub mod ledger;
pub mod money;
pub mod parameters;
pub mod pricing;
pub mod quirks;
pub mod routing;
pub mod time;
pub mod usage;

pub use failure::{ErrorType, Failure, Retry};
pub use finish::FinishReason;
pub use money::{Money, Price};
pub use parameters::{Parameter, Parameters};
pub use time::Timestamp;
pub use usage::Usage;
