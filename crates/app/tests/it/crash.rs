//! `kill -9` under load, again and again on the same data: what a client saw complete is charged
//! exactly once, and nothing else is, but what is flagged because nobody can know.

use crate::support::{Blueprint, Client, Dice, FIVE_TOKENS, World, chat, shared, sim, streamed};
use interline_sim::{Behaviour, Dialect, Script, Text};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Streams at once, and whole answers beside them.
const STREAMS: usize = 50;
const WHOLE: usize = 10;
const COST: i64 = 20_000;

fn rounds() -> usize {
    if std::env::var_os("INTERLINE_LONG").is_some() {
        200
    } else {
        30
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_kill_9_under_load_every_complete_answer_is_charged_exactly_once() {
    let _machine = shared().await;
    let provider = sim(Script {
        behaviour: Behaviour {
            text: Text::Tokens(10),
            usage: FIVE_TOKENS,
            first_byte_delay_ms: 20,
            chunk_delay_ms: 12,
            ..Behaviour::default()
        },
        ..Script::default()
    })
    .await;
    let blueprint = Blueprint::new()
        .provider("alpha", Dialect::OpenaiChat, &provider)
        .model("acme/m")
        .endpoint("acme/m", "alpha", "m");
    let mut world = World::start(blueprint).await;
    let mut dice = Dice::new(41);
    let mut complete: BTreeSet<String> = BTreeSet::new();
    let mut unseen_before = 0;
    let mut slowest_start = Duration::ZERO;
    let started = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    for round in 0..rounds() {
        let mut clients = JoinSet::new();
        for number in 0..STREAMS + WHOLE {
            let client = Client::new(world.address, world.client.key());
            clients.spawn(converse(client, number, Arc::clone(&started)));
        }
        tokio::time::sleep(Duration::from_millis(dice.roll(100..900))).await;
        world.kill();
        // Their connections are gone, so they end by themselves.
        for seen in clients.join_all().await {
            complete.extend(seen);
        }
        slowest_start = slowest_start.max(world.start_again().await);
        let books = world.books().await;
        let expected: BTreeMap<String, i64> = complete
            .iter()
            .chain(&books.delivery_unknown)
            .map(|id| (id.clone(), COST))
            .collect();
        books.assert_charged(&expected);
        world.audit();
        // The flag is no way out: whoever was cut off had one answer under way.
        let unseen = books.delivery_unknown.difference(&complete).count();
        assert!(
            unseen <= unseen_before + STREAMS + WHOLE,
            "{unseen} after {unseen_before}"
        );
        unseen_before = unseen;
        assert!(
            complete.len() >= 10 * round,
            "the load must let answers through: {} in {round} rounds",
            complete.len()
        );
    }
    let books = world.finish().await;
    let unknown = books.delivery_unknown.len();
    let seen = books
        .delivery_unknown
        .iter()
        .filter(|id| complete.contains(*id))
        .count();
    eprintln!(
        "{} rounds in {:?}: {} requests, {} complete, {} charged ({unknown} flagged, {seen} of \
         them seen complete), slowest start {slowest_start:?}",
        rounds(),
        began.elapsed(),
        started.load(Ordering::Relaxed),
        complete.len(),
        books.charges.len(),
    );
    assert_eq!(books.leased, 0, "a node that stops gives its leases back");
}

/// Asks until the connection breaks. Returns what it saw complete.
async fn converse(client: Client, number: usize, started: Arc<AtomicUsize>) -> Vec<String> {
    let body = if number < STREAMS {
        streamed("acme/m")
    } else {
        chat("acme/m")
    };
    let mut complete = Vec::new();
    loop {
        started.fetch_add(1, Ordering::Relaxed);
        let Some(answer) = client.try_chat(&body).await else {
            return complete;
        };
        if answer.complete_text().is_none() {
            assert!(
                !answer.is_whole,
                "cut short, not refused: {}",
                answer.text()
            );
            return complete;
        }
        complete.push(answer.id());
    }
}
