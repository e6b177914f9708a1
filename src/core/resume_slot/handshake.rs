//! Handshakes of clients that come back.

use std::{fmt, pin::pin, sync::Arc};

use hyper::upgrade::Upgraded;
use zocket_layers::{Close, Form};

use super::{
    ResumeSlot,
    state::{Arrived, Caller, SlotEnd, State},
    token::ResumeOffer,
};
use crate::core::closes::{NOT_RESUMABLE, REPLACED};

/// The session that an offer names, as far as a handshake needs to know.
pub(crate) enum Admission {
    /// The offer names no session. One that it may belong to is left alone.
    Stranger,
    /// The token is valid, and the session can't be resumed by it. It has to end first.
    NotResumable(Obstacle),
    /// The session waits for the socket.
    Arrival(Arrival),
}

/// The reason why a session can't be resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// It has ended, or a handshake has asked it to.
    Ended,
    /// The client comes with another codec.
    Form,
    /// The record does not have all that the client lacks.
    Record,
    /// The same frame has waited in too many resumes in a row.
    Progress,
}

impl Obstacle {
    /// Returns the word for a metric.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Form => "codec",
            Self::Record => "record",
            Self::Progress => "progress",
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ended => "it has ended",
            Self::Form => "the client offers another codec",
            Self::Record => "its record exceeded Limits::record or AppLimits::records, or the client had acknowledged more",
            Self::Progress => "no frame arrived in several resumes in a row while one waited, which may break the connections",
        })
    }
}

/// A handshake that was admitted. While it is in progress, the session does not expire.
pub(crate) struct Arrival {
    slot: Arc<ResumeSlot>,
    number: u64,
    offer: ResumeOffer,
}

impl ResumeSlot {
    /// Compares an offer with the session. Nothing of the session changes, except that it waits for an admitted
    /// handshake.
    pub(crate) fn admit(self: &Arc<Self>, offer: &ResumeOffer, form: Form) -> Admission {
        let mut state = self.state.lock();
        if !state.has_token(offer) || offer.n > self.range.sent() {
            return Admission::Stranger;
        }
        if let Some(obstacle) = self.obstacle(&state, offer, form) {
            return Admission::NotResumable(obstacle);
        }
        state.in_progress += 1;
        state.admitted += 1;
        Admission::Arrival(Arrival {
            slot: self.clone(),
            number: state.admitted,
            offer: offer.clone(),
        })
    }

    /// Returns true if an offer would be admitted.
    pub(crate) fn recognizes(&self, offer: &ResumeOffer, form: Form) -> bool {
        let state = self.state.lock();
        state.has_token(offer) && self.obstacle(&state, offer, form).is_none()
    }

    fn obstacle(&self, state: &State, offer: &ResumeOffer, form: Form) -> Option<Obstacle> {
        let is_fruitless = || state.resumes.are_fruitless() && self.waits_after(&state.resumes, offer.n);
        match () {
            () if state.end != SlotEnd::Open => Some(Obstacle::Ended),
            () if form != self.form => Some(Obstacle::Form),
            () if !self.range.contains(offer.n) => Some(Obstacle::Record),
            () if is_fruitless() => Some(Obstacle::Progress),
            () => None,
        }
    }

    /// Asks the session to end, and waits until its `on_disconnect` has run.
    pub(crate) async fn end_session(&self) {
        self.request_end();
        self.departed().await;
    }

    /// Waits until the session's `on_disconnect` has run.
    pub(in crate::core) async fn departed(&self) {
        loop {
            let mut departed = pin!(self.departed.notified());
            // Enabled before the check, so that a departure between the check and the wait still notifies.
            departed.as_mut().enable();
            if self.state.lock().end == SlotEnd::Departed {
                return;
            }
            departed.await;
        }
    }

    /// Asks the session to end.
    pub(crate) fn request_end(&self) {
        let mut state = self.state.lock();
        state.end = state.end.max(SlotEnd::Requested);
        drop(state);
        self.notify();
    }
}

impl Arrival {
    /// Returns true if the headers are those that were accepted last.
    pub(crate) fn has_same_headers(&self, fingerprint: u64) -> bool {
        self.slot.state.lock().caller.fingerprint == fingerprint
    }

    /// Delivers the socket. Returns a socket that no session takes, and its Close: one that arrived before, or this one if
    /// a newer handshake has delivered or the session has ended.
    pub(crate) fn deliver(self, upgraded: Upgraded, caller: Caller) -> Option<(Upgraded, Close)> {
        let arrived = Arrived {
            upgraded,
            n: self.offer.n,
            secret: self.offer.secret,
            caller,
        };
        let mut state = self.slot.state.lock();
        if state.end > SlotEnd::Open {
            return Some((arrived.upgraded, NOT_RESUMABLE));
        }
        if self.number < state.delivered {
            return Some((arrived.upgraded, REPLACED));
        }
        state.delivered = self.number;
        let before = state.arrived.replace(Box::new(arrived))?;
        Some((before.upgraded, REPLACED))
        // Dropping `self` notifies the session's task.
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        self.slot.state.lock().in_progress -= 1;
        self.slot.notify();
    }
}
