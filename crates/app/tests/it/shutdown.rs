//! Being told to stop: what runs is finished and paid, nothing new is taken, the exit is clean.

use crate::support::{Blueprint, FIVE_TOKENS, World, chat, shared, sim, streamed};
use interline_sim::{Behaviour, Dialect, Script, Text};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

const STREAMS: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sigterm_running_streams_finish_and_are_posted_and_the_exit_is_clean() {
    let _machine = shared().await;
    let provider = sim(Script {
        behaviour: Behaviour {
            text: Text::Tokens(60),
            usage: FIVE_TOKENS,
            chunk_delay_ms: 30,
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
    let running = Arc::new(Barrier::new(STREAMS + 1));
    let mut streams = JoinSet::new();
    let client = Arc::new(crate::support::Client::new(
        world.address,
        world.client.key(),
    ));
    for _ in 0..STREAMS {
        let (client, running) = (Arc::clone(&client), Arc::clone(&running));
        streams.spawn(async move {
            let mut live = client.open(&streamed("acme/m")).await;
            let mut body = live.read_chunks(1).await.into_bytes();
            running.wait().await;
            while let Some(data) = live.next().await {
                body.extend_from_slice(&data);
            }
            (live.id(), crate::support::Events::read(&body))
        });
    }
    running.wait().await;
    world.signal(Signal::TERM);
    // Refused at the door or told to go elsewhere, but not served.
    crate::support::eventually("new requests are turned away", async || {
        let answer = world.client.try_chat(&chat("acme/m")).await;
        answer
            .is_none_or(|answer| answer.status == 503)
            .then_some(())
    })
    .await;
    let mut expected = BTreeMap::new();
    for (id, events) in streams.join_all().await {
        assert!(events.is_complete(), "{events:?}");
        assert_eq!(events.usages().len(), 1, "{events:?}");
        expected.insert(id, 20_000);
    }
    let status = world.ended().await;
    assert_eq!(status.code(), Some(0), "{}", world.log_tail());
    world.audit();
    let books = world.books().await;
    for id in expected.keys() {
        assert_eq!(
            books.charges.get(id),
            Some(&20_000),
            "posted before the exit"
        );
    }
    assert!(books.delivery_unknown.is_empty(), "all were delivered");
    assert_eq!(books.leased, 0, "the leases were given back");
    // Nothing is left for the next start.
    world.start_again().await;
    assert_eq!(world.finish().await.postings, books.postings);
}
