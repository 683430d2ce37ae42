//! Opening, opening twice, and databases that are away.

use super::{at, block_on, funded, nano, on_each_backend};
use crate::db::Tx;
use crate::{Durability, Error, Options, Store, sql};
use std::sync::Arc;

#[test]
fn what_was_written_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/test.db", directory.path().display());
    for durability in [Durability::Fsync, Durability::Buffered] {
        block_on(async {
            let options = Options {
                durability,
                ..Options::new(&url)
            };
            let store = Store::connect(options).await.unwrap();
            let id = funded(&store, "a", 10).await;
            let balance = store.ledger().balance(&id).await.unwrap().unwrap();
            assert_eq!(balance.posted, nano(10), "granted once");
            store.ping().await.unwrap();
        });
    }
}

/// Processes that start together: one brings the tables up to date, the others wait.
#[test]
fn many_may_start_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/test.db", directory.path().display());
    block_on(async {
        let starts: Vec<_> = (0..6)
            .map(|_| {
                let url = url.clone();
                tokio::spawn(async move { Store::open(&url).await })
            })
            .collect();
        let mut stores = Vec::new();
        for start in starts {
            stores.push(start.await.unwrap().unwrap());
        }
        // And they write together.
        let writes: Vec<_> = (0..60_usize)
            .map(|n| {
                let settings = stores[n % stores.len()].settings();
                tokio::spawn(async move { settings.put(&n.to_string(), "x", at(0)).await })
            })
            .collect();
        for write in writes {
            write.await.unwrap().unwrap();
        }
        let count = "SELECT COUNT(*) FROM setting";
        let row = sql::one(stores[0].db.reader(), count, []).await.unwrap();
        assert_eq!(sql::get::<i64>(&row.unwrap(), 0).unwrap(), 60);
    });
}

#[test]
fn a_failed_write_leaves_nothing() {
    on_each_backend(async |store| {
        let insert = "INSERT INTO setting (key, value, updated_at) VALUES ('k', 'v', 0)";
        let failed: Result<(), Error> = store
            .db
            .write(|tx: Arc<Tx>| async move {
                let tx = &*tx;
                sql::execute(tx, insert, []).await?;
                Err(Error::Corrupt("on purpose".to_owned()))
            })
            .await;
        assert!(failed.is_err());
        assert_eq!(store.settings().get("k").await.unwrap(), None);
    });
}

#[test]
fn readers_cannot_write() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/test.db", directory.path().display());
    block_on(async {
        let store = Store::open(&url).await.unwrap();
        let delete = sql::execute(store.db.reader(), "DELETE FROM setting", []);
        assert!(delete.await.is_err());
    });
}

#[test]
fn away_is_not_wrong() {
    block_on(async {
        let error = Store::open("postgres://nobody@127.0.0.1:1/x")
            .await
            .unwrap_err();
        assert!(error.is_away(), "{error:?}");
        let error = Store::open("mysql://root:secret@localhost/x")
            .await
            .unwrap_err();
        assert!(!error.is_away());
        assert!(!error.to_string().contains("secret"));
    });
}

#[test]
fn a_database_in_memory_serves_tests() {
    block_on(async {
        let store = Store::open("sqlite::memory:").await.unwrap();
        funded(&store, "a", 10).await;
        assert!(store.ledger().audit().await.unwrap().is_clean());
    });
}

/// A transaction begun elsewhere would take SQLite's write lock too late (ADR 0002).
#[test]
fn writes_go_through_the_one_door() {
    let mut folders = vec![std::path::PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src"
    ))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("src/db.rs") && !path.ends_with("tests/opening.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(!text.contains(".begin"), "{}", path.display());
            }
        }
    }
}
