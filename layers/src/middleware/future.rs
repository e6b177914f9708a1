use std::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll, ready},
};

use pin_project::pin_project;
use tower::{BoxError, Service};

use crate::{
    context::Context,
    error::Error,
    message::{Message, Parts, Reply},
    service::polled_after_completion,
};

/// The future of [`WithService`](super::WithService) and [`WithInputService`](super::WithInputService). It first polls
/// the middleware's future, which returns the context (or context and input) for the rest of the stack. Then it polls
/// the future of that rest.
#[pin_project]
pub struct WithFuture<F, S: Service<Message<P, Context<D>>>, K, D, P> {
    #[pin]
    state: State<F, S, S::Future, K>,
    made: PhantomData<fn() -> (D, P)>,
}

#[pin_project(project = StateProjection)]
enum State<F, S, G, K> {
    Middleware {
        #[pin]
        middleware: F,
        rest: Option<Rest<S, K>>,
    },
    Inner(#[pin] G),
}

/// The rest of the stack, and the parts of the message, kept until the middleware has answered.
struct Rest<S, K> {
    inner: S,
    parts: Parts,
    kept: K,
}

impl<F, S: Service<Message<P, Context<D>>>, K, D, P> WithFuture<F, S, K, D, P> {
    pub(super) const fn new(middleware: F, inner: S, parts: Parts, kept: K) -> Self {
        Self {
            state: State::Middleware {
                middleware,
                rest: Some(Rest { inner, parts, kept }),
            },
            made: PhantomData,
        }
    }
}

/// Combines a middleware's answer with the payload that was kept from it.
pub(super) trait CombineAnswer<A, D, P> {
    fn combine(self, answer: A) -> (D, P);
}

/// Payload that a middleware made by [`with`](super::with()) does not receive. It is kept here, and passed to the rest
/// of the stack unchanged.
#[derive(Debug)]
pub struct KeptPayload<P>(pub(super) P);

impl<D, P> CombineAnswer<D, D, P> for KeptPayload<P> {
    fn combine(self, answer: D) -> (D, P) {
        (answer, self.0)
    }
}

/// Stands in the place of [`KeptPayload`] for a middleware made by [`with_input`](super::with_input()): it receives the
/// payload, and returns the one for the rest of the stack.
#[derive(Debug)]
pub struct ReturnedPayload;

impl<D, P> CombineAnswer<(D, P), D, P> for ReturnedPayload {
    fn combine(self, answer: (D, P)) -> (D, P) {
        answer
    }
}

impl<F, A, S, K, D, P> Future for WithFuture<F, S, K, D, P>
where
    F: Future<Output = Result<A, Error>>,
    K: CombineAnswer<A, D, P>,
    S: Service<Message<P, Context<D>>, Response = Reply>,
    S::Error: Into<BoxError>,
{
    type Output = Result<Reply, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProjection::Middleware { middleware, rest } => {
                    let answer = ready!(middleware.poll(cx))?;
                    let Some(Rest {
                        mut inner,
                        parts,
                        kept,
                    }) = rest.take()
                    else {
                        polled_after_completion("WithFuture");
                    };
                    let (value, payload) = kept.combine(answer);
                    let context = Context::of_message(&parts, Arc::new(value));
                    let message = Message::from_parts(parts, context, payload);
                    let future = inner.call(message);
                    this.state.set(State::Inner(future));
                }
                StateProjection::Inner(future) => return future.poll(cx).map_err(Into::into),
            }
        }
    }
}

impl<F, S: Service<Message<P, Context<D>>>, K, D, P> std::fmt::Debug for WithFuture<F, S, K, D, P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match &self.state {
            State::Middleware { .. } => "middleware",
            State::Inner(_) => "inner",
        };
        f.debug_struct("WithFuture")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
