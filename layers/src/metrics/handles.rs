//! The recorder's handles, by route.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use metrics::{Counter, Histogram, SharedString, counter, histogram};
use parking_lot::RwLock;
use tokio::time::Instant;

use crate::{message::Parts, metrics::MetricsObserver, protocol::Name, service::Observe};

/// Label of messages whose route the app does not have. Labels with text from clients would be unbounded.
const UNKNOWN: &str = "unknown";

/// Time for which handles are kept before they are registered again. Registration allocates name and labels and looks
/// them up in the recorder, which is too expensive for each message. A handle can't be kept forever: it records nothing
/// if no recorder was installed when it was registered, or once the recorder has dropped the idle metric.
const HANDLE_LIFETIME: Duration = Duration::from_secs(10);

/// Metric handles of all routes.
#[derive(Debug, Default)]
pub(super) struct Routes {
    /// Routes of [`MetricsLayer::routes`](super::MetricsLayer::routes), which no router declares.
    named: HashSet<String>,
    /// Bounded by the number of routes, plus the unknown one.
    handles: RwLock<HashMap<Name, Arc<Handles>>>,
}

/// Metric handles of one route.
pub(super) struct Handles {
    route: SharedString,
    taken: Instant,
    ok: Counter,
    duration: Histogram,
    payload: Histogram,
    answer: Histogram,
}

impl Routes {
    pub(super) fn named(routes: impl IntoIterator<Item = String>) -> Self {
        Self {
            named: routes.into_iter().collect(),
            handles: RwLock::default(),
        }
    }

    pub(super) fn names(&self) -> &HashSet<String> {
        &self.named
    }

    /// Returns the handles for a message's route.
    pub(super) fn of(&self, parts: &Parts, now: Instant) -> Arc<Handles> {
        if let Some(handles) = self.fresh(parts.route(), now) {
            return handles;
        }
        let is_known = self.named.contains(&**parts.route()) || parts.connection().has_route(parts.route());
        let route = if is_known { &**parts.route() } else { UNKNOWN };
        self.fresh(route, now).unwrap_or_else(|| self.take(route, now))
    }

    fn fresh(&self, route: &str, now: Instant) -> Option<Arc<Handles>> {
        let handles = self.handles.read();
        let handles = handles.get(route)?;
        (now.saturating_duration_since(handles.taken) < HANDLE_LIFETIME).then(|| handles.clone())
    }

    fn take(&self, route: &str, now: Instant) -> Arc<Handles> {
        let handles = Arc::new(Handles::take(route, now));
        self.handles.write().insert(route.into(), handles.clone());
        handles
    }
}

impl Handles {
    fn take(route: &str, now: Instant) -> Self {
        let route = SharedString::from_shared(route.into());
        Self {
            taken: now,
            ok: counter!("zocket_messages_total", "route" => route.clone(), "outcome" => MetricsObserver::OK),
            duration: histogram!("zocket_message_duration_seconds", "route" => route.clone()),
            payload: histogram!("zocket_message_payload_bytes", "route" => route.clone()),
            answer: histogram!("zocket_message_answer_bytes", "route" => route.clone()),
            route,
        }
    }

    pub(super) fn received(&self, bytes: usize) {
        self.payload.record(bytes as f64);
    }

    pub(super) fn ended(&self, outcome: &'static str, took: Duration, answer: Option<usize>) {
        if outcome == MetricsObserver::OK {
            self.ok.increment(1);
        } else {
            // Refusals are counted by code. They are rare, so no handle is kept for each code.
            counter!("zocket_messages_total", "route" => self.route.clone(), "outcome" => outcome)
                .increment(1);
        }
        self.duration.record(took);
        if let Some(bytes) = answer {
            self.answer.record(bytes as f64);
        }
    }
}

impl std::fmt::Debug for Handles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handles")
            .field("route", &self.route)
            .finish_non_exhaustive()
    }
}
