//! The messages of a connection that are being handled.

use std::{
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use zocket_layers::{RpcId, Turn};

/// A box that is larger is not kept by a connection that rests.
const MAX_KEPT: usize = 256;

/// The messages of a connection that are being handled.
///
/// Most are handled at the first look. It takes place in a box that is used again, and only those that are not done
/// then are put among those that wait.
pub(super) struct InFlight<F> {
    first_look: Option<Slot<F>>,
    waiting: Option<Box<FuturesUnordered<Waiting<F>>>>,
}

/// Where a message is being handled; none when it has been.
type Slot<F> = Pin<Box<Option<F>>>;

/// A message that was not handled at the first look.
struct Waiting<F> {
    slot: Slot<F>,
    about: About,
}

/// What the session knows of a message that is being handled.
#[derive(Debug, Clone)]
pub(super) struct About {
    pub(super) rpc_id: Option<RpcId>,
    pub(super) turn: Turn,
}

/// Goes on with what is in a slot, and empties it at the end.
fn poll_slot<F: Future>(slot: &mut Slot<F>, cx: &mut Task<'_>) -> Poll<F::Output> {
    let Some(future) = slot.as_mut().as_pin_mut() else {
        // Polled once more, it has nothing left to say.
        return Poll::Pending;
    };
    let output = ready!(future.poll(cx));
    slot.set(None);
    Poll::Ready(output)
}

impl<F: Future> Future for Waiting<F> {
    type Output = (About, F::Output);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let output = ready!(poll_slot(&mut self.slot, cx));
        Poll::Ready((self.about.clone(), output))
    }
}

impl<F: Future> InFlight<F> {
    pub(super) const fn new() -> Self {
        Self {
            first_look: None,
            waiting: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| waiting.len())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Begins to handle a message. What is not done at once waits.
    ///
    /// # Errors
    /// A clone of what is known of the message, if it waits.
    pub(super) fn begin(
        &mut self,
        future: F,
        about: About,
        cx: &mut Task<'_>,
    ) -> Result<(About, F::Output), About> {
        let mut slot = self.first_look.take().unwrap_or_else(|| Box::pin(None));
        slot.set(Some(future));
        match poll_slot(&mut slot, cx) {
            Poll::Ready(output) => {
                self.first_look = Some(slot);
                Ok((about, output))
            }
            Poll::Pending => {
                let waiting = Waiting {
                    slot,
                    about: about.clone(),
                };
                self.waiting.get_or_insert_default().push(waiting);
                Err(about)
            }
        }
    }

    /// The next one that is done; none when there is none that waits.
    pub(super) fn poll_next(&mut self, cx: &mut Task<'_>) -> Poll<Option<(About, F::Output)>> {
        match &mut self.waiting {
            Some(waiting) => waiting.poll_next_unpin(cx),
            None => Poll::Ready(None),
        }
    }

    /// Gives back what is not needed to wait.
    pub(super) fn shrink(&mut self) {
        if size_of::<Option<F>>() > MAX_KEPT {
            self.first_look = None;
        }
        if self.is_empty() {
            self.waiting = None;
        }
    }
}
