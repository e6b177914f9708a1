use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll},
};

use futures_util::future::Shared;

use super::{BoxFuture, Full};

/// The state of an effect that a hub has taken.
#[derive(Debug)]
#[non_exhaustive]
pub enum Performed {
    /// It is in effect.
    Done,
    /// It will be in effect when the ticket resolves.
    Pending(Ticket),
}

/// A ticket that several wait for: the answer to a message, and a flush.
pub(crate) type SharedTicket = Shared<Ticket>;

/// Resolves when an effect is in effect. Dropped, it takes nothing back.
#[must_use = "the answer to the message has to wait for it"]
pub struct Ticket(BoxFuture<'static, Result<(), Full>>);

impl Ticket {
    /// A ticket that resolves with this future. The hub does its work without it: the future only reports.
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
