//! Drain of a session: the end of a connection whose app shuts down.

use std::sync::Arc;

use zocket_layers::{Code, Error, Frame};

use super::{End, Session};
use crate::core::{Ending, Stage, meter};

impl Session {
    /// Sets the progress of the app's shutdown. Its changes wake the driver's waker.
    pub(in crate::connection) fn with_ending(mut self, ending: Arc<Ending>) -> Self {
        self.ending = ending;
        self
    }

    /// Returns true if the app does not shut down.
    pub(super) fn is_app_open(&self) -> bool {
        self.ending.stage() == Stage::Open
    }

    /// Refuses a message that was received, if the session drains. Returns true if it is refused.
    pub(super) fn refuses(&mut self, frame: &Frame) -> bool {
        let drains = self.ending.stage() > Stage::Open;
        if drains {
            self.refuse(&shutting_down(), frame);
        }
        drains
    }

    /// Refuses a message that does not begin. Without a codec, and without an id in the base protocol, it is dropped.
    pub(super) fn refuse(&mut self, error: &Error, frame: &Frame) {
        meter::refused(error);
        let Some(codec) = self.options.codec else {
            return;
        };
        if let Some(rpc_id) = frame.rpc_id() {
            self.outbound.push(self.connection.form().refusal(error, rpc_id));
        } else if self.connection.form().is_extended() {
            let route = frame.head().map(|head| &**head.route());
            self.outbound.push(codec.error(error, route));
        }
    }

    /// Follows the shutdown of the app: refuses the queued messages. Returns the end once the connection is to be closed
    /// and no message is in flight.
    pub(super) fn drain(&mut self) -> Option<End> {
        if self.ending.stage() == Stage::Open {
            return None;
        }
        let error = shutting_down();
        for frame in self.inbound.take_queue() {
            if let Some(rpc_id) = frame.rpc_id() {
                self.inbound.forget(rpc_id);
            }
            self.refuse(&error, &frame);
        }
        let is_due = match self.ending.stage() {
            // Nobody reads what a parked session still sends.
            Stage::Drain if self.is_parked() => true,
            Stage::Open | Stage::Drain => false,
            Stage::CloseWhenIdle => self.inbound.in_flight() == 0,
            Stage::Close => true,
        };
        // Events that were sent before are written before the Close.
        is_due.then(|| {
            self.send_events()
                .unwrap_or_else(|| End::Shutdown(self.ending.close()))
        })
    }
}

/// Returns the error of a message that is not begun, because the app shuts down.
fn shutting_down() -> Error {
    Error::new(
        Code::OVERLOADED,
        "the server is shutting down: the message was not run",
    )
}
