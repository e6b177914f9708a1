use std::{
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use pin_project::pin_project;

use super::reply_address::ReplyAddress;
use crate::{
    error::Error,
    message::{FrameResponse, Outcome},
    protocol::Form,
    rescue::explain,
    service::IsOutcome,
    service::polled_after_completion,
};

/// The future of [`DecodeService`](super::DecodeService).
#[pin_project]
#[derive(Debug)]
pub struct DecodeFuture<F> {
    #[pin]
    state: State<F>,
}

#[pin_project(project = StateProjection)]
#[derive(Debug)]
enum State<F> {
    Inner {
        #[pin]
        future: F,
        reply_address: ReplyAddress,
        form: Form,
        limit: usize,
    },
    Refused(Option<Box<FrameResponse>>),
}

impl<F> DecodeFuture<F> {
    pub(super) const fn inner(future: F, reply_address: ReplyAddress, form: Form, limit: usize) -> Self {
        Self {
            state: State::Inner {
                future,
                reply_address,
                form,
                limit,
            },
        }
    }

    pub(super) fn refused(response: FrameResponse) -> Self {
        Self {
            state: State::Refused(Some(Box::new(response))),
        }
    }
}

/// Replaces an answer by a refusal if its effects were not performed. The answer would report success for work that was
/// not done.
fn check_performed(outcome: &mut Outcome) {
    if let Outcome::Reply(reply) = outcome
        && !reply.effects.is_empty()
    {
        *outcome = Outcome::Refused(lost_effects(reply.effects.len()));
    }
}

#[cold]
fn lost_effects(count: usize) -> Error {
    let lost = format!("FanoutLayer is missing from the stack: {count} effects were not performed");
    explain(Error::internal(lost).into())
}

/// Takes the refusal. Cold, so that polling a message that was passed on stays small.
#[cold]
fn take_refusal(response: &mut Option<Box<FrameResponse>>) -> FrameResponse {
    match response.take() {
        Some(response) => *response,
        None => polled_after_completion("DecodeFuture"),
    }
}

impl<F: Future<Output = Result<O, E>>, O: IsOutcome, E> Future for DecodeFuture<F> {
    type Output = Result<FrameResponse, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Inner {
                future,
                reply_address,
                form,
                limit,
            } => {
                let mut outcome = ready!(future.poll(cx))?.into_outcome();
                check_performed(&mut outcome);
                Poll::Ready(Ok(reply_address.respond(outcome, *form, *limit)))
            }
            StateProjection::Refused(response) => Poll::Ready(Ok(take_refusal(response))),
        }
    }
}
