//! Requests that are wrong: each is told what is wrong with it, none is a server's fault, none is
//! charged.

use crate::support::{Answer, Blueprint, World, chat, good, shared, sim, streamed, with};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use interline_sim::{Behaviour, Dialect, Fault, Handle, Script, What};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Two providers for one model: `cheap` supports few parameters, `dear` more.
async fn world(provider: &Handle) -> World {
    let prices = |price| format!("prompt = \"{price}\", completion = \"{price}\"");
    let blueprint = Blueprint::new()
        .provider("cheap", Dialect::OpenaiChat, provider)
        .provider("dear", Dialect::OpenaiChat, provider)
        .model("acme/large")
        .endpoint_with(
            "acme/large",
            "cheap",
            "m",
            &prices("0.000001"),
            "supported_parameters = [\"temperature\", \"max_tokens\"]\nquantization = \"fp8\"",
        )
        .endpoint_with(
            "acme/large",
            "dear",
            "m",
            &prices("0.00001"),
            "supported_parameters = [\"temperature\", \"max_tokens\", \"seed\"]",
        )
        .model("acme/larger")
        .endpoint("acme/larger", "cheap", "m");
    World::start(blueprint).await
}

async fn provider() -> Handle {
    sim(Script {
        behaviour: good(),
        ..Script::default()
    })
    .await
}

/// The documented error: its status, its type, and words that must be in its message. What is not
/// as documented, if anything.
fn deviation(
    at: &str,
    answer: &Answer,
    status: u16,
    error_type: &str,
    words: &[&str],
) -> Option<String> {
    let body = answer.json();
    let error = &body["error"];
    let message = error["message"].as_str().unwrap_or_default();
    let is_documented = answer.status == status
        && error["code"] == status
        && error["metadata"]["error_type"] == error_type
        && words.iter().all(|word| message.contains(word))
        && answer.header("x-request-id").is_some();
    let text: String = answer.text().chars().take(1_000).collect();
    (!is_documented).then(|| {
        format!(
            "{at}: {} {text}\n  and not {status} {error_type} with {words:?}",
            answer.status
        )
    })
}

fn check(at: &str, answer: &Answer, status: u16, error_type: &str, words: &[&str]) {
    if let Some(deviation) = deviation(at, answer, status, error_type, words) {
        panic!("{deviation}");
    }
}

fn body_of(request: &Value, more: &Value) -> Value {
    with(request.clone(), more)
}

