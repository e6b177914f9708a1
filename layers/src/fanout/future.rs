use std::{
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use pin_project::{pin_project, pinned_drop};
use tower::BoxError;

use crate::{Reply, outbox::Outbox};

/// The future of [`FanoutService`](super::FanoutService). Dropped before its end, as by a timeout, it counts as
/// failed.
#[pin_project(PinnedDrop)]
#[derive(Debug)]
pub struct FanoutFuture<F> {
    #[pin]
    inner: F,
    outbox: Outbox,
}

impl<F> FanoutFuture<F> {
    pub(super) const fn new(inner: F, outbox: Outbox) -> Self {
        Self { inner, outbox }
    }
}

impl<F, E> Future for FanoutFuture<F>
where
    F: Future<Output = Result<Reply, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Reply, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let outbox = this.outbox;
        let mut reply = match ready!(this.inner.poll(cx)) {
            Ok(reply) => reply,
            Err(error) => {
                outbox.drop_held();
                return Poll::Ready(Err(error.into()));
            }
        };
        let winner = reply.outbox.take();
        let winner = winner.as_ref().unwrap_or(outbox);
        // As a rule everything was performed as it was noted.
        if reply.effects.is_empty() && winner.is(outbox) && outbox.is_through() {
            return Poll::Ready(Ok(reply));
        }
        // An event that can't be sent is known of before anything is performed: its message has failed.
        if let Some(failure) = winner.take_failure().or_else(|| outbox.take_failure()) {
            winner.drop_held();
            outbox.drop_held();
            return Poll::Ready(Err(failure.into()));
        }
        winner.perform(&mut reply.effects);
        // What was noted after the handler had answered, and from now on.
        winner.pass_up_to(outbox);
        match winner.take_failure().or_else(|| outbox.take_failure()) {
            Some(failure) => Poll::Ready(Err(failure.into())),
            None => Poll::Ready(Ok(reply)),
        }
    }
}

#[pinned_drop]
impl<F> PinnedDrop for FanoutFuture<F> {
    fn drop(self: Pin<&mut Self>) {
        self.outbox.drop_held();
    }
}
