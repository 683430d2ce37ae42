//! The rules of the ledger as plain values: who may lease what, and who pays for a charge.
//!
//! [`Ledger`] is the model that every database backend is held against: the same steps must give
//! the same answers. [`cover`] is the one rule that both use.
//!
//! Credit moves in three ways: granted to an account, leased by a node, charged for a generation.
//! A charge first uses up the node's lease, then what nobody has leased. What a provider spent
//! beyond that is the operator's (`absorbed`): an account never goes below its leases, nor below
//! zero.

use crate::id::{AccountId, NodeId};
use crate::money::Money;
use std::collections::BTreeMap;

/// Accounts that belong to the house. Every posting has one of them on its other side.
pub mod house {
    /// Charges arrive here.
    pub const REVENUE: &str = "acct_revenue";
    /// Credit comes from here: its balance is below zero by what was granted.
    pub const GRANTS: &str = "acct_grants";
    /// What the operator bears: charges beyond an account's credit, and failed attempts.
    pub const ABSORBED: &str = "acct_absorbed";
    /// What providers are owed for attempts nobody was charged for.
    pub const PROVIDERS: &str = "acct_providers";

    /// All of them, in the order in which they are locked.
    pub const ALL: [&str; 4] = [ABSORBED, GRANTS, PROVIDERS, REVENUE];
}

/// A run of a node. A node that starts again has a higher epoch, and what still runs with an older
/// one may neither lease nor renew.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lessee {
    pub node: NodeId,
    pub epoch: i64,
}

/// Who pays for a charge. The parts add up to its amount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cover {
    /// Out of the node's lease on the account.
    pub from_lease: Money,
    /// Out of what is posted and not leased.
    pub from_free: Money,
    /// Beyond the account's credit: absorbed by the operator, and flagged.
    pub uncovered: Money,
}

impl Cover {
    /// What the account pays.
    pub const fn paid(&self) -> Money {
        self.from_lease.saturating_add(self.from_free)
    }
}

/// Splits a charge of `amount` given the node's `lease` and the account's `free` credit, none of
/// them below zero.
pub fn cover(amount: Money, lease: Money, free: Money) -> Cover {
    let from_lease = amount.min(lease);
    let rest = amount.saturating_sub(from_lease);
    let from_free = rest.min(free);
    Cover {
        from_lease,
        from_free,
        uncovered: rest.saturating_sub(from_free),
    }
}

/// How much of `free` a request for `want`, but at least `need`, gets. `None`: less than `need`
/// is left.
pub fn share(free: Money, need: Money, want: Money) -> Option<Money> {
    (free >= need).then(|| want.max(need).min(free))
}

/// Something that happens to the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Credit from the house, once per id.
    Grant {
        id: String,
        account: AccountId,
        amount: Money,
    },
    /// A node takes credit in bulk.
    Take {
        lessee: Lessee,
        account: AccountId,
        need: Money,
        want: Money,
    },
    /// A node returns what it does not need.
    GiveBack {
        lessee: Lessee,
        account: AccountId,
        amount: Money,
    },
    /// A node starts again; its leases end.
    Reset { node: NodeId },
    /// What a generation cost, once per id.
    Post {
        id: String,
        node: NodeId,
        account: AccountId,
        amount: Money,
        /// Failed attempts, borne by the operator.
        absorbed: Money,
    },
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    Granted,
    Leased {
        amount: Money,
        /// The node's whole lease on the account.
        total: Money,
        /// What nobody has leased, after this step.
        free: Money,
    },
    GaveBack(Money),
    Reset {
        epoch: i64,
        released: Money,
    },
    Posted(Cover),
    /// The id was there already, with the same details (or, for a post, with any): nothing changed.
    Seen,
}

/// Why a step changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    UnknownAccount,
    /// The id is taken by something else.
    Conflict,
    /// An amount that must be positive is not, or must not be negative and is.
    BadAmount,
    Insufficient {
        free: Money,
    },
    /// The node has started again since.
    Fenced,
    /// More than the ledger can count.
    TooLarge,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Posting {
    Grant(AccountId, Money),
    Charge,
}

/// The model. Small amounts of anything: it clones and compares whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// What is posted to each account: grants less charges.
    posted: BTreeMap<AccountId, Money>,
    leases: BTreeMap<(AccountId, NodeId), Money>,
    epochs: BTreeMap<NodeId, i64>,
    postings: BTreeMap<String, Posting>,
    granted: Money,
    spent: Money,
    absorbed: Money,
}

impl Ledger {
    /// Makes an account known. Opening it again changes nothing.
    pub fn open_account(&mut self, account: AccountId) {
        self.posted.entry(account).or_default();
    }

    /// Applies a step, or changes nothing and says why.
    pub fn apply(&mut self, step: Step) -> Result<Done, Refusal> {
        match step {
            Step::Grant {
                id,
                account,
                amount,
            } => self.grant(id, account, amount),
            Step::Take {
                lessee,
                account,
                need,
                want,
            } => self.take(lessee, account, need, want),
            Step::GiveBack {
                lessee,
                account,
                amount,
            } => self.give_back(lessee, account, amount),
            Step::Reset { node } => Ok(self.reset(node)),
            Step::Post {
                id,
                node,
                account,
                amount,
                absorbed,
            } => self.post(id, node, account, amount, absorbed),
        }
    }

