//! A running simulated provider, seen by a client that knows nothing but TCP.

use super::{Handle, Sim};
use crate::dialect::Dialect;
use crate::log::Outcome;
use crate::script::{Behaviour, Fault, Script, Text, What};
use crate::{Check, demo_scripts};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Long enough for anything on loopback: what has not come by then does not come.
const SILENCE: Duration = Duration::from_millis(400);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The response is complete and the connection stays open.
    Kept,
    Closed,
    Reset,
    Silent,
    Refused,
}

struct Got {
    text: String,
    end: End,
}

impl Got {
    fn status(&self) -> u16 {
        self.text
            .get(9..12)
            .and_then(|status| status.parse().ok())
            .unwrap_or(0)
    }

    /// The body, with the chunked framing taken off.
    fn body(&self) -> String {
        let (head, mut rest) = self.text.split_once("\r\n\r\n").unwrap_or_default();
        if !head.contains("chunked") {
            return rest.to_owned();
        }
        let mut body = String::new();
        while let Some((size, after)) = rest.split_once("\r\n") {
            let size = usize::from_str_radix(size, 16).unwrap_or(0);
            let Some(piece) = after.get(..size).filter(|piece| !piece.is_empty()) else {
                break;
            };
            body.push_str(piece);
            rest = after.get(size + 2..).unwrap_or_default();
        }
        body
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body()).unwrap_or_else(|_| panic!("no JSON in {}", self.text))
    }
}

async fn connect(sim: &Handle, path: &str, headers: &str, body: &str) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(sim.addr()).await.ok()?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: sim\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(body.as_bytes()).await.ok()?;
    Some(stream)
}

async fn exchange(sim: &Handle, path: &str, headers: &str, body: &Value) -> Got {
    let Some(mut stream) = connect(sim, path, headers, &body.to_string()).await else {
        return Got {
            text: String::new(),
            end: End::Refused,
        };
    };
    let mut bytes = Vec::new();
    let end = loop {
        if is_complete(&bytes) {
            break End::Kept;
        }
        match tokio::time::timeout(SILENCE, stream.read_buf(&mut bytes)).await {
            Err(_) => break End::Silent,
            Ok(Ok(0)) => break End::Closed,
            Ok(Ok(_)) => {}
            Ok(Err(_)) => break End::Reset,
        }
    };
    Got {
        text: String::from_utf8_lossy(&bytes).into_owned(),
        end,
    }
}

fn is_complete(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let head = head.to_lowercase();
    if head.contains("transfer-encoding: chunked") {
        return text.ends_with("\r\n0\r\n\r\n");
    }
    let length = head
        .split("content-length: ")
        .nth(1)
        .and_then(|rest| rest.lines().next());
    let head_bytes = bytes.len().saturating_sub(body.len());
    // Lossy text may be longer than its bytes; whole answers here are plain ASCII.
    length
        .and_then(|length| length.parse().ok())
        .is_some_and(|length: usize| bytes.len() >= head_bytes + length)
}

fn chat(prompt: &str, is_streaming: bool) -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": prompt}], "stream": is_streaming,
           "max_completion_tokens": 500})
}

const CHAT: &str = "/v1/chat/completions";

async fn sim_with(behaviour: Behaviour) -> Handle {
    Sim::start(Script {
        behaviour,
        ..Script::default()
    })
    .await
    .unwrap()
}

async fn failing(fault: Fault, is_streaming: bool) -> Got {
    let behaviour = Behaviour {
        text: Text::Tokens(6),
        faults: vec![fault],
        ..Behaviour::default()
    };
    let sim = sim_with(behaviour).await;
    exchange(&sim, CHAT, "", &chat("hi", is_streaming)).await
}

/// Strikes after two chunks of a stream; `says` must stand in the answer, `not` must not.
async fn check_stream(what: What, end: End, says: &str, not: &str) {
    let got = failing(
        Fault {
            what,
            after: 2,
            delay_ms: Some(1),
            ..Fault::default()
        },
        true,
    )
    .await;
    assert_eq!(got.end, end, "{what:?}: {}", got.text);
    assert!(
        got.text.contains(says),
        "{what:?} lacks {says}: {}",
        got.text
    );
    assert!(
        not.is_empty() || !got.text.contains(not),
        "{what:?} has {not}: {}",
        got.text
    );
}

