//! One request's journey, from bytes to answer. Retry, fallback and routing are all in here.
//!
//! decode → admit → plan → hold → attempts → stream → settle. The first four end in a [`Refusal`]
//! that costs nothing; from the hold on, [`Generation`] makes sure that whatever happens is
//! settled exactly once.

use crate::Gateway;
use crate::admission::{self, Admitted};
use crate::attempt::{Attempt, Reply};
use crate::keys::Caller;
use crate::metadata;
use crate::record::Record;
use crate::refusal::Refusal;
use crate::settle::{Beginning, Generation};
use crate::snapshot::Snapshot;
use crate::stream::{Live, Pending, StreamBody};
use crate::trail::Trail;
use bytes::{Bytes, BytesMut};
use interline_domain::routing::{Repair, RoutePlan, Step, after_failure, plan};
use interline_domain::{ErrorType, Parameter};
use interline_wire::chat::answer::Identity;
use interline_wire::chat::parse::parse;
use interline_wire::chat::request::Request;
use interline_wire::target::Target;
use parking_lot::Mutex;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// A request as the server hands it in: authenticated, its body read, nothing parsed.
pub struct Inbound {
    pub body: Bytes,
    pub caller: Arc<Caller>,
    pub client: ClientFacts,
    /// When its first byte was there.
    pub began: Instant,
}

/// What the client says about itself in headers.
#[derive(Clone, Debug, Default)]
pub struct ClientFacts {
    pub referer: Option<String>,
    pub title: Option<String>,
    pub user_agent: Option<String>,
    /// `x-session-id`; the body's `session_id` wins.
    pub session_id: Option<String>,
    /// `X-OpenRouter-Metadata: enabled`.
    pub wants_metadata: bool,
}

/// What the client gets.
pub enum Outcome {
    Whole {
        generation_id: String,
        body: Bytes,
    },
    Stream {
        generation_id: String,
        body: Box<StreamBody>,
    },
}

/// What the journey tells those who wait for it, before it is over.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    is_streamed: AtomicBool,
    /// Runs to completion whatever the client does: a whole answer that was paid for upstream.
    must_finish: AtomicBool,
    identity: Mutex<Option<Identity>>,
}

impl Progress {
    /// Whose answer it will be, as far as is known.
    pub(crate) fn identity(&self) -> Identity {
        let known = self.identity.lock().clone();
        known.unwrap_or_else(|| Identity {
            id: String::new(),
            model: String::new(),
            provider: String::new(),
            created: 0,
            exclude_reasoning: false,
        })
    }
}

enum Arrived {
    Whole { generation_id: String, body: Bytes },
    Live(Box<Live>),
}

/// Runs one request. Every billable request comes through here (R-M12).
pub async fn run(gateway: &Arc<Gateway>, inbound: Inbound) -> Result<Outcome, Refusal> {
    if gateway.is_draining.load(Ordering::Relaxed) {
        let message = "This server is shutting down. Try again.";
        return Err(Refusal::unavailable(message, Duration::from_secs(1)));
    }
    let progress = Arc::new(Progress::default());
    let travelling = travel(Arc::clone(gateway), inbound, Arc::clone(&progress));
    let mut journey = Detached {
        future: Some(Box::pin(travelling)),
        progress: Arc::clone(&progress),
    };
    // The head of a streamed answer is held back for a while, so that a failure has its status.
    let grace = tokio::time::timeout(gateway.settings.head_grace, &mut journey).await;
    let arrived = match grace {
        Ok(arrived) => arrived?,
        Err(_) if progress.is_streamed.load(Ordering::Relaxed) => {
            let generation_id = progress.identity().id;
            let pending: Pending = Box::pin(async move {
                match journey.await? {
                    Arrived::Live(live) => Ok(*live),
                    Arrived::Whole { .. } => Err(Refusal::new(
                        ErrorType::Server,
                        "A stream ended as a whole answer.",
                    )),
                }
            });
            let body = StreamBody::waiting(pending, progress, &gateway.settings);
            return Ok(Outcome::Stream {
                generation_id,
                body: Box::new(body),
            });
        }
        Err(_) => journey.await?,
    };
    Ok(match arrived {
        Arrived::Whole {
            generation_id,
            body,
        } => Outcome::Whole {
            generation_id,
            body,
        },
        Arrived::Live(live) => {
            let generation_id = live.generation.record.id.clone();
            let body = Box::new(StreamBody::live(*live, &gateway.settings));
            Outcome::Stream {
                generation_id,
                body,
            }
        }
    })
}

