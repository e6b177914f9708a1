//! Metrics that stages report by themselves. Without the feature `metrics` they report none.

use crate::error::Error;

/// Counts a refusal, by the code that is sent to the client.
pub(crate) fn refused(error: &Error) {
    #[cfg(feature = "metrics")]
    metrics::counter!("zocket_messages_refused_total", "code" => error.code().as_str()).increment(1);
    #[cfg(not(feature = "metrics"))]
    let _ = error;
}

/// Counts a room that got its first member.
pub(crate) fn room_opened() {
    #[cfg(feature = "metrics")]
    metrics::gauge!("zocket_rooms").increment(1.0);
}

/// Counts a room that lost its last member.
pub(crate) fn room_closed() {
    #[cfg(feature = "metrics")]
    metrics::gauge!("zocket_rooms").decrement(1.0);
}

/// Counts events that a slow reader does not receive: volatile ones, and latest ones that newer ones replace.
pub(crate) fn absorbed(dropped: usize, replaced: usize) {
    #[cfg(feature = "metrics")]
    for (name, count) in [
        ("zocket_volatile_events_dropped_total", dropped),
        ("zocket_latest_events_replaced_total", replaced),
    ] {
        if count > 0 {
            metrics::counter!(name).increment(count as u64);
        }
    }
    #[cfg(not(feature = "metrics"))]
    let _ = (dropped, replaced);
}
