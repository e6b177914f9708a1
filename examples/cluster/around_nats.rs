//! The layers around NATS, and what they count.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use schemars::JsonSchema;
use serde::Serialize;
use tower::{
    BoxError, Service, ServiceBuilder,
    buffer::Buffer,
    layer::layer_fn,
    load_shed::error::Overloaded,
    steer::Steer,
    timeout::{TimeoutLayer, error::Elapsed},
    util::{BoxService, MapFutureLayer},
};
use zocket::cluster::{BoxEngine, EngineRequest, NatsOptions};

/// Time for NATS's client to accept a request. It does so at once, unless NATS is away or too slow for it.
const PATIENCE: Duration = Duration::from_millis(200);
/// Events to rooms that a node passes to NATS in a second.
const EVENTS_PER_SECOND: u64 = 5_000;
const PREFIX: &str = "chat";

/// Numbers of a node's requests to NATS by their outcome.
#[derive(Default)]
pub(crate) struct Outcomes {
    accepted: AtomicU64,
    shed: AtomicU64,
    late: AtomicU64,
    failed: AtomicU64,
    slowest_micros: AtomicU64,
}

/// The same at one moment.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Figures {
    accepted: u64,
    /// Events that were refused at once, beyond the rate.
    shed: u64,
    /// Given up after the time-out.
    late: u64,
    failed: u64,
    slowest_micros: u64,
}

impl Outcomes {
    pub(crate) fn figures(&self) -> Figures {
        Figures {
            accepted: self.accepted.load(Relaxed),
            shed: self.shed.load(Relaxed),
            late: self.late.load(Relaxed),
            failed: self.failed.load(Relaxed),
            slowest_micros: self.slowest_micros.load(Relaxed),
        }
    }

    fn record(&self, requested: &Result<(), BoxError>, took: Duration) {
        let outcome = match requested {
            Ok(()) => &self.accepted,
            Err(error) if error.is::<Overloaded>() => &self.shed,
            Err(error) if error.is::<Elapsed>() => &self.late,
            Err(_) => &self.failed,
        };
        outcome.fetch_add(1, Relaxed);
        let micros = took.as_micros().try_into().unwrap_or(u64::MAX);
        self.slowest_micros.fetch_max(micros, Relaxed);
    }
}

/// Sheds events to rooms beyond the rate, and nothing else: a node without signs of life would be taken for gone.
///
/// `load_shed` alone would have nothing to shed. The hub makes one request after the other, and NATS is always ready. It is the
/// rate that is not.
fn shed_floods(
    nats: BoxEngine,
) -> impl Service<EngineRequest, Response = (), Error = BoxError, Future: Send> + Send {
    let nats = Buffer::new(nats, 16);
    let events = ServiceBuilder::new()
        .load_shed()
        .rate_limit(EVENTS_PER_SECOND, Duration::from_secs(1))
        .service(nats.clone());
    let rooms = format!("{PREFIX}.room.");
    let route = move |request: &EngineRequest, _: &[BoxEngine]| match request {
        EngineRequest::Publish { subject, .. } if subject.starts_with(&rooms) => 0,
        _ => 1,
    };
    Steer::new([BoxService::new(events), BoxService::new(nats)], route)
}

/// Returns the options of a node's hub.
pub(crate) fn options(outcomes: Arc<Outcomes>) -> NatsOptions {
    let counted = move |request: <BoxEngine as Service<EngineRequest>>::Future| {
        let (outcomes, begun) = (outcomes.clone(), Instant::now());
        async move {
            let requested = request.await;
            outcomes.record(&requested, begun.elapsed());
            requested
        }
    };
    NatsOptions::default()
        .prefix(PREFIX)
        // The outermost, which counts what the others refuse.
        .layer(MapFutureLayer::new(counted))
        .layer(layer_fn(shed_floods))
        .layer(TimeoutLayer::new(PATIENCE))
}