#[tokio::test]
async fn faults_of_a_stream_are_seen_on_the_wire() {
    let finish = "\"finish_reason\":\"stop\"";
    check_stream(What::None, End::Kept, "[DONE]", "").await;
    check_stream(What::Reset, End::Reset, "", "HTTP").await;
    check_stream(What::Close, End::Closed, "", "HTTP").await;
    check_stream(What::Hang, End::Silent, "", "HTTP").await;
    check_stream(What::HangAfterHeaders, End::Silent, "200 OK", "data:").await;
    check_stream(What::HangMidStream, End::Silent, "\"a \"", finish).await;
    check_stream(What::ResetMidStream, End::Reset, "Once", finish).await;
    check_stream(What::CloseMidStream, End::Closed, "Once", finish).await;
    check_stream(What::EndWithoutFinish, End::Kept, "Once", finish).await;
    check_stream(What::NoDone, End::Kept, finish, "[DONE]").await;
    check_stream(What::ErrorFirstEvent, End::Kept, "data: {\"error\"", "Once").await;
    check_stream(What::ErrorMidStream, End::Kept, "data: {\"error\"", finish).await;
    check_stream(What::MalformedJson, End::Kept, "{\"delta\":\n\n", finish).await;
    check_stream(What::MalformedSse, End::Kept, "<html>", finish).await;
    check_stream(What::SlowDrip, End::Kept, "]", "").await;
    check_stream(What::Redirect, End::Kept, "307 Temporary", "").await;
    check_stream(
        What::WrongContentType,
        End::Kept,
        "content-type: text/html",
        "",
    )
    .await;
    check_stream(What::TruncatedUtf8, End::Kept, "\u{FFFD}", finish).await;
    check_stream(What::CommentsFirst, End::Kept, ": keep-alive\n\n", "").await;
    check_stream(What::ErrorBody, End::Kept, "application/json", "data:").await;
    check_stream(What::EmptyBody, End::Kept, "200 OK", "data:").await;
    check_stream(What::OversizedHeader, End::Kept, "x-sim-oversized", "").await;
}

#[tokio::test]
async fn big_events_and_repeated_usage() {
    let big = Fault {
        what: What::OversizedEvent,
        bytes: Some(300_000),
        ..Fault::default()
    };
    assert!(failing(big, true).await.text.len() > 300_000);
    let sim = sim_with(Behaviour {
        faults: vec![Fault {
            what: What::DuplicateUsage,
            ..Fault::default()
        }],
        ..Behaviour::default()
    })
    .await;
    let mut body = chat("hi", true);
    body["stream_options"] = json!({"include_usage": true});
    let got = exchange(&sim, CHAT, "", &body).await;
    assert_eq!(got.text.matches("\"prompt_tokens\"").count(), 2);
}

#[tokio::test]
async fn faults_of_a_whole_answer() {
    for (what, end, status) in [
        (What::None, End::Kept, 200),
        (What::ResetMidStream, End::Reset, 200),
        (What::CloseMidStream, End::Closed, 200),
        (What::HangMidStream, End::Silent, 200),
        (What::EmptyBody, End::Kept, 200),
        (What::Redirect, End::Kept, 307),
        (What::Reset, End::Reset, 0),
    ] {
        let got = failing(
            Fault {
                what,
                ..Fault::default()
            },
            false,
        )
        .await;
        assert_eq!(
            (got.end, got.status()),
            (end, status),
            "{what:?}: {}",
            got.text
        );
    }
    for what in [What::MalformedJson, What::TruncatedUtf8] {
        let got = failing(
            Fault {
                what,
                ..Fault::default()
            },
            false,
        )
        .await;
        assert!(
            serde_json::from_str::<Value>(&got.body()).is_err(),
            "{what:?}: {}",
            got.text
        );
    }
    let got = failing(
        Fault {
            what: What::ErrorBody,
            ..Fault::default()
        },
        false,
    )
    .await;
    assert_eq!(got.json()["error"]["type"], "server_error");
}

