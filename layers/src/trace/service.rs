use std::{
    borrow::Cow,
    error::Error,
    fmt,
    task::{Context as Task, Poll},
};

use tokio::time::Instant;
use tower::{BoxError, Service};
use tracing::{
    Level, Span,
    field::{self, Empty},
};

use crate::{
    message::{Answer, Message, Parts},
    protocol::{RawPayload, RpcId},
    service::{Judge, Judged, Observe, ObservedFuture, judge_message},
};

/// The service of [`TraceLayer`](super::TraceLayer).
#[derive(Debug, Clone)]
pub struct TraceService<S> {
    inner: S,
    level: Level,
}

impl<S> TraceService<S> {
    pub(super) const fn new(inner: S, level: Level) -> Self {
        Self { inner, level }
    }
}

impl<S, P, C> Service<Message<P, C>> for TraceService<S>
where
    S: Service<Message<P, C>>,
    S::Response: Answer,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ObservedFuture<S::Future, TraceObserver>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, message: Message<P, C>) -> Self::Future {
        let observer = TraceObserver::new(span(self.level, message.parts()));
        ObservedFuture::new(observer, || self.inner.call(message))
    }
}

/// Observer that records outcome and latency in a message's span when the message ends.
#[derive(Debug)]
pub struct TraceObserver {
    span: Span,
    /// None if no subscriber has enabled the span.
    began: Option<Instant>,
}

impl TraceObserver {
    pub(super) fn new(span: Span) -> Self {
        let began = (!span.is_disabled()).then(Instant::now);
        Self { span, began }
    }
}

impl Observe for TraceObserver {
    fn scope<R>(&self, step: impl FnOnce() -> R) -> R {
        self.span.in_scope(step)
    }

    fn finish(&mut self, outcome: Cow<'static, str>, _: Option<&RawPayload>) {
        if let Some(began) = self.began {
            self.span.record("outcome", &*outcome);
            self.span.record("latency", field::debug(began.elapsed()));
        }
    }
}

impl<R: Answer> Judge<R> for TraceObserver {
    fn judge<'a>(&self, result: Result<&'a R, &'a (dyn Error + 'static)>) -> Judged<'a> {
        judge_message::<Self, R>(result)
    }
}

fn span(level: Level, parts: &Parts) -> Span {
    span_at!(
        level,
        "message",
        route = field::display(Printable(parts.route(), 100)),
        client = field::display(parts.connection().client_id()),
        rpc_id = parts
            .rpc_id()
            .map(|id| field::display(Printable(id.as_json(), 2 + RpcId::MAX_BYTES))),
        outcome = Empty,
        latency = Empty,
    )
}

/// Text from the client, truncated to a number of characters. Line breaks and control characters are escaped.
struct Printable<'a>(&'a str, usize);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().take(self.1).try_for_each(|c| match c {
            '"' | '\'' | '\\' => fmt::Write::write_char(f, c),
            other => other
                .escape_debug()
                .try_for_each(|c| fmt::Write::write_char(f, c)),
        })
    }
}
