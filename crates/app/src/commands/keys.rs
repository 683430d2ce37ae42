//! `interline keys`: made here, switched off here; a running server notices within seconds.

use super::books::{Books, IfNew};
use super::exit::{Code, failure};
use super::session::{Session, confirm, table, time};
use crate::bootstrap::{KeyMaker, KeySpec};
use crate::cli::{CreateKey, KeysVerb};
use crate::{clock, secrets};
use anyhow::{Context, Result};
use interline_domain::{Money, Timestamp};
use interline_gateway::keys::KEY_PREFIX;
use interline_store::{Key, KeyChange, KeyKind, LimitReset};
use serde_json::{Value, json};

/// Keys fetched at once.
const PAGE: u32 = 200;
/// Characters of a secret; labels are far shorter.
const SECRET_CHARACTERS: usize = 64;

pub(crate) async fn run(session: &Session, verb: KeysVerb) -> Result<Code> {
    match verb {
        KeysVerb::Create(options) => create(session, options).await,
        KeysVerb::List => list(session).await,
        KeysVerb::Revoke { key, yes } => revoke(session, &key, yes).await,
    }
}

async fn create(session: &Session, options: CreateKey) -> Result<Code> {
    let books = Books::open(session, IfNew::MakeOwner).await?;
    let master = books
        .master
        .as_ref()
        .context("the master key was not read")?;
    let now = clock::now();
    let secret = secrets::new_api_key()?;
    let spec = KeySpec {
        name: options.name,
        kind: if options.management {
            KeyKind::Management
        } else {
            KeyKind::Inference
        },
        limit: options.limit.map(|limit| (limit.amount, limit.reset)),
        expires_at: options.expires.map(|span| now.after(span)),
    };
    let owner = &books.owner.account;
    let hash = KeyMaker::new(master)
        .store(&books.store, owner, &secret, spec, now)
        .await?;
    let key = books.store.keys().find_by_hash(owner, &hash, now).await?;
    let key = key.context("the key was stored and is not there")?;
    let facts = [
        Some(limit_words(key.limit, key.limit_reset)),
        key.expires_at.map(|at| format!("expires {}", time(at))),
        (key.kind == KeyKind::Management).then(|| "management: it cannot send prompts".to_owned()),
    ];
    let facts: Vec<String> = facts.into_iter().flatten().collect();
    session.note(&format!(
        "key \"{}\": {}; shown once",
        key.name,
        facts.join(", ")
    ));
    let json = || {
        let mut value = key_json(&key, now);
        if let Some(fields) = value.as_object_mut() {
            fields.insert("key".into(), secret.as_str().into());
        }
        value
    };
    session.result(json, || format!("{secret}\n"))?;
    Ok(Code::Done)
}

async fn list(session: &Session) -> Result<Code> {
    let books = Books::open(session, IfNew::Refuse).await?;
    let now = clock::now();
    let keys = all_keys(&books, now).await?;
    let json = || json!({ "data": keys.iter().map(|key| key_json(key, now)).collect::<Vec<_>>() });
    let text = || {
        let mut rows = vec![
            ["LABEL", "NAME", "STATE", "USED", "LIMIT", "HASH"]
                .map(str::to_owned)
                .to_vec(),
        ];
        rows.extend(keys.iter().map(|key| {
            vec![
                key.label.clone(),
                key.name.clone(),
                state(key, now).to_owned(),
                format!("${}", key.usage.total.to_decimal()),
                limit_words(key.limit, key.limit_reset),
                key.hash.chars().take(12).collect(),
            ]
        }));
        table(&rows)
    };
    session.result(json, text)?;
    Ok(Code::Done)
}

