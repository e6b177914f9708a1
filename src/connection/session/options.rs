use zocket_layers::{Codec, Limits};

/// Properties of a stack and of a client, for the client's session.
#[derive(Debug, Clone, Copy)]
pub(in crate::connection) struct SessionOptions {
    /// The codec in which heads are read. `None` for a stack without a codec, whose frames are opaque.
    pub(in crate::connection) codec: Option<Codec>,
    /// Messages that may be handled at once, besides those of concurrent routes.
    pub(in crate::connection) concurrency: usize,
    /// True if the client keeps within [`max_calls`](Self::max_calls). Messages beyond it are refused, and a full queue
    /// stops no reading.
    pub(in crate::connection) has_flow: bool,
}

impl SessionOptions {
    /// Returns the number of messages that a client with flow control may have unanswered: those that the app handles at
    /// once, and a full queue. Messages of concurrent routes count like any other.
    pub(in crate::connection) fn max_calls(&self, limits: &Limits) -> usize {
        let at_once = self.concurrency.min(limits.in_flight.max(1));
        at_once.saturating_add(limits.queued.max(1))
    }
}