/// A wrong request, and what is said of it: status, error type, words of the message.
type Wrong = (Value, u16, &'static str, &'static [&'static str]);

/// Sent streamed as well where the body is a request at all.
#[expect(clippy::too_many_lines, reason = "a table of facts")]
fn table() -> Vec<Wrong> {
    let plain = chat("acme/large");
    let refused = |more: Value| body_of(&plain, &more);
    vec![
        (
            chat("acme/lage"),
            400,
            "invalid_request",
            &["acme/lage is not a valid model ID", "acme/large"],
        ),
        (chat(""), 400, "invalid_request", &[]),
        (
            json!({ "messages": [] }),
            400,
            "invalid_prompt",
            &["messages"],
        ),
        (
            json!({ "model": "acme/large" }),
            400,
            "invalid_request",
            &["messages"],
        ),
        (json!([]), 400, "invalid_request", &["object"]),
        (json!("text"), 400, "invalid_request", &["object"]),
        (
            refused(json!({ "messages": "hello" })),
            400,
            "invalid_request",
            &["messages"],
        ),
        (
            refused(json!({ "messages": [1] })),
            400,
            "invalid_request",
            &["messages[0]"],
        ),
        (
            refused(json!({ "messages": [{ "role": "user", "content": 5 }] })),
            400,
            "invalid_request",
            &["messages[0].content"],
        ),
        (
            refused(json!({ "messages": [{ "role": "king", "content": "x" }] })),
            400,
            "invalid_prompt",
            &["messages[0].role"],
        ),
        (
            refused(json!({ "messages": [{ "content": "x" }] })),
            400,
            "invalid_prompt",
            &["messages[0]", "role"],
        ),
        (
            refused(
                json!({ "messages": [{ "role": "user", "content": [{ "type": "image_url", "image_url": 5 }] }] }),
            ),
            400,
            "invalid_request",
            &["messages[0].content[0]"],
        ),
        (
            refused(json!({ "model": 5 })),
            400,
            "invalid_request",
            &["model"],
        ),
        (
            refused(json!({ "stream": "yes" })),
            400,
            "invalid_request",
            &["stream"],
        ),
        (
            refused(json!({ "temperature": "hot" })),
            400,
            "invalid_request",
            &["temperature"],
        ),
        (
            refused(json!({ "max_tokens": -1 })),
            400,
            "invalid_request",
            &["max_tokens"],
        ),
        (
            refused(json!({ "max_tokens": 1.5 })),
            400,
            "invalid_request",
            &["max_tokens"],
        ),
        (
            refused(json!({ "tools": [{ "type": "function" }] })),
            400,
            "invalid_request",
            &["tools[0]"],
        ),
        (
            refused(json!({ "provider": { "order": "cheap" } })),
            400,
            "invalid_request",
            &["provider.order"],
        ),
        (
            refused(json!({ "provider": { "sort": "mood" } })),
            400,
            "invalid_request",
            &["provider.sort"],
        ),
        (
            refused(json!({ "provider": { "max_price": { "prompt": "much" } } })),
            400,
            "invalid_request",
            &["provider.max_price.prompt"],
        ),
        (
            refused(json!({ "session_id": "x".repeat(257) })),
            400,
            "invalid_request",
            &["session_id"],
        ),
        // Filters that leave nobody say who was excluded by what.
        (
            refused(json!({ "provider": { "only": ["nobody"] } })),
            404,
            "not_found",
            &[
                "cheap (not in provider.only)",
                "dear (not in provider.only)",
            ],
        ),
        (
            refused(json!({ "provider": { "ignore": ["cheap", "dear"] } })),
            404,
            "not_found",
            &["cheap (in provider.ignore)"],
        ),
        (
            refused(json!({ "provider": { "max_price": { "prompt": 0.5 } } })),
            404,
            "not_found",
            &[
                "cheap (dearer than provider.max_price)",
                "dear (dearer than provider.max_price)",
            ],
        ),
        (
            refused(json!({ "top_k": 5, "provider": { "require_parameters": true } })),
            404,
            "not_found",
            &[
                "cheap (does not support top_k)",
                "dear (does not support top_k)",
            ],
        ),
        (
            refused(json!({ "provider": { "quantizations": ["int4"] } })),
            404,
            "not_found",
            &["cheap", "quantization"],
        ),
        (
            refused(json!({ "provider": { "zdr": true } })),
            404,
            "not_found",
            &["cheap (no zero data retention"],
        ),
        (
            refused(json!({ "provider": { "data_collection": "deny" } })),
            404,
            "not_found",
            &["cheap (may store or train"],
        ),
        (
            refused(json!({ "max_tokens": 100_000 })),
            404,
            "not_found",
            &["cheap (cannot answer with that many tokens)"],
        ),
        (
            refused(
                json!({ "seed": 1, "provider": { "require_parameters": true, "max_price": { "prompt": 2 } } }),
            ),
            404,
            "not_found",
            &[
                "cheap (does not support seed)",
                "dear (dearer than provider.max_price)",
            ],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_requests_are_told_what_is_wrong_and_cost_nothing() {
    let _machine = shared().await;
    let provider = provider().await;
    let world = world(&provider).await;
    let table = table();
    let mut deviations = Vec::new();
    for (body, status, error_type, words) in &table {
        for is_streamed in [false, true] {
            if is_streamed && !body["messages"].is_array() {
                continue;
            }
            let body = if is_streamed && body["stream"].is_null() {
                body_of(body, &json!({ "stream": true }))
            } else {
                body.clone()
            };
            let answer = world.client.chat(&body).await;
            deviations.extend(deviation(
                &body.to_string(),
                &answer,
                *status,
                error_type,
                words,
            ));
            if *status == 404 {
                let error = &answer.json()["error"];
                assert!(error["availability"]["code"].is_string(), "{body}: {error}");
            }
        }
    }
    assert!(deviations.is_empty(), "{}", deviations.join("\n"));
    assert!(provider.log().is_empty(), "nobody was asked");
    let suggestion = world.client.chat(&chat("acme/lage")).await.json();
    let availability = &suggestion["error"]["availability"];
    assert_eq!(availability["code"], "model_not_found", "{suggestion}");
    assert_eq!(
        availability["requested_models"],
        json!(["acme/lage"]),
        "{suggestion}"
    );
    assert!(
        availability["fallback_models"]
            .as_array()
            .is_some_and(|m| m.contains(&json!("acme/large")))
    );
    let constraint = json!({ "provider": { "max_price": { "prompt": 0.5 } } });
    let constraint = body_of(&chat("acme/large"), &constraint);
    let constraint = world.client.chat(&constraint).await.json();
    let availability = &constraint["error"]["availability"];
    assert_eq!(availability["code"], "constraint_filtered", "{constraint}");
    assert_eq!(
        availability["excluded_by"],
        json!(["max_price"]),
        "{constraint}"
    );
    world.finish().await.assert_charged(&BTreeMap::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_are_no_request_are_refused_for_what_they_are() {
    let _machine = shared().await;
    let provider = provider().await;
    let world = world(&provider).await;
    let deep = |depth: usize| {
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let body = chat("acme/large").to_string();
        format!(
            "{},\"metadata\":{{\"x\":{nested}}}}}",
            body.trim_end_matches('}').to_owned() + "}]"
        )
    };
    let not_utf8 = {
        let mut body = chat("acme/large").to_string().into_bytes();
        let at = body
            .iter()
            .position(|byte| *byte == b'h')
            .expect("hello is in it");
        body[at] = 0xff;
        body
    };
    let table: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("white space", b"  \n ".to_vec()),
        ("not JSON", b"model=acme/large".to_vec()),
        (
            "cut short",
            b"{\"model\":\"acme/large\",\"messages\":[".to_vec(),
        ),
        (
            "two values",
            [chat("acme/large").to_string(), "{}".to_owned()]
                .concat()
                .into_bytes(),
        ),
        ("a bare value", b"null".to_vec()),
        (
            "a lone surrogate's worth of control",
            b"{\"model\":\"a\x00b\"}".to_vec(),
        ),
        ("200 deep", deep(200).into_bytes()),
        ("100,000 deep", deep(100_000).into_bytes()),
        ("not UTF-8", not_utf8),
    ];
    let mut deviations = Vec::new();
    for (name, body) in table {
        let request = world
            .client
            .request(Method::POST, crate::support::CHAT, Bytes::from(body));
        let answer = world.client.try_send(request).await.expect("an answer");
        deviations.extend(deviation(name, &answer, 400, "invalid_request", &[]));
    }
    assert!(deviations.is_empty(), "{}", deviations.join("\n"));
    // Well formed and within the depth allowed.
    let request = deep(60);
    let request = world
        .client
        .request(Method::POST, crate::support::CHAT, Bytes::from(request));
    let answer = world.client.try_send(request).await.expect("an answer");
    assert_ne!(answer.status, 500, "{}", answer.text());
    let served = usize::from(answer.status == 200);
    assert_eq!(
        provider.log().len(),
        served,
        "nobody was asked but for what was served"
    );
    let books = world.finish().await;
    assert_eq!(books.charges.len(), served);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seventy_megabytes_are_refused_as_too_large() {
    let _machine = shared().await;
    let provider = provider().await;
    let world = world(&provider).await;
    let body = body_of(
        &chat("acme/large"),
        &json!({ "messages": [{ "role": "user", "content": "x".repeat(70 * 1024 * 1024) }] }),
    );
    // With its length announced the refusal may come before the body was sent.
    if let Some(answer) = world.client.try_chat(&body).await {
        check("70 MB", &answer, 413, "payload_too_large", &["larger than"]);
    }
    let status = send_unannounced(&world, 70 * 1024 * 1024).await;
    assert!(matches!(status, None | Some(413)), "{status:?}");
    // The node is as it was.
    let answer = world.client.chat(&chat("acme/large")).await;
    assert!(answer.complete_text().is_some(), "{}", answer.text());
    assert_eq!(provider.log().len(), 1, "only the last one was passed on");
    let expected = BTreeMap::from([(answer.id(), 15_000)]);
    let books = world.finish().await;
    assert_eq!(
        books.charges.keys().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>()
    );
}

/// Sends a body in chunks, without saying how long it will be. `None`: the connection was closed
/// while the body was still being sent.
async fn send_unannounced(world: &World, bytes: usize) -> Option<u16> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let stream = tokio::net::TcpStream::connect(world.address)
        .await
        .expect("the node listens");
    let (mut reader, mut writer) = stream.into_split();
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         transfer-encoding: chunked\r\n\r\n",
        crate::support::CHAT,
        world.client.key()
    );
    let writing = tokio::spawn(async move {
        let piece = vec![b' '; 1024 * 1024];
        let _ = writer.write_all(head.as_bytes()).await;
        for _ in 0..bytes / piece.len() {
            let size = format!("{:x}\r\n", piece.len());
            let sent = async {
                writer.write_all(size.as_bytes()).await?;
                writer.write_all(&piece).await?;
                writer.write_all(b"\r\n").await
            };
            if sent.await.is_err() {
                return;
            }
        }
        let _ = writer.write_all(b"0\r\n\r\n").await;
    });
    let mut answer = [0; 12];
    let read = reader.read_exact(&mut answer).await;
    writing.abort();
    read.ok()?;
    std::str::from_utf8(answer.get(9..)?).ok()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_without_a_valid_key_are_told_so_whatever_they_send() {
    let _machine = shared().await;
    let provider = provider().await;
    let world = world(&provider).await;
    let good = format!("Bearer {}", world.client.key());
    let unknown = format!("Bearer sk-il-v1-{}", "0".repeat(64));
    let long = format!("Bearer {}", "k".repeat(5_000));
    let basic = "Basic aWw6c2VjcmV0";
    let nobody = "No auth credentials found";
    let table: [(&str, &str, &str, u16, &str); 9] = [
        ("no header", "x-nothing", "x", 401, nobody),
        ("basic", "authorization", basic, 401, nobody),
        (
            "no scheme",
            "authorization",
            world.client.key(),
            401,
            nobody,
        ),
        ("empty bearer", "authorization", "Bearer ", 401, nobody),
        (
            "unknown key",
            "authorization",
            &unknown,
            401,
            "User not found.",
        ),
        (
            "overlong key",
            "authorization",
            &long,
            401,
            "User not found.",
        ),
        (
            "unknown x-api-key",
            "x-api-key",
            &unknown,
            401,
            "User not found.",
        ),
        ("x-api-key", "x-api-key", world.client.key(), 200, ""),
        (
            "lower-case bearer",
            "authorization",
            &good.replace("Bearer", "bearer"),
            200,
            "",
        ),
    ];
    let mut served = 0;
    for (name, header, value, status, message) in table {
        for body in [chat("acme/large").to_string(), "not JSON".to_owned()] {
            let is_json = body.starts_with('{');
            let request = Request::post(crate::support::CHAT)
                .header("host", "interline")
                .header(header, value)
                .body(Full::new(Bytes::from(body)))
                .expect("a well-formed request");
            let answer = world.client.try_send(request).await.expect("an answer");
            match status {
                // Authentication comes before the body is looked at, but for its size.
                401 => check(name, &answer, 401, "authentication", &[message]),
                _ if is_json => {
                    assert_eq!(answer.status, 200, "{name}: {}", answer.text());
                    served += 1;
                }
                _ => check(name, &answer, 400, "invalid_request", &[]),
            }
        }
    }
    assert_eq!(provider.log().len(), served, "nobody else was served");
    assert_eq!(world.finish().await.charges.len(), served);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_a_provider_refuses_is_the_callers_fault_and_is_not_tried_elsewhere() {
    let _machine = shared().await;
    let refusing = |status| {
        let fault = Fault {
            what: What::Status,
            status: Some(status),
            message: Some("that is wrong".to_owned()),
            ..Fault::default()
        };
        Behaviour {
            faults: vec![fault],
            ..Behaviour::default()
        }
    };
    let models = [("400", refusing(400)), ("422", refusing(422))];
    let models = models.map(|(name, behaviour)| (name.to_owned(), behaviour));
    let provider = sim(Script {
        models: models.into(),
        ..Script::default()
    })
    .await;
    let mut blueprint = Blueprint::new()
        .provider("first", Dialect::OpenaiChat, &provider)
        .provider("second", Dialect::OpenaiChat, &provider);
    for status in ["400", "422"] {
        let model = format!("acme/{status}");
        blueprint = blueprint
            .model(&model)
            .endpoint(&model, "first", status)
            .endpoint(&model, "second", status);
    }
    let world = World::start(blueprint).await;
    for status in [400, 422] {
        for body in [chat, streamed] {
            provider.reset();
            let answer = world.client.chat(&body(&format!("acme/{status}"))).await;
            let text = answer.text();
            assert_eq!(answer.status, status, "{text}");
            assert!(
                text.contains("that is wrong"),
                "the provider's words are passed on: {text}"
            );
            assert_eq!(provider.log().len(), 1, "asked once: {text}");
        }
    }
    world.finish().await.assert_charged(&BTreeMap::new());
}
