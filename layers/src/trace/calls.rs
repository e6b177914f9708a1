//! The form for a client's calls.

use std::{
    borrow::Cow,
    error::Error,
    task::{Context as Task, Poll},
};

use tower::{BoxError, Layer, Service};
use tracing::{Level, field::Empty};

use super::TraceObserver;
use crate::{
    message::Incoming,
    protocol::RawPayload,
    service::{CallFailure, FailedCall, FindFailure, Judge, Judged, Observe, ObservedFuture, find_failure},
};

/// Characters of a refusal's code that are recorded.
const MAX_CODE: usize = 100;

/// Runs each call of a client in its own span. Made by [`TraceLayer::calls`](super::TraceLayer::calls).
#[derive(Debug, Clone, Copy)]
pub struct TraceCallsLayer {
    level: Level,
    find: FindFailure,
}

impl TraceCallsLayer {
    pub(super) const fn new<E: CallFailure>(level: Level) -> Self {
        Self {
            level,
            find: find_failure::<E>,
        }
    }
}

impl<S> Layer<S> for TraceCallsLayer {
    type Service = TraceCallsService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TraceCallsService { inner, layer: *self }
    }
}

/// The service of [`TraceCallsLayer`].
#[derive(Debug, Clone)]
pub struct TraceCallsService<S> {
    inner: S,
    layer: TraceCallsLayer,
}

impl<S, M> Service<M> for TraceCallsService<S>
where
    M: Incoming,
    S: Service<M>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ObservedFuture<S::Future, TraceCallsObserver>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, message: M) -> Self::Future {
        let TraceCallsLayer { level, find } = self.layer;
        let span = span_at!(level, "call", route = M::TYPE, outcome = Empty, latency = Empty);
        let observer = TraceCallsObserver {
            span: TraceObserver::new(span),
            find,
        };
        ObservedFuture::new(observer, || self.inner.call(message))
    }
}

/// Observer that records outcome and latency in a call's span when the call ends.
#[derive(Debug)]
pub struct TraceCallsObserver {
    span: TraceObserver,
    find: FindFailure,
}

impl Observe for TraceCallsObserver {
    const PANICKED: &'static str = "panicked";

    fn scope<R>(&self, step: impl FnOnce() -> R) -> R {
        self.span.scope(step)
    }

    fn finish(&mut self, outcome: Cow<'static, str>, answer: Option<&RawPayload>) {
        self.span.finish(outcome, answer);
    }
}

impl<R> Judge<R> for TraceCallsObserver {
    fn judge<'a>(&self, result: Result<&'a R, &'a (dyn Error + 'static)>) -> Judged<'a> {
        let outcome = match result.map_err(self.find) {
            Ok(_) => Self::OK.into(),
            Err(FailedCall::Refused(code)) => Cow::Owned(code.chars().take(MAX_CODE).collect()),
            Err(FailedCall::Otherwise(kind)) => kind.into(),
        };
        (outcome, None)
    }
}
