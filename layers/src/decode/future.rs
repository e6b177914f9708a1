use std::{
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use bytes::Bytes;
use pin_project::pin_project;

use super::encode::outcome_frame;
use crate::{Outcome, RpcId};

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
        answer_to: Option<RpcId>,
        limit: usize,
    },
    Refused(Option<Bytes>),
}

impl<F> DecodeFuture<F> {
    pub(super) const fn inner(future: F, answer_to: Option<RpcId>, limit: usize) -> Self {
        Self {
            state: State::Inner {
                future,
                answer_to,
                limit,
            },
        }
    }

    pub(super) const fn refused(frame: Option<Bytes>) -> Self {
        Self {
            state: State::Refused(frame),
        }
    }
}

impl<F: Future<Output = Result<Outcome, E>>, E> Future for DecodeFuture<F> {
    type Output = Result<Option<Bytes>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Inner {
                future,
                answer_to,
                limit,
            } => {
                let outcome = ready!(future.poll(cx))?;
                Poll::Ready(Ok(answer_to
                    .as_ref()
                    .map(|rpc_id| outcome_frame(&outcome, rpc_id, *limit))))
            }
            StateProjection::Refused(frame) => Poll::Ready(Ok(frame.take())),
        }
    }
}
