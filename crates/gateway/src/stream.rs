//! The body of a streamed answer: a state machine that hyper polls. No task, no channel, one timer.
//!
//! Everything that is ready is written together. The end is held back until the spool has the
//! charge; a stream that breaks off ends with the documented error event and never looks finished.

use crate::attempt::{Flowing, ended_in_error};
use crate::journey::Progress;
use crate::refusal::Refusal;
use crate::settings::Settings;
use crate::settle::Generation;
use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use interline_domain::failure::Blame;
use interline_domain::{ErrorType, Failure};
use interline_spool::Closed;
use interline_wire::chat::answer::{ChatStream, Identity, Tail};
use interline_wire::chat::error::ErrorBody;
use interline_wire::chat::render;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// Bytes after which what is ready is written even if more is ready.
const WRITE_BYTES: usize = 16 * 1024;

/// An answer that flows.
pub(crate) struct Live {
    pub(crate) flowing: Flowing,
    pub(crate) generation: Generation,
    pub(crate) total_deadline: Instant,
    /// The provider stops when the connection closes.
    pub(crate) cancels: bool,
}

/// The rest of a journey whose head had to be sent before there was content.
pub(crate) type Pending = Pin<Box<dyn Future<Output = Result<Live, Refusal>> + Send>>;

/// The body of a streamed response.
pub struct StreamBody {
    state: State,
    /// Wakes up for comments, the idle deadline and the total deadline; looked at only when
    /// nothing else happens.
    timer: Pin<Box<Sleep>>,
    comment_interval: Duration,
    idle_timeout: Duration,
    last_in: Instant,
    last_out: Instant,
    out: BytesMut,
}

enum State {
    Waiting {
        pending: Pending,
        progress: Arc<Progress>,
    },
    Live(Box<Live>),
    /// The charge is on its way to the disk; the provider's connection is read to its end so that
    /// it can be used again.
    Settling {
        stream: Box<dyn ChatStream>,
        tail: Box<Tail>,
        closed: Closed,
        rest: Option<Incoming>,
    },
    Done,
}

impl StreamBody {
    pub(crate) fn live(live: Live, settings: &Settings) -> Self {
        Self::new(State::Live(Box::new(live)), settings)
    }

    pub(crate) fn waiting(pending: Pending, progress: Arc<Progress>, settings: &Settings) -> Self {
        let mut body = Self::new(State::Waiting { pending, progress }, settings);
        render::write_comment(&mut body.out);
        body
    }

    fn new(state: State, settings: &Settings) -> Self {
        let now = Instant::now();
        let mut body = Self {
            state,
            timer: Box::pin(sleep_until(now)),
            comment_interval: settings.comment_interval,
            idle_timeout: settings.idle_timeout,
            last_in: now,
            last_out: now,
            out: BytesMut::new(),
        };
        body.rearm();
        body
    }

    /// Sets the timer to what is due next. From then on it is early rather than late, because data
    /// only moves deadlines away: it is looked at again when it rings.
    fn rearm(&mut self) {
        let next = self
            .next_wake()
            .max(Instant::now() + Duration::from_millis(1));
        self.timer.as_mut().reset(next);
    }

    /// Moves the state machine as far as it goes without waiting.
    fn advance(&mut self, context: &mut Context<'_>) {
        loop {
            let again = match &mut self.state {
                State::Waiting { .. } => self.poll_waiting(context),
                State::Live(_) => self.poll_live(context),
                State::Settling { .. } => self.poll_settling(context),
                State::Done => false,
            };
            if !again {
                return;
            }
        }
    }

    fn poll_waiting(&mut self, context: &mut Context<'_>) -> bool {
        let State::Waiting { pending, progress } = &mut self.state else {
            return false;
        };
        match pending.as_mut().poll(context) {
            Poll::Pending => false,
            Poll::Ready(Ok(live)) => {
                self.last_in = Instant::now();
                self.state = State::Live(Box::new(live));
                // The idle deadline may come before the next comment.
                self.rearm();
                true
            }
            Poll::Ready(Err(refusal)) => {
                let identity = progress.identity();
                write_refusal(&identity, &refusal, &mut self.out);
                self.state = State::Done;
                true
            }
        }
    }

    fn poll_live(&mut self, context: &mut Context<'_>) -> bool {
        let State::Live(live) = &mut self.state else {
            return false;
        };
        if !live.flowing.ready.is_empty() {
            let ready = std::mem::take(&mut live.flowing.ready);
            if self.out.is_empty() {
                self.out = ready;
            } else {
                self.out.extend_from_slice(&ready);
            }
        }
        let mut result = Ok(());
        let mut is_over = live.flowing.is_done;
        while !is_over && self.out.len() < WRITE_BYTES {
            match Pin::new(&mut live.flowing.body).poll_frame(context) {
                Poll::Pending => break,
                Poll::Ready(Some(Ok(frame))) => {
                    self.last_in = Instant::now();
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    result = live.flowing.stream.feed(&data, &mut self.out);
                    is_over = result.is_err() || live.flowing.stream.is_done();
                }
                Poll::Ready(Some(Err(_))) => {
                    let failure = Failure::unavailable("The provider's connection broke off.");
                    result = Err(failure);
                    is_over = true;
                }
                Poll::Ready(None) => {
                    result = live.flowing.stream.end(&mut self.out);
                    is_over = true;
                }
            }
        }
        if is_over {
            let meter = live.flowing.stream.meter();
            let result = result.and_then(|()| ended_in_error(meter).map_or(Ok(()), Err));
            self.end(result);
        }
        is_over
    }

