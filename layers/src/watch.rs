//! The future of a layer that looks on.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use pin_project::{pin_project, pinned_drop};
use tower::BoxError;

use crate::{Answer, Code, RawPayload, rescue::code_of};

/// What looks on at one message, from `call` to its end.
pub trait Watch {
    /// The outcome of a message that was handled.
    const OK: &'static str = "ok";
    /// The outcome of a message that was given up by whoever waited for it, as a timeout outside gives up.
    const DROPPED: &'static str = "dropped";

    /// Runs a step of the message: its `call`, one `poll`, or its drop.
    fn scope<R>(&self, step: impl FnOnce() -> R) -> R {
        step()
    }

    /// Sees the end, exactly once: `outcome` is [`OK`](Self::OK), the code that the client is told (a panic's is
    /// INTERNAL_SERVER_ERROR), or [`DROPPED`](Self::DROPPED); `answer` is there on success.
    fn end(&mut self, outcome: &'static str, answer: Option<&RawPayload>);
}

/// The future of a stage that hands every message on and looks what becomes of it:
/// [`TraceService`](crate::trace::TraceService), [`MetricsService`](crate::metrics::MetricsService).
#[pin_project(PinnedDrop)]
pub struct Watched<F, W: Watch> {
    /// None when it has ended.
    #[pin]
    inner: Option<F>,
    watching: Watching<W>,
}

impl<F, W: Watch> Watched<F, W> {
    /// Watches what `call` makes.
    pub fn new(watch: W, call: impl FnOnce() -> F) -> Self {
        let mut watching = Watching {
            watch,
            state: State::Waiting,
        };
        Self {
            inner: Some(watching.run(call)),
            watching,
        }
    }
}

/// A watch that ends also where nothing is left to say how.
struct Watching<W: Watch> {
    watch: W,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Waiting,
    /// Left behind by a panic.
    Running,
    Ended,
}

impl<W: Watch> Watching<W> {
    fn run<R>(&mut self, step: impl FnOnce() -> R) -> R {
        self.state = State::Running;
        let result = self.watch.scope(step);
        self.state = State::Waiting;
        result
    }

    fn end(&mut self, outcome: &'static str, answer: Option<&RawPayload>) {
        self.state = State::Ended;
        self.watch.end(outcome, answer);
    }
}

impl<W: Watch> Drop for Watching<W> {
    fn drop(&mut self) {
        match self.state {
            State::Waiting => self.end(W::DROPPED, None),
            State::Running => self.end(Code::INTERNAL_SERVER_ERROR.as_str(), None),
            State::Ended => {}
        }
    }
}

impl<F, W, R, E> Future for Watched<F, W>
where
    F: Future<Output = Result<R, E>>,
    W: Watch,
    R: Answer,
    E: Into<BoxError>,
{
    type Output = Result<R, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        // Polled once more than a future may be, it has nothing left to say.
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        let result = ready!(this.watching.run(|| inner.poll(cx))).map_err(Into::into);
        this.watching.run(|| this.inner.set(None));
        match &result {
            Ok(answer) => {
                let outcome = answer.refusal().map_or(W::OK, Code::as_str);
                this.watching.end(outcome, answer.payload());
            }
            Err(error) => this.watching.end(code_of(&**error).as_str(), None),
        }
        Poll::Ready(result)
    }
}

#[pinned_drop]
impl<F, W: Watch> PinnedDrop for Watched<F, W> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        if this.inner.is_some() {
            this.watching.watch.scope(|| this.inner.set(None));
        }
    }
}

impl<F, W: Watch> fmt::Debug for Watched<F, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched")
            .field("state", &self.watching.state)
            .finish_non_exhaustive()
    }
}
