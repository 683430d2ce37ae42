//! One suite for every backend: SQLite always, PostgreSQL when `INTERLINE_TEST_POSTGRES_URL` names
//! a server (`scripts/postgres.sh start DIR` prints one).

mod conformance;
mod keys;
mod leases;
mod ledger;
mod opening;
mod rows;

use crate::{NewAccount, NewCharge, NewGeneration, Store};
use interline_domain::id::{AccountId, GenerationId, NodeId};
use interline_domain::ledger::Lessee;
use interline_domain::{Money, Timestamp};
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database};
use std::sync::atomic::{AtomicU32, Ordering};

static DATABASES: AtomicU32 = AtomicU32::new(0);

#[expect(
    clippy::disallowed_methods,
    reason = "how the runner names a test server"
)]
fn postgres_url() -> Option<String> {
    std::env::var("INTERLINE_TEST_POSTGRES_URL").ok()
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

/// Runs `test` on an empty database of each kind.
fn on_each_backend(test: impl AsyncFn(Store)) {
    block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new folder/test.db");
        let store = Store::open(&format!("sqlite://{}", path.display())).await;
        let store = store.unwrap();
        test(store.clone()).await;
        store.close().await.unwrap();

        let Some(server) = postgres_url() else { return };
        let number = DATABASES.fetch_add(1, Ordering::Relaxed);
        let name = format!("interline_test_{}_{number}", std::process::id());
        let mut options = ConnectOptions::new(server.clone());
        options.max_connections(1);
        let admin = Database::connect(options).await.unwrap();
        admin
            .execute_unprepared(&format!("CREATE DATABASE {name}"))
            .await
            .unwrap();
        let (base, _) = server.rsplit_once('/').unwrap();
        let store = Store::open(&format!("{base}/{name}")).await.unwrap();
        test(store.clone()).await;
        store.close().await.unwrap();
        admin
            .execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)"))
            .await
            .unwrap();
    });
}

fn nano(amount: i64) -> Money {
    Money::from_nano(amount)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn account(name: &str) -> AccountId {
    AccountId::parse(&format!("acct_{name}")).unwrap()
}

fn node(name: &str) -> NodeId {
    NodeId::parse(&format!("node_{name}")).unwrap()
}

fn generation(number: u32) -> GenerationId {
    GenerationId::parse(&format!("gen-1750000000-{number:020}")).unwrap()
}

/// An account with credit.
async fn funded(store: &Store, name: &str, credit: i64) -> AccountId {
    let id = account(name);
    let new = NewAccount {
        id: id.clone(),
        name: name.to_owned(),
        email: None,
    };
    store.accounts().create(&new, at(0)).await.unwrap();
    if credit > 0 {
        let grant = format!("grant:{name}");
        store
            .ledger()
            .grant(&grant, &id, nano(credit), "test", at(0))
            .await
            .unwrap();
    }
    id
}

/// A node that has just started.
async fn started(store: &Store, name: &str) -> Lessee {
    let reset = store.leases().reset_node(&node(name), at(0)).await.unwrap();
    reset.lessee
}

fn charge(number: u32, account: &AccountId, amount: i64) -> NewCharge {
    NewCharge {
        generation_id: generation(number),
        kind: crate::ChargeKind::Charge,
        account: account.clone(),
        key_hash: None,
        node: node("one"),
        amount: nano(amount),
        absorbed: Money::ZERO,
        byok_usage: Money::ZERO,
        delivery_unknown: false,
        created_at: at(1_750_000_000),
        generation: Some(NewGeneration {
            request_id: "req-1".to_owned(),
            model: "acme/large".to_owned(),
            provider_name: "Acme".to_owned(),
            status: "completed".to_owned(),
            tokens_prompt: 10,
            tokens_completion: 20,
            record: format!("{{\"number\":{number}}}"),
        }),
    }
}

async fn assert_clean(store: &Store) {
    let audit = store.ledger().audit().await.unwrap();
    assert!(audit.is_clean(), "{audit:#?}");
    assert_eq!(
        audit.granted.nano(),
        audit.posted.nano() + audit.charged.nano()
    );
}
