//! The form for a client's calls.

use std::{
    borrow::Cow,
    error::Error,
    fmt,
    sync::Arc,
    task::{Context as Task, Poll},
};

use metrics::{Counter, Histogram, SharedString, counter, histogram};
use tokio::time::Instant;
use tower::{BoxError, Layer, Service};

use super::cache::Cache;
use crate::{
    error::Code,
    message::Incoming,
    protocol::RawPayload,
    service::{CallFailure, FailedCall, FindFailure, Judge, Judged, Observe, ObservedFuture, find_failure},
};

/// Label of calls that were refused with a code that the layer does not know. Labels with text from servers would be
/// unbounded.
const REFUSED: &str = "refused";

/// Counts a client's calls, and measures their duration. Made by [`MetricsLayer::calls`](super::MetricsLayer::calls).
#[derive(Debug, Clone)]
pub struct MetricsCallsLayer {
    codes: Arc<[Code]>,
    handles: Arc<Cache<CallHandles>>,
    find: FindFailure,
}

impl MetricsCallsLayer {
    pub(super) fn new<E: CallFailure>() -> Self {
        Self {
            codes: Code::PROTOCOL.into(),
            handles: Arc::default(),
            find: find_failure::<E>,
        }
    }

    /// Adds codes of the server's app to the `outcome` labels, which have the codes of the protocol without it.
    #[must_use]
    pub fn codes(self, codes: impl IntoIterator<Item = Code>) -> Self {
        Self {
            codes: self.codes.iter().copied().chain(codes).collect(),
            ..self
        }
    }
}

impl<S> Layer<S> for MetricsCallsLayer {
    type Service = MetricsCallsService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        MetricsCallsService {
            inner,
            layer: self.clone(),
        }
    }
}

/// The service of [`MetricsCallsLayer`].
#[derive(Debug, Clone)]
pub struct MetricsCallsService<S> {
    inner: S,
    layer: MetricsCallsLayer,
}

impl<S, M> Service<M> for MetricsCallsService<S>
where
    M: Incoming,
    S: Service<M>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ObservedFuture<S::Future, MetricsCallsObserver>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, message: M) -> Self::Future {
        let began = Instant::now();
        let kept = &self.layer.handles;
        let handles = kept
            .fresh(M::TYPE, began)
            .unwrap_or_else(|| kept.register(M::TYPE, began, CallHandles::register));
        let observer = MetricsCallsObserver {
            began,
            handles,
            codes: self.layer.codes.clone(),
            find: self.layer.find,
        };
        ObservedFuture::new(observer, || self.inner.call(message))
    }
}

/// Metric handles of one route's calls.
struct CallHandles {
    route: SharedString,
    ok: Counter,
    duration: Histogram,
}

impl CallHandles {
    fn register(route: SharedString) -> Self {
        Self {
            ok: counter!("zocket_client_calls_total", "route" => route.clone(), "outcome" => MetricsCallsObserver::OK),
            duration: histogram!("zocket_client_call_duration_seconds", "route" => route.clone()),
            route,
        }
    }
}

impl fmt::Debug for CallHandles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallHandles")
            .field("route", &self.route)
            .finish_non_exhaustive()
    }
}

/// Observer that records a call's metrics when the call ends.
#[derive(Debug)]
pub struct MetricsCallsObserver {
    began: Instant,
    handles: Arc<CallHandles>,
    codes: Arc<[Code]>,
    find: FindFailure,
}

impl Observe for MetricsCallsObserver {
    const PANICKED: &'static str = "panicked";

    fn finish(&mut self, outcome: Cow<'static, str>, _: Option<&RawPayload>) {
        let CallHandles { route, ok, duration } = &*self.handles;
        if outcome == Self::OK {
            ok.increment(1);
        } else {
            counter!("zocket_client_calls_total", "route" => route.clone(), "outcome" => outcome)
                .increment(1);
        }
        duration.record(self.began.elapsed());
    }
}

impl<R> Judge<R> for MetricsCallsObserver {
    fn judge<'a>(&self, result: Result<&'a R, &'a (dyn Error + 'static)>) -> Judged<'a> {
        let outcome = match result.map_err(self.find) {
            Ok(_) => Self::OK,
            Err(FailedCall::Refused(code)) => self
                .codes
                .iter()
                .find(|known| known.as_str() == code)
                .map_or(REFUSED, |known| known.as_str()),
            Err(FailedCall::Otherwise(kind)) => kind,
        };
        (outcome.into(), None)
    }
}
