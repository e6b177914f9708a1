use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use pin_project::{pin_project, pinned_drop};
use tower::BoxError;

use super::polled_after_completion;
use crate::{error::Code, message::Answer, protocol::RawPayload, rescue::code_of};

/// Observer of one message, from `call` to its end.
pub trait Observe {
    /// Outcome of a message that was handled.
    const OK: &'static str = "ok";
    /// Outcome of a message whose future was dropped, for example by a timeout further outside.
    const DROPPED: &'static str = "dropped";

    /// Runs a step of the message: its `call`, one `poll`, or its drop.
    fn scope<R>(&self, step: impl FnOnce() -> R) -> R {
        step()
    }

    /// Records the end of the message. Called exactly once. `outcome` is [`OK`](Self::OK), the code that the client
    /// receives (INTERNAL_SERVER_ERROR for a panic), or [`DROPPED`](Self::DROPPED). `answer` is present on success.
    fn finish(&mut self, outcome: &'static str, answer: Option<&RawPayload>);
}

/// The future of a stage that passes every message on and observes its outcome:
/// [`TraceService`](crate::trace::TraceService), [`MetricsService`](crate::metrics::MetricsService).
#[pin_project(PinnedDrop)]
pub struct ObservedFuture<F, O: Observe> {
    /// None once it has finished.
    #[pin]
    inner: Option<F>,
    observation: Observation<O>,
}

impl<F, O: Observe> ObservedFuture<F, O> {
    /// Observes `call`, and the future that it returns.
    pub fn new(observer: O, call: impl FnOnce() -> F) -> Self {
        let mut observation = Observation {
            observer,
            state: State::Waiting,
        };
        Self {
            inner: Some(observation.run(call)),
            observation,
        }
    }
}

/// Observer whose `finish` is called in any case, also after a drop or a panic.
struct Observation<O: Observe> {
    observer: O,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Waiting,
    /// A step is running. Still set at the drop if that step panicked.
    Running,
    Ended,
}

impl<O: Observe> Observation<O> {
    fn run<R>(&mut self, step: impl FnOnce() -> R) -> R {
        self.state = State::Running;
        let result = self.observer.scope(step);
        self.state = State::Waiting;
        result
    }

    fn finish(&mut self, outcome: &'static str, answer: Option<&RawPayload>) {
        self.state = State::Ended;
        self.observer.finish(outcome, answer);
    }
}

impl<O: Observe> Drop for Observation<O> {
    fn drop(&mut self) {
        match self.state {
            State::Waiting => self.finish(O::DROPPED, None),
            State::Running => self.finish(Code::INTERNAL_SERVER_ERROR.as_str(), None),
            State::Ended => {}
        }
    }
}

impl<F, O, R, E> Future for ObservedFuture<F, O>
where
    F: Future<Output = Result<R, E>>,
    O: Observe,
    R: Answer,
    E: Into<BoxError>,
{
    type Output = Result<R, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            polled_after_completion("ObservedFuture");
        };
        let result = ready!(this.observation.run(|| inner.poll(cx))).map_err(Into::into);
        this.observation.run(|| this.inner.set(None));
        match &result {
            Ok(answer) => {
                let outcome = answer.refusal().map_or(O::OK, Code::as_str);
                this.observation.finish(outcome, answer.payload());
            }
            Err(error) => this.observation.finish(code_of(&**error).as_str(), None),
        }
        Poll::Ready(result)
    }
}

#[pinned_drop]
impl<F, O: Observe> PinnedDrop for ObservedFuture<F, O> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        if this.inner.is_some() {
            this.observation.observer.scope(|| this.inner.set(None));
        }
    }
}

impl<F, O: Observe> fmt::Debug for ObservedFuture<F, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservedFuture")
            .field("state", &self.observation.state)
            .finish_non_exhaustive()
    }
}
