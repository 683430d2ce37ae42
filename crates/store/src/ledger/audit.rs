//! The proof that the ledger adds up, for `ledger audit` and the nightly job.

use super::Ledger;
use crate::db::Tx;
use crate::leases::LeaseRow;
use crate::{Error, sql};
use interline_domain::Money;

/// Lists of an audit end here; the counts go on.
const MOST_LISTED: i64 = 1000;

/// Something that is kept twice and differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// An account, a key's hash or a posting.
    pub id: String,
    /// What the row says.
    pub stored: Money,
    /// What its parts add up to.
    pub folded: Money,
}

/// What the ledger holds, and where it does not add up. All of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    pub accounts: i64,
    pub keys: i64,
    pub postings: i64,
    pub entries: i64,
    pub generations: i64,
    /// Sum of all grants.
    pub granted: Money,
    /// Sum of what accounts paid.
    pub charged: Money,
    /// Sum of what the operator bore for failed attempts.
    pub absorbed: Money,
    /// Sum of what was charged beyond accounts' credit, and borne by the operator too.
    pub uncovered: Money,
    /// Sum of what is posted to accounts: granted less charged.
    pub posted: Money,
    /// The part of it that nodes have leased.
    pub leased: Money,
    /// Balances of the house's accounts.
    pub house: Vec<(String, Money)>,
    /// Sum of all entries: zero, or money was made or lost.
    pub entries_sum: Money,
    /// Postings whose entries do not sum to zero.
    pub unbalanced_postings: Vec<String>,
    /// Postings whose amount is not what their account's entry says.
    pub posting_mismatches: Vec<Mismatch>,
    /// Accounts whose balance is not the sum of their entries.
    pub unbalanced_accounts: Vec<Mismatch>,
    /// Accounts whose leased amount is not the sum of their leases, or more than is posted.
    pub lease_mismatches: Vec<Mismatch>,
    /// Keys whose usage is not the sum of their postings.
    pub key_mismatches: Vec<Mismatch>,
    /// Days of keys (`hash/day`) whose usage is not the sum of their postings.
    pub key_day_mismatches: Vec<Mismatch>,
    /// Postings whose answer may not have reached its client, newest first.
    pub delivery_unknown: Vec<String>,
    /// Postings with an uncovered part, newest first.
    pub overdrawn: Vec<(String, Money)>,
    pub leases: Vec<LeaseRow>,
    /// Postings of generations, newest first: `(generation, kind, what the account paid)`. There is
    /// one per id, or the database would have refused the second.
    pub charges: Vec<(String, String, Money)>,
}

impl Audit {
    /// Whether everything adds up. Flags (delivery unknown, overdrawn) are no fault of the ledger.
    pub fn is_clean(&self) -> bool {
        self.entries_sum.is_zero()
            && self.unbalanced_postings.is_empty()
            && self.posting_mismatches.is_empty()
            && self.unbalanced_accounts.is_empty()
            && self.lease_mismatches.is_empty()
            && self.key_mismatches.is_empty()
            && self.key_day_mismatches.is_empty()
    }
}

/// Postings listed one by one.
const MOST_CHARGES: i64 = 100_000;

const COUNTS: &str = "SELECT (SELECT COUNT(*) FROM account WHERE kind = 'user'),
    (SELECT COUNT(*) FROM api_key), (SELECT COUNT(*) FROM posting),
    (SELECT COUNT(*) FROM entry), (SELECT COUNT(*) FROM generation)";

const SUMS: &str = "SELECT
    CAST(COALESCE(SUM(CASE WHEN kind IN ('grant', 'adjustment') THEN amount_nano END), 0) AS BIGINT),
    CAST(COALESCE(SUM(CASE WHEN kind = 'charge' THEN amount_nano END), 0) AS BIGINT),
    CAST(COALESCE(SUM(absorbed_nano), 0) AS BIGINT),
    CAST(COALESCE(SUM(uncovered_nano), 0) AS BIGINT) FROM posting";