    /// The provider's part is over, well or badly.
    fn end(&mut self, result: Result<(), Failure>) {
        let State::Live(live) = std::mem::replace(&mut self.state, State::Done) else {
            return;
        };
        let Live {
            mut flowing,
            generation,
            ..
        } = *live;
        let provider = generation.provider_name();
        let failure = match result {
            Ok(()) => match generation.settle_complete(flowing.stream.meter()) {
                Ok((tail, closed)) => {
                    self.state = State::Settling {
                        stream: flowing.stream,
                        tail: Box::new(tail),
                        closed,
                        rest: Some(flowing.body),
                    };
                    return;
                }
                Err(failure) => failure,
            },
            Err(failure) => {
                generation.settle_failed(&failure, Some(flowing.stream.meter()));
                failure
            }
        };
        let error = failure_body(&failure, &provider).error_object();
        flowing.stream.fail(&error, None, &mut self.out);
    }

    fn poll_settling(&mut self, context: &mut Context<'_>) -> bool {
        let State::Settling {
            stream,
            tail,
            closed,
            rest,
        } = &mut self.state
        else {
            return false;
        };
        if let Some(body) = rest
            && let Poll::Ready(None | Some(Err(_))) = Pin::new(body).poll_frame(context)
        {
            *rest = None;
        }
        match Pin::new(closed).poll(context) {
            Poll::Pending => false,
            Poll::Ready(Ok(())) => {
                stream.finish(tail, &mut self.out);
                self.state = State::Done;
                true
            }
            Poll::Ready(Err(error)) => {
                // Not durable, so not finished: the client must not take it for a whole answer.
                tracing::error!(%error, "a finished stream could not be recorded");
                let failure = Failure {
                    error_type: ErrorType::Server,
                    ..Failure::unavailable("The answer could not be recorded.")
                };
                stream.fail(
                    &failure_body(&failure, "").error_object(),
                    None,
                    &mut self.out,
                );
                self.state = State::Done;
                true
            }
        }
    }

    /// The timer rang: a comment is due, or somebody was silent for too long.
    fn on_timer(&mut self, now: Instant) {
        if let State::Live(live) = &mut self.state {
            let is_late = now >= live.total_deadline;
            if is_late || now >= self.last_in + self.idle_timeout {
                let mut failure = Failure::timeout(if is_late {
                    "The answer took longer than the total deadline."
                } else {
                    "The provider fell silent in the middle of its answer."
                });
                if is_late {
                    failure.blame = Blame::Router;
                }
                self.end(Err(failure));
                return;
            }
        }
        if now >= self.last_out + self.comment_interval && !matches!(self.state, State::Done) {
            render::write_comment(&mut self.out);
        }
    }

    fn next_wake(&self) -> Instant {
        let comment = self.last_out + self.comment_interval;
        match &self.state {
            State::Live(live) => comment
                .min(self.last_in + self.idle_timeout)
                .min(live.total_deadline),
            _ => comment,
        }
    }
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        loop {
            this.advance(context);
            if !this.out.is_empty() {
                this.last_out = Instant::now();
                let bytes = this.out.split().freeze();
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            if matches!(this.state, State::Done) {
                return Poll::Ready(None);
            }
            // Nothing is ready: give the buffer back while waiting, and look at the clock.
            this.out = BytesMut::new();
            if this.timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            this.on_timer(Instant::now());
            this.rearm();
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Done) && self.out.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// Streams of clients that left whose providers cannot be stopped.
static DRAINS: AtomicUsize = AtomicUsize::new(0);

impl Drop for StreamBody {
    /// The client left before the end. What is owed is settled; a provider that can be stopped is
    /// stopped by closing its connection, the others are read to their end in the background.
    fn drop(&mut self) {
        let State::Live(live) = std::mem::replace(&mut self.state, State::Done) else {
            return;
        };
        let room = live.generation.gateway.settings.max_drains;
        if live.cancels || DRAINS.load(Ordering::Relaxed) >= room {
            live.generation
                .settle_cancelled(live.flowing.stream.meter());
            return;
        }
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                DRAINS.fetch_add(1, Ordering::Relaxed);
                runtime.spawn(drain(*live));
            }
            Err(_) => live
                .generation
                .settle_cancelled(live.flowing.stream.meter()),
        }
    }
}

/// Reads a stream nobody listens to, for its usage.
async fn drain(live: Live) {
    let Live {
        mut flowing,
        generation,
        total_deadline,
        ..
    } = live;
    let mut ignored = BytesMut::new();
    let reading = async {
        while !flowing.stream.is_done() {
            ignored.clear();
            match flowing.body.frame().await {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    if flowing.stream.feed(&data, &mut ignored).is_err() {
                        return;
                    }
                }
                Some(Err(_)) | None => return,
            }
        }
    };
    let _ = tokio::time::timeout_at(total_deadline, reading).await;
    generation.settle_cancelled(flowing.stream.meter());
    DRAINS.fetch_sub(1, Ordering::Relaxed);
}

fn failure_body(failure: &Failure, provider: &str) -> ErrorBody {
    ErrorBody::from_failure(failure, failure.error_type.code(), provider, false)
}

/// The whole journey failed after the head was sent: the error goes in the band.
fn write_refusal(identity: &Identity, refusal: &Refusal, out: &mut BytesMut) {
    let error = refusal.to_body(None).error_object();
    render::write_error_chunk(identity, &error, None, refusal.metadata.as_deref(), out);
    render::write_done(out);
}
