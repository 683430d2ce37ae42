//! Durable truth: accounts, keys, the ledger, leases. One SQL text for SQLite and PostgreSQL.
//!
//! Read first: [`Store`], which hands out one handle per concern, and [`Ledger::post`], the busiest
//! of them. `migrations/` has the tables.
//!
//! Invariants: postings are double entry, sum to zero and are never changed; balances are folds of
//! entries, kept in the same transaction; an account's leases never exceed what is posted to it
//! (the database checks that too); every write goes through one door ([`Db::write`]) and every
//! access to an account's rows names the account. ADR 0002 says how one text serves two databases.
//!
//! Deliberately not here: secrets and their digests (the caller brings digests), wire formats (a
//! record is opaque text), clocks (`now` is an argument).

mod accounts;
mod db;
mod error;
mod generations;
mod keys;
mod leases;
mod ledger;
mod migrations;
mod period;
mod settings;
mod sql;

pub use accounts::{Account, Accounts, NewAccount};
pub use db::{Durability, Options, Store};
pub use error::Error;
pub use generations::{Generation, Generations};
pub use keys::{Authorized, Key, KeyChange, KeyKind, KeyUsage, Keys, LimitReset, NewKey};
pub use leases::{LeaseRequest, LeaseRow, Leases, Reset, TakeLease};
pub use ledger::{
    Audit, Balance, ChargeKind, Granted, Ledger, Mismatch, NewCharge, NewGeneration, PostOutcome,
    Rejected,
};
pub use settings::Settings;

#[cfg(test)]
mod tests;
