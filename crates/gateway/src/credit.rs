//! Setting credit aside: first the lease in memory, the store only when the lease is short.

use crate::admission::Admitted;
use crate::keys::Caller;
use crate::refusal::Refusal;
use crate::settings::{Clock, Settings};
use interline_domain::catalogue::{Catalogue, Endpoint};
use interline_domain::id::AccountId;
use interline_domain::ledger::Lessee;
use interline_domain::pricing::{affordable_output, worst_case};
use interline_domain::routing::{Candidate, RoutePlan};
use interline_domain::{ErrorType, Money};
use interline_store::{LeaseRequest, Store, TakeLease};
use interline_wallet::{Hold, OpenHold, Purse};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Answers of endpoints that state no limit are held for up to this many tokens.
const DEFAULT_OUTPUT_TOKENS: u64 = 16_384;
/// A lease brings so many times what was missing, so that the next requests find it.
const LEASE_FACTOR: i64 = 16;
/// … and at most this share of what the account has left, in parts per million.
const LEASE_SHARE_PPM: u32 = 100_000;
/// How long a lease should last.
const LEASE_LASTS: Duration = Duration::from_secs(10);
/// Leases taken for one request that others snatch away, before it is told to come back.
const LEASE_TRIES: usize = 16;
/// Unused credit of an account is given back after this.
const LEASE_IDLE: Duration = Duration::from_mins(1);
const LEASE_TTL: Duration = Duration::from_mins(2);
/// After the store said "no more", nobody asks again for this long.
const REFUSED_FOR: Duration = Duration::from_millis(250);
/// The smallest answer worth asking for when the balance caps it.
const MIN_OUTPUT_TOKENS: u64 = 1;

/// One account on this node.
#[derive(Debug)]
pub struct Account {
    pub id: AccountId,
    pub purse: Arc<Purse>,
    /// One lease is asked for at a time; the others wait and find it there.
    leasing: tokio::sync::Mutex<Leasing>,
}

#[derive(Debug, Default)]
struct Leasing {
    /// Left in the account after the last lease.
    available: Option<Money>,
    /// What the last lease brought, and when.
    last: Option<(Money, Instant)>,
    refused_until: Option<Instant>,
}

impl Leasing {
    /// How much a new lease should bring: enough for a while, and never much of what is left. A
    /// lease that lasted less than a while is followed by one of twice the size, so that a busy
    /// account soon takes one every few seconds.
    fn want(&self, missing: Money, now: Instant) -> Money {
        let generous = Money::from_nano(missing.nano().saturating_mul(LEASE_FACTOR));
        let size = match self.last {
            Some((size, at)) if now.duration_since(at) < LEASE_LASTS => {
                generous.max(size.saturating_add(size))
            }
            _ => generous,
        };
        let share = self
            .available
            .map_or(size, |left| left.share_ppm(LEASE_SHARE_PPM));
        missing.max(size.min(share))
    }
}

/// What was left when a lease could not be had.
struct Rest {
    left: Money,
    /// Taken all the same, for a smaller hold.
    brought: Money,
}

/// All accounts with running requests, and where leases come from.
pub struct Credit {
    store: Store,
    lessee: Lessee,
    clock: Clock,
    requires_credit: bool,
    /// Until when this node may spend what it leased without being heard of by the store.
    lease_valid_until: Mutex<Instant>,
    accounts: Mutex<HashMap<AccountId, Arc<Account>>>,
}

/// A hold, and what it allows each candidate to answer.
pub type Affordable = (Hold, OutputCaps);

/// How long an answer each candidate of the plan may give.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputCaps(Option<Vec<u64>>);

impl OutputCaps {
    /// `None`: the caller's own cap holds, or the endpoint's.
    pub fn of(&self, candidate: usize) -> Option<u64> {
        self.0
            .as_ref()?
            .get(candidate)
            .copied()
            .filter(|cap| *cap < u64::MAX)
    }
}

impl Credit {
    pub fn new(store: Store, lessee: Lessee, clock: Clock, requires_credit: bool) -> Arc<Self> {
        Arc::new(Self {
            store,
            lessee,
            clock,
            requires_credit,
            lease_valid_until: Mutex::new(Instant::now() + LEASE_TTL),
            accounts: Mutex::default(),
        })
    }

    /// What this run of the node leases as.
    pub fn lessee(&self) -> &Lessee {
        &self.lessee
    }

