//! While a provider thinks: comments keep the line open, and a failure still has its status or is
//! told in the band.

use crate::support::{Blueprint, FIVE_TOKENS, GOOD_TEXT, World, good, shared, sim, streamed, with};
use interline_sim::{Behaviour, Dialect, Fault, Script, Text, What};
use serde_json::json;
use std::collections::BTreeMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const GRACE_MS: u64 = 150;
const COMMENTS_MS: u64 = 50;
const FIRST_BYTE_MS: u64 = 1_500;

/// A node that sends the head early and comments often.
fn impatient() -> Blueprint {
    Blueprint::new()
        .routing("head_grace_ms", GRACE_MS)
        .routing("comment_interval_ms", COMMENTS_MS)
        .routing("first_byte_timeout_ms", FIRST_BYTE_MS)
}

fn with_fault(what: What, first_byte_delay_ms: u64) -> Behaviour {
    let fault = Fault {
        what,
        status: Some(503),
        ..Fault::default()
    };
    Behaviour {
        first_byte_delay_ms,
        faults: vec![fault],
        usage: FIVE_TOKENS,
        ..Behaviour::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comments_are_sent_while_a_provider_is_silent() {
    let _machine = shared().await;
    let behaviour = Behaviour {
        first_byte_delay_ms: 800,
        ..good()
    };
    let provider = sim(Script {
        behaviour,
        ..Script::default()
    })
    .await;
    let blueprint = impatient()
        .provider("alpha", Dialect::OpenaiChat, &provider)
        .model("acme/m")
        .endpoint("acme/m", "alpha", "m");
    let world = World::start(blueprint).await;
    let mut live = world.client.open(&streamed("acme/m")).await;
    assert_eq!(live.status, 200);
    let first = live.next().await.expect("a first event");
    assert_eq!(
        &first[..],
        b": OPENROUTER PROCESSING\n\n",
        "a comment opens the waiting"
    );
    let mut body = first.to_vec();
    while let Some(data) = live.next().await {
        body.extend_from_slice(&data);
    }
    let events = crate::support::Events::read(&body);
    assert!(
        events.is_complete() && events.text() == GOOD_TEXT,
        "{events:?}"
    );
    assert!(
        events.comments >= 4,
        "650 ms of silence at one per 50 ms: {}",
        events.comments
    );
    let expected = BTreeMap::from([(live.id(), 20_000)]);
    world.finish().await.assert_charged(&expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_before_the_head_has_its_status_and_one_after_it_is_told_in_the_band() {
    let _machine = shared().await;
    let provider = sim(Script {
        models: BTreeMap::from([
            ("early".to_owned(), with_fault(What::Status, 0)),
            ("late".to_owned(), with_fault(What::Status, 500)),
            ("silent".to_owned(), with_fault(What::Hang, 0)),
        ]),
        ..Script::default()
    })
    .await;
    let mut blueprint = impatient().provider("alpha", Dialect::OpenaiChat, &provider);
    for model in ["early", "late", "silent"] {
        let id = format!("acme/{model}");
        blueprint = blueprint.model(&id).endpoint(&id, "alpha", model);
    }
    let world = World::start(blueprint).await;
    let early = world.client.chat(&streamed("acme/early")).await;
    assert_eq!(early.status, 503, "{}", early.text());
    assert_eq!(early.header("content-type"), Some("application/json"));
    for model in ["acme/late", "acme/silent"] {
        let answer = world.client.chat(&streamed(model)).await;
        let text = answer.text();
        assert_eq!(answer.status, 200, "{text}");
        let events = answer.events();
        assert!(
            events.comments >= 2 && events.is_done && events.strange.is_empty(),
            "{text}"
        );
        assert_eq!(events.finish_reasons(), ["error"], "{text}");
        assert_eq!(events.error().expect("an error")["code"], 503, "{text}");
        assert_eq!(events.text(), "", "{text}");
    }
    world.finish().await.assert_charged(&BTreeMap::new());
}

/// A provider that sends comments and then hangs up: more than the simulated one can do.
async fn commenting_quitter() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                            transfer-encoding: chunked\r\n\r\n";
                let _ = stream.write_all(head.as_bytes()).await;
                for _ in 0..6 {
                    let _ = stream.write_all(b"e\r\n: thinking\r\n\r\n\r\n").await;
                    let _ = stream.flush().await;
                    tokio::time::sleep(std::time::Duration::from_millis(60)).await;
                }
            });
        }
    });
    format!("http://{address}/v1")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comments_of_a_provider_are_not_content_so_another_may_still_answer() {
    let _machine = shared().await;
    let healthy = sim(Script {
        behaviour: good(),
        ..Script::default()
    })
    .await;
    let blueprint = impatient()
        .provider_with(
            "quitter",
            Dialect::OpenaiChat,
            &commenting_quitter().await,
            "",
        )
        .provider("healthy", Dialect::OpenaiChat, &healthy)
        .model("acme/m")
        .endpoint("acme/m", "quitter", "m")
        .endpoint("acme/m", "healthy", "m");
    let world = World::start(blueprint).await;
    let body = with(
        streamed("acme/m"),
        &json!({ "provider": { "order": ["quitter", "healthy"] } }),
    );
    let answer = world.client.chat(&body).await;
    assert_eq!(
        answer.complete_text().as_deref(),
        Some(GOOD_TEXT),
        "{}",
        answer.text()
    );
    assert!(answer.events().comments >= 1, "{}", answer.text());
    assert!(!answer.text().contains("thinking"), "{}", answer.text());
    let id = answer.id();
    let books = world.books_with([&id]).await;
    let attempts = books.record(&id)["attempts"].as_array().map_or(0, Vec::len);
    assert_eq!(attempts, 2, "{}", books.record(&id));
    world
        .finish()
        .await
        .assert_charged(&BTreeMap::from([(id, 20_000)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comments_of_a_provider_buy_it_time_but_not_for_ever() {
    let _machine = shared().await;
    // Comments all the while: half a second of them is fine, ten seconds are too many.
    let commenting = |count| {
        let fault = Fault {
            what: What::CommentsFirst,
            after: count,
            delay_ms: Some(50),
            ..Fault::default()
        };
        let text = Text::Fixed(GOOD_TEXT.to_owned());
        Behaviour {
            text,
            usage: FIVE_TOKENS,
            faults: vec![fault],
            ..Behaviour::default()
        }
    };
    let models = [("short", commenting(10)), ("endless", commenting(200))];
    let models = models.map(|(name, behaviour)| (name.to_owned(), behaviour));
    let provider = sim(Script {
        models: models.into(),
        ..Script::default()
    })
    .await;
    let mut blueprint = impatient().provider("alpha", Dialect::OpenaiChat, &provider);
    for model in ["short", "endless"] {
        let id = format!("acme/{model}");
        blueprint = blueprint.model(&id).endpoint(&id, "alpha", model);
    }
    let world = World::start(blueprint).await;
    let short = world.client.chat(&streamed("acme/short")).await;
    assert_eq!(
        short.complete_text().as_deref(),
        Some(GOOD_TEXT),
        "{}",
        short.text()
    );
    let endless = world.client.chat(&streamed("acme/endless")).await;
    assert_eq!(
        endless.events().finish_reasons(),
        ["error"],
        "{}",
        endless.text()
    );
    let expected = BTreeMap::from([(short.id(), 20_000)]);
    world.finish().await.assert_charged(&expected);
}
