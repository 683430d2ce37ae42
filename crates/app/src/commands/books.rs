//! The data directory's database, opened directly: SQLite's log lets others in beside a server.

use super::exit::{Code, WithCode, failure};
use super::session::Session;
use crate::bootstrap::{self, KeyMaker, Owner};
use crate::config::Config;
use crate::secrets::MasterKey;
use crate::{clock, node};
use anyhow::Result;
use interline_domain::id::AccountId;
use interline_store::Store;
use std::path::{Path, PathBuf};

/// An open database and whose it is.
pub(crate) struct Books {
    pub(crate) store: Store,
    pub(crate) owner: Owner,
    pub(crate) config: Config,
    /// Read only by those who may write keys.
    pub(crate) master: Option<MasterKey>,
}

/// What to do about an empty data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfNew {
    /// Do as a first start does, without serving.
    MakeOwner,
    Refuse,
}

impl Books {
    pub(crate) async fn open(session: &Session, when_new: IfNew) -> Result<Self> {
        let config = session.load()?.config;
        let url = node::database_url(&config, &session.data_dir);
        let nothing_yet = || {
            let at = session.data_dir.display();
            let message = format!(
                "there is nothing in {at} yet. Run `{}` or `{}` first, or name another directory \
                 with --data-dir",
                session.again("serve"),
                session.again("init")
            );
            failure(Code::NotFound, message)
        };
        if when_new == IfNew::Refuse && sqlite_path(&url).is_some_and(|path| !path.exists()) {
            return Err(nothing_yet());
        }
        node::create_private_dir(&session.data_dir)?;
        let store = node::open_store(&config, &session.data_dir).await?;
        let is_empty = bootstrap::is_new(&store).await?;
        match sqlite_path(&url) {
            Some(path) => session.note(&format!("database: {} (directly)", path.display())),
            None => session.note("database: PostgreSQL (directly)"),
        }
        let (owner, master) = match when_new {
            IfNew::Refuse => (
                bootstrap::find_owner(&store)
                    .await?
                    .ok_or_else(nothing_yet)?,
                None,
            ),
            IfNew::MakeOwner => {
                let (owner, master) = make_owner(session, &store, is_empty).await?;
                (owner, Some(master))
            }
        };
        if owner.is_first_run {
            session.note("a new installation: the owner's account was made");
        }
        Ok(Self {
            store,
            owner,
            config,
            master,
        })
    }

    /// The account that was named, else the owner's.
    pub(crate) fn account(&self, named: Option<&str>) -> Result<AccountId> {
        let Some(named) = named else {
            return Ok(self.owner.account.clone());
        };
        AccountId::parse(named).ok_or_else(|| {
            failure(
                Code::Usage,
                format!("`{named}` is not the id of an account (acct_…)"),
            )
        })
    }

    /// Whether requests need credit.
    pub(crate) fn requires_credit(&self) -> bool {
        self.config
            .billing
            .require_credits
            .unwrap_or(self.owner.requires_credit)
    }
}

/// Finds or makes the owner, and the key that stored secrets are protected with.
async fn make_owner(session: &Session, store: &Store, is_new: bool) -> Result<(Owner, MasterKey)> {
    let environment = &session.environment;
    let master =
        MasterKey::load(environment, &session.data_dir, is_new).code(Code::Configuration)?;
    let keys = KeyMaker::new(&master);
    let owner = bootstrap::run(store, environment, &keys, false, clock::now()).await?;
    Ok((owner, master))
}

/// The file of a SQLite address; `None` for other databases.
pub(crate) fn sqlite_path(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    Some(Path::new(path.split('?').next()?).to_path_buf())
}
