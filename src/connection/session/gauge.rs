use std::marker::PhantomData;

#[cfg(feature = "metrics")]
use metrics::Gauge;

/// One connection's part of a gauge that is the sum over all connections. Dropping it subtracts the part.
///
/// A connection reports only when it becomes idle. A change that is undone by then costs nothing. Without the feature
/// `metrics` there is no gauge.
pub(super) struct GaugePart<S: SharedGauge> {
    reported: usize,
    sum: PhantomData<S>,
}

/// A gauge that is the sum over all connections.
pub(super) trait SharedGauge {
    #[cfg(feature = "metrics")]
    fn gauge() -> Gauge;
}

/// Names the gauge of messages that were read and have not begun.
pub(super) struct Queued;

/// Names the gauge of messages in flight: they have begun, and were pending after their first poll.
pub(super) struct InFlight;

/// Names the gauge of bytes that wait to be written.
pub(super) struct OutboundBytes;

impl SharedGauge for Queued {
    #[cfg(feature = "metrics")]
    fn gauge() -> Gauge {
        metrics::gauge!("zocket_queued_messages")
    }
}

impl SharedGauge for InFlight {
    #[cfg(feature = "metrics")]
    fn gauge() -> Gauge {
        metrics::gauge!("zocket_in_flight_messages")
    }
}

impl SharedGauge for OutboundBytes {
    #[cfg(feature = "metrics")]
    fn gauge() -> Gauge {
        metrics::gauge!("zocket_outbound_bytes")
    }
}

impl<S: SharedGauge> GaugePart<S> {
    pub(super) const fn new() -> Self {
        Self {
            reported: 0,
            sum: PhantomData,
        }
    }

    /// Sets this connection's part, and changes the gauge by the difference.
    pub(super) fn report(&mut self, now: usize) {
        let before = std::mem::replace(&mut self.reported, now);
        #[cfg(feature = "metrics")]
        if now > before {
            S::gauge().increment((now - before) as f64);
        } else if now < before {
            S::gauge().decrement((before - now) as f64);
        }
        #[cfg(not(feature = "metrics"))]
        let _ = before;
    }
}

impl<S: SharedGauge> Default for GaugePart<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: SharedGauge> Drop for GaugePart<S> {
    fn drop(&mut self) {
        self.report(0);
    }
}