    fn grant(&mut self, id: String, account: AccountId, amount: Money) -> Result<Done, Refusal> {
        if amount <= Money::ZERO {
            return Err(Refusal::BadAmount);
        }
        let posted = self.posted.get(&account).ok_or(Refusal::UnknownAccount)?;
        if let Some(known) = self.postings.get(&id) {
            let is_same = *known == Posting::Grant(account, amount);
            return if is_same {
                Ok(Done::Seen)
            } else {
                Err(Refusal::Conflict)
            };
        }
        let posted = posted.checked_add(amount).ok_or(Refusal::TooLarge)?;
        self.granted = self.granted.checked_add(amount).ok_or(Refusal::TooLarge)?;
        self.posted.insert(account.clone(), posted);
        self.postings.insert(id, Posting::Grant(account, amount));
        Ok(Done::Granted)
    }

    fn take(
        &mut self,
        lessee: Lessee,
        account: AccountId,
        need: Money,
        want: Money,
    ) -> Result<Done, Refusal> {
        if need <= Money::ZERO {
            return Err(Refusal::BadAmount);
        }
        self.fence(&lessee)?;
        if !self.posted.contains_key(&account) {
            return Err(Refusal::UnknownAccount);
        }
        let free = self.free(&account);
        let amount = share(free, need, want).ok_or(Refusal::Insufficient { free })?;
        let lease = self.leases.entry((account, lessee.node)).or_default();
        *lease = lease.saturating_add(amount);
        Ok(Done::Leased {
            amount,
            total: *lease,
            free: free.saturating_sub(amount),
        })
    }

    fn give_back(
        &mut self,
        lessee: Lessee,
        account: AccountId,
        amount: Money,
    ) -> Result<Done, Refusal> {
        if amount.is_negative() {
            return Err(Refusal::BadAmount);
        }
        self.fence(&lessee)?;
        if !self.posted.contains_key(&account) {
            return Err(Refusal::UnknownAccount);
        }
        Ok(Done::GaveBack(self.shrink(account, lessee.node, amount)))
    }

    fn reset(&mut self, node: NodeId) -> Done {
        let mut released = Money::ZERO;
        self.leases.retain(|(_, lessee), amount| {
            if *lessee == node {
                released = released.saturating_add(*amount);
            }
            *lessee != node
        });
        let epoch = self.epochs.entry(node).or_default();
        *epoch = epoch.saturating_add(1);
        Done::Reset {
            epoch: *epoch,
            released,
        }
    }

    fn post(
        &mut self,
        id: String,
        node: NodeId,
        account: AccountId,
        amount: Money,
        absorbed: Money,
    ) -> Result<Done, Refusal> {
        if amount.is_negative() || absorbed.is_negative() {
            return Err(Refusal::BadAmount);
        }
        let posted = *self.posted.get(&account).ok_or(Refusal::UnknownAccount)?;
        if self.postings.contains_key(&id) {
            return Ok(Done::Seen);
        }
        let lease = self.lease(&account, &node);
        let cover = cover(amount, lease, self.free(&account));
        let borne = cover
            .uncovered
            .checked_add(absorbed)
            .and_then(|borne| self.absorbed.checked_add(borne))
            .ok_or(Refusal::TooLarge)?;
        self.absorbed = borne;
        self.spent = self.spent.saturating_add(cover.paid());
        self.posted
            .insert(account.clone(), posted.saturating_sub(cover.paid()));
        self.shrink(account, node, cover.from_lease);
        self.postings.insert(id, Posting::Charge);
        Ok(Done::Posted(cover))
    }

    fn fence(&self, lessee: &Lessee) -> Result<(), Refusal> {
        let is_current = self.epochs.get(&lessee.node) == Some(&lessee.epoch);
        is_current.then_some(()).ok_or(Refusal::Fenced)
    }

    fn shrink(&mut self, account: AccountId, node: NodeId, amount: Money) -> Money {
        let key = (account, node);
        let Some(lease) = self.leases.get_mut(&key) else {
            return Money::ZERO;
        };
        let amount = amount.min(*lease);
        *lease = lease.saturating_sub(amount);
        if lease.is_zero() {
            self.leases.remove(&key);
        }
        amount
    }

    /// A node's lease on an account.
    pub fn lease(&self, account: &AccountId, node: &NodeId) -> Money {
        let key = (account.clone(), node.clone());
        self.leases.get(&key).copied().unwrap_or_default()
    }

    /// What is posted to an account.
    pub fn posted(&self, account: &AccountId) -> Money {
        self.posted.get(account).copied().unwrap_or_default()
    }

    /// What nobody has leased from an account.
    pub fn free(&self, account: &AccountId) -> Money {
        let leased = self.leases.iter().filter(|((of, _), _)| of == account);
        let leased = sum(leased.map(|(_, amount)| *amount));
        self.posted(account).saturating_sub(leased)
    }

    /// All credit ever granted.
    pub fn granted(&self) -> Money {
        self.granted
    }

    /// Credit in nobody's lease.
    pub fn available(&self) -> Money {
        sum(self.posted.values().copied()).saturating_sub(self.held())
    }

    /// Credit leased by nodes.
    pub fn held(&self) -> Money {
        sum(self.leases.values().copied())
    }

    /// What accounts paid.
    pub fn spent(&self) -> Money {
        self.spent
    }

    /// What the operator bore.
    pub fn absorbed(&self) -> Money {
        self.absorbed
    }
}

fn sum(amounts: impl Iterator<Item = Money>) -> Money {
    amounts.fold(Money::ZERO, Money::saturating_add)
}

#[cfg(test)]
mod tests;