/// The journey itself, owning everything it needs.
async fn travel(
    gateway: Arc<Gateway>,
    inbound: Inbound,
    progress: Arc<Progress>,
) -> Result<Arrived, Refusal> {
    let snapshot = gateway.snapshot.load_full();
    let request = parse(&inbound.body).map_err(admission::bad_request)?;
    progress
        .is_streamed
        .store(request.stream, Ordering::Relaxed);
    let admitted = admission::admit(
        &request,
        &inbound.body,
        &snapshot.catalogue,
        &snapshot.names,
    )?;

    let now = gateway.now();
    let (generation_id, request_id, seed) = gateway.new_ids(now);
    let identity = Identity {
        id: generation_id.to_string(),
        model: String::new(),
        provider: String::new(),
        created: now.seconds(),
        exclude_reasoning: admitted.facts.exclude_reasoning,
    };
    *progress.identity.lock() = Some(identity.clone());

    let route = plan(
        &admitted.needs,
        &snapshot.catalogue,
        &gateway.health.now(),
        &admitted.preferences,
        seed,
    );
    let mut generation = Generation::new(Beginning {
        record: record(
            &gateway,
            &inbound,
            &admitted,
            &identity,
            request_id.as_str(),
            now.micros(),
            seed,
        ),
        gateway: Arc::clone(&gateway),
        snapshot: Arc::clone(&snapshot),
        began: inbound.began,
        prompt_tokens_estimate: admitted.facts.prompt_tokens_estimate,
        prompt_images: admitted.facts.images,
        wants_metadata: inbound.client.wants_metadata,
    });
    let outcome = serve(
        &mut generation,
        &inbound,
        &request,
        &admitted,
        route,
        &identity,
        &progress,
    )
    .await;
    match outcome {
        Ok(Served::Whole { answer }) => {
            let id = generation.record.id.clone();
            let (tail, closed) = generation
                .settle_complete(answer.meter())
                .map_err(|failure| Refusal::from_failure(&failure, ""))?;
            closed
                .await
                .map_err(|error| crate::settle::spool_refusal(&error))?;
            Ok(Arrived::Whole {
                generation_id: id,
                body: answer.finish(&tail),
            })
        }
        Ok(Served::Stream {
            flowing,
            total_deadline,
            cancels,
        }) => {
            let live = Live {
                flowing,
                generation,
                total_deadline,
                cancels,
            };
            Ok(Arrived::Live(Box::new(live)))
        }
        Err(mut refusal) => {
            refusal.generation_id = Some(generation.record.id.clone());
            generation.settle_refused(&refusal);
            Err(refusal)
        }
    }
}

enum Served {
    Whole {
        answer: Box<dyn interline_wire::chat::answer::ChatAnswer>,
    },
    Stream {
        flowing: crate::attempt::Flowing,
        total_deadline: tokio::time::Instant,
        cancels: bool,
    },
}

/// From the plan to an answer: the hold, then endpoint after endpoint.
async fn serve(
    generation: &mut Generation,
    inbound: &Inbound,
    request: &Request<'_>,
    admitted: &Admitted,
    mut route: RoutePlan,
    identity: &Identity,
    progress: &Progress,
) -> Result<Served, Refusal> {
    let gateway = Arc::clone(&generation.gateway);
    let snapshot = Arc::clone(&generation.snapshot);
    if route.candidates.is_empty() {
        let mut refusal = admission::nobody_left(admitted, &route, &snapshot.catalogue);
        if generation.wants_metadata {
            refusal.metadata = Some(decision(admitted, &route, &snapshot, &gateway, None, &[]));
        }
        return Err(refusal);
    }
    let (hold, caps) = gateway
        .credit
        .open_hold(
            &inbound.caller,
            admitted,
            &mut route,
            &snapshot.catalogue,
            &gateway.settings,
        )
        .await?;
    generation.open(hold)?;
    if !request.stream {
        progress.must_finish.store(true, Ordering::Relaxed);
    }

    let total_deadline = tokio::time::Instant::now() + gateway.settings.total_timeout;
    let mut trail = Trail::default();
    let mut echo = BytesMut::new();
    let mut current = 0;
    let mut repair = Repair::Nothing;
    let mut was_repaired = false;
    loop {
        let Some(candidate) = route.candidates.get(current).copied() else {
            return Err(trail.exhausted(admitted, generation));
        };
        let Some(endpoint) = snapshot.catalogue.endpoints().get(candidate.endpoint) else {
            return Err(trail.exhausted(admitted, generation));
        };
        let model = snapshot.catalogue.models().get(endpoint.model);
        let provider = snapshot.catalogue.providers().get(endpoint.provider);
        let target = Target {
            upstream_model: &endpoint.upstream_model,
            max_completion_tokens: endpoint.max_completion_tokens,
            parameters: endpoint.parameters,
            quirks: &endpoint.quirks,
            reasoning: model.and_then(|model| model.reasoning.as_ref()),
            output_cap: caps.of(current),
            user_hash: admitted.user_hash.as_deref(),
            strip_sealed_reasoning: repair == Repair::StripSealedReasoning,
            swap_limit_field: repair == Repair::SwapLimitField,
        };
        let wanted = admitted.needs.models.get(candidate.wanted);
        let thinking = wanted
            .filter(|wanted| wanted.thinks)
            .map(|_| thinking(request));
        let request = thinking.as_ref().unwrap_or(request);
        let answering = Identity {
            model: model.map(|model| model.id.clone()).unwrap_or_default(),
            provider: provider
                .map(|provider| provider.name.clone())
                .unwrap_or_default(),
            ..identity.clone()
        };
        let began = Instant::now();
        let attempt = Attempt {
            gateway: &gateway,
            snapshot: &snapshot,
            index: candidate.endpoint,
            endpoint,
            request,
            body: &inbound.body,
            target,
            identity: answering.clone(),
            echo: (admitted.facts.echoes_body && request.stream).then_some(&mut echo),
            deadline: total_deadline,
        };
        match attempt.run().await {
            Ok(reply) => {
                generation.note_success(
                    candidate.endpoint,
                    candidate.reason.as_str(),
                    began.elapsed(),
                );
                trail.attempts.push((candidate.endpoint, 200));
                if generation.wants_metadata {
                    let selected = Some(candidate.endpoint);
                    generation.metadata = Some(decision(
                        admitted,
                        &route,
                        &snapshot,
                        &gateway,
                        selected,
                        &trail.attempts,
                    ));
                }
                *progress.identity.lock() = Some(answering);
                return Ok(match reply {
                    Reply::Whole(answer) => Served::Whole { answer },
                    Reply::Stream(flowing) => Served::Stream {
                        flowing: flowing.after(echo),
                        total_deadline,
                        cancels: endpoint.quirks.cancels,
                    },
                });
            }
            Err(failure) => {
                let latency = began.elapsed();
                generation.note_failure(
                    candidate.endpoint,
                    candidate.reason.as_str(),
                    latency,
                    &failure,
                );
                let step = if tokio::time::Instant::now() >= total_deadline {
                    Step::Stop
                } else {
                    after_failure(&route, &snapshot.catalogue, current, &failure, was_repaired)
                };
                trail.note(
                    candidate.endpoint,
                    answering,
                    &endpoint.id,
                    failure,
                    latency,
                );
                match step {
                    Step::Next(next) => {
                        current = next;
                        was_repaired = false;
                        repair = Repair::Nothing;
                    }
                    Step::Again(mend) => {
                        was_repaired = true;
                        repair = mend;
                    }
                    Step::Stop => {
                        let mut refusal = trail.exhausted(admitted, generation);
                        if generation.wants_metadata && refusal.code != 500 {
                            refusal.metadata = Some(decision(
                                admitted,
                                &route,
                                &snapshot,
                                &gateway,
                                None,
                                &trail.attempts,
                            ));
                        }
                        return Err(refusal);
                    }
                }
            }
        }
    }
}

