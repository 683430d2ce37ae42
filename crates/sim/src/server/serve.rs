//! One request: what was asked, what the script makes of it, what is answered.

use super::State;
use crate::answer::{Answer, Tokens};
use crate::body::{Aborted, SimBody};
use crate::check::{self, Refusal};
use crate::dialect::{Ask, Dialect, ask};
use crate::log::{Credential, Entry, Outcome, Record};
use crate::plan::{self, Step};
use crate::script::{Behaviour, Check, Fault, Script, What, wishes};
use crate::seen::Seen;
use crate::socket::Ending;
use crate::{embed, render};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

const MAX_BODY: usize = 64 * 1024 * 1024;
const OVERSIZED_HEADER: usize = 128 * 1024;
const CREDENTIALS: &[&str] = &[
    "authorization",
    "x-api-key",
    "x-goog-api-key",
    "api-key",
    "cookie",
    "proxy-authorization",
];

type Answered = Result<Response<SimBody>, Aborted>;

/// What one request needs at every step.
struct Talk {
    state: Arc<State>,
    script: Arc<Script>,
    ending: Arc<Ending>,
    connection: u64,
    head: hyper::http::request::Parts,
    body: Bytes,
}

/// Answers one request. `Err` ends the connection without an answer.
pub(super) async fn request(
    state: Arc<State>,
    ending: Arc<Ending>,
    connection: u64,
    request: Request<Incoming>,
) -> Answered {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
        return Err(Aborted);
    };
    let body = body.to_bytes();
    let script = state.script();
    let talk = Talk {
        state,
        script,
        ending,
        connection,
        head,
        body,
    };
    let uri = &talk.head.uri;
    let is_anthropic = talk.head.headers.contains_key("anthropic-version");
    match ask(
        talk.head.method.as_str(),
        uri.path(),
        uri.query().unwrap_or_default(),
        is_anthropic,
    ) {
        Ask::Answer {
            dialect: Dialect::OpenaiChat,
            ..
        } if talk.script.lean => talk.lean(),
        Ask::Answer {
            dialect,
            path_model,
            path_stream,
        } => {
            talk.answer(dialect, path_model.as_deref(), path_stream)
                .await
        }
        Ask::Embeddings => talk.embed().await,
        Ask::CountTokens(dialect, path_model) => talk.count(dialect, path_model.as_deref()),
        Ask::Models(dialect) => talk.models(dialect),
        Ask::Control(verb) => talk.control(verb),
        Ask::Unknown => talk.plain(
            404,
            &json!({"error": {"message": "unknown path", "type": "invalid_request_error"}}),
        ),
    }
}

/// The fields that a load test's request is read for.
#[derive(serde_derive::Deserialize)]
struct Peek<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
    #[serde(default)]
    stream: bool,
    stream_options: Option<PeekOptions>,
}

#[derive(serde_derive::Deserialize)]
struct PeekOptions {
    #[serde(default)]
    include_usage: bool,
}

