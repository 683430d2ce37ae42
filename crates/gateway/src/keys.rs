//! Who is calling: keys looked up by keyed hash, remembered in memory.
//!
//! A known key costs one HMAC and one map read. An unknown one costs one look-up in the store,
//! shared by everybody who asks at the same time, and is remembered briefly. A change of a key
//! reaches this cache through [`Keys::invalidate`] (same node, at once) or [`Keys::poll_changes`]
//! (other processes, within seconds).

use crate::credit::{Account, Credit};
use aws_lc_rs::{digest, hmac};
use interline_domain::id::AccountId;
use interline_domain::{Money, Timestamp};
use interline_store::{Authorized, Key, KeyKind, LimitReset, Store};
use interline_wallet::{KeyBudget, Period};
use moka::Expiry;
use moka::future::Cache;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// Keys kept in memory, known and unknown together.
const MAX_KEYS: u64 = 1_000_000;
/// Used without asking again while the store is away.
const KNOWN_FOR: Duration = Duration::from_mins(15);
/// An unknown key is asked for again after this.
const UNKNOWN_FOR: Duration = Duration::from_secs(10);

/// Every key of ours begins with this.
pub const KEY_PREFIX: &str = "sk-il-v1-";

/// An authenticated key and what it may do.
#[derive(Debug)]
pub struct Caller {
    pub account_id: AccountId,
    pub account: Arc<Account>,
    /// SHA-256 of the key, hexadecimal: its public name, never a credential.
    pub key_hash: String,
    pub record: Key,
    /// Seconds at which the period of the limit began that the purse counts in.
    period_began: AtomicI64,
}

/// Why a key was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("No auth credentials found")]
    Missing,
    #[error("User not found.")]
    Unknown,
    #[error("This API key is disabled.")]
    Disabled,
    #[error("This API key has expired.")]
    Expired,
    #[error("Keys cannot be checked right now.")]
    Unavailable,
}

/// The key cache.
pub struct Keys {
    store: Store,
    credit: Arc<Credit>,
    pepper: hmac::Key,
    cache: Cache<[u8; 32], Option<Arc<Caller>>>,
}

struct Lifetime;

impl Expiry<[u8; 32], Option<Arc<Caller>>> for Lifetime {
    fn expire_after_create(
        &self,
        _: &[u8; 32],
        caller: &Option<Arc<Caller>>,
        _: Instant,
    ) -> Option<Duration> {
        Some(if caller.is_some() {
            KNOWN_FOR
        } else {
            UNKNOWN_FOR
        })
    }
}

impl Keys {
    /// `pepper` keys the hash that keys are found by; it never leaves the process.
    pub fn new(store: Store, credit: Arc<Credit>, pepper: &[u8]) -> Self {
        Self {
            store,
            credit,
            pepper: hmac::Key::new(hmac::HMAC_SHA256, pepper),
            cache: Cache::builder()
                .max_capacity(MAX_KEYS)
                .expire_after(Lifetime)
                .build(),
        }
    }

    /// Finds who a key belongs to. `now` decides about expiry.
    pub async fn authenticate(&self, key: &str, now: Timestamp) -> Result<Arc<Caller>, KeyError> {
        if key.len() > 256 {
            return Err(KeyError::Unknown);
        }
        let lookup = self.lookup(key);
        let found = match self.cache.get(&lookup).await {
            Some(found) => found,
            None => self.load(key, lookup, now).await?,
        };
        let caller = found.ok_or(KeyError::Unknown)?;
        if caller.record.disabled {
            return Err(KeyError::Disabled);
        }
        if caller
            .record
            .expires_at
            .is_some_and(|expires_at| expires_at <= now)
        {
            return Err(KeyError::Expired);
        }
        caller.begin_period(now);
        Ok(caller)
    }

