//! Posting what generations cost: the poster's batches.
//!
//! A batch is one transaction, and everything that can be is one statement per table. The id of a
//! generation is the key: what was posted before is left alone, with all that hangs on it. The
//! usual batch has no such row, so it is tried first without looking; if a row was there, the
//! batch is undone and tried again without it.

use super::{Ledger, MOST_AT_ONCE, add_to_house};
use crate::db::{End, Tx};
use crate::period::day;
use crate::{Error, sql};
use interline_domain::id::{AccountId, GenerationId, NodeId};
use interline_domain::ledger::{Cover, cover, house};
use interline_domain::{Money, Timestamp};
use sea_orm::{ConnectionTrait as _, Value};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// Rows of one transaction. A longer batch is posted in several.
const BATCH_ROWS: usize = 500;
/// A batch is undone at most so often because rows appear that were not there a moment ago.
const TRIES: usize = 4;

/// What kind of end a generation had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChargeKind {
    /// Served, and paid for (possibly nothing).
    #[default]
    Charge,
    /// Ended without anything to pay.
    Void,
    /// Ended by a fault of ours: what it cost is the operator's.
    Absorbed,
}

impl ChargeKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::Void => "void",
            Self::Absorbed => "absorbed",
        }
    }
}

/// What a finished generation cost, and whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCharge {
    pub generation_id: GenerationId,
    pub kind: ChargeKind,
    pub account: AccountId,
    pub key_hash: Option<String>,
    /// The node that served it: its lease shrinks.
    pub node: NodeId,
    /// What the account is to pay. Zero unless `kind` is [`ChargeKind::Charge`].
    pub amount: Money,
    /// What the operator bears: the cost of attempts that were not the answer.
    pub absorbed: Money,
    /// What the account paid the provider itself, with a key of its own. Counted for the key; no
    /// credit moves.
    pub byok_usage: Money,
    /// Whether it is unknown that the client saw the end of the answer.
    pub delivery_unknown: bool,
    pub created_at: Timestamp,
    /// The record for `GET /generation`, if there is to be one.
    pub generation: Option<NewGeneration>,
}

/// The record of a generation: what is filtered on, and the rest as opaque JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewGeneration {
    pub request_id: String,
    pub model: String,
    pub provider_name: String,
    pub status: String,
    pub tokens_prompt: i64,
    pub tokens_completion: i64,
    pub record: String,
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PostOutcome {
    pub posted: usize,
    /// Posted before, or twice in the batch: nothing changed for them.
    pub duplicates: usize,
    /// Paid by accounts.
    pub charged: Money,
    /// Charged beyond an account's credit, and absorbed.
    pub uncovered: Money,
    /// Rows that can never be posted. They must not hold up the others.
    pub rejected: Vec<Rejected>,
}

/// A row that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    pub generation_id: GenerationId,
    pub reason: &'static str,
}

/// Why nothing was committed, or what was.
enum Tried {
    Posted(PostOutcome),
    /// Some row is there already.
    Seen,
}

/// An account and its leases while a batch is worked out.
struct Credit {
    free: Money,
    leases: BTreeMap<String, Money>,
    paid: Money,
    from_leases: Money,
}

impl Ledger {
    /// Posts finished generations, each once whatever is tried again.
    ///
    /// Accounts pay from the node's lease first, then from what is not leased; what they do not
    /// have is absorbed and flagged. Balances, leases and usage of keys change in the same
    /// transaction. The batch may be of any length; an error leaves the transactions before it.
    pub async fn post(&self, batch: &[NewCharge]) -> Result<PostOutcome, Error> {
        let mut total = PostOutcome::default();
        for part in batch.chunks(BATCH_ROWS) {
            let done = self.post_part(part).await?;
            total.posted += done.posted;
            total.duplicates += done.duplicates;
            total.charged = total.charged.saturating_add(done.charged);
            total.uncovered = total.uncovered.saturating_add(done.uncovered);
            total.rejected.extend(done.rejected);
        }
        Ok(total)
    }

