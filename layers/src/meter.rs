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
