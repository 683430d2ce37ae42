//! One try at one endpoint, up to the first content: encode, send, read until it is an answer.

use crate::Gateway;
use crate::snapshot::Snapshot;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use interline_domain::catalogue::Endpoint;
use interline_domain::failure::Blame;
use interline_domain::{ErrorType, Failure, FinishReason, Parameter};
use interline_outbound::{Answer, Call, SendError};
use interline_providers::adapter;
use interline_wire::chat::answer::{ChatAnswer, ChatStream, Identity, Meter};
use interline_wire::chat::debug::write_debug_chunk;
use interline_wire::chat::request::Request;
use interline_wire::target::{Encoded, ReadBack, Target};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Error bodies are read up to this and never trusted.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// What an endpoint answered.
pub(crate) enum Reply {
    Whole(Box<dyn ChatAnswer>),
    Stream(Flowing),
}

/// A stream whose first content has arrived.
pub(crate) struct Flowing {
    pub(crate) body: Incoming,
    pub(crate) stream: Box<dyn ChatStream>,
    /// Client bytes decoded so far.
    pub(crate) ready: BytesMut,
    /// The provider's end marker was seen already.
    pub(crate) is_done: bool,
}

impl Flowing {
    /// The same stream with `prefix` before everything else.
    pub(crate) fn after(mut self, mut prefix: BytesMut) -> Self {
        if !prefix.is_empty() {
            prefix.extend_from_slice(&self.ready);
            self.ready = prefix;
        }
        self
    }
}

/// What one attempt is about.
pub(crate) struct Attempt<'a> {
    pub(crate) gateway: &'a Gateway,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) index: usize,
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) request: &'a Request<'a>,
    pub(crate) body: &'a Bytes,
    pub(crate) target: Target<'a>,
    pub(crate) identity: Identity,
    /// Where the upstream body is shown, for callers who ask to see it.
    pub(crate) echo: Option<&'a mut BytesMut>,
    /// The whole request must be over by then.
    pub(crate) deadline: Instant,
}

impl Attempt<'_> {
    /// Sends the request and reads until there is content, a whole answer, or a failure.
    pub(crate) async fn run(mut self) -> Result<Reply, Failure> {
        let encoded = self.encode().await?;
        if let Some(echo) = self.echo.take() {
            write_debug_chunk(&self.identity, &encoded.body, echo);
        }
        let credential = self
            .snapshot
            .credential(self.index)
            .ok_or_else(|| Failure::unavailable("the provider has no credential"))?;
        let url = join(&self.endpoint.base_url, &encoded.path);
        let call = Call {
            method: hyper::Method::POST,
            url: &url,
            headers: &encoded.headers,
            body: encoded.body,
            credential: Some(credential),
            is_stream: self.request.stream,
        };
        let patience = self.patience();
        let until = (Instant::now() + patience).min(self.deadline);
        let answer = timeout_at(until, self.gateway.client.send(call))
            .await
            .map_err(|_| self.late("the provider sent no answer in time"))?
            .map_err(|error| send_failure(&error))?;
        if !answer.status.is_success() {
            return Err(self.refused(answer, credential.expose(), until).await);
        }
        let status = answer.status.as_u16();
        let reply = if self.request.stream {
            self.first_content(answer, encoded.read_back, patience)
                .await
                .map(Reply::Stream)
        } else {
            self.whole(answer, encoded.read_back)
                .await
                .map(Reply::Whole)
        };
        // It did answer, with something that is no answer.
        reply.map_err(|mut failure| {
            if failure.error_type != ErrorType::Timeout {
                failure.status = failure.status.or(Some(status));
            }
            failure
        })
    }

    async fn encode(&self) -> Result<Encoded, Failure> {
        let links = adapter::links_to_fetch(self.endpoint, self.request, &self.target);
        let mut media = Vec::with_capacity(links.len());
        for link in links {
            let fetched = self.gateway.media.fetch(&link).await.map_err(|error| {
                Failure::invalid(ErrorType::ImageDownloadFailed, format!("{link}: {error}"))
            })?;
            media.push((link, fetched.mime.to_owned(), fetched.bytes));
        }
        let find = |url: &str| {
            let found = media.iter().find(|(link, ..)| link == url);
            found.map(|(_, mime, bytes)| (mime.clone(), bytes.clone()))
        };
        adapter::encode(self.endpoint, self.request, self.body, &self.target, &find)
    }

    /// How long to wait for the head, and from there for the first token.
    fn patience(&self) -> Duration {
        let settings = &self.gateway.settings;
        let reasons = self.request.parameters.contains(Parameter::Reasoning)
            || self.request.parameters.contains(Parameter::ReasoningEffort)
            || self
                .target
                .reasoning
                .is_some_and(|reasoning| reasoning.is_mandatory);
        // A whole answer has no first token to wait for: its head comes when it is finished.
        if reasons || !self.request.stream {
            settings
                .reasoning_first_byte_timeout
                .max(settings.first_byte_timeout)
        } else {
            settings.first_byte_timeout
        }
    }

    /// Nothing came in time. If our total deadline cut the wait short, the provider is not to blame.
    fn late(&self, message: &str) -> Failure {
        let mut failure = Failure::timeout(message);
        if Instant::now() >= self.deadline {
            failure.blame = Blame::Router;
        }
        failure
    }

    async fn refused(&self, answer: Answer, secret: Option<&str>, until: Instant) -> Failure {
        let status = answer.status.as_u16();
        let body = timeout_at(until, read_bounded(answer.body, MAX_ERROR_BYTES)).await;
        let body = body.ok().and_then(Result::ok).unwrap_or_default();
        let header = |name: &str| {
            answer
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        adapter::classify(self.endpoint, status, &header, &body, secret)
    }

    async fn whole(
        &self,
        answer: Answer,
        read_back: ReadBack,
    ) -> Result<Box<dyn ChatAnswer>, Failure> {
        let limit = self.gateway.settings.max_answer_bytes;
        let until = (Instant::now() + self.patience()).min(self.deadline);
        let body = timeout_at(until, read_bounded(answer.body, limit))
            .await
            .map_err(|_| self.late("the provider did not finish its answer in time"))??;
        let answer = adapter::read_answer(self.endpoint, self.identity.clone(), read_back, &body)?;
        match ended_in_error(answer.meter()) {
            Some(failure) => Err(failure),
            None => Ok(answer),
        }
    }

    /// Reads until the first token. Comments and empty deltas show that the provider is alive and
    /// buy time, up to the patience for reasoning; they are not content, so another endpoint may
    /// still answer (R-S7).
    async fn first_content(
        &self,
        answer: Answer,
        read_back: ReadBack,
        patience: Duration,
    ) -> Result<Flowing, Failure> {
        let content_type = answer
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let is_json = content_type.is_some_and(|text| text.starts_with("application/json"));
        let mut stream =
            adapter::open_stream(self.endpoint, self.identity.clone(), read_back, is_json);
        let mut body = answer.body;
        let mut ready = BytesMut::new();
        let began = Instant::now();
        let longest = self
            .gateway
            .settings
            .reasoning_first_byte_timeout
            .max(patience);
        let limit = self.deadline.min(began + longest);
        let mut until = (began + patience).min(limit);
        loop {
            let frame = timeout_at(until, body.frame())
                .await
                .map_err(|_| self.late("the provider sent no token in time"))?;
            let is_done = match frame {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    stream.feed(&data, &mut ready)?;
                    stream.is_done()
                }
                Some(Err(error)) => {
                    return Err(Failure::unavailable(format!(
                        "the provider's connection broke before its first token: {error}"
                    )));
                }
                None => {
                    stream.end(&mut ready)?;
                    true
                }
            };
            let meter = stream.meter();
            if is_done && let Some(failure) = ended_in_error(meter) {
                return Err(failure);
            }
            if is_done && !meter.has_content && meter.finish.is_none() {
                return Err(Failure::unavailable("the provider sent an empty answer"));
            }
            if is_done || meter.has_content {
                return Ok(Flowing {
                    body,
                    stream,
                    ready,
                    is_done,
                });
            }
            until = (Instant::now() + patience).min(limit);
        }
    }
}

