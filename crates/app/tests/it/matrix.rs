//! One provider fails in every way of the failure matrix, the other is well: the client sees only
//! good answers, and pays for each of them exactly once.

use crate::support::{
    Answer, Blueprint, FIVE_TOKENS, GOOD_TEXT, World, chat, good, shared, sim, streamed, with,
};
use interline_sim::{Behaviour, Dialect, Fault, Handle, Script, Text, What};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

const DIALECTS: [(&str, Dialect); 3] = [
    ("openai", Dialect::OpenaiChat),
    ("anthropic", Dialect::AnthropicMessages),
    ("gemini", Dialect::Gemini),
];
/// What the faulty provider says before and between its faults.
const FAULTY_TEXT: &str = "one two three four five six seven eight nine ten";
/// What a good answer costs, nano-dollars.
const GOOD_COST: i64 = 20_000;
/// Of each fault, streamed and whole.
const REQUESTS: usize = 500;
/// Of each fault in the other dialects.
const FEW_REQUESTS: usize = 40;
const FIRST_BYTE_TIMEOUT_MS: u64 = 1_000;
const IDLE_TIMEOUT_MS: u64 = 1_000;

/// One way to fail.
#[derive(Clone)]
struct Case {
    name: &'static str,
    fault: Fault,
    /// Requests at once: faults that only a deadline ends are waited for together.
    at_once: usize,
    /// The faulty provider is named first in `provider.order`, so that every request meets it.
    is_ordered: bool,
}

fn case(name: &'static str, what: What) -> Case {
    let fault = Fault {
        what,
        ..Fault::default()
    };
    Case {
        name,
        fault,
        at_once: 32,
        is_ordered: true,
    }
}

fn status(name: &'static str, status: u16) -> Case {
    let mut case = case(name, What::Status);
    case.fault.status = Some(status);
    case
}

fn slow(name: &'static str, what: What) -> Case {
    Case {
        at_once: 250,
        ..case(name, what)
    }
}

/// Faults that strike before any content has come.
fn before_content() -> Vec<Case> {
    let mut limited = status("status-429", 429);
    limited.fault.retry_after_s = Some(7);
    // 17 MiB each: the breaker spares the test most of them.
    let oversized = Case {
        at_once: 4,
        is_ordered: false,
        ..case("oversized-event", What::OversizedEvent)
    };
    let mut drip = slow("slow-drip", What::SlowDrip);
    drip.fault.delay_ms = Some(50);
    vec![
        case("refused", What::None),
        case("reset", What::Reset),
        case("close", What::Close),
        slow("hang", What::Hang),
        slow("hang-after-headers", What::HangAfterHeaders),
        slow("hang-before-content", What::HangMidStream),
        limited,
        status("status-500", 500),
        status("status-502", 502),
        status("status-503", 503),
        status("status-529", 529),
        status("status-401", 401),
        status("status-403", 403),
        status("status-404", 404),
        case("error-body", What::ErrorBody),
        case("error-first-event", What::ErrorFirstEvent),
        case("malformed-json", What::MalformedJson),
        case("malformed-sse", What::MalformedSse),
        case("reset-before-content", What::ResetMidStream),
        case("close-before-content", What::CloseMidStream),
        case("end-before-content", What::EndWithoutFinish),
        case("truncated-utf8", What::TruncatedUtf8),
        case("oversized-header", What::OversizedHeader),
        oversized,
        drip,
        case("redirect", What::Redirect),
        case("empty-body", What::EmptyBody),
    ]
}

/// Faults that strike after three chunks of content.
fn after_content() -> Vec<Case> {
    let mut limited = case("error-429", What::ErrorMidStream);
    limited.fault.status = Some(429);
    let oversized = Case {
        at_once: 4,
        ..case("oversized-event", What::OversizedEvent)
    };
    let mut cases = vec![
        case("error-500", What::ErrorMidStream),
        limited,
        case("reset", What::ResetMidStream),
        case("close", What::CloseMidStream),
        case("end-without-finish", What::EndWithoutFinish),
        slow("hang", What::HangMidStream),
        case("malformed-json", What::MalformedJson),
        case("malformed-sse", What::MalformedSse),
        case("truncated-utf8", What::TruncatedUtf8),
        oversized,
    ];
    for case in &mut cases {
        case.fault.after = 3;
    }
    cases
}

/// Oddities that are no failure.
fn harmless() -> Vec<Case> {
    let mut comments = case("comments-first", What::CommentsFirst);
    comments.fault.after = 3;
    vec![
        comments,
        case("no-done", What::NoDone),
        case("duplicate-usage", What::DuplicateUsage),
        case("wrong-content-type", What::WrongContentType),
    ]
}

