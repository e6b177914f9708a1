//! What one message costs, without a socket: `cargo bench --bench pipeline`.
//!
//! Each benchmark adds one stage around those before it, so that a stage's own cost is the difference between two
//! neighbours: in nanoseconds, and in allocations, which do not depend on the machine.

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context as Task, Poll},
};

use divan::{AllocProfiler, Bencher};
use futures_util::FutureExt;
use garde::Validate;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use metrics_util::registry::{AtomicStorage, Registry};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower::{
    BoxError, Layer, Service, ServiceBuilder,
    layer::{layer_fn, util::Identity},
};
use zocket::{
    ClientId, Connection, Context, Error, Limits, LocalHub, Message, NoHeaders, RawPayload, Reply,
    RouterService, Zocket,
    layers::{
        AuditLayer, Audited, AuthorizeLayer, ContextLayer, Declared, DecodeLayer, FanoutLayer, Frame, Hub,
        IdempotencyLayer, MetricsLayer, RescueLayer, TraceLayer, ValidateLayer, Wire, handler_fn,
        idempotency::payload_member, middleware::with,
    },
};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

struct User {
    name: String,
}

struct Named {
    length: usize,
}

#[derive(Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
struct Post {
    #[garde(range(max = 1_000_000))]
    room_id: u32,
    #[garde(range(min = 0.0, max = 1.0))]
    urgency: f64,
}

#[derive(Serialize, JsonSchema)]
struct Posted {
    id: u64,
}

const PAYLOAD: &str = r#"{"roomId":12345,"urgency":0.5}"#;
const FRAME: &str = r#"{"type":"chat.post","payload":{"roomId":12345,"urgency":0.5},"rpcId":"a-17"}"#;

async fn named(cx: Context<User>) -> Result<Named, Error> {
    Ok(Named {
        length: cx.name.len(),
    })
}

async fn post(cx: Context<Named>, input: Post) -> Result<Posted, Error> {
    Ok(Posted {
        id: cx.length as u64 + u64::from(input.room_id) + input.urgency as u64,
    })
}

async fn post_plain(cx: Context<User>, input: Post) -> Result<Posted, Error> {
    Ok(Posted {
        id: cx.name.len() as u64 + u64::from(input.room_id) + input.urgency as u64,
    })
}

fn connection() -> Connection {
    let hub = Arc::new(LocalHub::new());
    let limits = Arc::new(Limits::default());
    let client = ClientId::random();
    hub.connect(client, &limits);
    Connection::new(
        client,
        Wire::Base,
        Arc::new(User { name: "Ann".into() }),
        hub,
        Declared::default(),
        limits,
    )
}

/// Calls a service with what `request` makes; making it is not measured.
fn call<S, R>(bencher: Bencher<'_, '_>, mut service: S, request: impl Fn() -> R)
where
    S: Service<R>,
    S::Error: std::fmt::Debug,
{
    bencher.with_inputs(request).bench_local_values(|request| {
        let response = service.call(request).now_or_never().expect("nothing waits here");
        black_box(response.expect("nothing fails here"))
    });
}

fn raw(connection: &Connection) -> Message {
    Message::new(connection.clone(), "chat.post", RawPayload::json(PAYLOAD))
}

fn post_input() -> Post {
    Post {
        room_id: 12345,
        urgency: 0.5,
    }
}

#[divan::bench]
fn a_handler(bencher: Bencher<'_, '_>) {
    let connection = connection();
    let value = connection.context::<User>().expect("it is a User");
    call(bencher, handler_fn(post_plain), || {
        let (parts, (), _) = raw(&connection).into_parts();
        let context = Context::of_message(&parts, value.clone());
        Message::from_parts(parts, context, post_input())
    });
}

#[divan::bench]
fn b_with_middleware(bencher: Bencher<'_, '_>) {
    let connection = connection();
    let value = connection.context::<User>().expect("it is a User");
    call(bencher, with(named).layer(handler_fn(post)), || {
        let (parts, (), _) = raw(&connection).into_parts();
        let context = Context::of_message(&parts, value.clone());
        Message::from_parts(parts, context, post_input())
    });
}

#[divan::bench]
fn c_context(bencher: Bencher<'_, '_>) {
    let connection = connection();
    let service = ServiceBuilder::new()
        .layer(ContextLayer::<User>::new())
        .layer(with(named))
        .service(handler_fn(post));
    call(bencher, service, || {
        raw(&connection).map_payload(|_| post_input())
    });
}

fn validated() -> impl Service<Message, Response = Reply, Error = BoxError> + Clone {
    ServiceBuilder::new()
        .layer(ValidateLayer::<Post>::new())
        .layer(ContextLayer::<User>::new())
        .layer(with(named))
        .service(handler_fn(post))
}

#[divan::bench]
fn d_validate(bencher: Bencher<'_, '_>) {
    let connection = connection();
    call(bencher, validated(), || raw(&connection));
}

#[divan::bench]
fn e_fanout(bencher: Bencher<'_, '_>) {
    let connection = connection();
    let service = FanoutLayer::new(connection.hub().clone()).layer(validated());
    call(bencher, service, || raw(&connection));
}

#[divan::bench]
fn f_rescue(bencher: Bencher<'_, '_>) {
    let connection = connection();
    let fanout = FanoutLayer::new(connection.hub().clone());
    call(
        bencher,
        RescueLayer::new().layer(fanout.layer(validated())),
        || raw(&connection),
    );
}

