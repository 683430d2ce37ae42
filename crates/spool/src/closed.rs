//! Waiting for a close to be durable.

use crate::Error;
use crate::state::Shared;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Resolves when the record is as durable as the spool promises. Dropping it changes nothing: the
/// record is written all the same.
#[must_use = "the record is durable only when this resolves"]
pub struct Closed {
    shared: Arc<Shared>,
    /// The group the record is written with.
    group: u64,
    registered: Option<Waker>,
}

impl Closed {
    pub(crate) fn new(shared: Arc<Shared>, group: u64) -> Self {
        Self {
            shared,
            group,
            registered: None,
        }
    }
}

impl Future for Closed {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.shared.is_durable(self.group) {
            return Poll::Ready(Ok(()));
        }
        let known = self.registered.as_ref();
        let is_registered = known.is_some_and(|waker| waker.will_wake(context.waker()));
        let mut state = self.shared.lock();
        // Asked again under the lock: the writer reports a group and takes its wakers under it.
        if self.shared.is_durable(self.group) {
            return Poll::Ready(Ok(()));
        }
        if let Some(reason) = state.failure() {
            return Poll::Ready(Err(Error::Failed(reason)));
        }
        if !is_registered {
            state.wake_after(self.group, context.waker().clone());
            drop(state);
            self.registered = Some(context.waker().clone());
        }
        Poll::Pending
    }
}
