use zocket_layers::{Close, hub::MailboxState};

use crate::core::closes::SLOW_READER;

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
