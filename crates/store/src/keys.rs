//! API keys. Secrets never come here: the caller makes them and brings two digests.

use crate::db::{Db, Tx};
use crate::period::Periods;
use crate::{Error, sql};
use interline_domain::id::AccountId;
use interline_domain::{Money, Timestamp};
use sea_orm::{QueryResult, Value};
use std::sync::Arc;

/// What a key opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    Inference,
    Management,
}

impl KeyKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Inference => "inference",
            Self::Management => "management",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "inference" => Some(Self::Inference),
            "management" => Some(Self::Management),
            _ => None,
        }
    }
}

/// How often a key's limit begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitReset {
    Daily,
    Weekly,
    Monthly,
}

impl LimitReset {
    /// The word the API and the column use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
        }
    }

    /// Reads [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Daily, Self::Weekly, Self::Monthly]
            .into_iter()
            .find(|reset| reset.as_str() == text)
    }
}

/// A key to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// SHA-256 of the secret, hexadecimal: the public id.
    pub hash: String,
    /// Keyed digest of the secret: what requests are looked up by.
    pub lookup: String,
    pub account: AccountId,
    pub kind: KeyKind,
    pub name: String,
    /// The secret shortened for display, `sk-il-v1-abc…xyz`.
    pub label: String,
    /// `None`: no limit of its own.
    pub limit: Option<Money>,
    /// `None`: the limit holds for the life of the key.
    pub limit_reset: Option<LimitReset>,
    /// Whether usage paid with the account's own provider keys counts towards the limit.
    pub include_byok_in_limit: bool,
    pub expires_at: Option<Timestamp>,
    pub creator_user_id: Option<String>,
}

/// What a key used, and what went through it to providers on the account's own credentials.
/// Days, weeks (from Monday) and months are UTC and contain the moment asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyUsage {
    pub total: Money,
    pub daily: Money,
    pub weekly: Money,
    pub monthly: Money,
    pub byok_total: Money,
    pub byok_daily: Money,
    pub byok_weekly: Money,
    pub byok_monthly: Money,
}

/// A stored key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub hash: String,
    pub account: AccountId,
    pub kind: KeyKind,
    pub name: String,
    pub label: String,
    pub limit: Option<Money>,
    pub limit_reset: Option<LimitReset>,
    pub include_byok_in_limit: bool,
    pub disabled: bool,
    pub expires_at: Option<Timestamp>,
    pub creator_user_id: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub usage: KeyUsage,
}

impl Key {
    /// What counts towards [`Self::limit`] in the period that it holds for.
    pub fn used_of_limit(&self) -> Money {
        let usage = &self.usage;
        let (used, byok) = match self.limit_reset {
            None => (usage.total, usage.byok_total),
            Some(LimitReset::Daily) => (usage.daily, usage.byok_daily),
            Some(LimitReset::Weekly) => (usage.weekly, usage.byok_weekly),
            Some(LimitReset::Monthly) => (usage.monthly, usage.byok_monthly),
        };
        if self.include_byok_in_limit {
            used.saturating_add(byok)
        } else {
            used
        }
    }

    /// What is left of the limit, never below zero; `None` without a limit.
    pub fn limit_remaining(&self) -> Option<Money> {
        let limit = self.limit?;
        Some(limit.saturating_sub(self.used_of_limit()).max(Money::ZERO))
    }
}

/// A key found by its secret, with the account it draws on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorized {
    pub key: Key,
    /// What is posted to the account.
    pub posted: Money,
    /// The part of it that nodes have leased.
    pub leased: Money,
}

/// Changes to a key; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyChange {
    pub name: Option<String>,
    pub disabled: Option<bool>,
    pub limit: Option<Option<Money>>,
    pub limit_reset: Option<Option<LimitReset>>,
    pub include_byok_in_limit: Option<bool>,
    pub expires_at: Option<Option<Timestamp>>,
}

/// The parameters `$1`, `$2`, `$3` are the first days of today, this week and this month.
const SELECT: &str = "
    SELECT k.hash, k.account_id, k.kind, k.name, k.label, k.limit_nano, k.limit_reset,
        k.include_byok_in_limit, k.disabled, k.expires_at, k.creator_user_id, k.created_at,
        k.updated_at, k.usage_nano, k.byok_usage_nano,
        (SELECT CAST(COALESCE(SUM(u.usage_nano), 0) AS BIGINT)
            FROM key_usage u WHERE u.key_hash = k.hash AND u.day >= $1),
        (SELECT CAST(COALESCE(SUM(u.byok_usage_nano), 0) AS BIGINT)
            FROM key_usage u WHERE u.key_hash = k.hash AND u.day >= $1),
        (SELECT CAST(COALESCE(SUM(u.usage_nano), 0) AS BIGINT)
            FROM key_usage u WHERE u.key_hash = k.hash AND u.day >= $2),
        (SELECT CAST(COALESCE(SUM(u.byok_usage_nano), 0) AS BIGINT)
            FROM key_usage u WHERE u.key_hash = k.hash AND u.day >= $2),
        (SELECT CAST(COALESCE(SUM(u.usage_nano), 0) AS BIGINT)
            FROM key_usage u WHERE u.key_hash = k.hash AND u.day >= $3),
        (SELECT CAST(COALESCE(SUM(u.byok_usage_nano), 0) AS BIGINT)
            FROM key_usage u WHERE u.key_hash = k.hash AND u.day >= $3),
        a.posted_nano, a.leased_nano
    FROM api_key k JOIN account a ON a.id = k.account_id";

