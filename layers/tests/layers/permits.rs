//! Layers that answer without the inner service release its readiness, so that no permit stays reserved.
#![allow(
    clippy::unwrap_used,
    reason = "what is unwrapped by a test's helper is part of the test"
)]

use std::{fmt, time::Duration};

use crate::support::permits::{self, ProbeLayer};
use http::StatusCode;
use tower::{BoxError, Layer, Service, ServiceExt, layer::util::Identity, service_fn};
use tower_http::{limit::RequestBodyLimitLayer, timeout::TimeoutLayer};
use zocket_layers::{
    Connection, Context, DecodeLayer, Error, Frame, HttpLayer, Message, Outcome, Quota, QuotaLayer,
    RawPayload, Reply,
};

fn message() -> Message {
    Message::new(Connection::detached(()), "it", RawPayload::absent())
}

fn context() -> Message<(), Context<()>> {
    let connection = Connection::detached(());
    let context = Context::of_connection(&connection, ().into());
    let (parts, (), _) = Message::new(connection, "it", RawPayload::absent()).into_parts();
    Message::from_parts(parts, context, ())
}

async fn answer<R>(_: R) -> Result<Reply, BoxError> {
    Ok(Reply::empty())
}

/// Calls a layer's service within tower's contract: readiness before each call, with clones at the least favourable
/// times.
async fn check<R, L, S>(layer: L, inner: S, request: impl Fn() -> R)
where
    L: Layer<permits::Probe<S>>,
    L::Service: Service<R, Error: fmt::Debug> + Clone,
{
    let probe = ProbeLayer::default();
    let mut service = layer.layer(probe.layer(inner));
    for _ in 0..2 {
        service.ready().await.unwrap();
        // Cloning neither moves nor copies the readiness.
        let clone = service.clone();
        let answer = service.call(request());
        let other = clone.oneshot(request());
        answer.await.unwrap();
        other.await.unwrap();
    }
    assert_eq!(probe.calls(), 4);
    assert_eq!(probe.held(), 0, "readiness is kept that nobody asked for");
}

#[tokio::test]
async fn message_layers_call_only_the_service_that_was_ready() {
    let raw = || service_fn(answer::<Message>);
    let typed = || service_fn(answer::<Message<(), Context<()>>>);
    let quota = Quota::new(100, Duration::from_secs(1));
    check(QuotaLayer::per_client(quota), raw(), message).await;
    check(QuotaLayer::per_client(quota), typed(), context).await;
    check(HttpLayer::new(Identity::new()), raw(), message).await;
    let timeout = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_secs(1));
    check(HttpLayer::new(timeout), raw(), message).await;
}

/// Returns the number of permits that a layer keeps after it has refused a message by itself.
async fn left_by<R, L, S>(layer: L, inner: S, request: R) -> usize
where
    L: Layer<permits::Probe<S>>,
    L::Service: Service<R, Error: fmt::Debug>,
{
    let probe = ProbeLayer::default();
    let mut service = layer.layer(probe.layer(inner));
    let answer = service.ready().await.unwrap().call(request);
    let _ = answer.await;
    assert_eq!(probe.calls(), 0, "it did not refuse by itself");
    let held = probe.held();
    drop(service);
    held
}

#[tokio::test]
async fn a_quota_refusal_releases_the_permit() {
    let used_up = QuotaLayer::by(Quota::new(1, Duration::MAX), |_| ());
    used_up
        .layer(service_fn(answer::<Message>))
        .oneshot(message())
        .await
        .unwrap();
    assert_eq!(
        left_by(used_up, service_fn(answer::<Message>), message()).await,
        0
    );
}

#[tokio::test]
async fn an_http_layer_that_short_circuits_releases_the_permit() {
    let closed = HttpLayer::new(RequestBodyLimitLayer::new(0));
    let message = Message::new(Connection::detached(()), "it", RawPayload::json("1"));
    assert_eq!(left_by(closed, service_fn(answer::<Message>), message).await, 0);
}

#[tokio::test]
async fn an_invalid_message_releases_the_permit() {
    let outcome = service_fn(async |_: Message| Ok::<_, Error>(Outcome::Reply(Reply::empty())));
    let frame = Frame::new(Connection::detached(()), "no message");
    assert_eq!(left_by(DecodeLayer::json(), outcome, frame).await, 0);
}
