//! The double-entry ledger: credit granted, generations charged, and the proof that it adds up.

mod audit;
mod post;

pub use audit::{Audit, Mismatch};
pub use post::{ChargeKind, NewCharge, NewGeneration, PostOutcome, Rejected};

use crate::db::{Db, Tx};
use crate::{Error, sql};
use interline_domain::id::AccountId;
use interline_domain::ledger::house;
use interline_domain::{Money, Timestamp};
use sea_orm::Value;
use std::sync::Arc;

/// The most that one grant or charge may move: a hundred million dollars. Sums of amounts stay far
/// from the ends of 64 bits, where SQLite would go on in floating point.
const MOST_AT_ONCE: Money = Money::from_dollars(100_000_000);

/// An account's credit, as `GET /credits` shows it and as nodes see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Everything ever granted or bought.
    pub credited: Money,
    /// Everything ever charged.
    pub used: Money,
    /// What is left: credited less used.
    pub posted: Money,
    /// The part of `posted` that nodes have leased.
    pub leased: Money,
}

/// What became of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granted {
    Granted,
    /// The same grant was made before; nothing changed.
    Seen,
}

/// The handle on the ledger.
#[derive(Clone, Debug)]
pub struct Ledger {
    db: Db,
}

impl Ledger {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }

    /// Gives credit to an account, once per `id`: the same id again with the same account and
    /// amount changes nothing, with others it is [`Error::Conflict`].
    pub async fn grant(
        &self,
        id: &str,
        account: &AccountId,
        amount: Money,
        note: &str,
        now: Timestamp,
    ) -> Result<Granted, Error> {
        if amount <= Money::ZERO || amount > MOST_AT_ONCE {
            return Err(Error::BadAmount(amount.nano()));
        }
        let credit = "UPDATE account SET posted_nano = posted_nano + $2, \
            credited_nano = credited_nano + $2 WHERE id = $1 AND credited_nano <= $3";
        let insert = "INSERT INTO posting (id, kind, account_id, amount_nano, note, created_at) \
            VALUES ($1, 'grant', $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING";
        let entries = "INSERT INTO entry (posting_id, leg, account_id, amount_nano) \
            VALUES ($1, 0, $2, $3), ($1, 1, $4, $5)";
        self.db
            .write(|tx: Arc<Tx>| async move {
                let tx = &*tx;
                let (to, nano) = (account.as_str(), amount.nano());
                self.require_account(tx, to).await?;
                let values: [Value; 5] = [
                    id.into(),
                    to.into(),
                    nano.into(),
                    note.into(),
                    now.micros().into(),
                ];
                if sql::execute(tx, insert, values).await? == 0 {
                    return seen_grant(tx, id, to, amount).await;
                }
                let most = i64::MAX.saturating_sub(nano);
                let values = [to.into(), nano.into(), most.into()];
                if sql::execute(tx, credit, values).await? == 0 {
                    return Err(Error::BadAmount(nano));
                }
                let other = nano.saturating_neg();
                let values: [Value; 5] = [
                    id.into(),
                    to.into(),
                    nano.into(),
                    house::GRANTS.into(),
                    other.into(),
                ];
                sql::execute(tx, entries, values).await?;
                add_to_house(tx, house::GRANTS, other).await?;
                Ok(Granted::Granted)
            })
            .await
    }

    /// An account's credit; `None` if there is no such account.
    pub async fn balance(&self, account: &AccountId) -> Result<Option<Balance>, Error> {
        let text = "SELECT credited_nano, used_nano, posted_nano, leased_nano \
            FROM account WHERE id = $1 AND kind = 'user'";
        let row = sql::one(self.db.reader(), text, [account.as_str().into()]).await?;
        row.map(|row| {
            Ok(Balance {
                credited: sql::money(&row, 0)?,
                used: sql::money(&row, 1)?,
                posted: sql::money(&row, 2)?,
                leased: sql::money(&row, 3)?,
            })
        })
        .transpose()
    }

    /// Locks an account's row, or says that there is none.
    async fn require_account(&self, tx: &Tx, account: &str) -> Result<(), Error> {
        let text = format!(
            "SELECT 1 FROM account WHERE id = $1 AND kind = 'user'{}",
            self.db.for_update()
        );
        match sql::one(tx, text, [account.into()]).await? {
            Some(_) => Ok(()),
            None => Err(Error::UnknownAccount(account.to_owned())),
        }
    }
}

/// Answers a grant whose id is taken.
async fn seen_grant(tx: &Tx, id: &str, account: &str, amount: Money) -> Result<Granted, Error> {
    let same = "SELECT 1 FROM posting WHERE id = $1 AND kind = 'grant' AND account_id = $2 \
                AND amount_nano = $3";
    let values = [id.into(), account.into(), amount.nano().into()];
    match sql::one(tx, same, values).await? {
        Some(_) => Ok(Granted::Seen),
        None => Err(Error::Conflict(id.to_owned())),
    }
}

/// Changes the balance of one of the house's accounts. Always the last thing in a transaction, in
/// the order of [`house::ALL`]: every node writes these rows.
async fn add_to_house(tx: &Tx, account: &str, nano: i64) -> Result<(), Error> {
    let text = "UPDATE account SET posted_nano = posted_nano + $2 WHERE id = $1";
    sql::execute(tx, text, [account.into(), nano.into()]).await?;
    Ok(())
}