    pub fn account(&self, id: &AccountId) -> Arc<Account> {
        let mut accounts = self.accounts.lock();
        if let Some(account) = accounts.get(id) {
            return Arc::clone(account);
        }
        let account = Arc::new(Account {
            id: id.clone(),
            purse: Purse::new(self.requires_credit),
            leasing: tokio::sync::Mutex::default(),
        });
        accounts.insert(id.clone(), Arc::clone(&account));
        account
    }

    /// Every account on this node, for the operator port and the lease keeper.
    pub fn accounts(&self) -> Vec<Arc<Account>> {
        self.accounts.lock().values().cloned().collect()
    }

    /// Sets the worst case of a request aside, over the dearest candidate.
    ///
    /// If that is too much and the caller named no cap, the answer is capped at what is
    /// affordable; with a cap, candidates that are too dear leave the plan. When none is left the
    /// refusal names what would be affordable.
    pub async fn open_hold(
        &self,
        caller: &Caller,
        admitted: &Admitted,
        route: &mut RoutePlan,
        catalogue: &Catalogue,
        settings: &Settings,
    ) -> Result<Affordable, Refusal> {
        let dearest = route
            .candidates
            .iter()
            .filter_map(|candidate| worst(admitted, catalogue, *candidate))
            .max()
            .unwrap_or_default();
        let shortage = match self.try_hold(caller, dearest).await? {
            Ok(hold) => return Ok((hold, OutputCaps::default())),
            Err(shortage) => shortage,
        };
        let budget = shortage.budget();
        if admitted.facts.max_tokens.is_some() {
            route.candidates.retain(|candidate| {
                worst(admitted, catalogue, *candidate).is_some_and(|cost| cost <= budget)
            });
            let dearest = route
                .candidates
                .iter()
                .filter_map(|c| worst(admitted, catalogue, *c))
                .max();
            if let Some(amount) = dearest
                && let Ok(hold) = self.try_hold(caller, amount).await?
            {
                return Ok((hold, OutputCaps::default()));
            }
        } else {
            let caps: Vec<u64> = route
                .candidates
                .iter()
                .map(|candidate| cap(admitted, catalogue, *candidate, budget).unwrap_or(0))
                .collect();
            let mut kept = caps.iter().map(|cap| *cap >= MIN_OUTPUT_TOKENS);
            route.candidates.retain(|_| kept.next().unwrap_or(false));
            let caps: Vec<u64> = caps
                .into_iter()
                .filter(|cap| *cap >= MIN_OUTPUT_TOKENS)
                .collect();
            if !caps.is_empty()
                && let Ok(hold) = self.try_hold(caller, budget).await?
            {
                return Ok((hold, OutputCaps(Some(caps))));
            }
        }
        Err(refusal(admitted, catalogue, &shortage, settings))
    }

    /// From the lease, else from the account through a new lease.
    async fn try_hold(
        &self,
        caller: &Caller,
        amount: Money,
    ) -> Result<Result<Hold, Shortage>, Refusal> {
        let account = &caller.account;
        if self.requires_credit && *self.lease_valid_until.lock() <= Instant::now() {
            // A lapsed lease may have been given to others: heard of first, spent then.
            self.renew(LEASE_TTL).await;
            if *self.lease_valid_until.lock() <= Instant::now() {
                return Err(Refusal::unavailable(
                    "Credit cannot be confirmed right now. Try again shortly.",
                    Duration::from_secs(5),
                ));
            }
        }
        match account.purse.open_hold(&caller.key_hash, amount) {
            OpenHold::Opened(hold) => return Ok(Ok(hold)),
            OpenHold::KeyLimit {
                limit,
                remaining,
                held_by_others,
            } => {
                return Ok(Err(Shortage::Key {
                    limit,
                    remaining,
                    held_by_others,
                }));
            }
            OpenHold::Short { .. } => {}
        }
        let mut leasing = account.leasing.lock().await;
        for _ in 0..LEASE_TRIES {
            // Whoever had the lock before may have brought enough for us too; and requests that
            // need no lease may have taken what we just brought.
            let (missing, free, held) = match account.purse.open_hold(&caller.key_hash, amount) {
                OpenHold::Opened(hold) => return Ok(Ok(hold)),
                OpenHold::KeyLimit {
                    limit,
                    remaining,
                    held_by_others,
                } => {
                    return Ok(Err(Shortage::Key {
                        limit,
                        remaining,
                        held_by_others,
                    }));
                }
                OpenHold::Short {
                    missing,
                    free,
                    held_by_others,
                } => (missing, free, held_by_others),
            };
            if let Some(shortage) = self.extend_lease(account, &mut leasing, missing).await? {
                return Ok(Err(Shortage::Account {
                    left: shortage.left,
                    free: free.saturating_add(shortage.brought),
                    held_by_others: held,
                }));
            }
        }
        Err(Refusal::unavailable(
            "Credit is being spent faster than it can be leased. Try again.",
            Duration::from_secs(1),
        ))
    }