/// A provider may end an answer with nothing but the word "error".
pub(crate) fn ended_in_error(meter: &Meter) -> Option<Failure> {
    let (reason, native) = meter.finish.as_ref()?;
    (*reason == FinishReason::Error).then(|| Failure {
        provider_code: native.clone(),
        ..Failure::unavailable("the provider ended its answer with an error")
    })
}

/// Reads a whole body, up to `limit` bytes.
async fn read_bounded(mut body: Incoming, limit: usize) -> Result<Bytes, Failure> {
    let broken = |error: hyper::Error| {
        Failure::unavailable(format!("the provider's answer broke off: {error}"))
    };
    let too_large = || Failure::unavailable(format!("the provider's answer is over {limit} bytes"));
    let mut first = match body.frame().await {
        None => return Ok(Bytes::new()),
        Some(frame) => frame.map_err(broken)?.into_data().unwrap_or_default(),
    };
    let mut all = BytesMut::new();
    // Most answers come in one piece, which is handed on without a copy.
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(broken)?.into_data() else {
            continue;
        };
        if first
            .len()
            .saturating_add(all.len())
            .saturating_add(data.len())
            > limit
        {
            return Err(too_large());
        }
        if !first.is_empty() {
            all.extend_from_slice(&std::mem::take(&mut first));
        }
        all.extend_from_slice(&data);
    }
    if first.len() > limit {
        return Err(too_large());
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

fn join(base: &str, path: &str) -> String {
    let mut url = String::with_capacity(base.len() + path.len());
    url.push_str(base.trim_end_matches('/'));
    url.push_str(path);
    url
}

fn send_failure(error: &SendError) -> Failure {
    let mut failure = Failure::unavailable(match error {
        SendError::Malformed(_) => "the provider's answer is malformed",
        SendError::Lost(_) => "the provider closed the connection without an answer",
        SendError::Dns(_) => "the provider's name could not be resolved",
        SendError::Tls(_) => "no secure connection to the provider could be made",
        SendError::Connect(_) => "the provider could not be reached",
        SendError::Url(_) | SendError::ForeignHost => "the provider's address is misconfigured",
    });
    if matches!(error, SendError::Malformed(_)) {
        failure.status = Some(200);
    }
    tracing::debug!(%error, "attempt failed before an answer");
    failure
}
