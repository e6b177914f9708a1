use std::{
    borrow::Cow,
    error::Error,
    sync::Arc,
    task::{Context as Task, Poll},
};

use tokio::time::Instant;
use tower::{BoxError, Service};

use super::handles::{Handles, Routes};
use crate::{
    message::{Answer, Message},
    protocol::RawPayload,
    service::{Judge, Judged, Observe, ObservedFuture, judge_message},
};

/// The service of [`MetricsLayer`](super::MetricsLayer).
#[derive(Debug, Clone)]
pub struct MetricsService<S> {
    inner: S,
    routes: Arc<Routes>,
}

impl<S> MetricsService<S> {
    pub(super) const fn new(inner: S, routes: Arc<Routes>) -> Self {
        Self { inner, routes }
    }
}

impl<S> Service<Message> for MetricsService<S>
where
    S: Service<Message>,
    S::Response: Answer,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ObservedFuture<S::Future, MetricsObserver>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, message: Message) -> Self::Future {
        let began = Instant::now();
        let handles = self.routes.of(message.parts(), began);
        handles.received(length(message.payload()));
        ObservedFuture::new(MetricsObserver { handles, began }, || self.inner.call(message))
    }
}

/// Observer that records a message's metrics when the message ends.
#[derive(Debug)]
pub struct MetricsObserver {
    handles: Arc<Handles>,
    began: Instant,
}

impl Observe for MetricsObserver {
    fn finish(&mut self, outcome: Cow<'static, str>, answer: Option<&RawPayload>) {
        self.handles
            .ended(outcome, self.began.elapsed(), answer.map(length));
    }
}

impl<R: Answer> Judge<R> for MetricsObserver {
    fn judge<'a>(&self, result: Result<&'a R, &'a (dyn Error + 'static)>) -> Judged<'a> {
        judge_message::<Self, R>(result)
    }
}

fn length(payload: &RawPayload) -> usize {
    payload.bytes().map_or(0, <[u8]>::len)
}
