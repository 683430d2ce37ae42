//! Credit that nodes take in bulk, so that a request needs no database (ADR 0003).
//!
//! Whoever changes leases holds the account's row first: the sum of an account's leases and its
//! `leased_nano` change together, and two nodes after the last cent cannot both win.

use crate::db::{Db, Tx};
use crate::{Error, sql};
use interline_domain::id::{AccountId, NodeId};
use interline_domain::ledger::{Lessee, share};
use interline_domain::{Money, Timestamp};
use sea_orm::QueryResult;
use std::sync::Arc;
use std::time::Duration;

/// A node's wish for credit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRequest {
    pub lessee: Lessee,
    pub account: AccountId,
    /// Less than this is of no use.
    pub need: Money,
    /// As much of this as there is.
    pub want: Money,
    /// How long the lease may be spent from without being renewed.
    pub ttl: Duration,
}

/// What a node got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakeLease {
    Granted {
        /// Added by this call.
        amount: Money,
        /// The node's whole lease on the account. It shrinks as charges are posted.
        lease_total: Money,
        epoch: i64,
        expires_at: Timestamp,
        /// What nobody has leased, after this.
        available_after: Money,
    },
    Insufficient {
        available: Money,
    },
    /// The node has started again since: this run must stop spending.
    Fenced,
}

/// A lease as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRow {
    pub node: NodeId,
    pub account: AccountId,
    pub epoch: i64,
    pub amount: Money,
    pub expires_at: Timestamp,
}

impl LeaseRow {
    pub(crate) const COLUMNS: &str = "node_id, account_id, epoch, amount_nano, expires_at";

    pub(crate) fn read(row: &QueryResult) -> Result<Self, Error> {
        let node: String = sql::get(row, 0)?;
        Ok(Self {
            node: NodeId::parse(&node).ok_or_else(|| Error::Corrupt(format!("node `{node}`")))?,
            account: sql::account_id(row, 1)?,
            epoch: sql::get(row, 2)?,
            amount: sql::money(row, 3)?,
            expires_at: sql::timestamp(row, 4)?,
        })
    }
}

/// A node that starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reset {
    /// What this run leases and renews as.
    pub lessee: Lessee,
    /// What earlier runs had leased and is free again.
    pub released: Money,
}

const LOCK: &str = "SELECT posted_nano, leased_nano FROM account WHERE id = $1 AND kind = 'user'";
/// Test and change are one statement.
const RESERVE: &str = "UPDATE account SET leased_nano = leased_nano + $2 \
    WHERE id = $1 AND posted_nano - leased_nano >= $2";
const RELEASE: &str = "UPDATE account SET leased_nano = leased_nano - $2 WHERE id = $1";
const EXTEND: &str = "INSERT INTO lease (node_id, account_id, epoch, amount_nano, expires_at) \
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT (account_id, node_id) DO UPDATE SET \
    amount_nano = lease.amount_nano + excluded.amount_nano, epoch = excluded.epoch, \
    expires_at = excluded.expires_at RETURNING amount_nano";

/// The handle on leases.
#[derive(Clone, Debug)]
pub struct Leases {
    db: Db,
}

