//! A service that is strict about readiness.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll},
};

use tower::Service;

/// A service that checks tower's contract: it panics when this clone is called without a `poll_ready` that returned
/// ready since its last call. Its first poll is always pending, and dropping the waiter restarts it.
#[derive(Debug)]
pub(crate) struct Probe<A> {
    answer: fn() -> A,
    readiness: Readiness,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Readiness {
    Unasked,
    Asked,
    Ready,
}

impl<A> Probe<A> {
    pub(crate) fn new(answer: fn() -> A) -> Self {
        Self {
            answer,
            readiness: Readiness::Unasked,
        }
    }
}

/// A clone is not ready.
impl<A> Clone for Probe<A> {
    fn clone(&self) -> Self {
        Self::new(self.answer)
    }
}

impl<M, A: Send + 'static> Service<M> for Probe<A> {
    type Response = A;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<A, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Infallible>> {
        if self.readiness == Readiness::Unasked {
            self.readiness = Readiness::Asked;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.readiness = Readiness::Ready;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: M) -> Self::Future {
        assert_eq!(self.readiness, Readiness::Ready, "called without being ready");
        self.readiness = Readiness::Unasked;
        let answer = self.answer;
        Box::pin(async move {
            // Other tasks run meanwhile.
            tokio::task::yield_now().await;
            Ok(answer())
        })
    }
}
