use zocket_layers::{Close, hub::MailboxState};

use crate::core::{
    Reason,
    closes::{REPLACED, SLOW_READER, STALLED},
};

/// Reason in the Close of a client that ends its session.
const LEAVES: &str = "bye";

/// The end of a session.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::connection) enum End {
    /// The peer sent this Close frame.
    ByPeer(Close),
    /// The server sends this Close frame.
    ByServer(Close),
    /// The peer reads too slowly.
    SlowReader,
    /// A message has waited too long to begin.
    Stalled,
    /// The app shuts down, and sends this Close frame.
    Shutdown(Close),
    /// The connection was lost without a Close frame.
    Gone,
    /// The peer stayed silent after a ping.
    Silent,
    /// The socket accepted nothing for too long.
    Unwritable,
    /// The client did not come back to its session in time.
    Expired,
    /// The client came back, and its session can't be resumed.
    Replaced,
    /// The client came to another node.
    Moved,
}

impl End {
    /// Returns the end that the state of a mailbox calls for. `None` if the mailbox is open.
    pub(super) fn of(state: MailboxState) -> Option<Self> {
        match state {
            MailboxState::Open => None,
            MailboxState::Close(close) => Some(Self::ByServer(close)),
            MailboxState::Overflowed => Some(Self::SlowReader),
        }
    }

    /// Returns the Close frame that the server sends by itself.
    pub(in crate::connection) fn close(&self) -> Option<Close> {
        match self {
            Self::ByServer(close) | Self::Shutdown(close) => Some(close.clone()),
            Self::SlowReader => Some(SLOW_READER),
            Self::Stalled => Some(STALLED),
            Self::Replaced | Self::Moved => Some(REPLACED),
            Self::ByPeer(_) | Self::Gone | Self::Silent | Self::Unwritable | Self::Expired => None,
        }
    }

    /// Returns true if the connection ends, and its session need not. Browsers close with 1000 and 1001 when they suspend
    /// or leave a page, so a client that leaves on purpose says so.
    pub(super) fn is_break(&self) -> bool {
        match self {
            Self::Gone | Self::Silent | Self::Unwritable => true,
            Self::ByPeer(close) => match close.code {
                1001 | 1005 => true,
                1000 => close.reason != LEAVES,
                _ => false,
            },
            _ => false,
        }
    }

    /// Returns the reason that `on_disconnect` receives.
    pub(in crate::connection) fn into_reason(self) -> Reason {
        match self {
            Self::ByPeer(close) => Reason::ClosedByPeer(close),
            Self::ByServer(close) => Reason::ClosedByServer(close),
            Self::SlowReader => Reason::SlowReader,
            Self::Stalled => Reason::Stalled,
            Self::Shutdown(_) => Reason::Shutdown,
            Self::Gone => Reason::Cut,
            Self::Silent => Reason::Silent,
            Self::Unwritable => Reason::Unwritable,
            Self::Expired | Self::Replaced => Reason::Expired,
            Self::Moved => Reason::Moved,
        }
    }
}
