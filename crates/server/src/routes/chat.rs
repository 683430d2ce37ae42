//! `POST /chat/completions`.

use crate::App;
use crate::auth::inference_caller;
use crate::error::{ApiError, GENERATION_ID};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Body as _;
use http_body_util::BodyExt;
use interline_domain::ErrorType;
use interline_gateway::journey::{self, ClientFacts, Inbound, Outcome};
use interline_gateway::refusal::Refusal;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Longest header value kept on a record.
const MAX_CLIENT_FACT: usize = 512;

/// Answer a chat, streamed or whole.
pub(crate) async fn complete(
    State(app): State<App>,
    request: Request,
) -> Result<Response, ApiError> {
    let began = Instant::now();
    let (head, body) = request.into_parts();
    if app.gateway.running.load(Ordering::Relaxed) >= app.settings.max_running {
        let busy = "This server is at its limit. Try again in a moment.";
        return Err(Refusal::unavailable(busy, Duration::from_secs(1)).into());
    }
    let caller = inference_caller(&app, &head.headers).await?;
    let account = caller.account_id.to_string();
    let body = read_body(&app, &head.headers, body)
        .await
        .map_err(|error| error.of(&account))?;
    let client = client_facts(&head.headers).map_err(|error| error.of(&account))?;
    let inbound = Inbound {
        body,
        caller,
        client,
        began,
    };
    let outcome = journey::run(&app.gateway, inbound)
        .await
        .map_err(|refusal| ApiError::from(refusal).of(&account))?;
    Ok(render(outcome))
}

fn render(outcome: Outcome) -> Response {
    match outcome {
        Outcome::Whole {
            generation_id,
            body,
        } => {
            let mut response = body.into_response();
            mark(response.headers_mut(), &generation_id, "application/json");
            response
        }
        Outcome::Stream {
            generation_id,
            body,
        } => {
            let mut response = Response::new(Body::new(body));
            let headers = response.headers_mut();
            mark(headers, &generation_id, "text/event-stream");
            // Proxies that gather a stream before they pass it on are told not to.
            let unbuffered = HeaderName::from_static("x-accel-buffering");
            headers.insert(unbuffered, HeaderValue::from_static("no"));
            response
        }
    }
}

fn mark(headers: &mut HeaderMap, generation_id: &str, content_type: &'static str) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    if let Ok(value) = HeaderValue::from_str(generation_id) {
        headers.insert(GENERATION_ID, value);
    }
}

/// Reads the body within its bounds; most arrive in one piece and are not copied.
async fn read_body(app: &App, headers: &HeaderMap, body: Body) -> Result<Bytes, ApiError> {
    let limit = app.settings.max_body_bytes;
    let too_large = || {
        let message = format!("The request body is larger than {limit} bytes.");
        ApiError::new(ErrorType::PayloadTooLarge, message)
    };
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let reading = async {
        let mut body = body;
        let mut first = Bytes::new();
        let mut all = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| ApiError::invalid("The request body broke off."))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if first.is_empty() && all.is_empty() {
                first = data;
            } else {
                if !first.is_empty() {
                    all.reserve(announced.unwrap_or(0).max(first.len() + data.len()));
                    all.extend_from_slice(&std::mem::take(&mut first));
                }
                all.extend_from_slice(&data);
            }
            if first.len().max(all.len()) > limit {
                return Err(too_large());
            }
            if body.is_end_stream() {
                break;
            }
        }
        Ok(if all.is_empty() { first } else { all.freeze() })
    };
    tokio::time::timeout(app.settings.body_timeout, reading)
        .await
        .unwrap_or_else(|_| {
            let late = "The request body did not arrive in time.";
            Err(ApiError::new(ErrorType::Timeout, late).with_status(408))
        })
}

fn client_facts(headers: &HeaderMap) -> Result<ClientFacts, ApiError> {
    let text = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| headers.get(*name)?.to_str().ok())
            .filter(|value| !value.is_empty())
            .map(|value| value.chars().take(MAX_CLIENT_FACT).collect::<String>())
    };
    let session_id = text(&["x-session-id"]);
    if session_id
        .as_ref()
        .is_some_and(|id| id.chars().count() > 256)
    {
        return Err(ApiError::invalid(
            "x-session-id: longer than 256 characters",
        ));
    }
    let metadata = text(&[
        "x-openrouter-metadata",
        "x-openrouter-experimental-metadata",
    ]);
    Ok(ClientFacts {
        referer: text(&["http-referer", "referer"]),
        title: text(&["x-openrouter-title", "x-title"]),
        user_agent: text(&["user-agent"]),
        session_id,
        wants_metadata: metadata.is_some_and(|value| value.eq_ignore_ascii_case("enabled")),
    })
}
