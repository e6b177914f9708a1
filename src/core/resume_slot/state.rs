use std::net::IpAddr;

use hyper::upgrade::Upgraded;

use super::token::{ResumeOffer, Secret};
use crate::{core::sessions::ParkedPlace, upgrade::address::OpenSlot};

/// Resumes in a row from the same number, while a frame after it waits, after which a session can't be resumed. The
/// frame may be what breaks the connections.
const FRUITLESS: u32 = 3;
/// The same, with those whose client has not shown that it received the welcome. A bad network loses several in a row.
const LOST: u32 = 12;

/// The client of a handshake.
#[derive(Debug, Default)]
pub(crate) struct Caller {
    /// Hash of the headers.
    pub(crate) fingerprint: u64,
    /// Network of the address, if that is known.
    pub(crate) network: Option<IpAddr>,
    /// Counts the connection for its address, if a layer limits their number.
    pub(crate) place: Option<OpenSlot>,
}

/// State of a slot behind its lock. Values that few sessions have at a time are boxed.
pub(super) struct State {
    /// The secret that the client is known to have.
    pub(super) proven: Option<Secret>,
    /// The secret of the last welcome, which the client may or may not have.
    pub(super) offered: Option<Secret>,
    /// Handshakes that were admitted, and have not delivered a socket yet.
    pub(super) in_progress: u32,
    /// Number of the last handshake that was admitted.
    pub(super) admitted: u64,
    /// Number of the newest handshake that has delivered a socket.
    pub(super) delivered: u64,
    pub(super) arrived: Option<Box<Arrived>>,
    /// The client of the handshake that was accepted last.
    pub(super) caller: Caller,
    /// The place among the parked sessions.
    pub(super) parked: Option<Box<ParkedPlace>>,
    pub(super) resumes: Resumes,
    pub(super) end: SlotEnd,
    /// Number of the last frame that the session has received, once it has ended.
    pub(super) received: Option<u64>,
}

impl State {
    /// Returns true if the client of an offer has a valid token.
    pub(super) fn has_token(&self, offer: &ResumeOffer) -> bool {
        let matches = |secret: Option<Secret>| secret.is_some_and(|secret| secret.equals(offer.secret));
        matches(self.proven) | matches(self.offered)
    }
}

/// The last resumes in a row from the same number, while a frame after it waited.
#[derive(Default)]
pub(super) struct Resumes {
    pub(super) from: u64,
    pub(super) count: u32,
    /// Those whose client has shown that it received the welcome.
    pub(super) confirmed: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SlotEnd {
    Open,
    /// A handshake has asked the session to end.
    Requested,
    /// The client has come to another node, which has asked the session to end.
    Moved,
    Ended,
    /// `on_disconnect` has run.
    Departed,
}

/// A socket that a handshake has delivered.
pub(crate) struct Arrived {
    pub(crate) upgraded: Upgraded,
    /// Number of the last frame that the client has.
    pub(crate) n: u64,
    pub(super) secret: Secret,
    pub(super) caller: Caller,
}

impl Resumes {
    pub(super) const fn are_fruitless(&self) -> bool {
        self.confirmed >= FRUITLESS || self.count >= LOST
    }
}
