//! The recorder's handles, by route.

use std::{borrow::Cow, collections::HashSet, sync::Arc, time::Duration};

use metrics::{Counter, Histogram, SharedString, counter, histogram};
use tokio::time::Instant;

use super::{MetricsObserver, cache::Cache};
use crate::{message::Parts, service::Observe};

/// Label of messages whose route the app does not have. Labels with text from clients would be unbounded.
const UNKNOWN: &str = "unknown";

/// Metric handles of all routes.
#[derive(Debug, Default)]
pub(super) struct Routes {
    /// Routes of [`MetricsLayer::routes`](super::MetricsLayer::routes), which no router declares.
    named: HashSet<String>,
    /// Bounded by the number of routes, plus the unknown one.
    handles: Cache<Handles>,
}

/// Metric handles of one route.
pub(super) struct Handles {
    route: SharedString,
    ok: Counter,
    duration: Histogram,
    payload: Histogram,
    answer: Histogram,
}

impl Routes {
    pub(super) fn named(routes: impl IntoIterator<Item = String>) -> Self {
        Self {
            named: routes.into_iter().collect(),
            handles: Cache::default(),
        }
    }

    pub(super) fn names(&self) -> &HashSet<String> {
        &self.named
    }

    /// Returns the handles for a message's route.
    pub(super) fn of(&self, parts: &Parts, now: Instant) -> Arc<Handles> {
        if let Some(handles) = self.handles.fresh(parts.route(), now) {
            return handles;
        }
        let is_known = self.named.contains(&**parts.route()) || parts.connection().has_route(parts.route());
        let route = if is_known { &**parts.route() } else { UNKNOWN };
        self.handles
            .fresh(route, now)
            .unwrap_or_else(|| self.handles.register(route, now, Handles::register))
    }
}

impl Handles {
    fn register(route: SharedString) -> Self {
        Self {
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

    pub(super) fn ended(&self, outcome: Cow<'static, str>, took: Duration, answer: Option<usize>) {
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
