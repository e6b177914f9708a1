//! Tower's contract, for every layer: call only a service that is ready, and call or release a service that became
//! ready.
//!
//! Each layer gets a message of its kind, around a strict probe, and then around tower's `Buffer` and
//! `ConcurrencyLimit`, whose readiness is a queue slot and a permit.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as a test may")]

use std::{
    fmt::Debug,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context as Task, Poll},
    time::Duration,
};

use futures_util::future::join_all;
use tower::{
    BoxError, Layer, Service, ServiceBuilder, ServiceExt,
    buffer::Buffer,
    layer::{layer_fn, util::Identity},
    limit::ConcurrencyLimit,
};
use zocket_layers::{
    AuditLayer, Audited, AuthorizeLayer, Connection, Context, ContextLayer, DecodeLayer, Error, FanoutLayer,
    Frame, HttpLayer, IdempotencyLayer, Message, MetricsLayer, Next, Outcome, Quota, QuotaLayer, RawPayload,
    Reply, RescueLayer, RpcId, TraceLayer, ValidateLayer,
    middleware::{from_fn, with, with_input},
};

use crate::support::{
    failed::{Bid, Failed},
    probe::Probe,
};

type Typed = Message<(), Context<()>>;

fn raw() -> Message {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let mut message = Message::new(Connection::detached(()), "route", RawPayload::absent());
    message
        .parts_mut()
        .set_rpc_id(Some(RpcId::string(&number.to_string()).unwrap()));
    message
}

fn typed() -> Typed {
    let (parts, (), _) = raw().into_parts();
    let context = Context::of_message(&parts, Arc::new(()));
    Message::from_parts(parts, context, ())
}

