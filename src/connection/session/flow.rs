//! Flow control by numbers, for clients that offer it. Other clients are slowed down by TCP, because a full queue stops
//! reading.

use zocket_layers::{Code, Error, Frame};

use super::Session;

impl Session {
    /// Refuses a message that would have to be queued, if as many messages are unanswered as the client was told, or if
    /// the queue has as many bytes as one message may have. Returns true if it is refused.
    pub(super) fn refuses_beyond_flow(&mut self, frame: &Frame) -> bool {
        let (calls, bytes) = (self.options.max_calls(self.limits()), self.limits().message);
        let error = if self.inbound.queued() + self.inbound.in_flight() >= calls {
            format!("expected at most {calls} unanswered messages: this one was not run")
        } else if self.inbound.queued_bytes() >= bytes {
            format!("expected unanswered messages of less than {bytes} bytes: this one was not run")
        } else {
            return false;
        };
        self.refuse(&Error::new(Code::OVERLOADED, error), frame);
        true
    }
}
