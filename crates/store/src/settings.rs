//! Stored settings of the installation. They belong to the operator, not to an account.

use crate::db::{Db, Tx};
use crate::{Error, sql};
use interline_domain::Timestamp;
use std::sync::Arc;

/// The handle on settings.
#[derive(Clone, Debug)]
pub struct Settings {
    db: Db,
}

impl Settings {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }

    /// The value of `key`, if it was ever set.
    pub async fn get(&self, key: &str) -> Result<Option<String>, Error> {
        let text = "SELECT value FROM setting WHERE key = $1";
        let row = sql::one(self.db.reader(), text, [key.into()]).await?;
        row.map(|row| sql::get(&row, 0)).transpose()
    }

    /// Sets `key`, whatever it was.
    pub async fn put(&self, key: &str, value: &str, now: Timestamp) -> Result<(), Error> {
        let text = "INSERT INTO setting (key, value, updated_at) VALUES ($1, $2, $3) \
                    ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at";
        let work = |tx: Arc<Tx>| async move {
            let tx = &*tx;
            sql::execute(tx, text, [key.into(), value.into(), now.micros().into()]).await
        };
        self.db.write(work).await.map(|_| ())
    }

    /// Sets `key` unless it is set; says what it is now. Several processes that start together
    /// agree on one value.
    pub async fn put_if_absent(
        &self,
        key: &str,
        value: &str,
        now: Timestamp,
    ) -> Result<String, Error> {
        let insert = "INSERT INTO setting (key, value, updated_at) VALUES ($1, $2, $3) \
                      ON CONFLICT (key) DO NOTHING";
        let find = "SELECT value FROM setting WHERE key = $1";
        self.db
            .write(|tx: Arc<Tx>| async move {
                let tx = &*tx;
                sql::execute(tx, insert, [key.into(), value.into(), now.micros().into()]).await?;
                let row = sql::one(tx, find, [key.into()]).await?;
                let row = row.ok_or_else(|| Error::Corrupt(format!("setting `{key}`")))?;
                sql::get(&row, 0)
            })
            .await
    }

    /// Removes `key`; says whether it was there.
    pub async fn remove(&self, key: &str) -> Result<bool, Error> {
        let text = "DELETE FROM setting WHERE key = $1";
        let work = |tx: Arc<Tx>| async move { sql::execute(&*tx, text, [key.into()]).await };
        Ok(self.db.write(work).await? > 0)
    }
}