const BALANCES: &str = "SELECT CAST(COALESCE(SUM(posted_nano), 0) AS BIGINT),
    CAST(COALESCE(SUM(leased_nano), 0) AS BIGINT) FROM account WHERE kind = 'user'";

const UNBALANCED_POSTINGS: &str = "SELECT posting_id FROM entry
    GROUP BY posting_id HAVING SUM(amount_nano) <> 0 ORDER BY posting_id LIMIT $1";

const POSTING_MISMATCHES: &str = "SELECT id, stored, folded FROM (
        SELECT p.id AS id, COALESCE(e.amount_nano, 0) AS folded,
            CASE WHEN p.kind IN ('grant', 'adjustment') THEN p.amount_nano
                 ELSE -p.amount_nano END AS stored
        FROM posting p LEFT JOIN entry e ON e.posting_id = p.id AND e.leg = 0) AS sides
    WHERE stored <> folded ORDER BY id LIMIT $1";

const UNBALANCED_ACCOUNTS: &str = "SELECT a.id, a.posted_nano, COALESCE(e.total, 0)
    FROM account a LEFT JOIN (
        SELECT account_id, CAST(SUM(amount_nano) AS BIGINT) AS total FROM entry GROUP BY account_id
    ) e ON e.account_id = a.id
    WHERE a.posted_nano <> COALESCE(e.total, 0)
        OR (a.kind = 'user' AND a.posted_nano <> a.credited_nano - a.used_nano)
    ORDER BY a.id LIMIT $1";

const LEASE_MISMATCHES: &str = "SELECT a.id, a.leased_nano, COALESCE(l.total, 0)
    FROM account a LEFT JOIN (
        SELECT account_id, CAST(SUM(amount_nano) AS BIGINT) AS total FROM lease GROUP BY account_id
    ) l ON l.account_id = a.id
    WHERE a.leased_nano <> COALESCE(l.total, 0)
        OR (a.kind = 'user' AND a.leased_nano > a.posted_nano)
    ORDER BY a.id LIMIT $1";

const KEY_MISMATCHES: &str = "SELECT k.hash, k.usage_nano + k.byok_usage_nano, COALESCE(p.total, 0)
    FROM api_key k LEFT JOIN (
        SELECT key_hash, CAST(SUM(amount_nano) AS BIGINT) AS amount,
            CAST(SUM(amount_nano + byok_nano) AS BIGINT) AS total
        FROM posting WHERE key_hash IS NOT NULL GROUP BY key_hash
    ) p ON p.key_hash = k.hash
    WHERE k.usage_nano <> COALESCE(p.amount, 0)
        OR k.usage_nano + k.byok_usage_nano <> COALESCE(p.total, 0)
    ORDER BY k.hash LIMIT $1";

/// 86,400,000,000 microseconds are a day.
const KEY_DAY_MISMATCHES: &str = "SELECT key_hash || '/' || CAST(day AS TEXT),
        CAST(SUM(counted) AS BIGINT), CAST(SUM(posted) AS BIGINT)
    FROM (
        SELECT key_hash, day, usage_nano + byok_usage_nano AS counted, 0 AS posted FROM key_usage
        UNION ALL
        SELECT key_hash, created_at / 86400000000, 0, amount_nano + byok_nano
        FROM posting WHERE key_hash IS NOT NULL
    ) AS sides
    GROUP BY key_hash, day HAVING SUM(counted) <> SUM(posted)
    ORDER BY key_hash, day LIMIT $1";