#[tokio::test]
async fn errors_speak_their_dialect() {
    let fault = Fault {
        what: What::Status,
        status: Some(429),
        retry_after_s: Some(7),
        ..Fault::default()
    };
    let sim = sim_with(Behaviour {
        faults: vec![fault],
        ..Behaviour::default()
    })
    .await;
    let anthropic =
        json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]});
    for (path, body, pointer, expected, waits_by_header) in [
        (
            CHAT,
            &chat("hi", true),
            "/error/code",
            json!("rate_limit_exceeded"),
            true,
        ),
        (
            "/v1/messages",
            &anthropic,
            "/error/type",
            json!("rate_limit_error"),
            true,
        ),
        (
            "/v1beta/models/m:generateContent",
            &gemini,
            "/error/details/0/retryDelay",
            json!("7s"),
            false,
        ),
    ] {
        let got = exchange(&sim, path, "anthropic-version: 2023-06-01\r\n", body).await;
        assert_eq!(got.status(), 429, "{path}");
        assert_eq!(got.json().pointer(pointer), Some(&expected), "{path}");
        assert_eq!(
            got.text.contains("retry-after: 7"),
            waits_by_header,
            "{path}"
        );
    }
}

#[tokio::test]
async fn credentials_are_asked_for_and_never_logged() {
    let script = Script {
        keys: vec!["sk-secret-1234".into()],
        ..Script::default()
    };
    let sim = Sim::start(script).await.unwrap();
    for (header, status) in [
        ("", 401),
        ("authorization: Bearer wrong\r\n", 401),
        ("authorization: Bearer sk-secret-1234\r\n", 200),
        ("x-api-key: sk-secret-1234\r\n", 200),
    ] {
        assert_eq!(
            exchange(&sim, CHAT, header, &chat("hi", false))
                .await
                .status(),
            status,
            "{header}"
        );
    }
    let log = sim.log();
    assert_eq!(log[2].credential.as_ref().unwrap().last4, "1234");
    assert_eq!(log[2].credential, log[3].credential);
    assert!(!serde_json::to_string(&log).unwrap().contains("sk-secret"));
}

#[tokio::test]
async fn bad_requests_are_refused() {
    let sim = Sim::start(Script {
        check: Check::Closed,
        ..Script::default()
    })
    .await
    .unwrap();
    let mut unknown = chat("hi", false);
    unknown["provider"] = json!({});
    let got = exchange(&sim, CHAT, "", &unknown).await;
    assert_eq!(
        (got.status(), got.json()["error"]["param"].as_str()),
        (400, Some("provider"))
    );
    let got = exchange(&sim, "/v1/messages", "", &json!({"max_tokens": 1})).await;
    assert_eq!(
        got.json()["error"]["message"],
        "anthropic-version: header is required"
    );
    assert_eq!(
        exchange(&sim, "/nowhere", "", &json!({})).await.status(),
        404
    );
}

/// Hangs up on a stream that pauses after its first chunks.
#[tokio::test]
async fn a_hang_up_is_noticed_while_the_stream_pauses() {
    let paused = Behaviour {
        text: Text::Tokens(9),
        chunk_delay_ms: 60_000,
        ..Behaviour::default()
    };
    let hanging = |what| Behaviour {
        faults: vec![Fault {
            what,
            ..Fault::default()
        }],
        ..Behaviour::default()
    };
    for behaviour in [paused, hanging(What::Hang), hanging(What::HangAfterHeaders)] {
        let sim = sim_with(behaviour.clone()).await;
        let stream = connect(&sim, CHAT, "", &chat("hi", true).to_string())
            .await
            .unwrap();
        wait_for(&sim, |entry| entry.outcome == Outcome::Running).await;
        drop(stream);
        let entry = wait_for(&sim, |entry| entry.outcome != Outcome::Running).await;
        assert_eq!(entry.outcome, Outcome::Cancelled, "{behaviour:?}");
    }
}

