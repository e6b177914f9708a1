use std::{
    borrow::Cow,
    error::Error as StdError,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use pin_project::{pin_project, pinned_drop};
use tower::BoxError;

use super::polled_after_completion;
use crate::{error::Code, message::Answer, protocol::RawPayload, rescue::code_of};

/// Observer of one message, or of one call of a client, from `call` to its end.
pub trait Observe {
    /// Outcome of a message that was handled.
    const OK: &'static str = "ok";
    /// Outcome of a message whose future was dropped, for example by a timeout further outside.
    const DROPPED: &'static str = "dropped";
    /// Outcome of a message whose service or future panicked: the code that the client receives.
    const PANICKED: &'static str = Code::INTERNAL_SERVER_ERROR.as_str();

    /// Runs a step of the message: its `call`, one `poll`, or its drop.
    fn scope<R>(&self, step: impl FnOnce() -> R) -> R {
        step()
    }

    /// Records the end of the message. Called exactly once. `outcome` is one that [`Judge`] returned,
    /// [`DROPPED`](Self::DROPPED), or [`PANICKED`](Self::PANICKED). `answer` is the raw answer of a message, on success.
    fn finish(&mut self, outcome: Cow<'static, str>, answer: Option<&RawPayload>);
}

/// Observer of services whose response is an `R`.
pub trait Judge<R>: Observe {
    /// Returns the outcome of a result: [`OK`](Observe::OK), a code, or the kind of a failure. Returns the raw answer
    /// with it, if there is one.
    fn judge<'a>(&self, result: Result<&'a R, &'a (dyn StdError + 'static)>) -> Judged<'a>;
}

/// An outcome, and the raw answer that belongs to it.
pub type Judged<'a> = (Cow<'static, str>, Option<&'a RawPayload>);

/// Returns the outcome of a message. Its code is the one that the client receives.
pub(crate) fn judge_message<'a, O: Observe, R: Answer>(
    result: Result<&'a R, &'a (dyn StdError + 'static)>,
) -> Judged<'a> {
    match result {
        Ok(answer) => (
            answer.refusal().map_or(O::OK, Code::as_str).into(),
            answer.payload(),
        ),
        Err(error) => (code_of(error).as_str().into(), None),
    }
}

/// The future of a service that passes every message, or every call of a client, on and observes its outcome:
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

    fn finish(&mut self, outcome: Cow<'static, str>, answer: Option<&RawPayload>) {
        self.state = State::Ended;
        self.observer.finish(outcome, answer);
    }
}

impl<O: Observe> Drop for Observation<O> {
    fn drop(&mut self) {
        match self.state {
            State::Waiting => self.finish(O::DROPPED.into(), None),
            State::Running => self.finish(O::PANICKED.into(), None),
            State::Ended => {}
        }
    }
}

impl<F, O, R, E> Future for ObservedFuture<F, O>
where
    F: Future<Output = Result<R, E>>,
    O: Judge<R>,
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
        let judged = match &result {
            Ok(answer) => Ok(answer),
            Err(error) => Err(&**error as _),
        };
        let (outcome, answer) = this.observation.observer.judge(judged);
        this.observation.finish(outcome, answer);
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