    async fn post_part(&self, part: &[NewCharge]) -> Result<PostOutcome, Error> {
        let mut ids = HashSet::with_capacity(part.len());
        let (fresh, rejected) = sort_out(part, &mut ids);
        let rejected_before = rejected.len();
        let fresh = &fresh;
        for number in 0..TRIES {
            let tried = self
                .db
                // The first time nothing is expected to be there.
                .write_or_undo(
                    |tx: Arc<Tx>| async move { self.try_post(&tx, fresh, number > 0).await },
                )
                .await?;
            if let Tried::Posted(mut outcome) = tried {
                let settled = outcome.posted + outcome.rejected.len() + rejected_before;
                outcome.duplicates = part.len().saturating_sub(settled);
                outcome.rejected.extend(rejected);
                return Ok(outcome);
            }
        }
        Err(Error::Corrupt("postings keep appearing".to_owned()))
    }

    /// Posts rows, leaving out those that are there already if `look` says to look for them.
    async fn try_post(
        &self,
        tx: &Tx,
        fresh: &[&NewCharge],
        look: bool,
    ) -> Result<End<Tried>, Error> {
        let mut credits = self.lock_accounts(tx, fresh).await?;
        let (mut known, unknown): (Vec<&NewCharge>, Vec<&NewCharge>) = fresh
            .iter()
            .partition(|charge| credits.contains_key(charge.account.as_str()));
        if look {
            known = without_posted(tx, &known).await?;
        }
        let mut outcome = PostOutcome::default();
        outcome
            .rejected
            .extend(unknown.iter().map(|charge| Rejected {
                generation_id: charge.generation_id.clone(),
                reason: "there is no such account",
            }));
        let mut rows = Vec::with_capacity(known.len());
        for charge in known {
            let Some(credit) = credits.get_mut(charge.account.as_str()) else {
                continue;
            };
            let cover = credit.pay(charge);
            outcome.charged = outcome.charged.saturating_add(cover.paid());
            outcome.uncovered = outcome.uncovered.saturating_add(cover.uncovered);
            rows.push((charge, cover));
        }
        outcome.posted = rows.len();
        if !insert_postings(tx, &rows).await? {
            return Ok(End::Undo(Tried::Seen));
        }
        insert_entries(tx, &rows).await?;
        insert_generations(tx, &rows).await?;
        update_accounts(tx, &credits).await?;
        update_leases(tx, &credits, &rows).await?;
        count_usage(tx, &rows).await?;
        update_house(tx, &rows).await?;
        Ok(End::Commit(Tried::Posted(outcome)))
    }

    /// Locks the accounts of a batch and reads what they and their leases hold.
    async fn lock_accounts(
        &self,
        tx: &Tx,
        fresh: &[&NewCharge],
    ) -> Result<BTreeMap<String, Credit>, Error> {
        let mut ids: Vec<&str> = fresh.iter().map(|charge| charge.account.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut credits = BTreeMap::new();
        for chunk in sql::chunks(&ids) {
            let places = sql::list(tx.get_database_backend(), chunk.len());
            let accounts = format!(
                "SELECT id, posted_nano - leased_nano FROM account \
                 WHERE kind = 'user' AND id IN ({places}) ORDER BY id{}",
                self.db.for_update()
            );
            let values = || chunk.iter().map(|id| Value::from(*id));
            for row in sql::all(tx, accounts, values()).await? {
                let credit = Credit {
                    free: sql::money(&row, 1)?,
                    leases: BTreeMap::new(),
                    paid: Money::ZERO,
                    from_leases: Money::ZERO,
                };
                credits.insert(sql::get(&row, 0)?, credit);
            }
            let leases = format!(
                "SELECT account_id, node_id, amount_nano FROM lease WHERE account_id IN ({places})"
            );
            for row in sql::all(tx, leases, values()).await? {
                let account: String = sql::get(&row, 0)?;
                if let Some(credit) = credits.get_mut(&account) {
                    credit
                        .leases
                        .insert(sql::get(&row, 1)?, sql::money(&row, 2)?);
                }
            }
        }
        Ok(credits)
    }
}

impl Credit {
    fn pay(&mut self, charge: &NewCharge) -> Cover {
        let mut none = Money::ZERO;
        let lease = self.leases.get_mut(charge.node.as_str());
        let lease = lease.unwrap_or(&mut none);
        let cover = cover(charge.amount, *lease, self.free);
        *lease = lease.saturating_sub(cover.from_lease);
        self.free = self.free.saturating_sub(cover.from_free);
        self.paid = self.paid.saturating_add(cover.paid());
        self.from_leases = self.from_leases.saturating_add(cover.from_lease);
        cover
    }
}

/// Leaves out second mentions of an id, and rows that make no sense.
fn sort_out<'a>(
    part: &'a [NewCharge],
    ids: &mut HashSet<&'a str>,
) -> (Vec<&'a NewCharge>, Vec<Rejected>) {
    let mut fresh = Vec::with_capacity(part.len());
    let mut rejected = Vec::new();
    for charge in part {
        if !ids.insert(charge.generation_id.as_str()) {
            continue;
        }
        let amounts = [charge.amount, charge.absorbed, charge.byok_usage];
        let reason = if amounts.iter().any(|amount| amount.is_negative()) {
            Some("an amount is below zero")
        } else if amounts.iter().any(|amount| *amount > MOST_AT_ONCE) {
            Some("an amount is beyond belief")
        } else if charge.kind != ChargeKind::Charge && !charge.amount.is_zero() {
            Some("only a charge has an amount")
        } else {
            None
        };
        match reason {
            None => fresh.push(charge),
            Some(reason) => rejected.push(Rejected {
                generation_id: charge.generation_id.clone(),
                reason,
            }),
        }
    }
    (fresh, rejected)
}

