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
    BoxError, Service,
    limit::RateLimitLayer,
    load_shed::{LoadShedLayer, error::Overloaded},
    timeout::{TimeoutLayer, error::Elapsed},
    util::MapFutureLayer,
};
use zocket::cluster::{BoxEngine, EngineRequest, NatsOptions};

/// Time for NATS's client to accept a request. It does so at once, unless NATS is away or too slow for it.
const PATIENCE: Duration = Duration::from_millis(200);
/// Requests that a node may make in a second. A flood of events then costs events between nodes, and not NATS.
const PER_SECOND: u64 = 5_000;

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
    /// Refused at once, beyond the rate.
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
        .prefix("chat")
        // The outermost, which counts what the others refuse.
        .layer(MapFutureLayer::new(counted))
        // The hub makes one request after the other, and NATS is always ready. So there is nothing to shed, except where a
        // layer within is not ready: beyond the rate.
        .layer(LoadShedLayer::new())
        .layer(RateLimitLayer::new(PER_SECOND, Duration::from_secs(1)))
        .layer(TimeoutLayer::new(PATIENCE))
}
