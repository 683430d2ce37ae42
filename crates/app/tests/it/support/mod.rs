//! The world of a test: simulated providers, a node in its own process, a client, the ledger.

mod blueprint;
mod client;
mod events;
mod ledger;
mod node;

pub(crate) use blueprint::{Blueprint, FIVE_TOKENS, GOOD_TEXT, good, provider_key};
pub(crate) use client::{Answer, CHAT, Client};
pub(crate) use events::Events;
pub(crate) use ledger::{Books, lock};
pub(crate) use node::World;

use interline_sim::{Handle, Script, Sim};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Tests that measure time run alone; the others share the machine.
static MACHINE: RwLock<()> = RwLock::const_new(());

/// Taken by tests in which nothing is timed.
pub(crate) async fn shared() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().await
}

/// Taken by tests that measure time.
pub(crate) async fn alone() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().await
}

/// Starts a simulated provider.
pub(crate) async fn sim(script: Script) -> Handle {
    Sim::start(script).await.expect("a free port on loopback")
}

/// A chat of one short message.
pub(crate) fn chat(model: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": "hello there" }] })
}

/// The same, streamed.
pub(crate) fn streamed(model: &str) -> Value {
    with(chat(model), &json!({ "stream": true }))
}

/// `body` with the members of `more`.
pub(crate) fn with(mut body: Value, more: &Value) -> Value {
    if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
        body.extend(more.clone());
    }
    body
}

/// Asks until the answer is there; the test fails if it does not come within ten seconds.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "never happened: {what}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A deterministic stream of numbers: the same seed, the same test.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number in `range` (`SplitMix64`).
    pub(crate) fn roll(&mut self, range: std::ops::Range<u64>) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        range.start + (z ^ (z >> 31)) % (range.end - range.start)
    }
}