/// Leaves out what is posted.
async fn without_posted<'a>(tx: &Tx, fresh: &[&'a NewCharge]) -> Result<Vec<&'a NewCharge>, Error> {
    let mut posted = HashSet::new();
    for chunk in sql::chunks(fresh) {
        let text = format!(
            "SELECT id FROM posting WHERE id IN ({})",
            sql::list(tx.get_database_backend(), chunk.len())
        );
        let ids = chunk
            .iter()
            .map(|charge| charge.generation_id.as_str().into());
        for row in sql::all(tx, text, ids).await? {
            posted.insert(sql::get::<String>(&row, 0)?);
        }
    }
    let is_new = |charge: &&&NewCharge| !posted.contains(charge.generation_id.as_str());
    Ok(fresh.iter().filter(is_new).copied().collect())
}

type Row<'a> = (&'a NewCharge, Cover);

/// Inserts many rows of so many `columns`; how many were really inserted.
async fn insert<T>(
    tx: &Tx,
    head: &str,
    columns: usize,
    tail: &str,
    items: &[T],
    values: impl Fn(&T, &mut Vec<Value>),
) -> Result<u64, Error> {
    let mut inserted: u64 = 0;
    let places = vec!["?"; columns];
    for chunk in sql::chunks(items) {
        let rows = sql::rows(tx.get_database_backend(), chunk.len(), &places);
        let mut all = Vec::with_capacity(chunk.len() * columns);
        for item in chunk {
            values(item, &mut all);
        }
        let done = sql::execute(tx, format!("{head} VALUES {rows} {tail}"), all).await?;
        inserted = inserted.saturating_add(done);
    }
    Ok(inserted)
}

