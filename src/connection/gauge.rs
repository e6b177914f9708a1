//! What connections tell of their queues.

use std::marker::PhantomData;

use metrics::Gauge;

/// One connection's part in a gauge that is the sum of all connections'. What it told is taken back when it is
/// dropped.
///
/// It is told when the connection has nothing left to do but wait: what has passed through by then costs nothing.
pub(super) struct Part<S: Sum> {
    told: usize,
    sum: PhantomData<S>,
}

/// What is summed up.
pub(super) trait Sum {
    fn gauge() -> Gauge;
}

/// The messages that were read and wait to be handled.
pub(super) struct Queued;

/// The messages that are being handled.
pub(super) struct InFlight;

/// The bytes that wait to be written.
pub(super) struct Outbound;

impl Sum for Queued {
    fn gauge() -> Gauge {
        metrics::gauge!("zocket_queued_messages")
    }
}

impl Sum for InFlight {
    fn gauge() -> Gauge {
        metrics::gauge!("zocket_in_flight_messages")
    }
}

impl Sum for Outbound {
    fn gauge() -> Gauge {
        metrics::gauge!("zocket_outbound_bytes")
    }
}

impl<S: Sum> Part<S> {
    pub(super) const fn new() -> Self {
        Self {
            told: 0,
            sum: PhantomData,
        }
    }

    pub(super) fn tell(&mut self, now: usize) {
        let before = std::mem::replace(&mut self.told, now);
        if now > before {
            S::gauge().increment((now - before) as f64);
        } else if now < before {
            S::gauge().decrement((before - now) as f64);
        }
    }
}

impl<S: Sum> Drop for Part<S> {
    fn drop(&mut self) {
        self.tell(0);
    }
}
