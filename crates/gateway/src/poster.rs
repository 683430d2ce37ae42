//! From the spool to the ledger: batches, idempotent by generation id.

use crate::Gateway;
use crate::record::{Outcome, Record};
use interline_domain::id::{AccountId, GenerationId, NodeId};
use interline_domain::{Money, Timestamp};
use interline_spool::Record as SpoolRecord;
use interline_store::{ChargeKind, Error, NewCharge, NewGeneration, Store};
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// Records moved in one transaction.
pub const BATCH: usize = 500;
/// Between two looks at an empty spool.
pub const IDLE: Duration = Duration::from_millis(100);
/// While the store is away.
const RETRY: Duration = Duration::from_secs(1);

/// Runs until `stop` resolves, then posts what is left.
pub async fn run(gateway: Arc<Gateway>, store: Store, stop: impl Future<Output = ()>) {
    tokio::pin!(stop);
    let mut is_stopping = false;
    loop {
        let newest = if is_stopping {
            Timestamp::from_micros(i64::MAX)
        } else {
            let now = gateway.now().micros();
            let delay = i64::try_from(gateway.settings.posting_delay.as_micros()).unwrap_or(0);
            Timestamp::from_micros(now.saturating_sub(delay))
        };
        let pause = match post_batch(&gateway, &store, newest).await {
            Ok(posted) if posted >= BATCH => continue,
            Ok(_) if is_stopping => return,
            Ok(_) => IDLE,
            Err(error) => {
                tracing::warn!(%error, "charges could not be posted; they stay in the spool");
                if is_stopping {
                    return;
                }
                RETRY
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = &mut stop, if !is_stopping => is_stopping = true,
        }
    }
}

/// Posts up to [`BATCH`] charges that ended before `newest`. Answers how many there were.
async fn post_batch(gateway: &Gateway, store: &Store, newest: Timestamp) -> Result<usize, Error> {
    let records = gateway.spool.take_closed(BATCH);
    let node = &gateway.credit.lessee().node;
    let mut due: Vec<(SpoolRecord, NewCharge)> = Vec::with_capacity(records.len());
    for spooled in records {
        let Some(record) = decode(&spooled) else {
            // It would be found again for ever.
            gateway.spool.forget([&*spooled.key]);
            continue;
        };
        let span = i64::try_from(record.generation_ms)
            .unwrap_or(0)
            .saturating_mul(1_000);
        if record.created_at.saturating_add(span) > newest.micros() {
            break;
        }
        match charge(&spooled, &record, node, false) {
            Some(charge) => due.push((spooled, charge)),
            None => gateway.spool.forget([&*spooled.key]),
        }
    }
    if due.is_empty() {
        return Ok(0);
    }
    let (spooled, charges): (Vec<SpoolRecord>, Vec<NewCharge>) = due.into_iter().unzip();
    post(
        store,
        &charges,
        gateway.settings.requires_credit,
        gateway.now(),
    )
    .await?;
    for (account, amount) in sums(&charges) {
        gateway.credit.account(account).purse.posted(amount);
    }
    gateway
        .spool
        .forget(spooled.iter().map(|record| &*record.key));
    Ok(spooled.len())
}

/// Posts what an earlier process left in the spool. Its last frame may not have left, so these
/// charges are flagged. Answers how many there were.
pub async fn replay(
    store: &Store,
    node: &NodeId,
    left: &[SpoolRecord],
    requires_credit: bool,
    now: Timestamp,
) -> Result<usize, Error> {
    for batch in left.chunks(BATCH) {
        let charges: Vec<NewCharge> = batch
            .iter()
            .filter_map(|spooled| charge(spooled, &decode(spooled)?, node, true))
            .collect();
        post(store, &charges, requires_credit, now).await?;
    }
    Ok(left.len())
}

async fn post(
    store: &Store,
    charges: &[NewCharge],
    requires_credit: bool,
    now: Timestamp,
) -> Result<(), Error> {
    if !requires_credit {
        cover_metered(store, charges, now).await?;
    }
    let outcome = store.ledger().post(charges).await?;
    if !outcome.uncovered.is_zero() {
        tracing::warn!(
            uncovered = %outcome.uncovered,
            "providers used more than they were capped at; the operator bears it"
        );
    }
    for rejected in outcome.rejected {
        let id = rejected.generation_id.as_str();
        tracing::error!(
            generation.id = id,
            reason = rejected.reason,
            "a charge makes no sense"
        );
    }
    Ok(())
}

/// Metering only: nobody has to buy credit, so what is used is granted as it is used.
async fn cover_metered(store: &Store, charges: &[NewCharge], now: Timestamp) -> Result<(), Error> {
    let first = charges
        .first()
        .map_or("", |charge| charge.generation_id.as_str());
    for (account, sum) in sums(charges) {
        let Some(balance) = store.ledger().balance(account).await? else {
            continue;
        };
        let short = sum.saturating_sub(balance.posted.saturating_sub(balance.leased));
        if short > Money::ZERO {
            // Named by what it covers: a batch that is tried again finds its own grant.
            let id = format!("metered:{first}:{}:{}", account.as_str(), short.nano());
            store
                .ledger()
                .grant(&id, account, short, "metering only", now)
                .await?;
        }
    }
    Ok(())
}

fn sums(charges: &[NewCharge]) -> HashMap<&AccountId, Money> {
    let mut sums: HashMap<&AccountId, Money> = HashMap::new();
    for charge in charges {
        let sum = sums.entry(&charge.account).or_default();
        *sum = sum.saturating_add(charge.amount);
    }
    sums
}

fn decode(spooled: &SpoolRecord) -> Option<Record> {
    match serde_json::from_slice(&spooled.payload) {
        Ok(record) => Some(record),
        Err(error) => {
            let id = &*spooled.key;
            tracing::error!(generation.id = id, %error, "a spooled record is unreadable");
            None
        }
    }
}

fn charge(
    spooled: &SpoolRecord,
    record: &Record,
    node: &NodeId,
    is_replayed: bool,
) -> Option<NewCharge> {
    let tokens = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    // A failure owes nothing; a complete answer is a charge, even of zero.
    let is_charge = match record.outcome {
        Outcome::Complete => true,
        Outcome::Cancelled => record.charged_nano != 0,
        Outcome::Failed => false,
    };
    Some(NewCharge {
        generation_id: GenerationId::parse(&spooled.key)?,
        kind: if is_charge {
            ChargeKind::Charge
        } else {
            ChargeKind::Void
        },
        account: AccountId::parse(&record.account)?,
        key_hash: Some(record.key_hash.clone()),
        node: node.clone(),
        amount: if is_charge {
            Money::from_nano(record.charged_nano)
        } else {
            Money::ZERO
        },
        absorbed: Money::ZERO,
        byok_usage: Money::ZERO,
        delivery_unknown: is_replayed && record.outcome == Outcome::Complete,
        created_at: Timestamp::from_micros(record.created_at),
        generation: Some(NewGeneration {
            request_id: record.request_id.clone(),
            model: record.model.clone(),
            provider_name: record.provider_name.clone(),
            status: record.outcome.as_str().to_owned(),
            tokens_prompt: tokens(record.prompt_tokens),
            tokens_completion: tokens(record.completion_tokens),
            record: String::from_utf8_lossy(&spooled.payload).into_owned(),
        }),
    })
}
