use std::borrow::Cow;

use zocket_layers::{Close, hub::MailboxState};

const fn close(code: u16, reason: &'static str) -> Close {
    Close {
        code,
        reason: Cow::Borrowed(reason),
    }
}

/// Close for a peer that reads too slowly: more than `Limits::outbound` waits for it.
pub(in crate::connection) const SLOW_READER: Close = close(3002, "slow-reader");
/// Close for a message that has waited to begin for longer than `Limits::stall`.
pub(in crate::connection) const STALLED: Close = close(3001, "stalled");
/// Close for a pipeline that has failed for good.
pub(in crate::connection) const UNAVAILABLE: Close = close(1011, "unavailable");
/// Close for a panic of `on_open`.
pub(in crate::connection) const INTERNAL_ERROR: Close = close(1011, "internal-error");

/// The end of a session.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::connection) enum End {
    /// The peer sent a Close frame.
    ByPeer,
    /// The server sends this Close frame.
    ByServer(Close),
    /// The connection was lost without a Close frame, or the peer stayed silent.
    Gone,
}

impl End {
    /// Returns the end that the state of a mailbox calls for. `None` if the mailbox is open.
    pub(super) fn of(state: MailboxState) -> Option<Self> {
        match state {
            MailboxState::Open => None,
            MailboxState::Close(close) => Some(Self::ByServer(close)),
            MailboxState::Overflowed => Some(Self::ByServer(SLOW_READER)),
        }
    }
}