    /// Takes more credit out of the account. `Some`: there is not that much.
    async fn extend_lease(
        &self,
        account: &Account,
        leasing: &mut Leasing,
        missing: Money,
    ) -> Result<Option<Rest>, Refusal> {
        let now = Instant::now();
        if leasing.refused_until.is_some_and(|until| until > now) {
            let left = leasing.available.unwrap_or_default();
            return Ok(Some(Rest {
                left,
                brought: Money::ZERO,
            }));
        }
        let taken = self
            .lease(account, missing, leasing.want(missing, now))
            .await;
        let taken = taken.map_err(|error| {
            tracing::error!(%error, "no lease could be taken");
            Refusal::unavailable(
                "Credit cannot be checked right now. Try again shortly.",
                Duration::from_secs(2),
            )
        })?;
        match taken {
            TakeLease::Granted {
                amount,
                available_after,
                ..
            } => {
                account.purse.lease_granted(amount);
                leasing.available = Some(available_after);
                leasing.refused_until = None;
                leasing.last = Some((amount, now));
                Ok(None)
            }
            TakeLease::Fenced => {
                tracing::error!("another run of this node took over: no more leases here");
                Err(Refusal::unavailable(
                    "This node was replaced by another. Try again.",
                    Duration::from_secs(1),
                ))
            }
            TakeLease::Insufficient { available } => {
                leasing.refused_until = Some(now + REFUSED_FOR);
                // What is left in the account still counts towards a smaller hold.
                let brought = self.lease_rest(account, available).await;
                leasing.available = Some(available.saturating_sub(brought));
                Ok(Some(Rest {
                    left: available.saturating_sub(brought),
                    brought,
                }))
            }
        }
    }

    async fn lease(
        &self,
        account: &Account,
        need: Money,
        want: Money,
    ) -> Result<TakeLease, interline_store::Error> {
        let request = LeaseRequest {
            lessee: self.lessee.clone(),
            account: account.id.clone(),
            need,
            want,
            ttl: LEASE_TTL,
        };
        self.store.leases().take(&request, (self.clock)()).await
    }

    /// Keeps what this node has leased. A lease that could not be renewed for its whole life is not
    /// spent from.
    pub async fn renew(&self, ttl: Duration) {
        // Counted from before the question: the store cannot have meant later.
        let asked = Instant::now();
        match self
            .store
            .leases()
            .renew(&self.lessee, (self.clock)(), ttl)
            .await
        {
            Ok(Some(_)) => *self.lease_valid_until.lock() = asked + ttl,
            Ok(None) => tracing::error!("another run of this node took over its leases"),
            Err(error) => tracing::warn!(%error, "leases could not be renewed"),
        }
    }

    /// Near the end the whole rest is taken, so that it can still be spent to the last cent.
    async fn lease_rest(&self, account: &Account, available: Money) -> Money {
        if available <= Money::ZERO {
            return Money::ZERO;
        }
        match self.lease(account, available, available).await {
            Ok(TakeLease::Granted { amount, .. }) => {
                account.purse.lease_granted(amount);
                amount
            }
            _ => Money::ZERO,
        }
    }

    /// Gives back what accounts without recent requests have lying here, so that other nodes and
    /// the balance see it.
    pub async fn give_back_idle(&self) {
        let now = Instant::now();
        for account in self.accounts() {
            let is_idle = account.leasing.try_lock().is_ok_and(|leasing| {
                leasing
                    .last
                    .is_none_or(|(_, at)| now.duration_since(at) >= LEASE_IDLE)
            });
            if is_idle {
                self.give_back(&account, Money::MAX).await;
            }
        }
    }

    /// Gives unused credit back to its account: on shutdown all of it, else what has been lying
    /// around.
    pub async fn give_back(&self, account: &Account, amount: Money) {
        let given = account.purse.take_back(amount);
        if given.is_zero() {
            return;
        }
        if let Err(error) = self
            .store
            .leases()
            .give_back(&self.lessee, &account.id, given)
            .await
        {
            tracing::warn!(%error, account = %account.id, "a lease could not be given back");
            account.purse.lease_granted(given);
        }
    }
}

/// Why a hold did not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shortage {
    Account {
        left: Money,
        free: Money,
        held_by_others: Money,
    },
    Key {
        limit: Money,
        remaining: Money,
        held_by_others: Money,
    },
}