impl Ledger {
    /// Adds everything up. Reads all postings: for a nightly job and for operators, not for
    /// requests.
    pub async fn audit(&self) -> Result<Audit, Error> {
        let tx = self.db.snapshot().await?;
        let mut audit = totals(&tx).await?;
        audit.unbalanced_postings = texts(&tx, UNBALANCED_POSTINGS).await?;
        audit.posting_mismatches = mismatches(&tx, POSTING_MISMATCHES).await?;
        audit.unbalanced_accounts = mismatches(&tx, UNBALANCED_ACCOUNTS).await?;
        audit.lease_mismatches = mismatches(&tx, LEASE_MISMATCHES).await?;
        audit.key_mismatches = mismatches(&tx, KEY_MISMATCHES).await?;
        audit.key_day_mismatches = mismatches(&tx, KEY_DAY_MISMATCHES).await?;
        let unknown = "SELECT id FROM posting WHERE delivery_unknown \
            ORDER BY created_at DESC, id LIMIT $1";
        audit.delivery_unknown = texts(&tx, unknown).await?;
        let overdrawn = "SELECT id, uncovered_nano FROM posting WHERE uncovered_nano > 0 \
            ORDER BY created_at DESC, id LIMIT $1";
        audit.overdrawn = pairs(&tx, overdrawn, MOST_LISTED).await?;
        let house =
            "SELECT id, posted_nano FROM account WHERE kind = 'system' ORDER BY id LIMIT $1";
        audit.house = pairs(&tx, house, MOST_LISTED).await?;
        let leases = format!(
            "SELECT {} FROM lease ORDER BY account_id, node_id LIMIT $1",
            LeaseRow::COLUMNS
        );
        let leases = sql::all(&tx, leases, [MOST_LISTED.into()]).await?;
        audit.leases = leases
            .iter()
            .map(LeaseRow::read)
            .collect::<Result<_, _>>()?;
        let charges = "SELECT id, kind, amount_nano FROM posting \
            WHERE kind NOT IN ('grant', 'adjustment') ORDER BY id DESC LIMIT $1";
        audit.charges = sql::all(&tx, charges, [MOST_CHARGES.into()])
            .await?
            .iter()
            .map(|row| Ok((sql::get(row, 0)?, sql::get(row, 1)?, sql::money(row, 2)?)))
            .collect::<Result<_, Error>>()?;
        tx.rollback().await?;
        Ok(audit)
    }
}

async fn totals(tx: &Tx) -> Result<Audit, Error> {
    let missing = || Error::Corrupt("an aggregate without a row".to_owned());
    let counts = sql::one(tx, COUNTS, []).await?.ok_or_else(missing)?;
    let sums = sql::one(tx, SUMS, []).await?.ok_or_else(missing)?;
    let balances = sql::one(tx, BALANCES, []).await?.ok_or_else(missing)?;
    let zero = "SELECT CAST(COALESCE(SUM(amount_nano), 0) AS BIGINT) FROM entry";
    let zero = sql::one(tx, zero, []).await?.ok_or_else(missing)?;
    Ok(Audit {
        accounts: sql::get(&counts, 0)?,
        keys: sql::get(&counts, 1)?,
        postings: sql::get(&counts, 2)?,
        entries: sql::get(&counts, 3)?,
        generations: sql::get(&counts, 4)?,
        granted: sql::money(&sums, 0)?,
        charged: sql::money(&sums, 1)?,
        absorbed: sql::money(&sums, 2)?,
        uncovered: sql::money(&sums, 3)?,
        posted: sql::money(&balances, 0)?,
        leased: sql::money(&balances, 1)?,
        entries_sum: sql::money(&zero, 0)?,
        ..Audit::default()
    })
}

async fn texts(tx: &Tx, text: &str) -> Result<Vec<String>, Error> {
    let rows = sql::all(tx, text, [MOST_LISTED.into()]).await?;
    rows.iter().map(|row| sql::get(row, 0)).collect()
}

async fn pairs(tx: &Tx, text: &str, most: i64) -> Result<Vec<(String, Money)>, Error> {
    let rows = sql::all(tx, text, [most.into()]).await?;
    rows.iter()
        .map(|row| Ok((sql::get(row, 0)?, sql::money(row, 1)?)))
        .collect()
}

async fn mismatches(tx: &Tx, text: &str) -> Result<Vec<Mismatch>, Error> {
    let rows = sql::all(tx, text, [MOST_LISTED.into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(Mismatch {
                id: sql::get(row, 0)?,
                stored: sql::money(row, 1)?,
                folded: sql::money(row, 2)?,
            })
        })
        .collect()
}