impl Leases {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }

    /// Begins a run of a node: ends the leases of its earlier runs and fences them off.
    ///
    /// To be called once per start, after the records of the node's spool were posted: what they
    /// cost is then no longer part of the leases that end here. Also how an operator declares a
    /// lost node's spool lost.
    pub async fn reset_node(&self, node: &NodeId, now: Timestamp) -> Result<Reset, Error> {
        let begin = "INSERT INTO node (id, epoch, last_seen_at) VALUES ($1, 1, $2) \
            ON CONFLICT (id) DO UPDATE SET epoch = node.epoch + 1, \
            last_seen_at = excluded.last_seen_at RETURNING epoch";
        let held = "SELECT account_id FROM lease WHERE node_id = $1 ORDER BY account_id";
        let end = "DELETE FROM lease WHERE node_id = $1 AND account_id = $2 RETURNING amount_nano";
        self.db
            .write(|tx: Arc<Tx>| async move {
                let tx = &*tx;
                let id = node.as_str();
                // The node's row first: from here on its earlier runs take nothing more.
                let row = sql::one(tx, begin, [id.into(), now.micros().into()]).await?;
                let row = row.ok_or_else(|| Error::Corrupt(format!("node `{id}`")))?;
                let epoch = sql::get(&row, 0)?;
                let mut released = Money::ZERO;
                for row in sql::all(tx, held, [id.into()]).await? {
                    let account: String = sql::get(&row, 0)?;
                    self.lock(tx, &account).await?;
                    // The amount as it is now that nobody else can change it.
                    let values = [id.into(), account.as_str().into()];
                    if let Some(row) = sql::one(tx, end, values).await? {
                        let amount = sql::money(&row, 0)?;
                        sql::execute(tx, RELEASE, [account.into(), amount.nano().into()]).await?;
                        released = released.saturating_add(amount);
                    }
                }
                Ok(Reset {
                    lessee: Lessee {
                        node: node.clone(),
                        epoch,
                    },
                    released,
                })
            })
            .await
    }

    /// Takes as much as is wanted, or all there is, but at least what is needed.
    ///
    /// Not idempotent: if the answer is lost, the lease in the database is larger than the node
    /// knows, which costs nobody anything and ends with the next [`Self::reset_node`].
    pub async fn take(&self, request: &LeaseRequest, now: Timestamp) -> Result<TakeLease, Error> {
        if request.need <= Money::ZERO {
            return Err(Error::BadAmount(request.need.nano()));
        }
        self.db
            .write(|tx: Arc<Tx>| async move { self.take_in(&tx, request, now).await })
            .await
    }

    async fn take_in(
        &self,
        tx: &Tx,
        request: &LeaseRequest,
        now: Timestamp,
    ) -> Result<TakeLease, Error> {
        let (node, account) = (request.lessee.node.as_str(), request.account.as_str());
        if !self.is_current(tx, &request.lessee).await? {
            return Ok(TakeLease::Fenced);
        }
        let available = self.lock(tx, account).await?;
        let available = available.ok_or_else(|| Error::UnknownAccount(account.to_owned()))?;
        let Some(amount) = share(available, request.need, request.want) else {
            return Ok(TakeLease::Insufficient { available });
        };
        let values = [account.into(), amount.nano().into()];
        if sql::execute(tx, RESERVE, values).await? == 0 {
            return Ok(TakeLease::Insufficient { available });
        }
        let expires_at = now.after(request.ttl);
        let values = [
            node.into(),
            account.into(),
            request.lessee.epoch.into(),
            amount.nano().into(),
            expires_at.micros().into(),
        ];
        let row = sql::one(tx, EXTEND, values).await?;
        let row = row.ok_or_else(|| Error::Corrupt(format!("lease of `{node}`")))?;
        Ok(TakeLease::Granted {
            amount,
            lease_total: sql::money(&row, 0)?,
            epoch: request.lessee.epoch,
            expires_at,
            available_after: available.saturating_sub(amount),
        })
    }

    /// Returns what a node does not need; answers how much that was, which is less than `amount`
    /// if the lease is smaller. `None`: fenced.
    pub async fn give_back(
        &self,
        lessee: &Lessee,
        account: &AccountId,
        amount: Money,
    ) -> Result<Option<Money>, Error> {
        if amount.is_negative() {
            return Err(Error::BadAmount(amount.nano()));
        }
        let find = "SELECT amount_nano FROM lease WHERE node_id = $1 AND account_id = $2";
        self.db
            .write(|tx: Arc<Tx>| async move {
                let tx = &*tx;
                if !self.is_current(tx, lessee).await? {
                    return Ok(None);
                }
                let (node, account) = (lessee.node.as_str(), account.as_str());
                if self.lock(tx, account).await?.is_none() {
                    return Err(Error::UnknownAccount(account.to_owned()));
                }
                let row = sql::one(tx, find, [node.into(), account.into()]).await?;
                let lease = row.map(|row| sql::money(&row, 0)).transpose()?;
                let amount = lease.unwrap_or_default().min(amount);
                if !amount.is_zero() {
                    shrink(tx, node, account, amount).await?;
                    let values = [account.into(), amount.nano().into()];
                    sql::execute(tx, RELEASE, values).await?;
                }
                Ok(Some(amount))
            })
            .await
    }

    /// Keeps all leases of a run valid for another `ttl`; answers until when. `None`: fenced, and
    /// this run must stop spending.
    pub async fn renew(
        &self,
        lessee: &Lessee,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<Option<Timestamp>, Error> {
        let seen = "UPDATE node SET last_seen_at = $3 WHERE id = $1 AND epoch = $2";
        let renew = "UPDATE lease SET expires_at = $3 WHERE node_id = $1 AND epoch = $2";
        let expires_at = now.after(ttl);
        self.db
            .write(|tx: Arc<Tx>| async move {
                let tx = &*tx;
                let values = |at: Timestamp| {
                    [
                        lessee.node.as_str().into(),
                        lessee.epoch.into(),
                        at.micros().into(),
                    ]
                };
                if sql::execute(tx, seen, values(now)).await? == 0 {
                    return Ok(None);
                }
                sql::execute(tx, renew, values(expires_at)).await?;
                Ok(Some(expires_at))
            })
            .await
    }

    /// The leases of a node, at most one per account.
    pub async fn of_node(&self, node: &NodeId) -> Result<Vec<LeaseRow>, Error> {
        let text = format!(
            "SELECT {} FROM lease WHERE node_id = $1 ORDER BY account_id",
            LeaseRow::COLUMNS
        );
        let rows = sql::all(self.db.reader(), text, [node.as_str().into()]).await?;
        rows.iter().map(LeaseRow::read).collect()
    }

    /// Locks an account's row; what is free of it, if there is such an account.
    async fn lock(&self, tx: &Tx, account: &str) -> Result<Option<Money>, Error> {
        let text = format!("{LOCK}{}", self.db.for_update());
        let Some(row) = sql::one(tx, text, [account.into()]).await? else {
            return Ok(None);
        };
        let free = sql::money(&row, 0)?.saturating_sub(sql::money(&row, 1)?);
        Ok(Some(free))
    }

    /// Whether this run is the node's latest. Locks the node's row, so that a new run waits for
    /// what this one is just doing; the node's row always comes before any account's.
    async fn is_current(&self, tx: &Tx, lessee: &Lessee) -> Result<bool, Error> {
        let text = format!(
            "SELECT epoch FROM node WHERE id = $1 AND epoch = $2{}",
            self.db.for_update()
        );
        let values = [lessee.node.as_str().into(), lessee.epoch.into()];
        Ok(sql::one(tx, text, values).await?.is_some())
    }
}

/// Takes `amount` off a lease, and removes it if nothing is left. The caller has locked the account
/// and knows that the lease is not smaller.
pub(crate) async fn shrink(tx: &Tx, node: &str, account: &str, amount: Money) -> Result<(), Error> {
    let less = "UPDATE lease SET amount_nano = amount_nano - $3 \
                WHERE node_id = $1 AND account_id = $2";
    let empty = "DELETE FROM lease WHERE node_id = $1 AND account_id = $2 AND amount_nano = 0";
    let values = [node.into(), account.into(), amount.nano().into()];
    sql::execute(tx, less, values).await?;
    sql::execute(tx, empty, [node.into(), account.into()]).await?;
    Ok(())
}