/// Switches off rather than deletes: a running server learns of changes, not of absences.
async fn revoke(session: &Session, named: &str, is_agreed: bool) -> Result<Code> {
    if named.starts_with(KEY_PREFIX) && named.len() >= SECRET_CHARACTERS {
        let message = "a secret does not belong on a command line, where others can read it: name \
                       the key by its label or hash (interline keys list)";
        return Err(failure(Code::Usage, message));
    }
    let books = Books::open(session, IfNew::Refuse).await?;
    let now = clock::now();
    let key = pick(all_keys(&books, now).await?, named)?;
    if !key.disabled {
        let question = format!(
            "Key \"{}\" ({}) stops working for good.",
            key.name, key.label
        );
        confirm(&question, is_agreed)?;
        let change = KeyChange {
            disabled: Some(true),
            ..KeyChange::default()
        };
        let owner = &books.owner.account;
        let changed = books
            .store
            .keys()
            .update(owner, &key.hash, &change, now)
            .await?;
        changed.ok_or_else(|| failure(Code::NotFound, "the key is gone"))?;
    }
    let json =
        || json!({ "hash": key.hash, "label": key.label, "name": key.name, "disabled": true });
    let text = || {
        format!(
            "revoked {} \"{}\" (running servers: within 2 s)\n",
            key.label, key.name
        )
    };
    session.result(json, text)?;
    Ok(Code::Done)
}

/// The one key that is meant: by hash, the beginning of it, or label.
fn pick(keys: Vec<Key>, named: &str) -> Result<Key> {
    let named = named.trim();
    let is_prefix = named.len() >= 4 && named.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut found: Vec<Key> = keys
        .into_iter()
        .filter(|key| {
            key.label == named || key.hash == named || (is_prefix && key.hash.starts_with(named))
        })
        .collect();
    match (found.pop(), found.len()) {
        (Some(key), 0) => Ok(key),
        (Some(_), more) => {
            let message = format!(
                "`{named}` could be {} keys; give more of the hash",
                more + 1
            );
            Err(failure(Code::NotFound, message))
        }
        (None, _) => {
            let message = format!("there is no key `{named}`; see `interline keys list`");
            Err(failure(Code::NotFound, message))
        }
    }
}

async fn all_keys(books: &Books, now: Timestamp) -> Result<Vec<Key>> {
    let mut keys = Vec::new();
    loop {
        let skip = u32::try_from(keys.len()).unwrap_or(u32::MAX);
        let page = books
            .store
            .keys()
            .list(&books.owner.account, skip, PAGE, now)
            .await?;
        let is_last = page.len() < PAGE as usize;
        keys.extend(page);
        if is_last {
            return Ok(keys);
        }
    }
}

fn state(key: &Key, now: Timestamp) -> &'static str {
    if key.disabled {
        "revoked"
    } else if key.expires_at.is_some_and(|at| at <= now) {
        "expired"
    } else if key.kind == KeyKind::Management {
        "management"
    } else {
        "active"
    }
}

fn limit_words(limit: Option<Money>, reset: Option<LimitReset>) -> String {
    let Some(limit) = limit else {
        return "no limit".to_owned();
    };
    let period = match reset {
        None => " in all",
        Some(LimitReset::Daily) => "/day",
        Some(LimitReset::Weekly) => "/week",
        Some(LimitReset::Monthly) => "/month",
    };
    format!("${}{period}", limit.to_decimal())
}

fn key_json(key: &Key, now: Timestamp) -> Value {
    json!({
        "hash": key.hash,
        "label": key.label,
        "name": key.name,
        "kind": if key.kind == KeyKind::Management { "management" } else { "inference" },
        "state": state(key, now),
        "disabled": key.disabled,
        "limit": key.limit.map(Money::to_decimal),
        "limit_reset": key.limit_reset.map(LimitReset::as_str),
        "limit_remaining": key.limit_remaining().map(Money::to_decimal),
        "usage": key.usage.total.to_decimal(),
        "usage_daily": key.usage.daily.to_decimal(),
        "usage_weekly": key.usage.weekly.to_decimal(),
        "usage_monthly": key.usage.monthly.to_decimal(),
        "created_at": time(key.created_at),
        "expires_at": key.expires_at.map(time),
    })
}