fn frame() -> Frame {
    Frame::new(Connection::detached(()), r#"{"type":"route","rpcId":1}"#)
}

fn bid() -> Bid {
    Bid
}

fn fanout() -> FanoutLayer {
    FanoutLayer::new()
}

fn reply() -> Probe<Reply> {
    Probe::new(Reply::empty)
}

fn outcome() -> Probe<Outcome> {
    Probe::new(|| Outcome::Reply(Reply::empty()))
}

async fn proof(_: Context<()>) -> Result<(), Error> {
    Ok(())
}

async fn given(_: Context<()>, (): ()) -> Result<((), ()), Error> {
    Ok(((), ()))
}

async fn around(message: Message, next: Next) -> Result<Reply, BoxError> {
    next.run(message).await
}

/// Awaits readiness before each call, with one caller after the other.
async fn check<M, S>(mut service: S, message: fn() -> M)
where
    S: Service<M> + Clone,
    S::Response: Debug,
    S::Error: Debug,
{
    for _ in 0..3 {
        service.ready().await.unwrap().call(message()).await.unwrap();
    }
    // The service is polled to readiness twice and called once.
    service.ready().await.unwrap();
    service.ready().await.unwrap().call(message()).await.unwrap();
    // Cloning neither moves nor copies the readiness.
    service.ready().await.unwrap();
    let mut clone = service.clone();
    service.call(message()).await.unwrap();
    clone.ready().await.unwrap().call(message()).await.unwrap();
    // Dropping a call before its end loses no readiness.
    service.ready().await.unwrap();
    drop(service.call(message()));
    service.ready().await.unwrap().call(message()).await.unwrap();
}

/// Calls concurrently: no caller waits for readiness that another one holds without use.
async fn crowd<M, S>(service: S, message: fn() -> M)
where
    S: Service<M> + Clone,
    S::Response: Debug,
    S::Error: Debug,
{
    let calls = (0..5).map(|_| {
        let mut service = service.clone();
        async move { service.ready().await.unwrap().call(message()).await.unwrap() }
    });
    let answers = tokio::time::timeout(Duration::from_secs(60), join_all(calls));
    answers.await.expect("somebody waits for ever");
}

macro_rules! layers {
    ($($name:ident: $layer:expr, $message:expr, $probe:expr;)*) => {$(
        #[tokio::test(start_paused = true)]
        async fn $name() {
            // A qualified path, since a `ServiceBuilder` has a method `layer` too.
            check(Layer::layer(&$layer, $probe), $message).await;
            check(Layer::layer(&$layer, Buffer::new($probe, 1)), $message).await;
            check(Layer::layer(&$layer, ConcurrencyLimit::new($probe, 1)), $message).await;
            crowd(Layer::layer(&$layer, Buffer::new($probe, 1)), $message).await;
            crowd(Layer::layer(&$layer, ConcurrencyLimit::new($probe, 1)), $message).await;
            crowd(Layer::layer(&$layer, Buffer::new(ConcurrencyLimit::new($probe, 2), 1)), $message).await;
        }
    )*};
}

layers! {
    decode: DecodeLayer::json(), frame, outcome();
    rescue: RescueLayer::new(), raw, reply();
    fanout_passing: fanout(), raw, reply();
    fanout_holding: fanout().atomic(), raw, reply();
    validate: ValidateLayer::<()>::ignoring(), raw, reply();
    context: ContextLayer::<()>::new(), raw, reply();
    with_a_context: with(proof), typed, reply();
    with_a_context_and_an_input: with_input(given), typed, reply();
    code_around_the_call: from_fn(around), raw, reply();
    trace_raw: TraceLayer::new(), raw, reply();
    trace_typed: TraceLayer::new(), typed, reply();
    trace_outside_of_rescue: TraceLayer::new(), raw, outcome();
    metrics: MetricsLayer::new(), raw, reply();
    trace_of_calls: TraceLayer::new().calls::<Failed>(), bid, reply();
    metrics_of_calls: MetricsLayer::new().calls::<Failed>(), bid, reply();
    authorize_by_message: AuthorizeLayer::new(|_: &Message| true), raw, reply();
    authorize_by_context: AuthorizeLayer::context(|_: &Context<()>| true), typed, reply();
    idempotency_without_keys: IdempotencyLayer::new(|_| None), raw, reply();
    idempotency_with_keys: IdempotencyLayer::new(|message| {
        message.parts().rpc_id().map(ToString::to_string)
    }), raw, reply();
    idempotency_with_one_key: IdempotencyLayer::new(|_| Some("key".into())).scope(|_| String::new()), raw, reply();
    audit: AuditLayer::new(|_: &Audited<'_>| ()), raw, reply();
    quota: QuotaLayer::per_client(Quota::new(1_000, Duration::from_secs(1))), raw, reply();
    http: HttpLayer::new(Identity::new()), raw, reply();
    the_whole_stack: ServiceBuilder::new()
        .layer(DecodeLayer::json())
        .layer(RescueLayer::new())
        .layer(TraceLayer::new())
        .layer(MetricsLayer::new())
        .layer(IdempotencyLayer::new(|_| None))
        .layer(AuditLayer::new(|_: &Audited<'_>| ()))
        .layer(AuthorizeLayer::new(|_: &Message| true))
        .layer(from_fn(around))
        .layer(fanout().atomic())
        .layer(ValidateLayer::<()>::ignoring())
        .layer(ContextLayer::<()>::new())
        .layer(with_input(given))
        .layer(with(proof)), frame, reply();
    nothing: Identity::new(), raw, reply();
}

/// Asserts that a refusal holds no permit, with a concurrency limit of one inside the layer.
async fn assert_permit_is_released<M, S>(mut service: S, message: fn() -> M)
where
    S: Service<M> + Clone,
    S::Error: Debug,
{
    let mut other = service.clone();
    service.ready().await.unwrap();
    drop(service.call(message()).await);
    let ready = tokio::time::timeout(Duration::from_secs(60), other.ready());
    ready.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_short_circuits_releases_the_inner_readiness() {
    let limited = || ConcurrencyLimit::new(reply(), 1);
    let nonsense = || Frame::new(Connection::detached(()), "nonsense");
    let outcomes = ConcurrencyLimit::new(outcome(), 1);
    assert_permit_is_released(DecodeLayer::json().layer(outcomes), nonsense).await;
    let forbidding = AuthorizeLayer::new(|_: &Message| false);
    assert_permit_is_released(forbidding.layer(limited()), raw).await;
    let keyed = IdempotencyLayer::new(|_| Some("key".into())).scope(|_| String::new());
    let mut keyed = keyed.layer(limited());
    keyed.ready().await.unwrap().call(raw()).await.unwrap();
    assert_permit_is_released(keyed, raw).await;
    assert_permit_is_released(
        with(async |_: Context<()>| Err::<(), _>(Error::forbidden("no"))).layer(limited()),
        typed,
    )
    .await;
    assert_permit_is_released(
        from_fn(async |_: Message, _: Next| Ok::<_, Error>(Reply::empty())).layer(limited()),
        raw,
    )
    .await;
}

/// Calls a fresh clone of the ready service: the mistake that the probe detects.
#[derive(Clone)]
struct Careless<S>(S);

impl<S: Service<Message> + Clone> Service<Message> for Careless<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, message: Message) -> S::Future {
        self.0.clone().call(message)
    }
}

#[tokio::test]
#[should_panic = "called without being ready"]
async fn calling_a_fresh_clone_is_detected() {
    check(layer_fn(Careless).layer(reply()), raw).await;
}