async fn wait_for(sim: &Handle, holds: impl Fn(&crate::Entry) -> bool) -> crate::Entry {
    for _ in 0..500 {
        if let Some(entry) = sim.log().into_iter().find(|entry| holds(entry)) {
            return entry;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within five seconds: {:?}", sim.log());
}

#[tokio::test]
async fn a_refused_port_opens_again() {
    let sim = Sim::start(Script::default()).await.unwrap();
    assert_eq!(
        exchange(&sim, CHAT, "", &chat("hi", false)).await.status(),
        200
    );
    sim.set_script(Script {
        refused: true,
        ..Script::default()
    });
    let mut end = End::Kept;
    for _ in 0..200 {
        end = exchange(&sim, CHAT, "", &chat("hi", false)).await.end;
        if end == End::Refused {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(end, End::Refused);
    sim.set_script(Script::default());
    for _ in 0..200 {
        if exchange(&sim, CHAT, "", &chat("hi", false)).await.status() == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the port stayed closed");
}

#[tokio::test]
async fn the_script_and_the_log_are_reached_over_http() {
    let sim = Sim::start(Script::default()).await.unwrap();
    let script = json!({"behaviour": {"text": {"fixed": "changed"}}});
    assert_eq!(
        exchange(&sim, "/_sim/script", "", &script).await.status(),
        200
    );
    assert_eq!(
        exchange(&sim, "/_sim/script", "", &json!({"typo": 1}))
            .await
            .status(),
        400
    );
    let got = exchange(&sim, CHAT, "", &chat("hi", false)).await;
    assert_eq!(got.json()["choices"][0]["message"]["content"], "changed");
    assert_eq!(sim.log().len(), 1);
    assert_eq!(
        exchange(&sim, "/_sim/reset", "", &json!({})).await.status(),
        200
    );
    assert!(sim.log().is_empty());
}

#[tokio::test]
async fn the_demo_serves_its_models() {
    let sim = Sim::start(demo_scripts()).await.unwrap();
    let ask = |model: &str| {
        let mut body = chat("hello you", false);
        body["model"] = json!(model);
        body
    };
    assert_eq!(
        exchange(&sim, CHAT, "", &ask("echo")).await.json()["usage"]["completion_tokens"],
        2
    );
    assert_eq!(exchange(&sim, CHAT, "", &ask("429")).await.status(), 429);
    let first = exchange(&sim, CHAT, "", &ask("flaky")).await.status();
    assert_eq!(
        (
            first,
            exchange(&sim, CHAT, "", &ask("flaky")).await.status()
        ),
        (200, 503)
    );
    let embed = json!({"model": "embed", "input": ["a", "b"], "dimensions": 3});
    let got = exchange(&sim, "/v1/embeddings", "", &embed).await.json();
    assert_eq!(
        got["data"][1]["embedding"].as_array().map(Vec::len),
        Some(3)
    );
}

#[tokio::test]
async fn lean_answers_carry_tag_and_order() {
    let sim = Sim::start(Script {
        lean: true,
        ..Script::default()
    })
    .await
    .unwrap();
    let got = exchange(&sim, CHAT, "", &chat("SIM:indexed=3,tag=t7; x", true)).await;
    for piece in ["t7.0 ", "t7.1 ", "t7.2 "] {
        assert!(got.text.contains(piece), "{}", got.text);
    }
    let whole = exchange(&sim, CHAT, "", &chat("SIM:indexed=2,tag=t8; x", false))
        .await
        .json();
    assert_eq!(whole["choices"][0]["message"]["content"], "t8.0 t8.1 ");
    assert_eq!(whole["usage"]["completion_tokens"], 2);
    assert!(sim.log().is_empty());
}

#[test]
fn base_urls_are_what_providers_have() {
    assert_eq!(Dialect::Gemini.base_path(), "/v1beta");
}

/// Cuts of the network are the script's to choose.
#[tokio::test]
async fn bytes_are_recut() {
    let sim = sim_with(Behaviour {
        split_bytes: Some(7),
        ..Behaviour::default()
    })
    .await;
    let got = exchange(&sim, CHAT, "", &chat("hello", true)).await;
    assert!(got.text.contains("\r\n7\r\n"), "{}", got.text);
    assert!(got.body().ends_with("data: [DONE]\n\n"), "{}", got.body());
}