/// `:thinking` on a model without a row of its own: the request as if it had asked for reasoning.
fn thinking<'a>(request: &Request<'a>) -> Request<'a> {
    let mut request = request.clone();
    let asked = request.reasoning.get_or_insert_default();
    if asked.effort.is_none() && asked.max_tokens.is_none() {
        asked.effort = Some("medium".into());
    }
    request.parameters = request.parameters.with(Parameter::Reasoning);
    request
}

fn decision(
    admitted: &Admitted,
    route: &RoutePlan,
    snapshot: &Snapshot,
    gateway: &Gateway,
    selected: Option<usize>,
    attempts: &[(usize, u16)],
) -> String {
    metadata::write(&metadata::Decision {
        needs: &admitted.needs,
        plan: route,
        catalogue: &snapshot.catalogue,
        region: &gateway.settings.region,
        selected,
        attempts,
    })
}

fn record(
    gateway: &Gateway,
    inbound: &Inbound,
    admitted: &Admitted,
    identity: &Identity,
    request_id: &str,
    created_at: i64,
    seed: u64,
) -> Box<Record> {
    let client = &inbound.client;
    Box::new(Record {
        id: identity.id.clone(),
        request_id: request_id.to_owned(),
        account: inbound.caller.account_id.to_string(),
        key_hash: inbound.caller.key_hash.clone(),
        created_at,
        requested_model: admitted
            .needs
            .models
            .first()
            .map(|m| m.requested.clone())
            .unwrap_or_default(),
        streamed: admitted.facts.stream,
        session_id: admitted
            .facts
            .session_id
            .clone()
            .or_else(|| client.session_id.clone()),
        http_referer: client.referer.clone(),
        app_title: client.title.clone(),
        user_agent: client.user_agent.clone(),
        external_user: admitted.facts.user.clone(),
        region: gateway.settings.region.clone(),
        route_seed: seed,
        ..Record::default()
    })
}

/// A journey under way.
type Travelling = Pin<Box<dyn Future<Output = Result<Arrived, Refusal>> + Send>>;

/// A journey that outlives its client where it must: dropped before its end, it goes on by itself
/// if a whole answer is under way (it is paid for upstream, so it is billed), else it is cancelled.
struct Detached {
    future: Option<Travelling>,
    progress: Arc<Progress>,
}

impl Future for Detached {
    type Output = Result<Arrived, Refusal>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(future) = self.future.as_mut() else {
            return Poll::Ready(Err(Refusal::new(ErrorType::Server, "The request is over.")));
        };
        let result = future.as_mut().poll(context);
        if result.is_ready() {
            self.future = None;
        }
        result
    }
}

impl Drop for Detached {
    fn drop(&mut self) {
        let Some(future) = self.future.take() else {
            return;
        };
        if !self.progress.must_finish.load(Ordering::Relaxed) {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(future);
        }
    }
}