/// The faulty provider: one model per case.
async fn faulty(cases: &[Case]) -> Handle {
    let models = cases.iter().map(|case| {
        let behaviour = Behaviour {
            text: Text::Fixed(FAULTY_TEXT.to_owned()),
            usage: FIVE_TOKENS,
            faults: vec![case.fault.clone()],
            ..Behaviour::default()
        };
        (case.name.to_owned(), behaviour)
    });
    sim(Script {
        name: "faulty".to_owned(),
        models: models.collect(),
        ..Script::default()
    })
    .await
}

/// A node with a model `acme/CASE-DIALECT` per case and dialect of the faulty provider. The healthy
/// provider's dialect goes round, so that each is met by each.
async fn world(cases: &[Case], faulty: &Handle, healthy: Option<&Handle>) -> World {
    let mut blueprint = Blueprint::new()
        .routing("first_byte_timeout_ms", FIRST_BYTE_TIMEOUT_MS)
        .routing("idle_timeout_ms", IDLE_TIMEOUT_MS);
    for (word, dialect) in DIALECTS {
        blueprint = blueprint
            .provider(&format!("faulty-{word}"), dialect, faulty)
            // Nobody listens on port 1.
            .provider_with(
                &format!("refused-{word}"),
                dialect,
                "http://127.0.0.1:1/v1",
                "",
            );
        if let Some(healthy) = healthy {
            blueprint = blueprint.provider(&format!("healthy-{word}"), dialect, healthy);
        }
    }
    let dear = "prompt = \"0.0000005\", completion = \"0.0000005\"";
    for (index, case) in cases.iter().enumerate() {
        for (turn, (word, _)) in DIALECTS.iter().enumerate() {
            let model = format!("acme/{}-{word}", case.name);
            let first = format!("{}-{word}", first_provider(case));
            blueprint = blueprint
                .model(&model)
                .endpoint_with(&model, &first, case.name, dear, "");
            if healthy.is_some() {
                let (word, _) = DIALECTS[(index + turn) % DIALECTS.len()];
                blueprint = blueprint.endpoint(&model, &format!("healthy-{word}"), "good");
            }
        }
    }
    World::start(blueprint).await
}

fn first_provider(case: &Case) -> &'static str {
    if case.name == "refused" {
        "refused"
    } else {
        "faulty"
    }
}

async fn healthy() -> Handle {
    let script = Script {
        name: "healthy".to_owned(),
        behaviour: good(),
        ..Script::default()
    };
    sim(script).await
}

fn body(case: &Case, dialect: &str, is_streamed: bool) -> Value {
    let model = format!("acme/{}-{dialect}", case.name);
    let body = if is_streamed {
        streamed(&model)
    } else {
        chat(&model)
    };
    if !case.is_ordered {
        return body;
    }
    let first = format!("{}-{dialect}", first_provider(case));
    with(body, &json!({ "provider": { "order": [first] } }))
}

/// Sends `count` equal requests, so many at once.
async fn send_all(world: &Arc<World>, body: &Value, count: usize, at_once: usize) -> Vec<Answer> {
    let body = Arc::new(body.clone());
    let mut workers = Vec::new();
    for worker in 0..at_once.min(count) {
        let (world, body) = (Arc::clone(world), Arc::clone(&body));
        let share = (worker..count).step_by(at_once).count();
        workers.push(tokio::spawn(async move {
            let mut answers = Vec::new();
            for _ in 0..share {
                answers.push(world.client.chat(&body).await);
            }
            answers
        }));
    }
    let mut answers = Vec::new();
    for worker in workers {
        answers.extend(worker.await.expect("no panic"));
    }
    answers
}

