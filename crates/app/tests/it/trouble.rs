//! Trouble of our own: the database or the disk says no.

use crate::support::{Blueprint, Client, World, chat, eventually, good, lock, shared, sim};
use interline_sim::{Dialect, Handle, Script};
use rustix::process::{Resource, Rlimit, prlimit};
use sea_orm::ConnectionTrait;
use std::collections::BTreeMap;
use std::time::Duration;

const COST: i64 = 20_000;

async fn provider() -> Handle {
    sim(Script {
        behaviour: good(),
        ..Script::default()
    })
    .await
}

fn blueprint(provider: &Handle) -> Blueprint {
    Blueprint::new()
        .provider("alpha", Dialect::OpenaiChat, provider)
        .model("acme/m")
        .endpoint_with(
            "acme/m",
            "alpha",
            "m",
            "prompt = \"0.000001\", completion = \"0.000002\"",
            "max_completion_tokens = 16",
        )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_key_is_served_while_the_database_is_locked_and_charged_afterwards() {
    let _machine = shared().await;
    let provider = provider().await;
    let world = World::start(blueprint(&provider)).await;
    let mut expected = BTreeMap::new();
    // The key is known from here on, and the node holds a lease.
    for _ in 0..3 {
        let answer = world.client.chat(&chat("acme/m")).await;
        expected.insert(answer.id(), COST);
    }
    world.books_with(expected.keys()).await;

    let lock = lock(&world.database()).await;
    let unknown = Client::new(world.address, &format!("sk-il-v1-{}", "9".repeat(64)));
    let mut while_locked = BTreeMap::new();
    for _ in 0..20 {
        let answer = world.client.chat(&chat("acme/m")).await;
        assert!(
            answer.complete_text().is_some(),
            "{} {}",
            answer.status,
            answer.text()
        );
        while_locked.insert(answer.id(), COST);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let status = unknown.chat(&chat("acme/m")).await.status;
    assert!(matches!(status, 401 | 503), "never served: {status}");
    // What cannot be posted yet is answered from the spool.
    let id = while_locked.keys().next_back().expect("twenty of them");
    assert_eq!(world.client.generation(id).await["id"], **id);
    lock.execute_unprepared("ROLLBACK")
        .await
        .expect("the lock is ours");
    lock.close().await.expect("the database closes");

    let books = world.books_with(while_locked.keys()).await;
    expected.extend(while_locked);
    books.assert_charged(&expected);
    world.finish().await.assert_charged(&expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_room_for_records_nothing_billable_is_taken_and_nothing_is_charged() {
    let _machine = shared().await;
    let provider = provider().await;
    let mut blueprint = blueprint(&provider);
    // A write beyond the limit then fails, rather than ending the process.
    blueprint.ignored_signal = Some("XFSZ");
    let mut world = World::start(blueprint).await;
    let answer = world.client.chat(&chat("acme/m")).await;
    let mut expected = BTreeMap::from([(answer.id(), COST)]);
    world.books_with(expected.keys()).await;

    // No file may grow any more: what a full disk looks like from inside.
    let full = Rlimit {
        current: Some(0),
        maximum: None,
    };
    let before = prlimit(Some(world.pid()), Resource::Fsize, full).expect("it is our child");
    for _ in 0..5 {
        let answer = world.client.chat(&chat("acme/m")).await;
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(answer.header("retry-after").is_some(), "{}", answer.text());
        assert!(
            answer.json()["error"]["message"].is_string(),
            "{}",
            answer.text()
        );
    }
    let ready = world.client.get("/health/ready").await;
    eprintln!("ready on a full disk: {} {}", ready.status, ready.text());
    prlimit(Some(world.pid()), Resource::Fsize, before).expect("it is our child");

    // With room again it serves, if need be after a restart.
    let answer = world.client.chat(&chat("acme/m")).await;
    if answer.complete_text().is_some() {
        expected.insert(answer.id(), COST);
    } else {
        eprintln!("a restart is needed: {} {}", answer.status, answer.text());
        world.kill();
        world.start_again().await;
        let id = eventually("it serves again", async || {
            let answer = world.client.chat(&chat("acme/m")).await;
            answer.complete_text().is_some().then(|| answer.id())
        })
        .await;
        expected.insert(id, COST);
    }
    world.finish().await.assert_charged(&expected);
}
