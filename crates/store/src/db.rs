//! Opening the database, and the one door for writes.

use crate::{Accounts, Error, Generations, Keys, Leases, Ledger, Settings, migrations};
use sea_orm::sqlx::ConnectOptions as _;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    AccessMode, ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    IsolationLevel, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long anything waits for a connection, or for another process's write on SQLite.
const PATIENCE: Duration = Duration::from_secs(5);
/// A statement that takes longer is given up (PostgreSQL). Audits are the slowest.
const STATEMENT_TIMEOUT: Duration = Duration::from_mins(1);
/// Connections per process on PostgreSQL, for each of reads and writes.
const POSTGRES_CONNECTIONS: u32 = 8;
const SQLITE_READERS: u32 = 4;
/// Page cache of each connection: 32 MiB, as SQLite counts it. The default of 2 MiB makes the poster
/// read inner pages of its indexes again and again.
const SQLITE_CACHE: &str = "-32768";
/// Pages in the write-ahead log at which it is moved into the file: 16 MiB. A page that changes in
/// every batch is then copied a quarter as often as by default.
const SQLITE_CHECKPOINT: &str = "4000";
/// Tries of a write that keeps meeting others; the waits in between add up to a third of a second.
const WRITE_TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// What a commit survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A crash of the machine.
    #[default]
    Fsync,
    /// A crash of the process (SQLite: `synchronous = NORMAL`; PostgreSQL decides for itself).
    Buffered,
}

/// Where the database is and how carefully it writes.
#[derive(Clone, Debug)]
pub struct Options {
    /// `sqlite://path/to/file` (created if missing), `sqlite::memory:` (tests), `postgres://…`.
    pub url: String,
    pub durability: Durability,
}

impl Options {
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            durability: Durability::Fsync,
        }
    }
}

/// The database. Cloning is cheap and shares the connections.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) db: Db,
}

impl Store {
    /// Connects with the default options and brings the tables up to date.
    pub async fn open(url: &str) -> Result<Self, Error> {
        Self::connect(Options::new(url)).await
    }

    /// Connects and brings the tables up to date, one process at a time.
    pub async fn connect(options: Options) -> Result<Self, Error> {
        let db = Db::connect(&options).await?;
        migrations::run(&db).await?;
        Ok(Self { db })
    }

    pub fn accounts(&self) -> Accounts {
        Accounts::new(self.db.clone())
    }

    pub fn keys(&self) -> Keys {
        Keys::new(self.db.clone())
    }

    pub fn ledger(&self) -> Ledger {
        Ledger::new(self.db.clone())
    }

    pub fn leases(&self) -> Leases {
        Leases::new(self.db.clone())
    }

    pub fn generations(&self) -> Generations {
        Generations::new(self.db.clone())
    }

    pub fn settings(&self) -> Settings {
        Settings::new(self.db.clone())
    }

    /// Asks the database for a sign of life.
    pub async fn ping(&self) -> Result<(), Error> {
        Ok(self.db.reader.ping().await?)
    }

    /// Closes the connections, after what is running on them.
    pub async fn close(self) -> Result<(), Error> {
        self.db.reader.close_by_ref().await?;
        Ok(self.db.writer.close_by_ref().await?)
    }
}

/// A pool for reading and one for writing. On SQLite the second has one connection: the database
/// has one writer anyway, and waiting in our queue beats waiting in its busy loop.
#[derive(Clone, Debug)]
pub(crate) struct Db {
    reader: DatabaseConnection,
    writer: DatabaseConnection,
}

/// A write transaction.
pub(crate) type Tx = DatabaseTransaction;

/// How a piece of writing ends.
pub(crate) enum End<T> {
    Commit(T),
    /// Undo everything, and still answer.
    Undo(T),
}

impl Db {
    async fn connect(options: &Options) -> Result<Self, Error> {
        if options.url.starts_with("sqlite:") {
            Self::connect_sqlite(options).await
        } else if options.url.starts_with("postgres:") || options.url.starts_with("postgresql:") {
            let mut pool = ConnectOptions::new(options.url.clone());
            quiet(&mut pool)
                .max_connections(POSTGRES_CONNECTIONS)
                .min_connections(1)
                .statement_timeout(STATEMENT_TIMEOUT)
                .test_before_acquire_if_idle_for(Duration::from_secs(10));
            let writer = Database::connect(pool.clone()).await?;
            let reader = Database::connect(pool).await?;
            Ok(Self { reader, writer })
        } else {
            // Not the address itself: it may hold a password.
            let scheme = options.url.split(':').next().unwrap_or_default();
            Err(Error::BadAddress(scheme.to_owned()))
        }
    }

