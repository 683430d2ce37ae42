//! Leases and holds in memory: the credit this node took in bulk, and what its running requests
//! have set aside of it.
//!
//! Read first: [`Purse`] (one account's lease and its keys' limits, under one lock) and [`Hold`]
//! (credit set aside for one request; dropping it gives everything back).
//!
//! Invariants, true at every instant: `held + unposted <= leased` as long as providers obey the
//! caps we send; a key's `spent + held` never passes its limit; checking and setting aside are one
//! step. Nothing here awaits, reads a clock or touches a disk: taking a lease and posting charges
//! are somebody else's work, reported here by [`Purse::lease_granted`] and [`Purse::posted`].

mod purse;

pub use purse::{Hold, KeyBudget, OpenHold, Period, Purse, PurseStatus};
