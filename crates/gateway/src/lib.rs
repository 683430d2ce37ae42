//! The data plane: the journey of one inference request.
//!
//! Read first: [`journey::run`], which is the whole product in one function, and
//! [`stream::StreamBody`], which carries an answer to the client. Then [`settle::Generation`],
//! the one place where a request ends: whatever happens (success, refusal, client gone, panic),
//! its hold is released and what is owed is written to the spool.
//!
//! Invariants: a request for a known key reads memory only; no answer is finished before its
//! charge is durable; after the first content byte there is no other endpoint; every billable
//! request passes [`journey::run`] and no other gate.
//!
//! It knows no HTTP framework: the server hands in bytes and a caller and renders what comes back.

pub mod admission;
mod attempt;
pub mod credit;
pub mod health;
pub mod journey;
pub mod keys;
mod metadata;
pub mod poster;
pub mod record;
pub mod refusal;
mod settings;
mod settle;
pub mod snapshot;
pub mod stream;
mod trail;

use arc_swap::ArcSwap;
use credit::Credit;
use health::HealthBook;
use interline_domain::Timestamp;
use interline_domain::id::{GenerationId, RequestId};
use interline_outbound::{Client, MediaFetcher};
use interline_spool::Spool;
use keys::Keys;
pub use settings::{Clock, Settings};
use snapshot::Snapshot;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Everything a request needs, in memory. One per process, shared by all requests.
pub struct Gateway {
    pub settings: Settings,
    pub clock: Clock,
    pub snapshot: ArcSwap<Snapshot>,
    pub keys: Keys,
    pub credit: Arc<Credit>,
    pub health: HealthBook,
    pub spool: Spool,
    pub client: Client,
    pub media: MediaFetcher,
    dice: Dice,
    /// Shutting down: running streams finish, new requests are refused.
    pub is_draining: AtomicBool,
    /// Requests between admission and settlement.
    pub running: AtomicUsize,
}

/// The parts a [`Gateway`] is made of.
pub struct Parts {
    pub settings: Settings,
    pub clock: Clock,
    pub snapshot: Snapshot,
    pub keys: Keys,
    pub credit: Arc<Credit>,
    pub spool: Spool,
    pub client: Client,
    pub media: MediaFetcher,
    /// Random bytes that make ids of this process unlike those of any other.
    pub seed: u128,
}

impl Gateway {
    pub fn new(parts: Parts) -> Arc<Self> {
        let health = HealthBook::default();
        health.align(&parts.snapshot.catalogue);
        Arc::new(Self {
            settings: parts.settings,
            clock: parts.clock,
            snapshot: ArcSwap::from_pointee(parts.snapshot),
            keys: parts.keys,
            credit: parts.credit,
            health,
            spool: parts.spool,
            client: parts.client,
            media: parts.media,
            dice: Dice {
                seed: parts.seed,
                count: AtomicU64::new(0),
            },
            is_draining: AtomicBool::new(false),
            running: AtomicUsize::new(0),
        })
    }

    /// Swaps the catalogue whole. Running requests keep the one they began with.
    pub fn replace_snapshot(&self, snapshot: Snapshot) {
        self.health.align(&snapshot.catalogue);
        self.snapshot.store(Arc::new(snapshot));
    }

    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    fn new_ids(&self, now: Timestamp) -> (GenerationId, RequestId, u64) {
        let seed = self.dice.roll();
        let seed_low = u64::try_from(seed & u128::from(u64::MAX)).unwrap_or(0);
        let request = RequestId::new(now, self.dice.roll());
        (GenerationId::new(now, self.dice.roll()), request, seed_low)
    }
}

/// Numbers nobody can collide with: a secret seed and a counter, mixed. Ids are names, not
/// credentials, so speed wins over the system's generator here.
struct Dice {
    seed: u128,
    count: AtomicU64,
}

impl Dice {
    fn roll(&self) -> u128 {
        let count = u128::from(self.count.fetch_add(1, Ordering::Relaxed));
        // Two rounds of a 128-bit xorshift-multiply mix (constants of MurmurHash3's finaliser).
        let mut x = self.seed ^ count.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        for _ in 0..2 {
            x ^= x >> 67;
            x = x.wrapping_mul(0xff51_afd7_ed55_8ccd_c4ce_b9fe_1a85_ec53);
            x ^= x >> 61;
        }
        x
    }
}
