//! What the product promises, proven on the real binary: `interline serve` runs as a process of its
//! own against simulated providers, is fed by a plain HTTP client, killed, starved and shut down,
//! and its ledger is read afterwards.
//!
//! One module per promise; each test's name is the sentence it proves. `support` holds the world
//! they live in. `INTERLINE_LONG=1` makes the crash test long; `INTERLINE_TEST_BIN` names another
//! binary to try.

mod bad_input;
mod balance;
mod cancel;
mod crash;
mod fallback;
mod keys;
mod latency;
mod matrix;
mod shutdown;
mod support;
mod trouble;
mod waiting;
