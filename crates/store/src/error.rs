//! What can go wrong, and telling "away" from "wrong".

use sea_orm::sqlx;
use sea_orm::{DbErr, RuntimeErr};

/// Why the store did not do as asked. Expected refusals (not enough credit) are outcomes instead.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be reached, or is too busy to answer in time. Trying again later is
    /// right; whether a write took place is unknown.
    #[error("the database is away")]
    Away(#[source] DbErr),
    /// The id is taken by something with other details.
    #[error("`{0}` exists already with other details")]
    Conflict(String),
    #[error("there is no account `{0}`")]
    UnknownAccount(String),
    /// An amount that must be positive is not.
    #[error("{0} nano-dollars is not an amount that can be moved")]
    BadAmount(i64),
    /// A column holds what we never write there.
    #[error("unreadable row: {0}")]
    Corrupt(String),
    /// Neither `sqlite:` nor `postgres:`.
    #[error("`{0}` is not a database address; it starts with sqlite:// or postgres://")]
    BadAddress(String),
    #[error("{path}: {source}")]
    Directory {
        path: String,
        source: std::io::Error,
    },
    #[error("migration {number} ({name}) failed")]
    Migration {
        number: i64,
        name: &'static str,
        source: Box<Error>,
    },
    #[error("the database refused a statement")]
    Database(#[source] DbErr),
}

/// What to do about a failure of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Two transactions met: undone as a whole, to be tried again at once.
    Collision,
    /// Unreachable, overloaded, or out of space.
    Away,
    /// A mistake of ours.
    Wrong,
}

impl Error {
    /// Whether the same call may succeed later without anything being changed.
    pub fn is_away(&self) -> bool {
        match self {
            Self::Away(_) => true,
            Self::Migration { source, .. } => source.is_away(),
            _ => false,
        }
    }

    pub(crate) fn is_collision(&self) -> bool {
        matches!(self, Self::Away(error) if trouble(error) == Trouble::Collision)
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        match trouble(&error) {
            Trouble::Wrong => Self::Database(error),
            Trouble::Collision | Trouble::Away => Self::Away(error),
        }
    }
}

fn trouble(error: &DbErr) -> Trouble {
    let inner = match error {
        DbErr::ConnectionAcquire(_) => return Trouble::Away,
        DbErr::Conn(inner) | DbErr::Exec(inner) | DbErr::Query(inner) => inner,
        _ => return Trouble::Wrong,
    };
    let RuntimeErr::SqlxError(inner) = inner else {
        return Trouble::Wrong;
    };
    match &**inner {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Trouble::Away,
        sqlx::Error::Database(error) => match error.code() {
            Some(code) if is_sqlite(&**error) => sqlite_trouble(&code),
            Some(code) => postgres_trouble(&code),
            None => Trouble::Wrong,
        },
        _ => Trouble::Wrong,
    }
}

fn is_sqlite(error: &dyn sqlx::error::DatabaseError) -> bool {
    error
        .try_downcast_ref::<sea_orm::SqlxSqliteError>()
        .is_some()
}

/// Extended result codes (<https://sqlite.org/rescode.html>); the low byte is the family.
fn sqlite_trouble(code: &str) -> Trouble {
    match code.parse::<i64>().map(|code| code & 0xff) {
        // BUSY, LOCKED
        Ok(5 | 6) => Trouble::Collision,
        // READONLY, IOERR, FULL, CANTOPEN
        Ok(8 | 10 | 13 | 14) => Trouble::Away,
        _ => Trouble::Wrong,
    }
}

/// SQLSTATE (PostgreSQL manual, appendix A).
fn postgres_trouble(code: &str) -> Trouble {
    match code {
        // serialization_failure, deadlock_detected
        "40001" | "40P01" => Trouble::Collision,
        // read_only_sql_transaction: we reached a standby; query_canceled: our own deadline.
        "25006" | "57014" => Trouble::Away,
        // connection exception, insufficient resources, operator intervention, system error
        _ if ["08", "53", "57", "58"]
            .iter()
            .any(|class| code.starts_with(class)) =>
        {
            Trouble::Away
        }
        _ => Trouble::Wrong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_apart() {
        for (code, expected) in [
            ("5", Trouble::Collision),
            ("517", Trouble::Collision),
            ("13", Trouble::Away),
            ("2067", Trouble::Wrong),
            ("275", Trouble::Wrong),
        ] {
            assert_eq!(sqlite_trouble(code), expected, "{code}");
        }
        for (code, expected) in [
            ("40P01", Trouble::Collision),
            ("57P01", Trouble::Away),
            ("53300", Trouble::Away),
            ("23505", Trouble::Wrong),
            ("23514", Trouble::Wrong),
        ] {
            assert_eq!(postgres_trouble(code), expected, "{code}");
        }
    }
}
