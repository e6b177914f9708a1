use std::{
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use futures_util::future::{JoinAll, join_all};
use pin_project::{pin_project, pinned_drop};
use tower::BoxError;

use crate::{
    error::Error,
    hub::SharedTicket,
    message::{MessageState, Reply},
    service::polled_after_completion,
};

/// The future of [`FanoutService`](super::FanoutService). If it is dropped before it finishes, as by a timeout, the
/// message counts as failed.
#[pin_project(PinnedDrop)]
#[derive(Debug)]
pub struct FanoutFuture<F> {
    #[pin]
    stage: Stage<F>,
    state: MessageState,
}

#[pin_project(project = StageProjection)]
#[derive(Debug)]
enum Stage<F> {
    Inner(#[pin] F),
    /// Boxed, since few messages have effects that are pending.
    Waiting(Box<Waiting>),
}

/// A reply that waits for effects of its message.
#[derive(Debug)]
struct Waiting {
    reply: Option<Reply>,
    tickets: JoinAll<SharedTicket>,
}

impl<F> FanoutFuture<F> {
    pub(super) const fn new(inner: F, state: MessageState) -> Self {
        Self {
            stage: Stage::Inner(inner),
            state,
        }
    }
}

/// Returns true if a message that has succeeded passed each effect to the hub as it was recorded, and none failed or is
/// pending.
fn is_through(reply: &Reply, state: &MessageState) -> bool {
    reply.effects.is_empty()
        && reply.state.as_ref().is_none_or(|winner| winner.is(state))
        && state.is_through()
}

/// Passes the effects of a message that has succeeded to the hub. Returns the tickets of those that are pending.
#[cold]
fn perform(reply: &mut Reply, state: &MessageState) -> Result<Vec<SharedTicket>, BoxError> {
    let winner = reply.state.take();
    let winner = winner.as_ref().unwrap_or(state);
    let failure = || winner.take_failure().or_else(|| state.take_failure());
    // An event that can't be sent fails the message before any of its effects is performed.
    if let Some(failure) = failure() {
        winner.drop_held();
        state.drop_held();
        return Err(failure.into());
    }
    winner.perform(&mut reply.effects);
    // Passes on the effects that were recorded after the handler's answer, and all later ones.
    winner.pass_up_to(state);
    if let Some(failure) = failure() {
        return Err(failure.into());
    }
    Ok(winner.pending_up_to(state))
}

impl<F, E> Future for FanoutFuture<F>
where
    F: Future<Output = Result<Reply, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Reply, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let StageProjection::Inner(inner) = this.stage.as_mut().project() {
            let mut reply = match ready!(inner.poll(cx)) {
                Ok(reply) => reply,
                Err(error) => {
                    this.state.drop_held();
                    return Poll::Ready(Err(error.into()));
                }
            };
            if is_through(&reply, this.state) {
                reply.state = None;
                return Poll::Ready(Ok(reply));
            }
            let tickets = perform(&mut reply, this.state)?;
            if tickets.is_empty() {
                return Poll::Ready(Ok(reply));
            }
            // Drops the inner future, and the permits that it holds.
            this.stage.set(Stage::Waiting(Box::new(Waiting {
                reply: Some(reply),
                tickets: join_all(tickets),
            })));
        }
        match this.stage.project() {
            StageProjection::Inner(_) => Poll::Pending,
            StageProjection::Waiting(waiting) => {
                for result in ready!(Pin::new(&mut waiting.tickets).poll(cx)) {
                    result.map_err(Error::from)?;
                }
                match waiting.reply.take() {
                    Some(reply) => Poll::Ready(Ok(reply)),
                    None => polled_after_completion("FanoutFuture"),
                }
            }
        }
    }
}

#[pinned_drop]
impl<F> PinnedDrop for FanoutFuture<F> {
    fn drop(self: Pin<&mut Self>) {
        self.state.drop_held();
    }
}
