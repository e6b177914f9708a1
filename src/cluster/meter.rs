//! Metrics of a node. Without the feature `metrics` they cost nothing.

/// Counts events between nodes. Outcomes: `published`, `received`, `lost`, `skipped`, `undelivered`.
pub(super) fn events(outcome: &'static str, events: u64) {
    #[cfg(feature = "metrics")]
    metrics::counter!("zocket_cluster_events_total", "outcome" => outcome).increment(events);
    #[cfg(not(feature = "metrics"))]
    let _ = (outcome, events);
}

/// Counts what went wrong between nodes. Problems: `engine`, `unreadable`, `strangers`, `unanswered`, `alone`.
pub(super) fn problems(problem: &'static str, count: usize) {
    #[cfg(feature = "metrics")]
    metrics::counter!("zocket_cluster_problems_total", "problem" => problem).increment(count as u64);
    #[cfg(not(feature = "metrics"))]
    let _ = (problem, count);
}

/// Reports the number of other nodes that are known.
pub(super) fn nodes(known: usize) {
    #[cfg(feature = "metrics")]
    metrics::gauge!("zocket_cluster_nodes").set(known as f64);
    #[cfg(not(feature = "metrics"))]
    let _ = known;
}