fn select(rest: &str) -> String {
    format!("{SELECT} {rest}")
}

/// The parameters of [`SELECT`], then `more`.
fn parameters(now: Timestamp, more: impl IntoIterator<Item = Value>) -> Vec<Value> {
    let Periods { today, week, month } = Periods::at(now);
    let mut values: Vec<Value> = vec![today.into(), week.into(), month.into()];
    values.extend(more);
    values
}

fn read(row: &QueryResult) -> Result<Authorized, Error> {
    let kind: String = sql::get(row, 2)?;
    let limit: Option<i64> = sql::get(row, 5)?;
    let reset: Option<String> = sql::get(row, 6)?;
    let expires_at: Option<i64> = sql::get(row, 9)?;
    let unreadable = |text: &str| Error::Corrupt(format!("api_key: `{text}`"));
    let limit_reset = match reset.as_deref() {
        None => None,
        Some(text) => Some(LimitReset::parse(text).ok_or_else(|| unreadable(text))?),
    };
    let key = Key {
        hash: sql::get(row, 0)?,
        account: sql::account_id(row, 1)?,
        kind: KeyKind::parse(&kind).ok_or_else(|| unreadable(&kind))?,
        name: sql::get(row, 3)?,
        label: sql::get(row, 4)?,
        limit: limit.map(Money::from_nano),
        limit_reset,
        include_byok_in_limit: sql::get(row, 7)?,
        disabled: sql::get(row, 8)?,
        expires_at: expires_at.map(Timestamp::from_micros),
        creator_user_id: sql::get(row, 10)?,
        created_at: sql::timestamp(row, 11)?,
        updated_at: sql::timestamp(row, 12)?,
        usage: KeyUsage {
            total: sql::money(row, 13)?,
            byok_total: sql::money(row, 14)?,
            daily: sql::money(row, 15)?,
            byok_daily: sql::money(row, 16)?,
            weekly: sql::money(row, 17)?,
            byok_weekly: sql::money(row, 18)?,
            monthly: sql::money(row, 19)?,
            byok_monthly: sql::money(row, 20)?,
        },
    };
    Ok(Authorized {
        key,
        posted: sql::money(row, 21)?,
        leased: sql::money(row, 22)?,
    })
}

/// The handle on keys.
#[derive(Clone, Debug)]
pub struct Keys {
    db: Db,
}

