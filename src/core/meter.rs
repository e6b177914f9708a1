//! Metrics of connections. Without the feature `metrics` there are none.

use http::StatusCode;
use zocket_layers::Error;

/// Counts a refusal, by the code that is sent to the client.
pub(crate) fn refused(error: &Error) {
    #[cfg(feature = "metrics")]
    metrics::counter!("zocket_messages_refused_total", "code" => error.code().as_str()).increment(1);
    #[cfg(not(feature = "metrics"))]
    let _ = error;
}

/// Counts a refused handshake. Both labels are bounded: the code is a constant of the protocol or of the app.
pub(crate) fn handshake_refused(status: StatusCode, code: &'static str) {
    #[cfg(feature = "metrics")]
    {
        let status = status.as_str().to_owned();
        metrics::counter!("zocket_handshakes_refused_total", "status" => status, "code" => code).increment(1);
    }
    #[cfg(not(feature = "metrics"))]
    let _ = (status, code);
}

/// Counts a connection that `on_connect` let in.
pub(crate) fn connection_opened() {
    #[cfg(feature = "metrics")]
    {
        metrics::counter!("zocket_connections_total").increment(1);
        metrics::gauge!("zocket_connections").increment(1.0);
    }
}

/// Counts connections that were left at the end of a shutdown's grace period.
pub(crate) fn connections_cut(cut: usize) {
    #[cfg(feature = "metrics")]
    metrics::counter!("zocket_connections_cut_total").increment(cut as u64);
    #[cfg(not(feature = "metrics"))]
    let _ = cut;
}

/// Counts a connection whose `on_disconnect` has ended.
pub(crate) fn connection_closed() {
    #[cfg(feature = "metrics")]
    metrics::gauge!("zocket_connections").decrement(1.0);
}

/// Counts a session whose client came back.
pub(crate) fn session_resumed() {
    #[cfg(feature = "metrics")]
    metrics::counter!("zocket_sessions_resumed_total").increment(1);
}

/// Counts a client with a valid token that got no session back.
pub(crate) fn session_not_resumed(reason: &'static str) {
    #[cfg(feature = "metrics")]
    metrics::counter!("zocket_sessions_not_resumed_total", "reason" => reason).increment(1);
    #[cfg(not(feature = "metrics"))]
    let _ = reason;
}

/// Counts a session whose connection was lost, and that waits for its client.
pub(super) fn session_parked() {
    #[cfg(feature = "metrics")]
    metrics::gauge!("zocket_parked_sessions").increment(1.0);
}

/// Counts a session that waits no longer.
pub(super) fn session_unparked() {
    #[cfg(feature = "metrics")]
    metrics::gauge!("zocket_parked_sessions").decrement(1.0);
}

/// Changes the bytes that records keep, by those of one session.
pub(super) fn record_bytes(before: usize, now: usize) {
    #[cfg(feature = "metrics")]
    metrics::gauge!("zocket_record_bytes").increment(now as f64 - before as f64);
    #[cfg(not(feature = "metrics"))]
    let _ = (before, now);
}

/// Counts a record that was given up.
pub(crate) fn record_given_up() {
    #[cfg(feature = "metrics")]
    metrics::counter!("zocket_records_given_up_total").increment(1);
}