impl Shortage {
    /// What a hold could take right now.
    fn budget(&self) -> Money {
        match *self {
            Self::Account { free, .. } => free,
            Self::Key {
                remaining,
                held_by_others,
                ..
            } => remaining.saturating_sub(held_by_others).max(Money::ZERO),
        }
    }
}

fn endpoint(catalogue: &Catalogue, candidate: Candidate) -> Option<&Endpoint> {
    catalogue.endpoints().get(candidate.endpoint)
}

/// The longest answer an endpoint gives this caller.
fn output_tokens(admitted: &Admitted, endpoint: &Endpoint) -> u64 {
    let own = endpoint.max_completion_tokens.unwrap_or_else(|| {
        let window = endpoint.context_length.unwrap_or(DEFAULT_OUTPUT_TOKENS);
        window.min(DEFAULT_OUTPUT_TOKENS)
    });
    admitted.facts.max_tokens.unwrap_or(own)
}

fn worst(admitted: &Admitted, catalogue: &Catalogue, candidate: Candidate) -> Option<Money> {
    let endpoint = endpoint(catalogue, candidate)?;
    let exposure = admitted.exposure(output_tokens(admitted, endpoint));
    Some(worst_case(endpoint.prices.as_ref()?, &exposure))
}

fn cap(
    admitted: &Admitted,
    catalogue: &Catalogue,
    candidate: Candidate,
    budget: Money,
) -> Option<u64> {
    let endpoint = endpoint(catalogue, candidate)?;
    let affordable = affordable_output(endpoint.prices.as_ref()?, &admitted.exposure(0), budget)?;
    Some(affordable.min(output_tokens(admitted, endpoint)))
}

/// The 402 that says what is affordable.
fn refusal(
    admitted: &Admitted,
    catalogue: &Catalogue,
    shortage: &Shortage,
    settings: &Settings,
) -> Refusal {
    let url = &settings.credits_url;
    // The plan may be empty by now: what is affordable is asked of every wanted endpoint.
    let endpoints = admitted
        .needs
        .models
        .iter()
        .flat_map(|wanted| catalogue.endpoints_of(wanted.model))
        .filter(|endpoint| endpoint.prices.is_some());
    let exposure = admitted.exposure(0);
    let budget = shortage.budget();
    let wanted = endpoints
        .clone()
        .map(|e| output_tokens(admitted, e))
        .max()
        .unwrap_or(0);
    let affordable = endpoints
        .filter_map(|e| affordable_output(e.prices.as_ref()?, &exposure, budget))
        .max();
    let mut refusal = match (shortage, affordable) {
        (Shortage::Key { limit, .. }, _) => {
            let message = format!(
                "Key limit exceeded (limit {limit}): this request could cost more than is left. {}",
                afford(affordable)
            );
            let mut refusal = Refusal::new(ErrorType::PaymentRequired, message);
            refusal.limit_source = Some("openrouter_key_limit");
            refusal
        }
        (Shortage::Account { .. }, Some(tokens)) if tokens > 0 => {
            let message = format!(
                "This request requires more credits, or fewer max_tokens. You requested up to \
                 {wanted} tokens, but can only afford {tokens}. To increase, visit {url}"
            );
            let mut refusal = Refusal::new(ErrorType::PaymentRequired, message);
            refusal.limit_source = Some("openrouter_credits");
            refusal
        }
        (Shortage::Account { left, free, .. }, _) => {
            let balance = left.saturating_add(*free);
            let message = format!(
                "Insufficient credits: {balance} are left and the prompt alone (up to {} tokens) \
                 costs more. Add more using {url}",
                admitted.facts.prompt_tokens_bound
            );
            let mut refusal = Refusal::new(ErrorType::PaymentRequired, message);
            refusal.limit_source = Some("openrouter_credits");
            refusal
        }
    };
    let held = match shortage {
        Shortage::Account { held_by_others, .. } | Shortage::Key { held_by_others, .. } => {
            *held_by_others
        }
    };
    if !held.is_zero() {
        refusal.message = format!(
            "This request would exceed your available credits given your current in-flight \
             requests. {}",
            refusal.message
        );
        refusal.limit_source = Some("openrouter_in_flight_budget");
        refusal.reason = Some("in_flight_budget_exhausted");
        refusal.retry_after = Some(Duration::from_secs(1));
    }
    refusal.remedy_hint = Some(format!("Add credits at {url} or lower max_tokens."));
    refusal
}

fn afford(tokens: Option<u64>) -> String {
    match tokens {
        Some(tokens) if tokens > 0 => format!("You can afford {tokens} output tokens."),
        _ => "The prompt alone is too expensive.".to_owned(),
    }
}
