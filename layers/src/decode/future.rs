use std::{
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use pin_project::pin_project;

use super::encode::{Recipient, outcome_frame};
use crate::{Error, Outcome, rescue::explain, stack::IsOutcome};

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
        to: Recipient,
        limit: usize,
    },
    Refused(Option<Vec<u8>>),
}

impl<F> DecodeFuture<F> {
    pub(super) const fn inner(future: F, to: Recipient, limit: usize) -> Self {
        Self {
            state: State::Inner { future, to, limit },
        }
    }

    pub(super) const fn refused(frame: Option<Vec<u8>>) -> Self {
        Self {
            state: State::Refused(frame),
        }
    }
}

/// An answer whose effects nobody has performed promises what was not done.
fn check_performed(outcome: &mut Outcome) {
    if let Outcome::Reply(reply) = outcome
        && !reply.effects.is_empty()
    {
        let lost = format!(
            "FanoutLayer is missing from the stack: {} effects were not performed",
            reply.effects.len()
        );
        *outcome = Outcome::Refused(explain(Error::internal(lost).into()));
    }
}

impl<F: Future<Output = Result<O, E>>, O: IsOutcome, E> Future for DecodeFuture<F> {
    type Output = Result<Option<Vec<u8>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Inner { future, to, limit } => {
                let mut outcome = ready!(future.poll(cx))?.into_outcome();
                check_performed(&mut outcome);
                Poll::Ready(Ok(outcome_frame(outcome, to, *limit)))
            }
            StateProjection::Refused(frame) => Poll::Ready(Ok(frame.take())),
        }
    }
}
