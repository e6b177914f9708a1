//! Place where a handshake delivers the new socket of a session.

mod handshake;
#[cfg(feature = "nats")]
mod moving;
mod state;
mod token;

use std::{
    fmt, mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use futures_util::task::AtomicWaker;
use hyper::upgrade::Upgraded;
use parking_lot::Mutex;
use tokio::sync::Notify;
use zocket_layers::{
    ClientId, Close, Form,
    internal::{Broken, is_broken},
};

#[cfg(feature = "nats")]
pub(super) use self::moving::NotMoved;
pub(super) use self::token::Secret;
pub(crate) use self::{
    handshake::{Admission, Arrival},
    state::{Arrived, Caller},
    token::ResumeOffer,
};
use self::{
    state::{Resumes, SlotEnd, State},
    token::token,
};
use super::{
    ReplayRange, Sessions,
    sessions::{Account, UnreadClose},
};

/// Place where a handshake delivers the new socket of a session. The session's task takes it from there. Handshakes find
/// it in the registry.
pub(crate) struct ResumeSlot {
    client: ClientId,
    form: Form,
    range: Arc<ReplayRange>,
    /// Waker of the session's task.
    driver: Arc<AtomicWaker>,
    /// True if the task has to read `state`.
    has_news: AtomicBool,
    /// True if the record has to be given up.
    gives_up: AtomicBool,
    state: Mutex<State>,
    account: Account,
    sessions: Arc<Sessions>,
    /// Notified once `on_disconnect` has run.
    departed: Notify,
}

impl ResumeSlot {
    pub(crate) fn new(
        client: ClientId,
        form: Form,
        caller: Caller,
        driver: Arc<AtomicWaker>,
        sessions: Arc<Sessions>,
    ) -> Self {
        Self {
            client,
            form,
            range: Arc::default(),
            driver,
            has_news: AtomicBool::new(false),
            gives_up: AtomicBool::new(false),
            state: Mutex::new(State {
                proven: None,
                offered: None,
                in_progress: 0,
                admitted: 0,
                delivered: 0,
                arrived: None,
                caller,
                parked: None,
                resumes: Resumes::default(),
                end: SlotEnd::Open,
                received: None,
            }),
            account: Account::default(),
            sessions,
            departed: Notify::new(),
        }
    }

    pub(super) const fn client_id(&self) -> ClientId {
        self.client
    }

    pub(super) const fn account(&self) -> &Account {
        &self.account
    }

    /// Returns the numbers that the client may resume from.
    pub(crate) const fn range(&self) -> &Arc<ReplayRange> {
        &self.range
    }

    fn notify(&self) {
        self.has_news.store(true, Ordering::Release);
        self.driver.wake();
    }

    /// Returns true if a socket has arrived, or the session has to end, since the last call.
    pub(crate) fn take_news(&self) -> bool {
        self.has_news.load(Ordering::Acquire) && self.has_news.swap(false, Ordering::AcqRel)
    }

    /// Returns true if a handshake has asked the session to end.
    pub(crate) fn is_end_requested(&self) -> bool {
        matches!(self.state.lock().end, SlotEnd::Requested | SlotEnd::Moved)
    }

    /// Returns true if another node has asked the session to end.
    pub(crate) fn has_moved(&self) -> bool {
        self.state.lock().end == SlotEnd::Moved
    }

    /// Takes the socket that has arrived.
    pub(crate) fn take_arrived(&self) -> Option<Box<Arrived>> {
        self.state.lock().arrived.take()
    }

    /// Accepts a socket: its client has the token that it came with, and is the session's client from now on. `has_events`
    /// is true if events wait that have no number yet.
    fn accept(&self, n: u64, has_events: bool, secret: Secret, caller: Caller) {
        let mut state = self.state.lock();
        let is_offered = state.offered.is_some_and(|offered| offered.equals(secret));
        if is_offered && !is_broken(Broken::OfferedToken) {
            state.proven = state.offered.take();
        }
        if state.resumes.count == 0 || !self.waits_after(&state.resumes, n) {
            state.resumes = Resumes {
                from: n,
                ..Resumes::default()
            };
        }
        // While no frame waits, none breaks the connection.
        state.resumes.count += u32::from(has_events || n < self.range.sent());
        let old = mem::replace(&mut state.caller, caller);
        drop(state);
        drop(old);
    }

    /// Accepts the client of an offer, without a socket.
    #[cfg(test)]
    pub(crate) fn accept_offer(&self, offer: &ResumeOffer) {
        self.accept(offer.n, false, offer.secret, Caller::default());
    }

    /// Returns the token for a welcome. A token that was offered stays the same until it is proven.
    pub(crate) fn offer(&self) -> String {
        let mut state = self.state.lock();
        if is_broken(Broken::OfferedToken) {
            state.offered = None;
        }
        let secret = *state.offered.get_or_insert_with(Secret::random);
        drop(state);
        token(self.client, secret, self.sessions.node())
    }

    /// Records that the client has the token of the last welcome.
    pub(crate) fn prove(&self) {
        let mut state = self.state.lock();
        if let Some(offered) = state.offered.take() {
            state.proven = Some(offered);
            state.resumes.confirmed += 1;
        }
    }

    /// Returns true if a resume from number `n` makes no progress: the last one was from there, and a frame waits.
    fn waits_after(&self, resumes: &Resumes, n: u64) -> bool {
        n == resumes.from && n < self.range.sent()
    }

    /// Returns true if the client is known to have a token, and may come with it.
    pub(crate) fn may_park(&self) -> bool {
        let state = self.state.lock();
        state.proven.is_some() && state.end == SlotEnd::Open
    }

    /// Adds the session to those that are parked.
    pub(crate) fn park(self: &Arc<Self>) {
        let network = self.state.lock().caller.network;
        // Not under the lock, because it may end another session, or this one.
        let place = self.sessions.park(self, network);
        self.state.lock().parked = Some(Box::new(place));
        self.sessions.notify_changed();
    }

    /// Returns true if the session is parked, and false if it has ended. `None` while its client is connected.
    #[cfg(feature = "testing")]
    pub(super) fn is_parked(&self) -> Option<bool> {
        let state = self.state.lock();
        match state.end {
            SlotEnd::Ended | SlotEnd::Departed => Some(false),
            SlotEnd::Open | SlotEnd::Requested | SlotEnd::Moved => state.parked.as_ref().map(|_| true),
        }
    }

    /// Removes the session from those that are parked.
    pub(crate) fn unpark(&self) {
        let place = self.state.lock().parked.take();
        if let Some(place) = place {
            self.sessions.unpark(*place);
        }
    }

    /// Reports the bytes that the record keeps, and those that wait if the session is parked.
    pub(crate) fn report(&self, record: usize, waiting: Option<usize>) {
        self.sessions.report(&self.account, record, waiting);
    }

    /// Asks the session to give up its record.
    pub(super) fn request_give_up(&self) {
        self.gives_up.store(true, Ordering::Release);
        self.notify();
    }

    /// Returns true if the session has to give up its record.
    pub(crate) fn take_give_up(&self) -> bool {
        self.gives_up.swap(false, Ordering::AcqRel)
    }

    /// Admits no handshake any more, unless one is in progress or has delivered. Returns true if none is.
    pub(crate) fn try_end(&self) -> bool {
        let mut state = self.state.lock();
        let may_end = state.in_progress == 0 && state.arrived.is_none();
        if may_end {
            state.end = state.end.max(SlotEnd::Ended);
        }
        may_end
    }

    /// Admits no handshake any more.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.end = state.end.max(SlotEnd::Ended);
        drop(state);
        self.sessions.notify_changed();
    }

    /// Admits no handshake any more. `received` is the number of the last frame that the session has received. Returns a
    /// socket that has arrived.
    pub(crate) fn end(&self, received: u64) -> Option<Box<Arrived>> {
        let mut state = self.state.lock();
        state.end = state.end.max(SlotEnd::Ended);
        state.received = Some(received);
        state.arrived.take()
    }

    /// Returns the number of the last frame that the session has received, if it has ended.
    pub(crate) fn received(&self) -> Option<u64> {
        self.state.lock().received
    }

    /// Keeps the Close of a session that ends while nobody reads it, for the client that comes with its token until then.
    pub(crate) fn leave_close(&self, close: Close, until: Instant) {
        let state = self.state.lock();
        let secrets = [state.proven, state.offered];
        drop(state);
        self.sessions.leave_close(
            self.client,
            UnreadClose {
                secrets,
                close,
                until,
            },
        );
    }

    /// Records that `on_disconnect` has run.
    pub(super) fn depart(&self) {
        self.unpark();
        self.report(0, None);
        let mut state = self.state.lock();
        let (arrived, caller) = (state.arrived.take(), mem::take(&mut state.caller));
        state.end = SlotEnd::Departed;
        drop(state);
        drop((arrived, caller));
        self.departed.notify_waiters();
    }
}

impl Arrived {
    /// Makes the socket's client the session's: [`ResumeSlot::accept`]. Returns the socket.
    pub(crate) fn accepted(self, slot: &ResumeSlot, has_events: bool) -> Upgraded {
        slot.accept(self.n, has_events, self.secret, self.caller);
        self.upgraded
    }
}

impl fmt::Debug for ResumeSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResumeSlot")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}