async fn finish(world: Arc<World>) -> crate::support::Books {
    Arc::into_inner(world)
        .expect("all workers are gone")
        .finish()
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_one_of_two_providers_failing_every_request_succeeds_and_is_charged_once() {
    let _machine = shared().await;
    let cases = before_content();
    let (faulty, healthy) = (faulty(&cases).await, healthy().await);
    let world = Arc::new(world(&cases, &faulty, Some(&healthy)).await);
    let mut expected = BTreeMap::new();
    let mut failures = Vec::new();
    for case in &cases {
        for is_streamed in [true, false] {
            let began = Instant::now();
            // All three dialects of the faulty provider together.
            let counts = [
                ("openai", REQUESTS),
                ("anthropic", FEW_REQUESTS),
                ("gemini", FEW_REQUESTS),
            ];
            let sending = counts.map(|(dialect, count)| {
                let (world, case) = (Arc::clone(&world), case.clone());
                let body = body(&case, dialect, is_streamed);
                tokio::spawn(async move { send_all(&world, &body, count, case.at_once).await })
            });
            let (mut sent, mut good) = (0, 0);
            for answers in sending {
                for answer in answers.await.expect("no panic") {
                    sent += 1;
                    if answer.complete_text().as_deref() == Some(GOOD_TEXT) {
                        good += 1;
                        expected.insert(answer.id(), GOOD_COST);
                    } else {
                        let (name, text) = (case.name, answer.text());
                        failures.push(format!("{name} ({is_streamed}): {} {text}", answer.status));
                    }
                }
            }
            let kind = if is_streamed { "streamed" } else { "whole" };
            let took = began.elapsed().as_millis();
            eprintln!("{:<22} {kind:<8} {good}/{sent} in {took} ms", case.name);
        }
    }
    let total = expected.len() + failures.len();
    assert!(
        failures.len() * 1000 <= total,
        "{} of {total} failed, the first: {:#?}",
        failures.len(),
        &failures[..failures.len().min(5)]
    );
    let books = finish(world).await;
    books.assert_charged(&expected);
    eprintln!(
        "{} successes, {} failures, {} charges",
        expected.len(),
        failures.len(),
        books.charges.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_content_a_failure_ends_in_the_error_event_and_costs_nothing() {
    let _machine = shared().await;
    let cases = after_content();
    let (faulty, healthy) = (faulty(&cases).await, healthy().await);
    let world = Arc::new(world(&cases, &faulty, Some(&healthy)).await);
    for case in &cases {
        let count = if case.name == "oversized-event" {
            4
        } else {
            50
        };
        for (dialect, _) in DIALECTS {
            let began = Instant::now();
            for answer in send_all(&world, &body(case, dialect, true), count, case.at_once).await {
                check_broken_off(case, dialect, &answer);
            }
            let took = began.elapsed();
            eprintln!("{:<22} {dialect:<10} {count} in {took:?}", case.name);
            // All wait together, for one deadline: not for the timer of something else.
            assert!(
                took < 8 * Duration::from_millis(IDLE_TIMEOUT_MS),
                "{}: {took:?}",
                case.name
            );
        }
    }
    assert!(healthy.log().is_empty(), "nobody else was asked");
    let books = finish(world).await;
    books.assert_charged(&BTreeMap::new());
    assert!(
        books.voids.len() >= 27 * 50,
        "each of them is on record: {}",
        books.voids.len()
    );
}

/// The documented end of a stream that broke off.
fn check_broken_off(case: &Case, dialect: &str, answer: &Answer) {
    let at = format!(
        "{} of {dialect}: {}",
        case.name,
        answer.text().chars().take(3_000).collect::<String>()
    );
    assert_eq!(answer.status, 200, "{at}");
    assert!(answer.is_whole, "the connection ends in order: {at}");
    let events = answer.events();
    assert!(events.strange.is_empty(), "{:?}: {at}", events.strange);
    let text = events.text();
    assert!(
        !text.is_empty() && FAULTY_TEXT.starts_with(text.trim_end()),
        "{text:?}: {at}"
    );
    assert!(events.is_done, "{at}");
    assert_eq!(events.finish_reasons(), ["error"], "{at}");
    assert!(
        events.usages().is_empty(),
        "no usage of what is not charged: {at}"
    );
    let error = events.error().unwrap_or_else(|| panic!("no error: {at}"));
    let expected: &[&str] = match case.name {
        "hang" => &["timeout"],
        "error-429" => &["rate_limit_exceeded"],
        "error-500" => &["server", "provider_unavailable"],
        _ => &["provider_unavailable"],
    };
    let kind = error["metadata"]["error_type"].as_str().unwrap_or_default();
    assert!(expected.contains(&kind), "{kind}: {at}");
    assert!(
        error["code"].is_u64() && error["message"].is_string(),
        "{at}"
    );
    let ids: Vec<_> = events
        .chunks
        .iter()
        .map(|chunk| chunk["id"].as_str())
        .collect();
    assert!(
        ids.iter().all(|id| *id == Some(&answer.id())),
        "one id: {at}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oddities_that_are_no_failure_stay_with_their_provider() {
    let _machine = shared().await;
    let cases = harmless();
    let (faulty, healthy) = (faulty(&cases).await, healthy().await);
    let world = Arc::new(world(&cases, &faulty, Some(&healthy)).await);
    let mut expected = BTreeMap::new();
    for case in &cases {
        for (dialect, _) in DIALECTS {
            for is_streamed in [true, false] {
                // Anthropic's format has no other sign that the answer is whole.
                let is_cut = case.name == "no-done" && dialect == "anthropic" && is_streamed;
                for answer in send_all(&world, &body(case, dialect, is_streamed), 20, 10).await {
                    if is_cut {
                        check_broken_off(case, dialect, &answer);
                        continue;
                    }
                    let at = format!("{} of {dialect}: {}", case.name, answer.text());
                    assert_eq!(answer.complete_text().as_deref(), Some(FAULTY_TEXT), "{at}");
                    if is_streamed {
                        assert_eq!(answer.events().usages().len(), 1, "{at}");
                    }
                    // Fifteen tokens at half a dollar per million.
                    expected.insert(answer.id(), 7_500);
                }
            }
        }
    }
    assert!(healthy.log().is_empty(), "nobody else was asked");
    finish(world).await.assert_charged(&expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_nobody_left_each_failure_has_its_documented_status_and_costs_nothing() {
    let _machine = shared().await;
    let cases = before_content();
    let faulty = faulty(&cases).await;
    let world = world(&cases, &faulty, None).await;
    let mut deviations = Vec::new();
    for case in &cases {
        for is_streamed in [true, false] {
            let answer = world.client.chat(&body(case, "openai", is_streamed)).await;
            let at = format!(
                "{} ({is_streamed}): {} {}",
                case.name,
                answer.status,
                answer.text()
            );
            let expected: &[u16] = match case.name {
                "status-429" => &[429],
                "status-404" => &[404],
                // The head had come, so the provider was there and broke its word.
                "error-body"
                | "error-first-event"
                | "reset-before-content"
                | "close-before-content"
                | "malformed-json"
                | "malformed-sse"
                | "truncated-utf8"
                | "redirect"
                | "oversized-header"
                | "oversized-event"
                | "empty-body"
                | "end-before-content" => &[502, 503],
                "hang" | "hang-after-headers" | "hang-before-content" | "slow-drip" => &[503, 504],
                _ => &[503],
            };
            // An oversized whole body is white space and an answer: only its size is odd.
            if case.name == "oversized-event" && !is_streamed && answer.status == 200 {
                continue;
            }
            if !expected.contains(&answer.status) {
                deviations.push(format!("{at}\n  and not {expected:?}"));
                continue;
            }
            let error = &answer.json()["error"];
            assert_eq!(error["code"], answer.status, "{at}");
            assert!(error["metadata"]["error_type"].is_string(), "{at}");
            match answer.status {
                429 => assert_eq!(answer.header("retry-after"), Some("7"), "{at}"),
                503 => assert!(answer.header("retry-after").is_some(), "{at}"),
                _ => {}
            }
            let availability = match answer.status {
                429 => "capacity_exhausted",
                404 => "model_unavailable_upstream",
                503 => "temporarily_unavailable",
                _ => continue,
            };
            assert_eq!(error["availability"]["code"], availability, "{at}");
        }
    }
    assert!(deviations.is_empty(), "{}", deviations.join("\n"));
    let books = world.finish().await;
    let beyond: Vec<_> = books
        .charges
        .values()
        .filter(|amount| **amount != 7_500)
        .collect();
    assert!(
        beyond.is_empty() && books.charges.len() <= 1,
        "{:?}",
        books.charges
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_keeps_failing_is_left_alone_for_a_while() {
    let _machine = shared().await;
    let cases = vec![
        case("reset", What::Reset),
        status("status-503", 503),
        status("status-401", 401),
    ];
    let (faulty, healthy) = (faulty(&cases).await, healthy().await);
    let world = Arc::new(world(&cases, &faulty, Some(&healthy)).await);
    for case in &cases {
        faulty.reset();
        let case = Case {
            is_ordered: false,
            ..case.clone()
        };
        let answers = send_all(&world, &body(&case, "openai", false), REQUESTS, 8).await;
        let good = answers
            .iter()
            .filter(|a| a.complete_text().as_deref() == Some(GOOD_TEXT));
        assert_eq!(good.count(), REQUESTS, "{}", case.name);
        let met = faulty.log().len();
        eprintln!("{:<12} {met} of {REQUESTS} requests met it", case.name);
        assert!(
            (1..=REQUESTS / 10).contains(&met),
            "{}: {met} met it",
            case.name
        );
    }
    finish(world).await;
}
