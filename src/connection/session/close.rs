use std::borrow::Cow;

use zocket_layers::{Close, hub::MailboxState};

const fn close(code: u16, reason: &'static str) -> Close {
    Close {
        code,
        reason: Cow::Borrowed(reason),
    }
}

/// The peer does not read as much as is sent to it.
pub(in crate::connection) const SLOW_READER: Close = close(3002, "slow-reader");
/// A message has waited too long for the pipeline.
pub(in crate::connection) const STALLED: Close = close(3001, "stalled");
/// The pipeline has failed for good.
pub(in crate::connection) const UNAVAILABLE: Close = close(1011, "unavailable");
/// `on_open` panicked.
pub(in crate::connection) const INTERNAL_ERROR: Close = close(1011, "internal-error");

/// The end of a session.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::connection) enum End {
    /// The peer has sent a Close frame.
    ByPeer,
    /// The server sends one.
    ByServer(Close),
    /// The connection is gone without one.
    Gone,
}

impl End {
    /// The end that the state of a mailbox asks for.
    pub(super) fn of(state: MailboxState) -> Option<Self> {
        match state {
            MailboxState::Open => None,
            MailboxState::Close(close) => Some(Self::ByServer(close)),
            MailboxState::Overflowed => Some(Self::ByServer(SLOW_READER)),
        }
    }
}