#[divan::bench]
fn g_decode_and_encode(bencher: Bencher<'_, '_>) {
    let connection = connection();
    let service = ServiceBuilder::new()
        .layer(DecodeLayer::json())
        .layer(RescueLayer::new())
        .layer(FanoutLayer::new(connection.hub().clone()))
        .service(validated());
    call(bencher, service, || Frame::new(connection.clone(), FRAME));
}

/// The whole pipeline of an app: the stages above, and the router with its one box.
#[divan::bench]
fn h_router(bencher: Bencher<'_, '_>) {
    around_the_router(bencher, Identity::new());
}

/// What a layer of the whole app adds to that. This one does nothing: a service that hands on.
#[divan::bench]
fn i_router_and_a_layer_that_does_nothing(bencher: Bencher<'_, '_>) {
    around_the_router(bencher, layer_fn(Nothing));
}

/// Nobody listens to the spans.
#[divan::bench]
fn i_router_and_trace(bencher: Bencher<'_, '_>) {
    around_the_router(bencher, TraceLayer::new());
}

/// A subscriber keeps the spans' fields, and writes them nowhere.
#[divan::bench]
fn i_router_and_trace_that_is_heard(bencher: Bencher<'_, '_>) {
    let subscriber = tracing_subscriber::fmt().with_writer(std::io::sink).finish();
    tracing::subscriber::with_default(subscriber, || {
        around_the_router(bencher, TraceLayer::new());
    });
}

/// No recorder is installed.
#[divan::bench]
fn i_router_and_metrics(bencher: Bencher<'_, '_>) {
    around_the_router(bencher, MetricsLayer::new().routes(["chat.post"]));
}

/// A recorder counts.
#[divan::bench]
fn i_router_and_metrics_that_are_heard(bencher: Bencher<'_, '_>) {
    let recorder = Counting(Registry::atomic());
    metrics::with_local_recorder(&recorder, || {
        around_the_router(bencher, MetricsLayer::new().routes(["chat.post"]));
    });
}

#[divan::bench]
fn i_router_and_authorize(bencher: Bencher<'_, '_>) {
    let layer = AuthorizeLayer::new(|message: &Message| message.parts().rpc_id.is_some());
    around_the_router(bencher, layer);
}

#[divan::bench]
fn i_router_and_idempotency_without_a_key(bencher: Bencher<'_, '_>) {
    around_the_router(bencher, IdempotencyLayer::new(payload_member("key")));
}

/// The answer is remembered; each message has a key of its own.
#[divan::bench]
fn i_router_and_idempotency_with_a_key(bencher: Bencher<'_, '_>) {
    let number = AtomicU64::new(0);
    let key = move |_: &Message| Some(number.fetch_add(1, Ordering::Relaxed).to_string());
    around_the_router(bencher, IdempotencyLayer::new(key).max_count(1_000));
}

/// The handler is not run.
#[divan::bench]
fn i_router_and_idempotency_that_answers_again(bencher: Bencher<'_, '_>) {
    let layer = IdempotencyLayer::new(|_| Some("key".to_owned())).scope(|_| String::new());
    around_the_router(bencher, layer);
}

#[divan::bench]
fn i_router_and_audit(bencher: Bencher<'_, '_>) {
    around_the_router(
        bencher,
        AuditLayer::new(|audited: &Audited<'_>| {
            black_box(audited);
        }),
    );
}

/// Hands on.
#[derive(Clone)]
struct Nothing<S>(S);

impl<S: Service<Message>> Service<Message> for Nothing<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, message: Message) -> S::Future {
        self.0.call(message)
    }
}

/// A recorder of atomics, found by their keys. It keeps no samples of histograms: how to is the exporter's business.
struct Counting(Registry<Key, AtomicStorage>);

impl Recorder for Counting {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.0
            .get_or_create_counter(key, |counter| Counter::from_arc(counter.clone()))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.0
            .get_or_create_gauge(key, |gauge| Gauge::from_arc(gauge.clone()))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(Sum::default()))
    }
}

#[derive(Default)]
struct Sum(AtomicU64);

impl metrics::HistogramFn for Sum {
    fn record(&self, value: f64) {
        self.0.fetch_add(value as u64, Ordering::Relaxed);
    }
}

fn around_the_router<L>(bencher: Bencher<'_, '_>, layer: L)
where
    L: Layer<RouterService>,
    L::Service: Service<Message, Response = Reply, Error = BoxError> + Clone,
{
    let connection = connection();
    let zo = Zocket::builder()
        .on_connect(async |_: NoHeaders, _: ClientId| Ok(User { name: "Ann".into() }))
        .build();
    let procedure = zo.message().input::<Post>().with(named).handle(post);
    let router = zo
        .router()
        .incoming("chat.post", procedure)
        .into_service()
        .expect("it is sound");
    let service = ServiceBuilder::new()
        .layer(DecodeLayer::json())
        .layer(RescueLayer::new())
        .layer(layer)
        .service(router);
    call(bencher, service, || Frame::new(connection.clone(), FRAME));
}

/// For comparison: serde's and garde's share of a message.
#[divan::bench]
fn z_serde_and_garde_alone(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| {
        let post: Post = serde_json::from_str(black_box(PAYLOAD)).expect("it is a Post");
        post.validate().expect("it is valid");
        black_box(
            serde_json::to_vec(&Posted {
                id: u64::from(post.room_id),
            })
            .expect("it is JSON"),
        )
    });
}
