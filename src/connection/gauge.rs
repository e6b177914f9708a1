//! What connections tell of their queues.

use metrics::Gauge;

/// One connection's part in a gauge that is the sum of all connections'. What it told is taken back when it is
/// dropped.
///
/// It is told when the connection has nothing left to do but wait: what has passed through by then costs nothing.
pub(super) struct Part {
    gauge: fn() -> Gauge,
    told: usize,
}

impl Part {
    /// The messages that were read and wait to be handled.
    pub(super) fn queued() -> Self {
        Self::of(|| metrics::gauge!("zocket_queued_messages"))
    }

    /// The messages that are being handled.
    pub(super) fn in_flight() -> Self {
        Self::of(|| metrics::gauge!("zocket_in_flight_messages"))
    }

    /// The bytes that wait to be written.
    pub(super) fn outbound() -> Self {
        Self::of(|| metrics::gauge!("zocket_outbound_bytes"))
    }

    fn of(gauge: fn() -> Gauge) -> Self {
        Self { gauge, told: 0 }
    }

    pub(super) fn tell(&mut self, now: usize) {
        let before = std::mem::replace(&mut self.told, now);
        if now > before {
            (self.gauge)().increment((now - before) as f64);
        } else if now < before {
            (self.gauge)().decrement((before - now) as f64);
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.tell(0);
    }
}