    async fn load(
        &self,
        key: &str,
        lookup: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<Arc<Caller>>, KeyError> {
        let loading = async {
            let found = self.store.keys().find_by_lookup(&hex(&lookup), now).await?;
            Ok::<_, interline_store::Error>(
                found.map(|found| Arc::new(self.caller(hash_of(key), found, now))),
            )
        };
        self.cache
            .try_get_with(lookup, loading)
            .await
            .map_err(|error| {
                tracing::error!(%error, "a key could not be looked up");
                KeyError::Unavailable
            })
    }

    fn caller(&self, key_hash: String, found: Authorized, now: Timestamp) -> Caller {
        let record = found.key;
        let account = self.credit.account(&record.account);
        let began_at = period_start(record.limit_reset, now);
        let budget = record.limit.map(|limit| KeyBudget {
            limit,
            period: Period { began_at },
            spent: record.used_of_limit(),
        });
        account.purse.set_key_budget(&key_hash, budget);
        let period_began = AtomicI64::new(began_at.seconds());
        Caller {
            account_id: record.account.clone(),
            account,
            key_hash,
            record,
            period_began,
        }
    }

    /// Forgets a key whose record changed.
    pub fn invalidate(&self, key_hash: &str) {
        let key_hash = key_hash.to_owned();
        let changed = move |_: &[u8; 32], caller: &Option<Arc<Caller>>| {
            caller
                .as_ref()
                .is_none_or(|caller| caller.key_hash == key_hash)
        };
        // Support for predicates is opt-in and costs every insertion; keys change rarely, so the
        // entries are walked instead.
        let stale: Vec<_> = self
            .cache
            .iter()
            .filter(|(lookup, caller)| changed(lookup, caller))
            .map(|(lookup, _)| *lookup)
            .collect();
        let cache = self.cache.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                for lookup in stale {
                    cache.invalidate(&lookup).await;
                }
            });
        }
    }

    /// Forgets every key whose record another process changed since `since`.
    pub async fn poll_changes(&self, since: Timestamp) -> Result<(), interline_store::Error> {
        for key_hash in self.store.keys().changed_since(since).await? {
            self.invalidate(&key_hash);
        }
        Ok(())
    }

    /// The keyed hash a key is stored under, hexadecimal.
    pub fn lookup_with(pepper: &[u8], key: &str) -> String {
        hex(&digest_with(
            &hmac::Key::new(hmac::HMAC_SHA256, pepper),
            key,
        ))
    }

    fn lookup(&self, key: &str) -> [u8; 32] {
        digest_with(&self.pepper, key)
    }

    pub fn store(&self) -> &Store {
        &self.store
    }
}

impl Caller {
    /// A new day, week or month starts at nothing spent; no need to ask the store.
    fn begin_period(&self, now: Timestamp) {
        let Some(limit) = self
            .record
            .limit
            .filter(|_| self.record.limit_reset.is_some())
        else {
            return;
        };
        let began_at = period_start(self.record.limit_reset, now);
        if self
            .period_began
            .swap(began_at.seconds(), Ordering::Relaxed)
            != began_at.seconds()
        {
            let period = Period { began_at };
            let budget = KeyBudget {
                limit,
                period,
                spent: Money::ZERO,
            };
            self.account
                .purse
                .set_key_budget(&self.key_hash, Some(budget));
        }
    }

    /// Management keys administer and never infer.
    pub fn is_management(&self) -> bool {
        self.record.kind == KeyKind::Management
    }
}

/// When the running period of a limit began: days, weeks from Monday and months, in UTC.
fn period_start(reset: Option<LimitReset>, now: Timestamp) -> Timestamp {
    const DAY: i64 = 86_400;
    let day = now.seconds().div_euclid(DAY);
    let first_day = match reset {
        None => return Timestamp::default(),
        Some(LimitReset::Daily) => day,
        // 1970-01-01 was a Thursday.
        Some(LimitReset::Weekly) => day - (day + 3).rem_euclid(7),
        Some(LimitReset::Monthly) => day - i64::from(day_of_month(day)) + 1,
    };
    Timestamp::from_seconds(first_day.saturating_mul(DAY))
}

/// Day of the month of a day since 1970, from one (Hinnant's `civil_from_days`).
fn day_of_month(day: i64) -> u8 {
    let shifted = day + 719_468;
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    u8::try_from(day_of_year - (153 * month + 2) / 5 + 1).unwrap_or(1)
}

fn digest_with(pepper: &hmac::Key, key: &str) -> [u8; 32] {
    let tag = hmac::sign(pepper, key.as_bytes());
    let mut digest = [0; 32];
    digest.copy_from_slice(tag.as_ref());
    digest
}

/// SHA-256 of a key, hexadecimal.
pub fn hash_of(key: &str) -> String {
    hex(digest::digest(&digest::SHA256, key.as_bytes()).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| {
            [
                DIGITS[usize::from(byte >> 4)],
                DIGITS[usize::from(byte & 15)],
            ]
        })
        .map(char::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_begin_where_people_expect() {
        let check = |reset, now: i64, expected: i64| {
            let found = period_start(reset, Timestamp::from_seconds(now));
            assert_eq!(found.seconds(), expected, "{reset:?} at {now}");
        };
        // 2026-11-21 12:00:00 UTC, a Saturday.
        let now = 1_795_262_400;
        check(None, now, 0);
        check(Some(LimitReset::Daily), now, 1_795_219_200);
        check(Some(LimitReset::Weekly), now, 1_794_787_200);
        check(Some(LimitReset::Monthly), now, 1_793_491_200);
        // 2024-02-29, a leap day.
        check(Some(LimitReset::Monthly), 1_709_208_000, 1_706_745_600);
    }
}
