//! `interline ledger audit`: adds everything up, and says where it does not.

use super::books::{Books, IfNew};
use super::exit::Code;
use super::probe::{self, Backlog};
use super::session::{Session, table, time};
use super::style::Mark;
use crate::cli::LedgerVerb;
use crate::{clock, node};
use anyhow::Result;
use interline_domain::{Money, Timestamp};
use interline_store::{Audit, LeaseRow, Mismatch};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Ids shown to people of each kind; JSON has all that were listed.
const SHOWN: usize = 10;

pub(crate) async fn run(session: &Session, verb: LedgerVerb) -> Result<Code> {
    let LedgerVerb::Audit = verb;
    let books = Books::open(session, IfNew::Refuse).await?;
    // Before the audit: what is in the spool then is in the ledger or still there, not in neither.
    let backlog = probe::backlog(&books.config, &session.data_dir).await;
    let audit = books.store.ledger().audit().await?;
    let now = clock::now();
    let json = || audit_json(&audit, backlog.as_ref(), now);
    session.result(json, || audit_text(session, &audit, backlog.as_ref(), now))?;
    Ok(if audit.is_clean() {
        Code::Done
    } else {
        Code::Failed
    })
}

/// Everything that is counted twice, by its name, and the places where it differs.
fn mismatches(audit: &Audit) -> [(&'static str, &[Mismatch]); 5] {
    [
        ("posting_mismatches", &audit.posting_mismatches),
        ("unbalanced_accounts", &audit.unbalanced_accounts),
        ("lease_mismatches", &audit.lease_mismatches),
        ("key_mismatches", &audit.key_mismatches),
        ("key_day_mismatches", &audit.key_day_mismatches),
    ]
}

fn audit_json(audit: &Audit, backlog: Option<&Backlog>, now: Timestamp) -> Value {
    let mut value = json!({
        "ok": audit.is_clean(),
        "at": time(now),
        "totals": {
            "granted": audit.granted.to_decimal(),
            "charged": audit.charged.to_decimal(),
            "absorbed": audit.absorbed.to_decimal(),
            "uncovered": audit.uncovered.to_decimal(),
            "posted": audit.posted.to_decimal(),
            "leased": audit.leased.to_decimal(),
            "entries_sum": audit.entries_sum.to_decimal(),
        },
        "counts": {
            "accounts": audit.accounts,
            "keys": audit.keys,
            "postings": audit.postings,
            "entries": audit.entries,
            "generations": audit.generations,
        },
        "house": audit.house.iter()
            .map(|(id, amount)| (id.clone(), amount.to_decimal().into()))
            .collect::<serde_json::Map<_, _>>(),
        "unbalanced_postings": audit.unbalanced_postings,
        "delivery_unknown": audit.delivery_unknown,
        "overdrawn": audit.overdrawn.iter()
            .map(|(id, amount)| json!({ "posting": id, "uncovered": amount.to_decimal() }))
            .collect::<Vec<_>>(),
        "postings": audit.charges.iter()
            .map(|(id, kind, amount)| {
                json!({ "generation_id": id, "kind": kind, "amount": amount.to_decimal() })
            })
            .collect::<Vec<_>>(),
        "leases": audit.leases.iter().map(|lease| lease_json(lease, now)).collect::<Vec<_>>(),
        "spool": backlog.map(|backlog| json!({
            "node": backlog.node,
            "backlog": backlog.records,
            "running": backlog.running,
        })),
    });
    if let Some(fields) = value.as_object_mut() {
        for (name, list) in mismatches(audit) {
            let list = list.iter().map(|mismatch| {
                json!({
                    "id": mismatch.id,
                    "stored": mismatch.stored.to_decimal(),
                    "folded": mismatch.folded.to_decimal(),
                })
            });
            fields.insert(name.to_owned(), list.collect());
        }
    }
    value
}

fn lease_json(lease: &LeaseRow, now: Timestamp) -> Value {
    json!({
        "node": lease.node.as_str(),
        "account": lease.account.as_str(),
        "epoch": lease.epoch,
        "amount": lease.amount.to_decimal(),
        "expires_at": time(lease.expires_at),
        // Below zero: nobody has renewed it, its node is gone or cut off.
        "expires_in_ms": left(lease, now),
        // Since it was taken or last renewed.
        "age_ms": ttl_ms().saturating_sub(left(lease, now)),
    })
}

/// Milliseconds that a lease lasts without being renewed.
fn ttl_ms() -> i64 {
    i64::try_from(node::LEASE_TTL.as_millis()).unwrap_or(i64::MAX)
}

/// Milliseconds until a lease expires.
fn left(lease: &LeaseRow, now: Timestamp) -> i64 {
    lease.expires_at.micros().saturating_sub(now.micros()) / 1_000
}

fn audit_text(
    session: &Session,
    audit: &Audit,
    backlog: Option<&Backlog>,
    now: Timestamp,
) -> String {
    let style = session.style;
    let dollars = |amount: Money| format!("${}", amount.to_decimal());
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let mut text = table(&[
        row("granted", dollars(audit.granted)),
        row("charged", dollars(audit.charged)),
        row("posted to accounts", dollars(audit.posted)),
        row("of it leased to nodes", dollars(audit.leased)),
        row("borne by the operator", dollars(audit.absorbed)),
        row("of it beyond credit", dollars(audit.uncovered)),
        row(
            "accounts, keys",
            format!("{}, {}", audit.accounts, audit.keys),
        ),
        row(
            "postings, entries",
            format!("{}, {}", audit.postings, audit.entries),
        ),
        row("generations", audit.generations.to_string()),
        row(
            "charges not posted yet",
            backlog.map_or_else(
                || "unknown: no server of this data directory answers".to_owned(),
                |backlog| backlog.records.to_string(),
            ),
        ),
    ]);
    for lease in &audit.leases {
        let left = left(lease, now);
        let state = if left < 0 {
            format!(
                "{} {} s overdue",
                style.mark(Mark::Warning),
                left.saturating_neg() / 1_000
            )
        } else {
            format!("{} s left", left / 1_000)
        };
        let (account, node) = (lease.account.as_str(), lease.node.as_str());
        let _ = writeln!(
            text,
            "lease  {account} to {node}  {}  {state}",
            dollars(lease.amount)
        );
    }
    let unknown = &audit.delivery_unknown;
    list(
        &mut text,
        "whether these arrived is unknown",
        unknown.iter().cloned(),
    );
    let overdrawn = audit
        .overdrawn
        .iter()
        .map(|(id, by)| format!("{id} by {}", dollars(*by)));
    list(&mut text, "beyond credit", overdrawn);
    if !audit.entries_sum.is_zero() {
        let sum = dollars(audit.entries_sum);
        let _ = writeln!(
            text,
            "{} all entries sum to {sum}, not zero",
            style.mark(Mark::Bad)
        );
    }
    let bad = |what: &str| format!("{} {}", style.mark(Mark::Bad), what.replace('_', " "));
    list(
        &mut text,
        &bad("unbalanced_postings"),
        audit.unbalanced_postings.iter().cloned(),
    );
    for (name, found) in mismatches(audit) {
        let lines = found.iter().map(|one| {
            format!(
                "{}: {} stored, {} in parts",
                one.id,
                dollars(one.stored),
                dollars(one.folded)
            )
        });
        list(&mut text, &bad(name), lines);
    }
    let verdict = if audit.is_clean() {
        format!("{} everything adds up", style.mark(Mark::Good))
    } else {
        format!("{} the ledger does not add up", style.mark(Mark::Bad))
    };
    let _ = writeln!(text, "{verdict}");
    text
}

fn list(text: &mut String, what: &str, items: impl ExactSizeIterator<Item = String>) {
    let number = items.len();
    if number == 0 {
        return;
    }
    let _ = writeln!(text, "{what} ({number}):");
    for item in items.take(SHOWN) {
        let _ = writeln!(text, "  {item}");
    }
    if number > SHOWN {
        let _ = writeln!(text, "  and {} more (--json lists them)", number - SHOWN);
    }
}
