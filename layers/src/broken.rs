//! Broken variants of the server, for the tests of the simulator. They exist only with `--cfg zocket_broken`: then a test
//! breaks the server on its own thread. Otherwise [`is_broken`] is a constant.

/// A rule that a variant of the server breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Broken {
    /// A Close is answered before the messages that were read before it.
    AnswerBeforeClose,
    /// `on_disconnect` does not run for a peer that fell silent.
    DisconnectOfSilentPeers,
    /// Events of several rooms are merged in the order of the rooms, not of their numbers.
    OrderAmongRooms,
    /// Each welcome of a session has a new token, and to come with a token does not prove it.
    OfferedToken,
    /// A batch of events has one number.
    Numbering,
    /// A welcome asks for a message that the server has.
    Deduplication,
    /// A join is answered without the answers of other nodes.
    Barrier,
    /// An event to several rooms is performed as often as it arrives.
    Once,
    /// A node does not repeat its last numbers for those that have missed them.
    Announcement,
    /// A room without members stays subscribed.
    Interest,
    /// An event is refused after the members of its own node have received it.
    Overload,
}

impl Broken {
    /// The variants of one server.
    pub const ALONE: [Self; 6] = [
        Self::AnswerBeforeClose,
        Self::DisconnectOfSilentPeers,
        Self::OrderAmongRooms,
        Self::OfferedToken,
        Self::Numbering,
        Self::Deduplication,
    ];

    /// The variants of a node among others.
    pub const AMONG_NODES: [Self; 5] = [
        Self::Barrier,
        Self::Once,
        Self::Announcement,
        Self::Interest,
        Self::Overload,
    ];
}

#[cfg(zocket_broken)]
mod switch {
    use std::cell::Cell;

    use super::Broken;

    thread_local! {
        static BROKEN: Cell<Option<Broken>> = const { Cell::new(None) };
    }

    /// Breaks a rule on the present thread, or none.
    pub fn set_broken(broken: Option<Broken>) {
        BROKEN.set(broken);
    }

    /// Returns true if the present thread breaks this rule.
    #[must_use]
    pub fn is_broken(broken: Broken) -> bool {
        BROKEN.get() == Some(broken)
    }
}

#[cfg(zocket_broken)]
pub use switch::{is_broken, set_broken};

/// Returns false: no rule is broken.
#[cfg(not(zocket_broken))]
#[must_use]
pub const fn is_broken(_: Broken) -> bool {
    false
}
