//! The first run: an owner, keys, credit. Later runs find them and change nothing.

use crate::environment::Environment;
use crate::secrets::{self, MasterKey};
use anyhow::{Context, Result, bail};
use interline_domain::id::{AccountId, UserId};
use interline_domain::{Money, Timestamp};
use interline_gateway::keys::{KEY_PREFIX, Keys, hash_of};
use interline_store::{KeyKind, LimitReset, NewAccount, NewKey, Store};

const OWNER: &str = "owner.account";
const REQUIRE_CREDITS: &str = "billing.require_credits";
/// Cap of the key that a first run without credit hands out, per day.
const FIRST_KEY_LIMIT: Money = Money::from_dollars(5);

/// What a start found or made.
pub(crate) struct Owner {
    pub(crate) account: AccountId,
    /// Stored by the first run; the configuration may overrule it.
    pub(crate) requires_credit: bool,
    /// Made just now, to be shown once: only on a first run without a key from the environment.
    pub(crate) first_key: Option<String>,
    pub(crate) is_first_run: bool,
}

/// Whether anybody was here before.
pub(crate) async fn is_new(store: &Store) -> Result<bool> {
    Ok(store.settings().get(OWNER).await?.is_none())
}

/// The owner that an earlier run made.
pub(crate) async fn find_owner(store: &Store) -> Result<Option<Owner>> {
    let Some(id) = store.settings().get(OWNER).await? else {
        return Ok(None);
    };
    let account = AccountId::parse(&id).context("the stored owner id is unreadable")?;
    let requires_credit = store.settings().get(REQUIRE_CREDITS).await?;
    Ok(Some(Owner {
        account,
        requires_credit: requires_credit.as_deref() != Some("false"),
        first_key: None,
        is_first_run: false,
    }))
}

/// Finds the owner, or makes one. Safe to interrupt: the setting that marks the first run as done
/// is written last, and everything before it is idempotent.
pub(crate) async fn run(
    store: &Store,
    environment: &Environment,
    keys: &KeyMaker<'_>,
    makes_first_key: bool,
    now: Timestamp,
) -> Result<Owner> {
    if let Some(owner) = find_owner(store).await? {
        return Ok(owner);
    }
    // A fixed id: a first run that was cut short finds its own half.
    let account = AccountId::parse("acct_owner").context("a fixed, valid id")?;
    let email = environment.get_or_file("INTERLINE_OWNER_EMAIL")?;
    let owner = NewAccount {
        id: account.clone(),
        name: "Owner".into(),
        email,
    };
    store.accounts().create(&owner, now).await?;

    let credits = environment.get_or_file("INTERLINE_BOOTSTRAP_CREDITS")?;
    if let Some(text) = &credits {
        let amount: Money = text
            .trim()
            .trim_start_matches('$')
            .parse()
            .with_context(|| format!("INTERLINE_BOOTSTRAP_CREDITS: `{text}`"))?;
        if amount > Money::ZERO {
            let ledger = store.ledger();
            ledger
                .grant("grant:bootstrap", &account, amount, "first run", now)
                .await?;
        }
    }
    let given = environment.get_or_file("INTERLINE_BOOTSTRAP_KEY")?;
    let mut first_key = None;
    if let Some(key) = &given {
        check_key("INTERLINE_BOOTSTRAP_KEY", key)?;
        keys.store(store, &account, key, KeySpec::named("bootstrap"), now)
            .await?;
    } else if makes_first_key {
        let key = secrets::new_api_key()?;
        let limit = credits
            .is_none()
            .then_some((FIRST_KEY_LIMIT, Some(LimitReset::Daily)));
        keys.store(
            store,
            &account,
            &key,
            KeySpec {
                limit,
                ..KeySpec::named("first key")
            },
            now,
        )
        .await?;
        first_key = Some(key);
    }
    if let Some(key) = environment.get_or_file("INTERLINE_BOOTSTRAP_MANAGEMENT_KEY")? {
        check_key("INTERLINE_BOOTSTRAP_MANAGEMENT_KEY", &key)?;
        let spec = KeySpec {
            kind: KeyKind::Management,
            ..KeySpec::named("bootstrap management")
        };
        keys.store(store, &account, &key, spec, now).await?;
    }
    let requires_credit = credits.is_some();
    let settings = store.settings();
    settings
        .put(
            REQUIRE_CREDITS,
            if requires_credit { "true" } else { "false" },
            now,
        )
        .await?;
    settings.put(OWNER, account.as_str(), now).await?;
    Ok(Owner {
        account,
        requires_credit,
        first_key,
        is_first_run: true,
    })
}

fn check_key(variable: &str, key: &str) -> Result<()> {
    if !(16..=256).contains(&key.len()) || key.chars().any(|c| c.is_whitespace() || c.is_control())
    {
        bail!("{variable}: a key has 16 to 256 characters and no spaces (ours begin {KEY_PREFIX})");
    }
    Ok(())
}

/// What a key may do.
pub(crate) struct KeySpec {
    pub(crate) name: String,
    pub(crate) kind: KeyKind,
    pub(crate) limit: Option<(Money, Option<LimitReset>)>,
    pub(crate) expires_at: Option<Timestamp>,
}

impl KeySpec {
    pub(crate) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: KeyKind::Inference,
            limit: None,
            expires_at: None,
        }
    }
}

/// Stores keys by their digests.
pub(crate) struct KeyMaker<'a> {
    master: &'a MasterKey,
}

impl<'a> KeyMaker<'a> {
    pub(crate) fn new(master: &'a MasterKey) -> Self {
        Self { master }
    }

    /// What keys are looked up with.
    pub(crate) fn pepper(&self) -> [u8; 32] {
        self.master.derive("api key lookup, version 1")
    }

    pub(crate) async fn store(
        &self,
        store: &Store,
        account: &AccountId,
        key: &str,
        spec: KeySpec,
        now: Timestamp,
    ) -> Result<String> {
        let hash = hash_of(key);
        let creator = UserId::parse("user_owner").map(|id| id.to_string());
        let new = NewKey {
            hash: hash.clone(),
            lookup: Keys::lookup_with(&self.pepper(), key),
            account: account.clone(),
            kind: spec.kind,
            name: spec.name,
            label: secrets::label(key),
            limit: spec.limit.map(|(limit, _)| limit),
            limit_reset: spec.limit.and_then(|(_, reset)| reset),
            include_byok_in_limit: false,
            expires_at: spec.expires_at,
            creator_user_id: creator,
        };
        match store.keys().create(&new, now).await {
            // A first run that was cut short stored it already.
            Ok(_) | Err(interline_store::Error::Conflict(_)) => Ok(hash),
            Err(error) => Err(error.into()),
        }
    }
}
