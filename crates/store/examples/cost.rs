//! What posting a generation costs:
//! `cargo run --release -p interline-store --example cost -- sqlite:///tmp/cost/test.db`.
//!
//! Posts batches of 500 as the poster does, and prints CPU time of this process a row (Linux). On
//! PostgreSQL the server's own time is not in it.
#![expect(clippy::print_stdout, reason = "a tool for the terminal")]

use interline_domain::id::{AccountId, GenerationId, NodeId};
use interline_domain::{Money, Timestamp};
use interline_store::{ChargeKind, Durability, NewAccount, NewCharge, NewGeneration};
use interline_store::{Options, Store};
use std::time::Instant;

const BATCHES: usize = 100;
const BATCH_ROWS: usize = 500;
const ACCOUNTS: usize = 20;

/// Nanoseconds this process was on a CPU, all threads.
fn cpu_nanos() -> u64 {
    std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
        .filter_map(|text| text.split(' ').next()?.parse::<u64>().ok())
        .sum()
}

fn account(number: usize) -> AccountId {
    let id = format!("acct_{number:010x}abcdefghij0123456789");
    AccountId::parse(&id).expect("an account id")
}

fn charge(number: usize, node: &NodeId) -> NewCharge {
    // The second half of an id is random in life: neighbours in time are not neighbours on disk.
    let scattered = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let id = format!("gen-{}-{scattered:020}", 1_750_000_000 + number / 1_000);
    NewCharge {
        generation_id: GenerationId::parse(&id).expect("a generation id"),
        kind: ChargeKind::Charge,
        account: account(number % ACCOUNTS),
        key_hash: Some(format!("{:064x}", number % ACCOUNTS)),
        node: node.clone(),
        amount: Money::from_nano(1_234),
        absorbed: Money::ZERO,
        byok_usage: Money::ZERO,
        delivery_unknown: false,
        created_at: Timestamp::from_seconds(1_750_000_000),
        generation: Some(NewGeneration {
            request_id: "req-1750000000-abcdefghij0123456789".to_owned(),
            model: "acme/test-large".to_owned(),
            provider_name: "Acme".to_owned(),
            status: "completed".to_owned(),
            tokens_prompt: 100,
            tokens_completion: 200,
            record: "x".repeat(600),
        }),
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let url = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "sqlite://target/store-cost/test.db".to_owned());
    let store = Store::connect(Options {
        durability: Durability::Fsync,
        ..Options::new(url)
    })
    .await
    .expect("the database opens");
    let now = Timestamp::from_seconds(1_750_000_000);
    for number in 0..ACCOUNTS {
        let id = account(number);
        let new = NewAccount {
            id: id.clone(),
            name: "cost".to_owned(),
            email: None,
        };
        store.accounts().create(&new, now).await.expect("created");
        let grant = format!("grant:{number}");
        let credit = Money::from_dollars(1_000);
        store
            .ledger()
            .grant(&grant, &id, credit, "", now)
            .await
            .expect("granted");
    }
    let node = NodeId::parse("node_cost").expect("a node id");
    let began = Instant::now();
    let mut cpu = 0;
    for batch in 0..BATCHES {
        let first = batch * BATCH_ROWS;
        let rows: Vec<NewCharge> = (first..first + BATCH_ROWS)
            .map(|number| charge(number, &node))
            .collect();
        let before = cpu_nanos();
        store.ledger().post(&rows).await.expect("posted");
        cpu += cpu_nanos() - before;
    }
    let rows = (BATCHES * BATCH_ROWS) as u64;
    let wall = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
    println!(
        "{rows} rows: {} ns CPU and {} ns wall a row",
        cpu / rows,
        wall / rows
    );
    let began = Instant::now();
    let audit = store.ledger().audit().await.expect("audited");
    println!(
        "clean: {}, audited in {:?}",
        audit.is_clean(),
        began.elapsed()
    );
}
