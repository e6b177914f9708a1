//! The pipeline of a connection and its messages in flight.

use std::{
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tower::{BoxError, Service};
use zocket_layers::{Frame, FrameResponse, internal::caught};

use super::{
    budget::{poll_app, poll_without_budget},
    session::{End, InFlightMessage, Session},
};
use crate::core::contain::contained;

/// Size limit, in bytes, of the slot that an idle connection keeps.
const MAX_KEPT_SIZE: usize = 256;

/// The result of one message. An error or a panic of its service affects this message only.
pub(super) type Handled = Result<FrameResponse, BoxError>;

/// The pipeline of a connection and its messages in flight.
///
/// Most messages complete at their first poll. The first poll takes place in a slot that is reused. A message that is
/// pending after it moves to the set of waiting messages, together with its slot. Each poll of a message has its own
/// budget, so that no message keeps another one from running, or the connection from reading and writing.
pub(super) struct Handlers<S: Service<Frame>> {
    pipeline: S,
    first_poll: Option<Slot<S::Future>>,
    waiting: Option<Box<FuturesUnordered<Waiting<S::Future>>>>,
}

/// Slot for the future of a message. `None` once the future has completed.
type Slot<F> = Pin<Box<Option<F>>>;

/// A message that was pending after its first poll.
struct Waiting<F> {
    slot: Slot<F>,
    message: InFlightMessage,
}

/// Polls the future in a slot, and empties the slot when it completes. Returns pending for an empty slot.
fn poll_slot<F, R, E>(slot: &mut Slot<F>, cx: &mut Task<'_>) -> Poll<Handled>
where
    F: Future<Output = Result<R, E>>,
    R: Into<FrameResponse>,
    E: Into<BoxError>,
{
    let Some(future) = slot.as_mut().as_pin_mut() else {
        return Poll::Pending;
    };
    let polled = caught(|| match poll_app(cx, |cx| future.poll(cx)) {
        Poll::Ready(result) => Poll::Ready(result.map(Into::into).map_err(Into::into)),
        Poll::Pending => Poll::Pending,
    });
    let handled = ready!(polled.unwrap_or_else(|panic| Poll::Ready(Err(panic))));
    // The future's drop may panic as well. The message has its result by then.
    contained("drop of a message", || slot.set(None));
    Poll::Ready(handled)
}

impl<F, R, E> Future for Waiting<F>
where
    F: Future<Output = Result<R, E>>,
    R: Into<FrameResponse>,
    E: Into<BoxError>,
{
    type Output = (InFlightMessage, Handled);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let handled = ready!(poll_slot(&mut self.slot, cx));
        Poll::Ready((self.message.clone(), handled))
    }
}

impl<S> Handlers<S>
where
    S: Service<Frame>,
    S::Response: Into<FrameResponse>,
    S::Error: Into<BoxError>,
{
    pub(super) const fn new(pipeline: S) -> Self {
        Self {
            pipeline,
            first_poll: None,
            waiting: None,
        }
    }

    /// Polls the pipeline's readiness. An error or a panic means that the pipeline failed for good. Polled without a
    /// budget, because a load shed over a limit would refuse messages for lack of it.
    pub(super) fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), BoxError>> {
        caught(|| poll_without_budget(cx, |cx| self.pipeline.poll_ready(cx).map_err(Into::into)))
            .unwrap_or_else(|panic| Poll::Ready(Err(panic)))
    }

    /// Calls the pipeline, which must be ready. Returns the message and its result if it completes at its first poll.
    ///
    /// # Errors
    /// The message, if it stays in flight.
    pub(super) fn call(
        &mut self,
        frame: Frame,
        message: InFlightMessage,
        cx: &mut Task<'_>,
    ) -> Result<(InFlightMessage, Handled), InFlightMessage> {
        let future = match caught(|| self.pipeline.call(frame)) {
            Ok(future) => future,
            Err(panic) => return Ok((message, Err(panic))),
        };
        let mut slot = self.first_poll.take().unwrap_or_else(|| Box::pin(None));
        slot.set(Some(future));
        match poll_slot(&mut slot, cx) {
            Poll::Ready(handled) => {
                self.first_poll = Some(slot);
                Ok((message, handled))
            }
            Poll::Pending => {
                let waiting = Waiting {
                    slot,
                    message: message.clone(),
                };
                self.waiting.get_or_insert_default().push(waiting);
                Err(message)
            }
        }
    }

    /// Polls the messages in flight. Returns the next one that completes, or `None` if there is none in flight.
    pub(super) fn poll_next(&mut self, cx: &mut Task<'_>) -> Poll<Option<(InFlightMessage, Handled)>> {
        match &mut self.waiting {
            Some(waiting) => waiting.poll_next_unpin(cx),
            None => Poll::Ready(None),
        }
    }

    /// Drops the messages in flight. Returns their number. A future whose drop panics affects no other.
    pub(super) fn abandon(&mut self) -> usize {
        let mut count = 0;
        for waiting in self.waiting.iter_mut().flat_map(|waiting| waiting.iter_mut()) {
            count += usize::from(waiting.slot.is_some());
            contained("drop of a message", || waiting.slot.set(None));
        }
        count
    }

    /// Frees the memory that an idle connection does not need.
    pub(super) fn shrink(&mut self) {
        if size_of::<Option<S::Future>>() > MAX_KEPT_SIZE {
            self.first_poll = None;
        }
        if self.waiting.as_ref().is_some_and(|waiting| waiting.is_empty()) {
            self.waiting = None;
        }
    }
}

/// Begins a message. The pipeline must be ready.
pub(super) fn begin<S>(
    session: &mut Session,
    handlers: &mut Handlers<S>,
    mut frame: Frame,
    cx: &mut Task<'_>,
) -> Result<(), End>
where
    S: Service<Frame>,
    S::Response: Into<FrameResponse>,
    S::Error: Into<BoxError>,
{
    let message = session.begin(&mut frame);
    let end = match handlers.call(frame, message, cx) {
        Ok((message, handled)) => session.end(&message, handled),
        Err(message) => {
            session.stays_in_flight(message);
            None
        }
    };
    end.map_or(Ok(()), Err)
}
