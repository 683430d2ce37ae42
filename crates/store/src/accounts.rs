//! Accounts: owners of credit and keys.

use crate::db::{Db, Tx};
use crate::{Error, sql};
use interline_domain::id::AccountId;
use interline_domain::{Money, Timestamp};
use sea_orm::QueryResult;
use std::sync::Arc;

const COLUMNS: &str = "id, name, email, posted_nano, leased_nano, created_at";

/// An account to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAccount {
    pub id: AccountId,
    pub name: String,
    /// Stored in lower case.
    pub email: Option<String>,
}

/// An account as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    pub name: String,
    pub email: Option<String>,
    /// Credit granted and not yet charged.
    pub posted: Money,
    /// The part of it that nodes have leased.
    pub leased: Money,
    pub created_at: Timestamp,
}

impl Account {
    fn read(row: &QueryResult) -> Result<Self, Error> {
        Ok(Self {
            id: sql::account_id(row, 0)?,
            name: sql::get(row, 1)?,
            email: sql::get(row, 2)?,
            posted: sql::money(row, 3)?,
            leased: sql::money(row, 4)?,
            created_at: sql::timestamp(row, 5)?,
        })
    }
}

/// The handle on accounts. The house's own accounts are not seen through it.
#[derive(Clone, Debug)]
pub struct Accounts {
    db: Db,
}

impl Accounts {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }

    /// Creates an account without credit. The same account again changes nothing;
    /// [`Error::Conflict`] if the id is another's.
    pub async fn create(&self, account: &NewAccount, now: Timestamp) -> Result<Account, Error> {
        let insert = "INSERT INTO account (id, kind, name, email, created_at) \
                      VALUES ($1, 'user', $2, $3, $4) ON CONFLICT (id) DO NOTHING";
        let email = &account.email.as_deref().map(str::to_lowercase);
        let stored = self
            .db
            .write(|tx: Arc<Tx>| async move {
                let tx = &*tx;
                let id = account.id.as_str();
                let values = [
                    id.into(),
                    account.name.as_str().into(),
                    email.clone().into(),
                    now.micros().into(),
                ];
                sql::execute(tx, insert, values).await?;
                let find = format!("SELECT {COLUMNS} FROM account WHERE id = $1 AND kind = 'user'");
                sql::one(tx, find, [id.into()]).await
            })
            .await?;
        let stored = stored.map(|row| Account::read(&row)).transpose()?;
        stored
            .filter(|stored| stored.name == account.name && stored.email == *email)
            .ok_or_else(|| Error::Conflict(account.id.to_string()))
    }

    pub async fn find(&self, id: &AccountId) -> Result<Option<Account>, Error> {
        let find = format!("SELECT {COLUMNS} FROM account WHERE id = $1 AND kind = 'user'");
        let row = sql::one(self.db.reader(), find, [id.as_str().into()]).await?;
        row.map(|row| Account::read(&row)).transpose()
    }

    /// A page of accounts in the order of their ids, after `after`. For operators.
    pub async fn list(&self, after: Option<&AccountId>, max: u32) -> Result<Vec<Account>, Error> {
        let page = format!(
            "SELECT {COLUMNS} FROM account WHERE kind = 'user' AND id > $1 ORDER BY id LIMIT $2"
        );
        let after = after.map_or("", AccountId::as_str);
        let rows = sql::all(
            self.db.reader(),
            page,
            [after.into(), i64::from(max).into()],
        )
        .await?;
        rows.iter().map(Account::read).collect()
    }
}
