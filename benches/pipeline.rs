//! The time of one message, without a socket: `cargo bench --bench pipeline --features metrics`.
//!
//! Each benchmark adds one stage around the stages before it, so a stage's own cost is the difference between two
//! neighbours. `cargo bench --bench instructions` counts allocations. Counting them here would add a tenth to the
//! times.

mod stages;

use std::{
    fmt::Debug,
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use divan::Bencher;
use futures_util::FutureExt;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use metrics_util::registry::{AtomicStorage, Registry};
use tower::{
    Service,
    layer::{layer_fn, util::Identity},
};
use zocket::{
    Message,
    layers::{
        AuditLayer, Audited, AuthorizeLayer, IdempotencyLayer, MetricsLayer, TraceLayer,
        idempotency::payload_member,
    },
};

use self::stages::{Meter, Nothing, routed};

fn main() {
    divan::main();
}

impl Meter for Bencher<'_, '_> {
    fn service<S, R>(self, mut service: S, request: impl Fn() -> R)
    where
        S: Service<R>,
        S::Error: Debug,
    {
        self.with_inputs(request).bench_local_values(|request| {
            let response = service.call(request).now_or_never().expect("nothing waits here");
            black_box(response.expect("nothing fails here"))
        });
    }

    fn function<T>(self, function: impl Fn() -> T) {
        self.bench_local(function);
    }
}

#[divan::bench]
fn a_handler(bencher: Bencher<'_, '_>) {
    stages::handler(bencher);
}

#[divan::bench]
fn b_with_middleware(bencher: Bencher<'_, '_>) {
    stages::middleware(bencher);
}

#[divan::bench]
fn c_context(bencher: Bencher<'_, '_>) {
    stages::context(bencher);
}

#[divan::bench]
fn d_validate(bencher: Bencher<'_, '_>) {
    stages::validate(bencher);
}

#[divan::bench]
fn e_fanout(bencher: Bencher<'_, '_>) {
    stages::fanout(bencher);
}

#[divan::bench]
fn f_rescue(bencher: Bencher<'_, '_>) {
    stages::rescue(bencher);
}

#[divan::bench]
fn g_decode_and_encode(bencher: Bencher<'_, '_>) {
    stages::decode(bencher);
}

/// The whole pipeline of an app: the stages above, and the router with its one box.
#[divan::bench]
fn h_router(bencher: Bencher<'_, '_>) {
    routed(bencher, Identity::new());
}

/// An additional layer around the app, which only forwards.
#[divan::bench]
fn i_router_and_a_layer_that_does_nothing(bencher: Bencher<'_, '_>) {
    routed(bencher, layer_fn(Nothing));
}

/// No subscriber for the spans.
#[divan::bench]
fn i_router_and_trace(bencher: Bencher<'_, '_>) {
    routed(bencher, TraceLayer::new());
}

/// A subscriber that keeps the spans' fields, and writes nothing.
#[divan::bench]
fn i_router_and_trace_with_a_subscriber(bencher: Bencher<'_, '_>) {
    let subscriber = tracing_subscriber::fmt().with_writer(std::io::sink).finish();
    tracing::subscriber::with_default(subscriber, || {
        routed(bencher, TraceLayer::new());
    });
}

/// No recorder.
#[divan::bench]
fn i_router_and_metrics(bencher: Bencher<'_, '_>) {
    routed(bencher, MetricsLayer::new().routes(["chat.post"]));
}

/// A recorder that counts.
#[divan::bench]
fn i_router_and_metrics_with_a_recorder(bencher: Bencher<'_, '_>) {
    let recorder = Counting(Registry::atomic());
    metrics::with_local_recorder(&recorder, || {
        routed(bencher, MetricsLayer::new().routes(["chat.post"]));
    });
}

#[divan::bench]
fn i_router_and_authorize(bencher: Bencher<'_, '_>) {
    let layer = AuthorizeLayer::new(|message: &Message| message.parts().rpc_id().is_some());
    routed(bencher, layer);
}

#[divan::bench]
fn i_router_and_idempotency_without_a_key(bencher: Bencher<'_, '_>) {
    routed(bencher, IdempotencyLayer::new(payload_member("key")));
}

/// Each message has a new key, and its answer is stored.
#[divan::bench]
fn i_router_and_idempotency_with_a_key(bencher: Bencher<'_, '_>) {
    let number = AtomicU64::new(0);
    let key = move |_: &Message| Some(number.fetch_add(1, Ordering::Relaxed).to_string());
    routed(bencher, IdempotencyLayer::new(key).max_count(1_000));
}

/// The key is known, so the handler does not run.
#[divan::bench]
fn i_router_and_idempotency_with_a_known_key(bencher: Bencher<'_, '_>) {
    let layer = IdempotencyLayer::new(|_| Some("key".to_owned())).scope(|_| String::new());
    routed(bencher, layer);
}

#[divan::bench]
fn i_router_and_audit(bencher: Bencher<'_, '_>) {
    routed(
        bencher,
        AuditLayer::new(|audited: &Audited<'_>| {
            black_box(audited);
        }),
    );
}

/// A recorder of atomics, by key. It keeps no histogram samples, since that depends on the exporter.
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

/// The share of serde and garde, for comparison.
#[divan::bench]
fn z_serde_and_garde_alone(bencher: Bencher<'_, '_>) {
    bencher.function(|| {
        let post = stages::parse_and_validate();
        stages::serialize(u64::from(post.room_id))
    });
}