/// Whether all of them are new.
async fn insert_postings(tx: &Tx, rows: &[Row<'_>]) -> Result<bool, Error> {
    let head = "INSERT INTO posting (id, kind, account_id, key_hash, amount_nano, absorbed_nano, \
        uncovered_nano, byok_nano, delivery_unknown, created_at)";
    let inserted = insert(
        tx,
        head,
        10,
        "ON CONFLICT (id) DO NOTHING",
        rows,
        |(charge, cover), values| {
            values.extend([
                charge.generation_id.as_str().into(),
                charge.kind.as_str().into(),
                charge.account.as_str().into(),
                charge.key_hash.as_deref().into(),
                cover.paid().nano().into(),
                charge.absorbed.nano().into(),
                cover.uncovered.nano().into(),
                charge.byok_usage.nano().into(),
                charge.delivery_unknown.into(),
                charge.created_at.micros().into(),
            ]);
        },
    );
    Ok(inserted.await? == rows.len() as u64)
}

async fn insert_entries(tx: &Tx, rows: &[Row<'_>]) -> Result<(), Error> {
    let mut entries: Vec<(&str, i64, &str, Money)> = Vec::with_capacity(rows.len() * 2);
    for (charge, cover) in rows {
        let id = charge.generation_id.as_str();
        let minus = |amount: Money| Money::ZERO.saturating_sub(amount);
        let legs = [
            (charge.account.as_str(), minus(cover.paid())),
            (house::REVENUE, charge.amount),
            (house::ABSORBED, minus(cover.uncovered)),
            (house::ABSORBED, minus(charge.absorbed)),
            (house::PROVIDERS, charge.absorbed),
        ];
        for (leg, (account, amount)) in (0_i64..).zip(legs) {
            if !amount.is_zero() {
                entries.push((id, leg, account, amount));
            }
        }
    }
    let head = "INSERT INTO entry (posting_id, leg, account_id, amount_nano)";
    let values = |(id, leg, account, amount): &(&str, i64, &str, Money), all: &mut Vec<Value>| {
        all.extend([
            (*id).into(),
            (*leg).into(),
            (*account).into(),
            amount.nano().into(),
        ]);
    };
    insert(tx, head, 4, "", &entries, values).await?;
    Ok(())
}

async fn insert_generations(tx: &Tx, rows: &[Row<'_>]) -> Result<(), Error> {
    let with_record: Vec<(&NewCharge, Cover, &NewGeneration)> = rows
        .iter()
        .filter_map(|(charge, cover)| Some((*charge, *cover, charge.generation.as_ref()?)))
        .collect();
    let head = "INSERT INTO generation (id, account_id, key_hash, request_id, model, provider_name, \
        status, usage_nano, tokens_prompt, tokens_completion, record, created_at)";
    insert(
        tx,
        head,
        12,
        "",
        &with_record,
        |(charge, cover, generation), values| {
            values.extend([
                charge.generation_id.as_str().into(),
                charge.account.as_str().into(),
                charge.key_hash.as_deref().into(),
                generation.request_id.as_str().into(),
                generation.model.as_str().into(),
                generation.provider_name.as_str().into(),
                generation.status.as_str().into(),
                cover.paid().nano().into(),
                generation.tokens_prompt.into(),
                generation.tokens_completion.into(),
                generation.record.as_str().into(),
                charge.created_at.micros().into(),
            ]);
        },
    )
    .await?;
    Ok(())
}

/// Changes many rows by what `VALUES` says of each: both databases name its columns `column1`, ….
async fn update<T>(
    tx: &Tx,
    set: &str,
    columns: &[&str],
    filter: &str,
    items: &[T],
    values: impl Fn(&T, &mut Vec<Value>),
) -> Result<(), Error> {
    for chunk in sql::chunks(items) {
        let rows = sql::rows(tx.get_database_backend(), chunk.len(), columns);
        let mut all = Vec::with_capacity(chunk.len() * columns.len());
        for item in chunk {
            values(item, &mut all);
        }
        let text = format!("UPDATE {set} FROM (VALUES {rows}) AS v WHERE {filter}");
        sql::execute(tx, text, all).await?;
    }
    Ok(())
}

const TEXT: &str = "?";
const NANO: &str = "CAST(? AS BIGINT)";

async fn update_accounts(tx: &Tx, credits: &BTreeMap<String, Credit>) -> Result<(), Error> {
    let changed: Vec<(&str, &Credit)> = credits
        .iter()
        .filter(|(_, credit)| !credit.paid.is_zero())
        .map(|(id, credit)| (id.as_str(), credit))
        .collect();
    let set = "account SET posted_nano = posted_nano - v.column2, \
        used_nano = used_nano + v.column2, leased_nano = leased_nano - v.column3";
    update(
        tx,
        set,
        &[TEXT, NANO, NANO],
        "account.id = v.column1",
        &changed,
        |(id, credit), values| {
            values.extend([
                (*id).into(),
                credit.paid.nano().into(),
                credit.from_leases.nano().into(),
            ]);
        },
    )
    .await
}

/// A lease that is used up stays, with nothing in it, until it is returned or its node starts anew.
async fn update_leases(
    tx: &Tx,
    credits: &BTreeMap<String, Credit>,
    rows: &[Row<'_>],
) -> Result<(), Error> {
    let touched: HashSet<(&str, &str)> = rows
        .iter()
        .filter(|(_, cover)| !cover.from_lease.is_zero())
        .map(|(charge, _)| (charge.account.as_str(), charge.node.as_str()))
        .collect();
    let mut left: Vec<(&str, &str, Money)> = touched
        .into_iter()
        .filter_map(|(account, node)| {
            let lease = credits.get(account)?.leases.get(node)?;
            Some((account, node, *lease))
        })
        .collect();
    left.sort_unstable();
    update(
        tx,
        "lease SET amount_nano = v.column3",
        &[TEXT, TEXT, NANO],
        "lease.account_id = v.column1 AND lease.node_id = v.column2",
        &left,
        |(account, node, left), values| {
            values.extend([(*account).into(), (*node).into(), left.nano().into()]);
        },
    )
    .await
}

#[derive(Clone, Copy, Default)]
struct Used {
    usage: Money,
    byok: Money,
    requests: i64,
}

impl Used {
    fn add(&mut self, (charge, cover): &Row<'_>) {
        self.usage = self.usage.saturating_add(cover.paid());
        self.byok = self.byok.saturating_add(charge.byok_usage);
        self.requests = self.requests.saturating_add(1);
    }
}

async fn count_usage(tx: &Tx, rows: &[Row<'_>]) -> Result<(), Error> {
    let mut days: BTreeMap<(&str, i64), Used> = BTreeMap::new();
    let mut keys: HashMap<&str, Used> = HashMap::new();
    for row in rows {
        if let Some(hash) = row.0.key_hash.as_deref() {
            days.entry((hash, day(row.0.created_at)))
                .or_default()
                .add(row);
            keys.entry(hash).or_default().add(row);
        }
    }
    let days: Vec<_> = days.into_iter().collect();
    let mut keys: Vec<_> = keys.into_iter().collect();
    keys.sort_unstable_by_key(|(hash, _)| *hash);
    let head = "INSERT INTO key_usage (key_hash, day, usage_nano, byok_usage_nano, requests)";
    let tail = "ON CONFLICT (key_hash, day) DO UPDATE SET \
        usage_nano = key_usage.usage_nano + excluded.usage_nano, \
        byok_usage_nano = key_usage.byok_usage_nano + excluded.byok_usage_nano, \
        requests = key_usage.requests + excluded.requests";
    insert(tx, head, 5, tail, &days, |((hash, day), used), values| {
        values.extend([
            (*hash).into(),
            (*day).into(),
            used.usage.nano().into(),
            used.byok.nano().into(),
            used.requests.into(),
        ]);
    })
    .await?;
    let set = "api_key SET usage_nano = usage_nano + v.column2, \
        byok_usage_nano = byok_usage_nano + v.column3";
    let filter = "api_key.hash = v.column1";
    update(
        tx,
        set,
        &[TEXT, NANO, NANO],
        filter,
        &keys,
        |(hash, used), values| {
            values.extend([
                (*hash).into(),
                used.usage.nano().into(),
                used.byok.nano().into(),
            ]);
        },
    )
    .await
}

async fn update_house(tx: &Tx, rows: &[Row<'_>]) -> Result<(), Error> {
    let sum = |part: fn(&Row<'_>) -> Money| {
        rows.iter()
            .map(part)
            .fold(Money::ZERO, Money::saturating_add)
    };
    let revenue = sum(|(charge, _)| charge.amount);
    let attempts = sum(|(charge, _)| charge.absorbed);
    let absorbed = attempts.saturating_add(sum(|(_, cover)| cover.uncovered));
    for (account, nano) in [
        (house::ABSORBED, absorbed.nano().saturating_neg()),
        (house::PROVIDERS, attempts.nano()),
        (house::REVENUE, revenue.nano()),
    ] {
        if nano != 0 {
            add_to_house(tx, account, nano).await?;
        }
    }
    Ok(())
}