impl Talk {
    /// A load test's answer: no checks, no log, no tree of the request.
    fn lean(self) -> Answered {
        let Ok(peek) = serde_json::from_slice::<Peek<'_>>(&self.body) else {
            return self.plain(
                400,
                &json!({"error": {"message": "not JSON", "type": "invalid_request_error"}}),
            );
        };
        let number = self.state.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let wish = memchr::memmem::find(&self.body, b"SIM:")
            .and_then(|at| std::str::from_utf8(self.body.get(at..)?).ok())
            .and_then(|text| wishes(text).next());
        let behaviour = self.script.behaviour_of(&peek.model, wish.as_slice());
        let seen = Seen {
            model: peek.model.into_owned(),
            is_streaming: peek.stream,
            include_usage: peek
                .stream_options
                .is_some_and(|options| options.include_usage),
            text_bytes: self.body.len(),
            ..Seen::default()
        };
        let answer = Answer::new(number, &seen, &behaviour);
        if !seen.is_streaming {
            return Ok(self.json(200, render::openai::plain(&answer), Record::none()));
        }
        let fault = Fault::default();
        let record = Record::none();
        Ok(self.reply(
            Dialect::OpenaiChat,
            &seen,
            &answer,
            &behaviour,
            &fault,
            record,
        ))
    }

    async fn answer(
        self,
        dialect: Dialect,
        path_model: Option<&str>,
        path_stream: bool,
    ) -> Answered {
        let parsed = serde_json::from_slice::<Value>(&self.body);
        let value = parsed.as_ref().unwrap_or(&Value::Null);
        let mut seen = Seen::read(dialect, value, path_model);
        seen.is_streaming |= path_stream;
        let (number, model_number) = self.state.count(&seen.model);
        let record = self.record(number, model_number, Some(dialect), &seen);
        if let Err(refusal) = self.admit(dialect, parsed.is_ok(), value) {
            return Ok(self.refuse(dialect, &refusal, None, record));
        }
        let behaviour = self.script.behaviour_of(&seen.model, &self.wishes(&seen));
        let fault = self.fault(&behaviour, number, model_number);
        record.change(|entry| entry.fault = fault.what);
        let record = self.before_headers(&behaviour, &fault, record).await?;
        if fault.what == What::Status {
            let refusal = plan::refusal(dialect, &fault);
            return Ok(self.refuse(dialect, &refusal, fault.retry_after_s, record));
        }
        let answer = Answer::new(number, &seen, &behaviour);
        record.change(|entry| entry.usage = answer.tokens);
        Ok(self.reply(dialect, &seen, &answer, &behaviour, &fault, record))
    }

    /// Waits, and strikes where the fault comes before the headers.
    async fn before_headers(
        &self,
        behaviour: &Behaviour,
        fault: &Fault,
        mut record: Record,
    ) -> Result<Record, Aborted> {
        if behaviour.first_byte_delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(behaviour.first_byte_delay_ms)).await;
        }
        match fault.what {
            // Dropped with the connection when the client gives up.
            What::Hang => std::future::pending().await,
            What::Reset | What::Close => {
                if fault.what == What::Reset {
                    self.ending.reset();
                }
                record.cut();
                Err(Aborted)
            }
            _ => Ok(record),
        }
    }

    fn wishes<'a>(&'a self, seen: &'a Seen) -> Vec<&'a str> {
        let header = self
            .head
            .headers
            .get("x-sim")
            .and_then(|value| value.to_str().ok());
        header.into_iter().chain(wishes(&seen.last_text)).collect()
    }

    fn fault(&self, behaviour: &Behaviour, number: u64, model_number: u64) -> Fault {
        let credential = credential(&self.head.headers).unwrap_or_default();
        let draw = draw(self.script.seed, number);
        let struck = behaviour
            .faults
            .iter()
            .find(|fault| fault.strikes(model_number, credential, draw));
        struck.cloned().unwrap_or_default()
    }

    /// Whether the provider looks at the request at all.
    fn admit(&self, dialect: Dialect, is_json: bool, value: &Value) -> Result<(), Refusal> {
        let headers = &self.head.headers;
        let is_known =
            credential(headers).is_some_and(|one| self.script.keys.iter().any(|key| key == one));
        if !self.script.keys.is_empty() && !is_known {
            let (code, message) = render::words_for(dialect, 401);
            return Err(Refusal::new(401, code, message));
        }
        if !is_json {
            return Err(Refusal::new(
                400,
                "invalid_json",
                "We could not parse the JSON body of your request.",
            ));
        }
        if self.script.check != Check::Off
            && dialect == Dialect::AnthropicMessages
            && !headers.contains_key("anthropic-version")
        {
            return Err(Refusal::new(
                400,
                "",
                "anthropic-version: header is required",
            ));
        }
        check::request(dialect, self.script.check, value)
    }

    fn reply(
        &self,
        dialect: Dialect,
        seen: &Seen,
        answer: &Answer,
        behaviour: &Behaviour,
        fault: &Fault,
        record: Record,
    ) -> Response<SimBody> {
        // These faults answer a stream's request with a plain body.
        let is_whole = !seen.is_streaming || fault.what == What::ErrorBody;
        let (steps, length) = if is_whole {
            plan::whole(dialect, render::whole(dialect, answer), behaviour, fault)
        } else {
            let events = render::events(dialect, answer, seen.include_usage);
            (plan::stream(dialect, events, behaviour, fault), None)
        };
        let content_type = match fault.what {
            What::WrongContentType => "text/html",
            _ if is_whole => "application/json",
            _ => "text/event-stream",
        };
        let mut response = self.respond(200, steps, length, record);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        let id_name = if dialect == Dialect::AnthropicMessages {
            "request-id"
        } else {
            "x-request-id"
        };
        headers.insert(
            HeaderName::from_static(id_name),
            number_value(answer.number),
        );
        match fault.what {
            What::Redirect => {
                *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
                headers_of_redirect(response.headers_mut());
            }
            What::OversizedHeader => {
                let size = fault.bytes.unwrap_or(OVERSIZED_HEADER);
                if let Ok(value) = HeaderValue::from_bytes(&vec![b'x'; size]) {
                    response.headers_mut().insert("x-sim-oversized", value);
                }
            }
            _ => {}
        }
        response
    }

    fn refuse(
        &self,
        dialect: Dialect,
        refusal: &Refusal,
        wait_s: Option<u32>,
        record: Record,
    ) -> Response<SimBody> {
        let body = render::error(dialect, refusal, wait_s).to_string();
        let mut response = self.json(refusal.status, body, record);
        if let Some(wait) = wait_s
            && dialect != Dialect::Gemini
        {
            response
                .headers_mut()
                .insert(RETRY_AFTER, number_value(u64::from(wait)));
        }
        response
    }

    async fn embed(self) -> Answered {
        let parsed = serde_json::from_slice::<Value>(&self.body);
        let value = parsed.as_ref().unwrap_or(&Value::Null);
        let seen = Seen::read(Dialect::OpenaiChat, value, None);
        let (number, model_number) = self.state.count(&seen.model);
        let record = self.record(number, model_number, None, &seen);
        if let Err(refusal) = self.admit_embedding(parsed.is_ok()) {
            return Ok(self.refuse(Dialect::OpenaiChat, &refusal, None, record));
        }
        let header = self
            .head
            .headers
            .get("x-sim")
            .and_then(|value| value.to_str().ok());
        let behaviour = self.script.behaviour_of(&seen.model, header.as_slice());
        let fault = self.fault(&behaviour, number, model_number);
        let record = self.before_headers(&behaviour, &fault, record).await?;
        if fault.what == What::Status {
            let refusal = plan::refusal(Dialect::OpenaiChat, &fault);
            return Ok(self.refuse(Dialect::OpenaiChat, &refusal, fault.retry_after_s, record));
        }
        let Some((answer, prompt)) = embed::answer(value) else {
            let refusal = Refusal::new(400, "invalid_value", "'input' must be a string or a list.");
            return Ok(self.refuse(Dialect::OpenaiChat, &refusal, None, record));
        };
        record.change(|entry| {
            entry.usage = Some(Tokens {
                prompt,
                ..Tokens::default()
            });
        });
        Ok(self.json(200, answer.to_string(), record))
    }

    fn admit_embedding(&self, is_json: bool) -> Result<(), Refusal> {
        let empty = json!({});
        match self.admit(Dialect::OpenaiChat, is_json, &empty) {
            Err(refusal) if refusal.status == 401 || !is_json => Err(refusal),
            _ => Ok(()),
        }
    }

    fn count(self, dialect: Dialect, path_model: Option<&str>) -> Answered {
        let value = serde_json::from_slice::<Value>(&self.body).unwrap_or_default();
        let seen = Seen::read(dialect, &value, path_model);
        let tokens = Answer::new(0, &seen, &Behaviour::default())
            .tokens
            .unwrap_or_default();
        let key = if dialect == Dialect::Gemini {
            "totalTokens"
        } else {
            "input_tokens"
        };
        self.plain(200, &json!({key: tokens.prompt}))
    }

    fn models(self, dialect: Dialect) -> Answered {
        let fallback = [self.script.name.clone()];
        let mut names: Vec<&String> = self.script.models.keys().collect();
        if names.is_empty() {
            names.extend(&fallback);
        }
        let list: Vec<Value> = names
            .into_iter()
            .map(|name| match dialect {
                Dialect::OpenaiChat => json!({"id": name, "object": "model", "created": 1_770_000_000, "owned_by": "sim"}),
                Dialect::AnthropicMessages => json!({"type": "model", "id": name, "display_name": name, "created_at": "2026-02-02T00:00:00Z"}),
                Dialect::Gemini => json!({"name": format!("models/{name}"), "displayName": name, "inputTokenLimit": 128_000, "outputTokenLimit": 8192,
                    "supportedGenerationMethods": ["generateContent", "countTokens"]}),
            })
            .collect();
        let body = match dialect {
            Dialect::OpenaiChat => json!({"object": "list", "data": list}),
            Dialect::AnthropicMessages => json!({"data": list, "has_more": false}),
            Dialect::Gemini => json!({"models": list}),
        };
        self.plain(200, &body)
    }

    fn control(self, verb: &str) -> Answered {
        match verb {
            "log" => {
                let entries = serde_json::to_value(self.state.log.entries()).unwrap_or_default();
                self.plain(200, &entries)
            }
            "script" => {
                let script = serde_json::to_value(&*self.script).unwrap_or_default();
                self.plain(200, &script)
            }
            "reset" => {
                self.state.reset();
                self.plain(200, &json!({}))
            }
            _ => match serde_json::from_slice::<Script>(&self.body) {
                Ok(script) => {
                    self.state.set_script(script);
                    self.plain(200, &json!({}))
                }
                Err(error) => self.plain(400, &json!({"error": {"message": error.to_string()}})),
            },
        }
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "what every kind of request answers with"
    )]
    fn plain(&self, status: u16, body: &Value) -> Answered {
        Ok(self.json(status, body.to_string(), Record::none()))
    }

    fn json(&self, status: u16, body: impl Into<Bytes>, record: Record) -> Response<SimBody> {
        let bytes = body.into();
        let length = u64::try_from(bytes.len()).ok();
        let steps = vec![Step::Data {
            bytes,
            is_content: false,
        }];
        let mut response = self.respond(status, steps, length, record);
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }

    fn respond(
        &self,
        status: u16,
        steps: Vec<Step>,
        length: Option<u64>,
        record: Record,
    ) -> Response<SimBody> {
        record.change(|entry| entry.status = Some(status));
        let body = SimBody::new(steps, length, Arc::clone(&self.ending), record);
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response
    }

    fn record(
        &self,
        number: u64,
        model_number: u64,
        dialect: Option<Dialect>,
        seen: &Seen,
    ) -> Record {
        let kept = self
            .body
            .get(..self.script.log_body_bytes)
            .unwrap_or(&self.body);
        let entry = Entry {
            number,
            model_number,
            connection: self.connection,
            at_ms: self.state.log.now_ms(),
            ended_ms: None,
            dialect,
            path: self.head.uri.to_string(),
            model: seen.model.clone(),
            is_streaming: seen.is_streaming,
            headers: shown(&self.head.headers),
            credential: credential(&self.head.headers).map(Credential::new),
            body: String::from_utf8_lossy(kept).into_owned(),
            body_bytes: self.body.len(),
            media: seen.media.clone(),
            status: None,
            fault: What::None,
            outcome: Outcome::Running,
            chunks: 0,
            bytes_sent: 0,
            usage: None,
        };
        self.state.log.open(entry, self.script.log_entries)
    }
}

fn headers_of_redirect(headers: &mut HeaderMap) {
    headers.insert(
        LOCATION,
        HeaderValue::from_static("http://192.0.2.1/elsewhere"),
    );
}

fn number_value(number: u64) -> HeaderValue {
    HeaderValue::from(number)
}

/// The credential, wherever the dialect puts it.
fn credential(headers: &HeaderMap) -> Option<&str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    text("x-api-key")
        .or_else(|| text("x-goog-api-key"))
        .or_else(|| text("api-key"))
        .or_else(|| text("authorization")?.strip_prefix("Bearer "))
}

fn shown(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            let is_secret = CREDENTIALS.contains(&name.as_str());
            let value = if is_secret {
                "[redacted]".into()
            } else {
                String::from_utf8_lossy(value.as_bytes())
            };
            (name.as_str().to_owned(), value.into_owned())
        })
        .collect()
}

/// A number in `0..1` that depends on the seed and the request's number alone (splitmix64).
fn draw(seed: u64, number: u64) -> f64 {
    let mut mixed = seed.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^= mixed >> 31;
    let top = u32::try_from(mixed >> 32).unwrap_or(0);
    f64::from(top) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests;
