//! `interline credits`: what accounts are given, and what they have.

use super::books::{Books, IfNew};
use super::exit::{Code, failure};
use super::session::{Session, table};
use crate::cli::CreditsVerb;
use crate::{clock, secrets};
use anyhow::Result;
use interline_domain::Money;
use interline_domain::id::AccountId;
use interline_store::{Balance, Granted};
use serde_json::{Value, json};

pub(crate) async fn run(session: &Session, verb: CreditsVerb) -> Result<Code> {
    match verb {
        CreditsVerb::Grant {
            account,
            amount,
            note,
            id,
        } => grant(session, account.as_deref(), amount, &note, id).await,
        CreditsVerb::Balance { account } => balance(session, account.as_deref()).await,
    }
}

async fn grant(
    session: &Session,
    account: Option<&str>,
    amount: Money,
    note: &str,
    id: Option<String>,
) -> Result<Code> {
    let books = Books::open(session, IfNew::MakeOwner).await?;
    let account = books.account(account)?;
    // A name of our own is new each time; one that was given makes the command repeatable.
    let id = match id {
        Some(id) => format!("grant:{id}"),
        None => format!("grant:cli:{:032x}", secrets::random_number()?),
    };
    let granted = books
        .store
        .ledger()
        .grant(&id, &account, amount, note, clock::now())
        .await?;
    let balance = find_balance(&books, &account).await?;
    if !books.requires_credit() {
        session.note(
            "this installation only meters: requests need no credit. To require it, set \
             billing.require_credits = true",
        );
    }
    let is_new = granted == Granted::Granted;
    let json = || {
        let mut value = balance_json(&account, &balance);
        if let Some(fields) = value.as_object_mut() {
            fields.insert("id".into(), id.as_str().into());
            fields.insert("granted".into(), amount.to_decimal().into());
            fields.insert("is_new".into(), is_new.into());
        }
        value
    };
    let text = || {
        let what = if is_new {
            "granted"
        } else {
            "granted before; nothing changed:"
        };
        format!(
            "{what} ${} to {account} ({} left)\n",
            amount.to_decimal(),
            dollars(balance.posted)
        )
    };
    session.result(json, text)?;
    Ok(Code::Done)
}

async fn balance(session: &Session, account: Option<&str>) -> Result<Code> {
    let books = Books::open(session, IfNew::Refuse).await?;
    let account = books.account(account)?;
    let balance = find_balance(&books, &account).await?;
    let text = || {
        let rows = [
            ("account", account.to_string()),
            ("credited", dollars(balance.credited)),
            ("used", dollars(balance.used)),
            ("left", dollars(balance.posted)),
            ("of it leased to nodes", dollars(balance.leased)),
        ];
        table(&rows.map(|(name, value)| vec![name.to_owned(), value]))
    };
    session.result(|| balance_json(&account, &balance), text)?;
    Ok(Code::Done)
}

async fn find_balance(books: &Books, account: &AccountId) -> Result<Balance> {
    let balance = books.store.ledger().balance(account).await?;
    balance.ok_or_else(|| failure(Code::NotFound, format!("there is no account `{account}`")))
}

fn balance_json(account: &AccountId, balance: &Balance) -> Value {
    json!({
        "account": account.as_str(),
        "credited": balance.credited.to_decimal(),
        "used": balance.used.to_decimal(),
        "posted": balance.posted.to_decimal(),
        "leased": balance.leased.to_decimal(),
    })
}

fn dollars(amount: Money) -> String {
    format!("${}", amount.to_decimal())
}
