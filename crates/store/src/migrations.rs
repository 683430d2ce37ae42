//! Bringing the tables up to date.
//!
//! A migration is SQL text that both databases understand, in `migrations/`, and only ever moves
//! forward. A database that is ahead of this binary is accepted: changes go expand, move,
//! contract, so that the previous version runs on it (R-L5).

use crate::db::{Db, Tx};
use crate::{Error, sql};
use sea_orm::ConnectionTrait as _;
use std::sync::Arc;

struct Migration {
    number: i64,
    name: &'static str,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[Migration {
    number: 1,
    name: "ledger",
    sql: include_str!("../migrations/0001_ledger.sql"),
}];

/// Any number, as long as it is the same in every process of ours: "ILMG".
const POSTGRES_LOCK: i64 = 0x494c_4d47;

/// Runs what is missing, in one transaction each, while no other process does.
pub(crate) async fn run(db: &Db) -> Result<(), Error> {
    let is_postgres = db.is_postgres();
    for migration in MIGRATIONS {
        db.write(|tx: Arc<Tx>| async move {
            let tx = &*tx;
            if is_postgres {
                // Held until the transaction ends. On SQLite the write lock does the same.
                let lock = "SELECT CAST(pg_advisory_xact_lock($1) AS TEXT)";
                sql::all(tx, lock, [POSTGRES_LOCK.into()]).await?;
            }
            migrate(tx, migration, is_postgres).await
        })
        .await
        .map_err(|source| Error::Migration {
            number: migration.number,
            name: migration.name,
            source: Box::new(source),
        })?;
    }
    Ok(())
}

async fn migrate(tx: &Tx, migration: &Migration, is_postgres: bool) -> Result<(), Error> {
    tx.execute_unprepared(
        "CREATE TABLE IF NOT EXISTS migration (number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL)",
    )
    .await?;
    let known = "SELECT name FROM migration WHERE number = $1";
    let known = sql::one(tx, known, [migration.number.into()]).await?;
    if known.is_some() {
        return Ok(());
    }
    if is_postgres {
        tx.execute_unprepared(migration.sql).await?;
    } else {
        // How a table is laid out, not what is in it: the one thing said to SQLite alone.
        let text = migration
            .sql
            .replace("/* SQLITE: WITHOUT ROWID */", "WITHOUT ROWID");
        tx.execute_unprepared(&text).await?;
    }
    let note = "INSERT INTO migration (number, name) VALUES ($1, $2)";
    sql::execute(tx, note, [migration.number.into(), migration.name.into()]).await?;
    Ok(())
}
