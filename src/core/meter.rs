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
