//! A response body that follows its steps, and tells the log how it ended.

use crate::log::Record;
use crate::plan::Step;
use crate::socket::Ending;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::time::{Instant, Sleep, sleep_until};

/// The script ends the connection here.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the script ends the connection")]
pub(crate) struct Aborted;

pub(crate) struct SimBody {
    steps: std::vec::IntoIter<Step>,
    /// When the next chunk is due: a schedule, so that lateness does not add up.
    due: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
    /// Bytes announced and not yet sent.
    left: Option<u64>,
    is_hanging: bool,
    ending: Arc<Ending>,
    record: Record,
}

impl SimBody {
    /// `length` is announced as `content-length`.
    pub(crate) fn new(
        steps: Vec<Step>,
        length: Option<u64>,
        ending: Arc<Ending>,
        mut record: Record,
    ) -> Self {
        if steps.is_empty() {
            // hyper does not ask an empty body for anything.
            record.complete();
        }
        Self {
            steps: steps.into_iter(),
            due: None,
            sleep: None,
            left: length,
            is_hanging: false,
            ending,
            record,
        }
    }
}

impl Body for SimBody {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        loop {
            if let Some(sleep) = &mut self.sleep {
                if sleep.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                self.sleep = None;
            }
            if self.is_hanging {
                // Never woken by us: the connection itself sees when the client leaves.
                return Poll::Pending;
            }
            match self.steps.next() {
                None => {
                    self.record.complete();
                    return Poll::Ready(None);
                }
                Some(Step::Data { bytes, is_content }) => {
                    self.record.sent(bytes.len(), is_content);
                    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                    self.left = self.left.map(|left| left.saturating_sub(length));
                    if self.steps.len() == 0 {
                        // With a known length hyper does not ask again.
                        self.record.complete();
                    }
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(Step::Pause(pause)) => {
                    let now = Instant::now();
                    let due = self.due.unwrap_or(now) + pause;
                    self.due = Some(due);
                    if due > now {
                        self.sleep = Some(Box::pin(sleep_until(due)));
                    }
                }
                Some(Step::Hang) => self.is_hanging = true,
                Some(Step::Abort { is_reset }) => {
                    if is_reset {
                        self.ending.reset();
                    }
                    self.record.cut();
                    return Poll::Ready(Some(Err(Aborted)));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.len() == 0 && !self.is_hanging
    }

    fn size_hint(&self) -> SizeHint {
        self.left
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