    async fn connect_sqlite(options: &Options) -> Result<Self, Error> {
        let is_memory = options.url.contains(":memory:");
        if !is_memory {
            create_directory(&options.url)?;
        }
        let synchronous = match options.durability {
            Durability::Fsync => SqliteSynchronous::Full,
            Durability::Buffered => SqliteSynchronous::Normal,
        };
        let configure = move |sqlite: SqliteConnectOptions| {
            sqlite
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(synchronous)
                .busy_timeout(PATIENCE)
                .foreign_keys(true)
                .pragma("cache_size", SQLITE_CACHE)
                .pragma("wal_autocheckpoint", SQLITE_CHECKPOINT)
                .disable_statement_logging()
        };
        let mut pool = ConnectOptions::new(options.url.clone());
        quiet(&mut pool)
            .min_connections(1)
            .max_connections(1)
            .idle_timeout(None::<Duration>)
            .max_lifetime(None::<Duration>)
            .test_before_acquire(false)
            .map_sqlx_sqlite_opts(configure);
        let writer = Database::connect(pool.clone()).await?;
        if is_memory {
            // A database in memory belongs to its one connection.
            return Ok(Self {
                reader: writer.clone(),
                writer,
            });
        }
        pool.max_connections(SQLITE_READERS)
            .map_sqlx_sqlite_opts(move |sqlite| configure(sqlite).pragma("query_only", "on"));
        let reader = Database::connect(pool).await?;
        Ok(Self { reader, writer })
    }

    /// For single statements that only read.
    pub(crate) fn reader(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// A transaction in which all reads see the same moment. Dropping it ends it.
    pub(crate) async fn snapshot(&self) -> Result<DatabaseTransaction, Error> {
        // SQLite: every transaction sees one moment.
        let isolation = self.is_postgres().then_some(IsolationLevel::RepeatableRead);
        let access = self.is_postgres().then_some(AccessMode::ReadOnly);
        Ok(self.reader.begin_with_config(isolation, access).await?)
    }

    /// The one door for writes: takes the write lock at once (SQLite would refuse to upgrade a read
    /// lock under concurrency), commits if `work` succeeds, undoes it otherwise, and tries again,
    /// a bounded number of times, when two transactions collided. `work` may therefore run more
    /// than once.
    pub(crate) async fn write<T, F, W>(&self, work: F) -> Result<T, Error>
    where
        F: Fn(Arc<Tx>) -> W,
        W: Future<Output = Result<T, Error>>,
    {
        self.write_or_undo(|tx| {
            let work = work(tx);
            async move { work.await.map(End::Commit) }
        })
        .await
    }

    /// As [`Self::write`], for work that may want to leave no trace and still answer.
    pub(crate) async fn write_or_undo<T, F, W>(&self, work: F) -> Result<T, Error>
    where
        F: Fn(Arc<Tx>) -> W,
        W: Future<Output = Result<End<T>, Error>>,
    {
        let mut pause = FIRST_PAUSE;
        let mut tries = 1;
        loop {
            match self.try_write(&work).await {
                Err(error) if error.is_collision() && tries < WRITE_TRIES => {
                    tokio::time::sleep(pause).await;
                    pause = pause.saturating_mul(2);
                    tries += 1;
                }
                done => return done,
            }
        }
    }

    async fn try_write<T, F, W>(&self, work: &F) -> Result<T, Error>
    where
        F: Fn(Arc<Tx>) -> W,
        W: Future<Output = Result<End<T>, Error>>,
    {
        let tx = self
            .writer
            .begin_with_options(TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            })
            .await?;
        // Shared rather than lent: a closure that lends to its future cannot be shown to be `Send`
        // for every lifetime. An early return drops it, which undoes it; so does a caller that
        // goes away.
        let tx = Arc::new(tx);
        let end = work(Arc::clone(&tx)).await?;
        let tx = Arc::into_inner(tx)
            .ok_or_else(|| Error::Corrupt("a transaction outlived its work".to_owned()))?;
        match end {
            End::Commit(value) => {
                tx.commit().await?;
                Ok(value)
            }
            End::Undo(value) => {
                tx.rollback().await?;
                Ok(value)
            }
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.writer.get_database_backend() == DbBackend::Postgres
    }

    /// Ends a SELECT whose rows are about to be changed. The only text in which the databases
    /// differ: on SQLite the transaction holds the one write lock already.
    pub(crate) fn for_update(&self) -> &'static str {
        if self.is_postgres() {
            " FOR UPDATE"
        } else {
            ""
        }
    }
}

fn quiet(pool: &mut ConnectOptions) -> &mut ConnectOptions {
    pool.sqlx_logging(false)
        .record_stmt_in_spans(false)
        .connect_timeout(PATIENCE)
        .acquire_timeout(PATIENCE)
}

/// Creates the folder a SQLite file is to be in.
fn create_directory(url: &str) -> Result<(), Error> {
    let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
    let path = path.split('?').next().unwrap_or_default();
    let Some(directory) = Path::new(path).parent().filter(|dir| *dir != Path::new("")) else {
        return Ok(());
    };
    std::fs::create_dir_all(directory).map_err(|source| Error::Directory {
        path: directory.display().to_string(),
        source,
    })
}
