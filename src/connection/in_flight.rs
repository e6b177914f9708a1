//! The messages of a connection that are being handled.

use std::{
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use pin_project::pin_project;
use zocket_layers::{RpcId, Turn};

/// The messages of a connection that are being handled.
///
/// Most are handled at the first look. It takes place in a box that is used again, and only those that are not done
/// then are put among those that wait.
pub(super) struct InFlight<F> {
    first_look: Option<Boxed<F>>,
    waiting: Option<Box<FuturesUnordered<Boxed<F>>>>,
}

type Boxed<F> = Pin<Box<Handling<F>>>;

/// A message being handled.
#[pin_project]
struct Handling<F> {
    #[pin]
    future: Option<F>,
    about: About,
}

/// What the session knows of a message that is being handled.
#[derive(Debug, Clone)]
pub(super) struct About {
    pub(super) rpc_id: Option<RpcId>,
    pub(super) turn: Turn,
}

impl<F: Future> Future for Handling<F> {
    type Output = (About, F::Output);

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            // It was done before.
            return Poll::Pending;
        };
        let output = ready!(future.poll(cx));
        this.future.set(None);
        let about = About {
            rpc_id: this.about.rpc_id.take(),
            turn: this.about.turn,
        };
        Poll::Ready((about, output))
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
        let mut handling = match self.first_look.take() {
            Some(mut handling) => {
                let mut this = handling.as_mut().project();
                this.future.set(Some(future));
                *this.about = about;
                handling
            }
            None => Box::pin(Handling {
                future: Some(future),
                about,
            }),
        };
        match handling.as_mut().poll(cx) {
            Poll::Ready(handled) => {
                self.first_look = Some(handling);
                Ok(handled)
            }
            Poll::Pending => {
                let about = handling.about.clone();
                self.waiting.get_or_insert_default().push(handling);
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
        self.first_look = None;
        if self.is_empty() {
            self.waiting = None;
        }
    }
}
