//! Closes that the server sends by itself. PROTOCOL.md has the same list.

use std::borrow::Cow;

use http::StatusCode;
use zocket_layers::{Close, Code, Error};

/// Defines the constants and the list of them all, so that neither has a close that the other lacks.
macro_rules! closes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $reason:literal;)*) => {
        $($(#[$doc])* pub(crate) const $name: Close = Close {
            code: $code,
            reason: Cow::Borrowed($reason),
        };)*

        /// Every close whose reason is fixed.
        #[cfg(test)]
        pub(crate) const ALL: &[Close] = &[$($name),*];
    };
}

closes! {
    /// Close of a server that shuts down (RFC 6455, section 7.4.1).
    GOING_AWAY = 1001, "going-away";
    /// Close for a peer that broke RFC 6455.
    PROTOCOL_ERROR = 1002, "protocol-error";
    /// Close for a text frame that is not UTF-8.
    INVALID_UTF_8 = 1007, "invalid-utf-8";
    /// Close for a client that acknowledged what was never sent.
    BAD_ACK = 1008, "bad-ack";
    /// Close for a message larger than `Limits::message`.
    MESSAGE_TOO_LARGE = 1009, "message-too-large";
    /// Close for a panic of `on_open`.
    INTERNAL_ERROR = 1011, "internal-error";
    /// Close for a pipeline that has failed for good.
    UNAVAILABLE = 1011, "unavailable";
    /// Close of a server that starts again (IANA's registry of close codes).
    RESTARTING = 1012, "restarting";
    /// Close for a message that has waited to begin for longer than `Limits::stall`.
    STALLED = 3001, "stalled";
    /// Close for a peer that reads too slowly: more than `Limits::outbound` waits for it.
    SLOW_READER = 3002, "slow-reader";
    /// Close for a client whose session could be resumed when its handshake was answered, and no more when it had opened.
    NOT_RESUMABLE = 3004, "not-resumable";
    /// Close for a socket whose session goes on with another one.
    REPLACED = 3501, "replaced";
}

/// Code of a close whose reason is the code of `on_open`'s error.
pub(crate) const REFUSED_ON_OPEN: u16 = 1008;

/// Returns the close for an error of `on_open`.
pub(crate) fn refused_on_open(error: &Error) -> Close {
    Close::new(REFUSED_ON_OPEN, error.code().as_str())
}

/// Code of the close for a handshake that is refused with 400, and may not be repeated. Other statuses follow.
const REFUSED: u16 = 3600;
/// The same for refusals that pass by themselves.
const REFUSED_FOR_NOW: u16 = 3100;

/// Returns the close for a handshake that is refused with this status, from 400 to 599.
pub(crate) fn refused_handshake(status: StatusCode, code: Code) -> Close {
    let passes = matches!(status.as_u16(), 408 | 429 | 500..600);
    let first = if passes { REFUSED_FOR_NOW } else { REFUSED };
    Close::new(first + (status.as_u16().saturating_sub(400)), code.as_str())
}
