use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll},
};

use futures_util::future::Shared;

use super::{BoxFuture, Full};

/// State of an effect that a hub has accepted.
#[derive(Debug)]
#[non_exhaustive]
pub enum Performed {
    /// The effect is applied.
    Done,
    /// The effect is pending. It is applied, or has failed, when the ticket resolves.
    Pending(Ticket),
}

/// A ticket with several waiters: the answer to a message, and a flush.
pub(crate) type SharedTicket = Shared<Ticket>;

/// Future that resolves when a pending effect is applied or has failed. Dropping it does not cancel the effect.
#[must_use = "the answer to the message must wait for the ticket"]
pub struct Ticket(BoxFuture<'static, Result<(), Full>>);

impl Ticket {
    /// Creates a ticket that resolves with this future. The future only reports the result. The hub has to apply the
    /// effect even if nothing polls it.
    pub fn new(future: impl Future<Output = Result<(), Full>> + Send + 'static) -> Self {
        Self(Box::pin(future))
    }
}

impl Future for Ticket {
    type Output = Result<(), Full>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket")
    }
}
