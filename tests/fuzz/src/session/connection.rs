//! A connection of a client.

use super::input::{Close, Violation};
use crate::socket::Socket;

/// A connection, and everything that may have ended it.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) socket: Socket,
    /// Index of the session. `None` before the welcome.
    pub(super) session: Option<usize>,
    /// Number of the last frame with one that came here.
    pub(super) number: u64,
    /// True if the connection will be cut at a byte.
    pub(super) has_fault: bool,
    pub(super) is_frozen: bool,
    /// True once the server may have given up a connection that was frozen.
    pub(super) was_frozen: bool,
    pub(super) closed: Option<Close>,
    pub(super) violation: Option<Violation>,
    pub(super) has_bad_ack: bool,
    /// True if the session may go on with another connection.
    pub(super) is_replaced: bool,
    /// Code of the Close that came.
    pub(super) close: Option<u16>,
    pub(super) pings: u64,
    pub(super) pongs: u64,
}

impl Connection {
    pub(super) fn new(socket: Socket, has_fault: bool) -> Self {
        Self {
            socket,
            session: None,
            number: 0,
            has_fault,
            is_frozen: false,
            was_frozen: false,
            closed: None,
            violation: None,
            has_bad_ack: false,
            is_replaced: false,
            close: None,
            pings: 0,
            pongs: 0,
        }
    }

    /// Returns true if the client has ended the connection, or made the server end it.
    pub(super) const fn is_ending(&self) -> bool {
        self.closed.is_some() || self.violation.is_some() || self.has_bad_ack
    }

    /// Returns true if the client may use the connection.
    pub(super) const fn is_usable(&self) -> bool {
        let is_over = self.is_ending() || self.is_replaced || self.socket.is_gone || self.close.is_some();
        self.session.is_some() && !is_over
    }

    /// Returns true if everything that either side has written has certainly arrived.
    pub(super) const fn is_certain(&self) -> bool {
        self.is_usable() && !self.has_fault && !self.is_frozen
    }

    /// Checks that the server may end the connection without a Close.
    pub(super) fn check_gone(&self) {
        let has_cause = self.has_fault || self.was_frozen || self.is_ending() || self.is_replaced;
        assert!(
            has_cause || self.close.is_some(),
            "a connection ended without a Close"
        );
    }

    /// Checks that there is a reason for a Close of the server. `kicked` is the code of a Close of the app.
    pub(super) fn check_close(&self, code: u16, reason: &str, kicked: Option<u16>) {
        let has_cause = match code {
            1008 => self.has_bad_ack && reason == "bad-ack",
            3501 => self.is_replaced && reason == "replaced",
            _ => {
                let is_answer = self
                    .closed
                    .is_some_and(|close| close.code().map_or(1005, |(code, _)| code) == code);
                let is_violation = self.violation.is_some_and(|violation| violation.code() == code);
                is_answer || is_violation || kicked == Some(code)
            }
        };
        assert!(has_cause, "no reason for the Close {code} `{reason}` of {self:?}");
    }
}