impl Keys {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }

    /// Stores a key. [`Error::Conflict`] if its hash or lookup is taken.
    pub async fn create(&self, key: &NewKey, now: Timestamp) -> Result<Key, Error> {
        let insert = "INSERT INTO api_key (hash, lookup, account_id, kind, name, label, limit_nano, \
            limit_reset, include_byok_in_limit, disabled, expires_at, creator_user_id, created_at, \
            updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, FALSE, $10, $11, $12, $12) \
            ON CONFLICT DO NOTHING";
        self.db
            .write(|tx: Arc<Tx>| async move {
                let tx = &*tx;
                let account = sql::one(
                    tx,
                    "SELECT 1 FROM account WHERE id = $1 AND kind = 'user'",
                    [key.account.as_str().into()],
                );
                if account.await?.is_none() {
                    return Err(Error::UnknownAccount(key.account.to_string()));
                }
                let values: [Value; 12] = [
                    key.hash.as_str().into(),
                    key.lookup.as_str().into(),
                    key.account.as_str().into(),
                    key.kind.as_str().into(),
                    key.name.as_str().into(),
                    key.label.as_str().into(),
                    key.limit.map(Money::nano).into(),
                    key.limit_reset.map(LimitReset::as_str).into(),
                    key.include_byok_in_limit.into(),
                    key.expires_at.map(Timestamp::micros).into(),
                    key.creator_user_id.clone().into(),
                    now.micros().into(),
                ];
                if sql::execute(tx, insert, values).await? == 0 {
                    return Err(Error::Conflict(key.hash.clone()));
                }
                let find = select("WHERE k.hash = $4");
                let row = sql::one(tx, find, parameters(now, [key.hash.as_str().into()])).await?;
                let row = row.ok_or_else(|| Error::Corrupt(format!("api_key `{}`", key.hash)))?;
                Ok(read(&row)?.key)
            })
            .await
    }

    /// The key a request presented, by the keyed digest of its secret. This is where a tenant is
    /// established; whether the key is disabled or expired is for the caller to judge.
    pub async fn find_by_lookup(
        &self,
        lookup: &str,
        now: Timestamp,
    ) -> Result<Option<Authorized>, Error> {
        let values = parameters(now, [lookup.into()]);
        let row = sql::one(self.db.reader(), select("WHERE k.lookup = $4"), values).await?;
        row.map(|row| read(&row)).transpose()
    }

    /// A key of `account`; another account's is not found.
    pub async fn find_by_hash(
        &self,
        account: &AccountId,
        hash: &str,
        now: Timestamp,
    ) -> Result<Option<Key>, Error> {
        let text = select("WHERE k.hash = $4 AND k.account_id = $5");
        let values = parameters(now, [hash.into(), account.as_str().into()]);
        let row = sql::one(self.db.reader(), text, values).await?;
        row.map(|row| read(&row).map(|found| found.key)).transpose()
    }

    /// The keys of `account`, newest first, `max` of them after the first `skip`.
    pub async fn list(
        &self,
        account: &AccountId,
        skip: u32,
        max: u32,
        now: Timestamp,
    ) -> Result<Vec<Key>, Error> {
        let text =
            select("WHERE k.account_id = $4 ORDER BY k.created_at DESC, k.hash LIMIT $5 OFFSET $6");
        let more = [
            account.as_str().into(),
            i64::from(max).into(),
            i64::from(skip).into(),
        ];
        let rows = sql::all(self.db.reader(), text, parameters(now, more)).await?;
        rows.iter()
            .map(|row| read(row).map(|found| found.key))
            .collect()
    }

    /// Changes a key of `account`; `None` if there is no such key.
    pub async fn update(
        &self,
        account: &AccountId,
        hash: &str,
        change: &KeyChange,
        now: Timestamp,
    ) -> Result<Option<Key>, Error> {
        let update = "UPDATE api_key SET updated_at = $3, name = COALESCE($4, name), \
            disabled = COALESCE($5, disabled), \
            include_byok_in_limit = COALESCE($6, include_byok_in_limit), \
            limit_nano = CASE WHEN $7 THEN $8 ELSE limit_nano END, \
            limit_reset = CASE WHEN $9 THEN $10 ELSE limit_reset END, \
            expires_at = CASE WHEN $11 THEN $12 ELSE expires_at END \
            WHERE hash = $1 AND account_id = $2";
        let row = self
            .db
            .write(|tx: Arc<Tx>| async move {
                let tx = &*tx;
                let values: [Value; 12] = [
                    hash.into(),
                    account.as_str().into(),
                    now.micros().into(),
                    change.name.clone().into(),
                    change.disabled.into(),
                    change.include_byok_in_limit.into(),
                    change.limit.is_some().into(),
                    change.limit.flatten().map(Money::nano).into(),
                    change.limit_reset.is_some().into(),
                    change.limit_reset.flatten().map(LimitReset::as_str).into(),
                    change.expires_at.is_some().into(),
                    change.expires_at.flatten().map(Timestamp::micros).into(),
                ];
                sql::execute(tx, update, values).await?;
                let find = select("WHERE k.hash = $4 AND k.account_id = $5");
                let values = parameters(now, [hash.into(), account.as_str().into()]);
                sql::one(tx, find, values).await
            })
            .await?;
        row.map(|row| read(&row).map(|found| found.key)).transpose()
    }

    /// Hashes of the keys that were changed at `since` or later, of all accounts: for caches.
    pub async fn changed_since(&self, since: Timestamp) -> Result<Vec<String>, Error> {
        let text = "SELECT hash FROM api_key WHERE updated_at >= $1".to_owned();
        let rows = sql::all(self.db.reader(), text, [since.micros().into()]).await?;
        rows.iter().map(|row| sql::get(row, 0)).collect()
    }

    /// Removes a key of `account`; says whether it was there. Its postings and its daily usage stay.
    pub async fn delete(&self, account: &AccountId, hash: &str) -> Result<bool, Error> {
        let text = "DELETE FROM api_key WHERE hash = $1 AND account_id = $2";
        let work = |tx: Arc<Tx>| async move {
            sql::execute(&*tx, text, [hash.into(), account.as_str().into()]).await
        };
        Ok(self.db.write(work).await? > 0)
    }
}
