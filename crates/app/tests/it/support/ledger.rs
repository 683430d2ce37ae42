//! The ledger as it stands in the database, read past the product: what the product says about
//! itself is proven elsewhere.

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, QueryResult,
    Statement, TryGetable,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// All postings and records, by generation.
#[derive(Debug, Default)]
pub(crate) struct Books {
    /// Nano-dollars that accounts paid, zero included.
    pub(crate) charges: BTreeMap<String, i64>,
    /// Generations that owe nothing.
    pub(crate) voids: BTreeSet<String>,
    /// Charges whose answer may not have arrived.
    pub(crate) delivery_unknown: BTreeSet<String>,
    /// The record kept of each generation.
    pub(crate) records: BTreeMap<String, Value>,
    /// Postings that are no grant.
    pub(crate) postings: usize,
    /// Nano-dollars of the owner: posted, and of it leased to nodes.
    pub(crate) posted: i64,
    pub(crate) leased: i64,
    /// Nano-dollars charged beyond credit.
    pub(crate) uncovered: i64,
}

impl Books {
    pub(crate) fn is_posted(&self, id: &str) -> bool {
        self.charges.contains_key(id) || self.voids.contains(id)
    }

    /// Exactly these were charged, each once and with this amount; nothing else was.
    pub(crate) fn assert_charged(&self, expected: &BTreeMap<String, i64>) {
        let wrong: Vec<_> = expected
            .iter()
            .filter(|(id, amount)| self.charges.get(*id) != Some(amount))
            .map(|(id, amount)| format!("{id}: {:?} for {amount}", self.charges.get(id)))
            .collect();
        let beyond: Vec<_> = self
            .charges
            .iter()
            .filter(|(id, amount)| **amount != 0 && !expected.contains_key(*id))
            .collect();
        assert!(
            wrong.is_empty(),
            "{} wrongly charged: {wrong:#?}",
            wrong.len()
        );
        assert!(
            beyond.is_empty(),
            "{} charged for nothing: {beyond:#?}",
            beyond.len()
        );
        assert_eq!(
            self.postings,
            self.charges.len() + self.voids.len(),
            "each generation is posted once"
        );
    }

    /// The record of a generation.
    pub(crate) fn record(&self, id: &str) -> &Value {
        self.records.get(id).unwrap_or(&Value::Null)
    }
}

/// Reads everything.
pub(crate) async fn read(database: &Path) -> Books {
    let db = connect(database).await;
    let mut books = Books::default();
    let postings = "SELECT id, kind, amount_nano, delivery_unknown, uncovered_nano FROM posting \
                    WHERE kind <> 'grant'";
    for row in rows(&db, postings).await {
        let (id, kind): (String, String) = (get(&row, 0), get(&row, 1));
        books.postings += 1;
        books.uncovered += get::<i64>(&row, 4);
        if get(&row, 3) {
            books.delivery_unknown.insert(id.clone());
        }
        if kind == "charge" {
            books.charges.insert(id, get(&row, 2));
        } else {
            books.voids.insert(id);
        }
    }
    for row in rows(&db, "SELECT id, record FROM generation").await {
        let record: String = get(&row, 1);
        books
            .records
            .insert(get(&row, 0), serde_json::from_str(&record).expect("JSON"));
    }
    for row in rows(
        &db,
        "SELECT posted_nano, leased_nano FROM account WHERE kind = 'user'",
    )
    .await
    {
        books.posted += get::<i64>(&row, 0);
        books.leased += get::<i64>(&row, 1);
    }
    db.close().await.expect("the database closes");
    books
}

/// Keeps every other process from writing until it is dropped or closed.
pub(crate) async fn lock(database: &Path) -> DatabaseConnection {
    let db = connect(database).await;
    db.execute_unprepared("BEGIN EXCLUSIVE")
        .await
        .expect("the lock");
    db
}

async fn connect(database: &Path) -> DatabaseConnection {
    let mut options = ConnectOptions::new(format!("sqlite://{}", database.display()));
    options
        .min_connections(1)
        .max_connections(1)
        .sqlx_logging(false);
    Database::connect(options)
        .await
        .expect("the database opens")
}

async fn rows(db: &DatabaseConnection, sql: &str) -> Vec<QueryResult> {
    let statement = Statement::from_string(DbBackend::Sqlite, sql);
    db.query_all_raw(statement)
        .await
        .expect("the tables are there")
}

fn get<T: TryGetable>(row: &QueryResult, column: usize) -> T {
    row.try_get_by_index(column).expect("a column of that type")
}
