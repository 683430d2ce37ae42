//! Records of finished calls, for `GET /generation`. Written by [`crate::Ledger::post`].

use crate::db::Db;
use crate::{Error, sql};
use interline_domain::id::{AccountId, GenerationId};
use interline_domain::{Money, Timestamp};

/// A finished call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    pub id: GenerationId,
    pub account: AccountId,
    pub key_hash: Option<String>,
    pub request_id: String,
    pub model: String,
    pub provider_name: String,
    pub status: String,
    /// What the account paid.
    pub usage: Money,
    pub tokens_prompt: i64,
    pub tokens_completion: i64,
    /// The whole record, JSON as it was given to [`crate::Ledger::post`].
    pub record: String,
    pub created_at: Timestamp,
}

/// The handle on generations.
#[derive(Clone, Debug)]
pub struct Generations {
    db: Db,
}

impl Generations {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }

    /// A generation of `account`; another account's is not found.
    pub async fn find(
        &self,
        account: &AccountId,
        id: &GenerationId,
    ) -> Result<Option<Generation>, Error> {
        let text = "SELECT key_hash, request_id, model, provider_name, status, usage_nano, \
                    tokens_prompt, tokens_completion, record, created_at \
                    FROM generation WHERE id = $1 AND account_id = $2";
        let values = [id.as_str().into(), account.as_str().into()];
        let Some(row) = sql::one(self.db.reader(), text, values).await? else {
            return Ok(None);
        };
        Ok(Some(Generation {
            id: id.clone(),
            account: account.clone(),
            key_hash: sql::get(&row, 0)?,
            request_id: sql::get(&row, 1)?,
            model: sql::get(&row, 2)?,
            provider_name: sql::get(&row, 3)?,
            status: sql::get(&row, 4)?,
            usage: sql::money(&row, 5)?,
            tokens_prompt: sql::get(&row, 6)?,
            tokens_completion: sql::get(&row, 7)?,
            record: sql::get(&row, 8)?,
            created_at: sql::timestamp(&row, 9)?,
        }))
    }
}
