//! One account's credit on this node.

use interline_domain::{Money, Timestamp};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// Whether requests need credit at all (`billing.require_credits`), and all amounts of one
/// account on this node.
#[derive(Debug)]
pub struct Purse {
    requires_credit: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Credit taken from the account and not yet given back or posted.
    leased: Money,
    /// Set aside by running requests.
    held: Money,
    /// Charged, durable in the spool, not in the ledger yet.
    unposted: Money,
    keys: HashMap<String, KeyState>,
}

#[derive(Debug, Default)]
struct KeyState {
    budget: Option<KeyBudget>,
    spent: Money,
    held: Money,
}

/// The limit of one key and what it spent in the period before this node counted along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyBudget {
    pub limit: Money,
    pub period: Period,
    /// Spent in the running period, as the ledger has it.
    pub spent: Money,
}

/// When a key's spending starts anew, as the instant the running period began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    pub began_at: Timestamp,
}

/// What came of asking for a hold.
#[derive(Debug)]
pub enum OpenHold {
    Opened(Hold),
    /// The lease does not cover it. The numbers say what a new lease must bring.
    Short {
        /// Missing to open this hold.
        missing: Money,
        /// Set aside by other running requests: may come back.
        held_by_others: Money,
        /// What is free right now.
        free: Money,
    },
    /// The key's own limit stands in the way.
    KeyLimit {
        limit: Money,
        remaining: Money,
        held_by_others: Money,
    },
}

/// The amounts of a purse, for the operator port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PurseStatus {
    pub leased: Money,
    pub held: Money,
    pub unposted: Money,
}

impl PurseStatus {
    /// What a new hold may take.
    pub fn free(&self) -> Money {
        self.leased
            .saturating_sub(self.held)
            .saturating_sub(self.unposted)
    }
}

impl Purse {
    /// An empty purse. `requires_credit: false` meters only: every hold opens, key limits apart.
    pub fn new(requires_credit: bool) -> Arc<Self> {
        Arc::new(Self {
            requires_credit,
            state: Mutex::default(),
        })
    }

    /// Tells the purse what the ledger says of a key. Called when a key is (re)loaded; what this
    /// node counted since in the same period is kept if it is more.
    pub fn set_key_budget(&self, key: &str, budget: Option<KeyBudget>) {
        let mut state = self.state.lock();
        let entry = state.keys.entry(key.to_owned()).or_default();
        let same_period = entry
            .budget
            .zip(budget)
            .is_some_and(|(old, new)| old.period == new.period);
        let loaded = budget.map_or(Money::ZERO, |budget| budget.spent);
        entry.spent = if same_period {
            entry.spent.max(loaded)
        } else {
            loaded
        };
        entry.budget = budget;
    }

    /// Sets `amount` aside, or says what stands in the way. Test and change are one step under
    /// one lock: two requests after the last cent cannot both win.
    pub fn open_hold(self: &Arc<Self>, key: &str, amount: Money) -> OpenHold {
        let mut state = self.state.lock();
        let state = &mut *state;
        let free = state.status().free();
        if self.requires_credit && amount > free {
            return OpenHold::Short {
                missing: amount.saturating_sub(free),
                held_by_others: state.held,
                free: free.max(Money::ZERO),
            };
        }
        // `get_mut` first: the entry API would copy the key for every request.
        if !state.keys.contains_key(key) {
            state.keys.insert(key.to_owned(), KeyState::default());
        }
        if let Some(entry) = state.keys.get_mut(key) {
            if let Some(budget) = entry.budget {
                let remaining = budget.limit.saturating_sub(entry.spent);
                if amount > remaining.saturating_sub(entry.held) {
                    return OpenHold::KeyLimit {
                        limit: budget.limit,
                        remaining: remaining.max(Money::ZERO),
                        held_by_others: entry.held,
                    };
                }
            }
            entry.held = entry.held.saturating_add(amount);
        }
        state.held = state.held.saturating_add(amount);
        OpenHold::Opened(Hold {
            purse: Arc::clone(self),
            key: key.into(),
            amount,
        })
    }

    /// A lease was taken: this much more may be spent here.
    pub fn lease_granted(&self, amount: Money) {
        let mut state = self.state.lock();
        state.leased = state.leased.saturating_add(amount);
    }

    /// Takes up to `amount` of unused credit out of the purse, to be given back to the account.
    pub fn take_back(&self, amount: Money) -> Money {
        let mut state = self.state.lock();
        let given = state.status().free().min(amount).max(Money::ZERO);
        state.leased = state.leased.saturating_sub(given);
        given
    }

    /// The poster moved charges into the ledger: they leave the lease.
    pub fn posted(&self, amount: Money) {
        let mut state = self.state.lock();
        state.unposted = state.unposted.saturating_sub(amount);
        state.leased = state.leased.saturating_sub(amount);
    }

    pub fn status(&self) -> PurseStatus {
        self.state.lock().status()
    }

    /// What this node knows the key has spent in its period, holds apart.
    pub fn key_spent(&self, key: &str) -> Option<Money> {
        self.state.lock().keys.get(key).map(|entry| entry.spent)
    }

    fn close_hold(&self, key: &str, amount: Money, charged: Money) {
        let mut state = self.state.lock();
        state.held = state.held.saturating_sub(amount);
        state.unposted = state.unposted.saturating_add(charged);
        if let Some(entry) = state.keys.get_mut(key) {
            entry.held = entry.held.saturating_sub(amount);
            entry.spent = entry.spent.saturating_add(charged);
        }
    }
}

impl State {
    fn status(&self) -> PurseStatus {
        PurseStatus {
            leased: self.leased,
            held: self.held,
            unposted: self.unposted,
        }
    }
}

/// Credit set aside for one request. Settle it with what was charged; a hold that is dropped
/// (refusal, panic, client gone before anything was produced) gives everything back.
#[derive(Debug)]
pub struct Hold {
    purse: Arc<Purse>,
    key: Box<str>,
    amount: Money,
}

impl Hold {
    pub fn amount(&self) -> Money {
        self.amount
    }

    /// Sets more aside for the same request. `false`: not affordable, nothing changed.
    pub fn extend(&mut self, more: Money) -> bool {
        match self.purse.open_hold(&self.key, more) {
            OpenHold::Opened(mut extra) => {
                self.amount = self.amount.saturating_add(extra.amount);
                extra.amount = Money::ZERO;
                true
            }
            OpenHold::Short { .. } | OpenHold::KeyLimit { .. } => false,
        }
    }

    /// The request is over and owes `charged`; the rest of the hold is free again.
    pub fn settle(mut self, charged: Money) {
        let amount = std::mem::replace(&mut self.amount, Money::ZERO);
        self.purse.close_hold(&self.key, amount, charged);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if !self.amount.is_zero() {
            self.purse.close_hold(&self.key, self.amount, Money::ZERO);
        }
    }
}

#[cfg(test)]
mod tests;
