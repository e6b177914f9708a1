use std::{sync::Arc, time::Instant};

use crate::core::ResumeSlot;

/// State of a session whose client offered to resume it.
pub(in crate::connection::session) struct Resume {
    pub(in crate::connection::session) slot: Arc<ResumeSlot>,
    /// Hash of the contract, for welcomes.
    contract: Option<Arc<str>>,
    /// Number of the last frame that was received.
    pub(in crate::connection::session) received: u64,
    /// Number that the client was told last.
    pub(in crate::connection::session) told: u64,
    /// Weight of the frames that were received since.
    pub(in crate::connection::session) untold: usize,
    /// Bytes of the record that were reported last. `None` if they have to be reported in any case.
    pub(in crate::connection::session) reported: Option<usize>,
    /// Time at which the first of them was received.
    pub(in crate::connection::session) untold_since: Option<Instant>,
    /// True if the client has the token of the last welcome.
    pub(in crate::connection::session) is_proven: bool,
    /// True if the client acknowledged what was never sent.
    pub(in crate::connection::session) has_bad_ack: bool,
    /// End of the wait for the client. `None` while it is connected.
    pub(in crate::connection::session) window: Option<Window>,
}

pub(in crate::connection::session) struct Window {
    pub(in crate::connection::session) end: Instant,
    /// True if the window has ended, and a handshake in progress holds the session.
    pub(in crate::connection::session) is_held: bool,
    /// True if the end was noticed late, and the client has more time.
    pub(in crate::connection::session) is_excused: bool,
}

impl Resume {
    pub(in crate::connection::session) fn new(slot: Arc<ResumeSlot>, contract: Option<Arc<str>>) -> Self {
        Self {
            slot,
            contract,
            received: 0,
            told: 0,
            untold: 0,
            reported: Some(0),
            untold_since: None,
            is_proven: false,
            has_bad_ack: false,
            window: None,
        }
    }

    /// Returns the hash of the contract.
    pub(in crate::connection::session) fn contract(&self) -> Option<&str> {
        self.contract.as_deref()
    }
}
