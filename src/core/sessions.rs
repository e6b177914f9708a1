//! Bounds for all sessions of an app together.

#[cfg(feature = "testing")]
use std::pin::pin;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    fmt,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use parking_lot::Mutex;
use tokio::sync::Notify;
use zocket_layers::{ClientId, Close};

use super::{AppLimits, ResumeOffer, ResumeSlot, meter, resume_slot::Secret};

/// The sessions of an app whose clients can resume them. They are bounded together: in the bytes of their records, and in
/// the number and the bytes of those that are parked.
#[derive(Debug)]
pub(crate) struct Sessions {
    limits: AppLimits,
    /// Name of this node, for tokens. None for an app that has no other nodes.
    node: Option<Arc<str>>,
    /// Bytes that all records keep, as the sessions have reported them.
    records: AtomicUsize,
    /// Bytes of the parked sessions: what their records keep, and what waits.
    parked_bytes: AtomicUsize,
    state: Mutex<State>,
    /// Notified when a session was parked, or has ended.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    all: HashMap<ClientId, Arc<ResumeSlot>>,
    parked: usize,
    /// Number of the session that was parked last.
    last: u64,
    /// Parked sessions by the network of their client, the oldest first. `None` is that of clients without an address.
    networks: HashMap<Option<IpAddr>, BTreeMap<u64, Arc<ResumeSlot>>>,
    /// Closes of sessions that have ended, which their clients do not know.
    unread: HashMap<ClientId, UnreadClose>,
}

/// Bytes that a session has reported.
#[derive(Debug, Default)]
pub(super) struct Account {
    record: AtomicUsize,
    /// Bytes that count for parked sessions.
    parked: AtomicUsize,
}

/// Close of a session that ended while it was parked.
pub(super) struct UnreadClose {
    /// Tokens of its client.
    pub(super) secrets: [Option<Secret>; 2],
    pub(super) close: Close,
    pub(super) until: Instant,
}

impl fmt::Debug for UnreadClose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.close.fmt(f)
    }
}

/// Place of a session among those that are parked.
#[derive(Debug, Clone, Copy)]
pub(super) struct ParkedPlace {
    network: Option<IpAddr>,
    number: u64,
}

impl Sessions {
    pub(crate) fn new(limits: &AppLimits) -> Self {
        Self {
            limits: limits.clone(),
            node: None,
            records: AtomicUsize::new(0),
            parked_bytes: AtomicUsize::new(0),
            state: Mutex::default(),
            changed: Notify::default(),
        }
    }

    /// Sets the name of this node.
    pub(super) fn of_node(mut self, node: Option<Arc<str>>) -> Self {
        self.node = node;
        self
    }

    /// Returns the name of this node.
    pub(super) fn node(&self) -> Option<&str> {
        self.node.as_deref()
    }

    /// Adds a session, until [`leave`](Self::leave).
    pub(crate) fn enter(&self, slot: Arc<ResumeSlot>) {
        self.state.lock().all.insert(slot.client_id(), slot);
    }

    /// Returns the session of a client.
    pub(crate) fn get(&self, client: &ClientId) -> Option<Arc<ResumeSlot>> {
        self.state.lock().all.get(client).cloned()
    }

    /// Returns true if there is no session, and none is counted.
    #[cfg(feature = "testing")]
    pub(crate) fn is_empty(&self) -> bool {
        let bytes = [&self.records, &self.parked_bytes];
        let state = self.state.lock();
        state.all.is_empty()
            && state.parked == 0
            && state.networks.is_empty()
            && bytes.iter().all(|bytes| bytes.load(Ordering::Acquire) == 0)
    }

    /// Removes the session of a client whose `on_disconnect` has run, if it has one.
    pub(super) fn leave(&self, client: &ClientId) {
        let mut state = self.state.lock();
        let gone = state.all.remove(client);
        // A burst does not keep its table.
        if state.all.len() < state.all.capacity() / 4 {
            let half = state.all.capacity() / 2;
            state.all.shrink_to(half);
        }
        drop(state);
        if let Some(slot) = gone {
            slot.depart();
        }
    }

    /// Waits until the session of a client is parked. Returns false if it has ended.
    #[cfg(feature = "testing")]
    pub(crate) async fn parked(&self, client: &ClientId) -> bool {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            let Some(slot) = self.get(client) else {
                return false;
            };
            match slot.is_parked() {
                Some(is_parked) => return is_parked,
                None => changed.await,
            }
        }
    }

    /// Notifies those who wait for a session to be parked, that one is or has ended.
    pub(super) fn notify_changed(&self) {
        self.changed.notify_waiters();
    }

    /// Records the bytes of a session: those that its record keeps, and those that wait if it is parked. If all records
    /// are too large together, the largest is given up. If the parked sessions are, one of them ends.
    pub(super) fn report(&self, account: &Account, record: usize, waiting: Option<usize>) {
        let before = account.record.swap(record, Ordering::AcqRel);
        if before != record {
            meter::record_bytes(before, record);
            if change(&self.records, before, record) > self.limits.records && record > before {
                self.give_up_largest();
            }
        }
        let parked = waiting.map_or(0, |waiting| record + waiting);
        let before = account.parked.swap(parked, Ordering::AcqRel);
        if before != parked
            && change(&self.parked_bytes, before, parked) > self.limits.parked_bytes
            && parked > before
        {
            self.end_oldest();
        }
    }

    /// Gives up the largest record, and the next ones until the others are within the bound.
    fn give_up_largest(&self) {
        let mut given_up = Vec::new();
        {
            let state = self.state.lock();
            while self.records.load(Ordering::Acquire) > self.limits.records {
                // Of equal ones always the same, whatever the order of the map.
                let bytes = |slot: &ResumeSlot| slot.account().record.load(Ordering::Acquire);
                let sessions = state.all.iter();
                let largest = sessions.max_by_key(|(client, slot)| (bytes(slot), **client));
                let Some((_, largest)) = largest else {
                    break;
                };
                let bytes = largest.account().record.swap(0, Ordering::AcqRel);
                if bytes == 0 {
                    break;
                }
                meter::record_bytes(bytes, 0);
                change(&self.records, bytes, 0);
                given_up.push(largest.clone());
            }
        }
        for slot in given_up {
            tracing::warn!(client = %slot.client_id(), "record given up: all records together have exceeded AppLimits::records");
            slot.request_give_up();
        }
    }

    /// Adds a session to those that are parked. If they are too many, one of them ends.
    pub(super) fn park(&self, slot: &Arc<ResumeSlot>, network: Option<IpAddr>) -> ParkedPlace {
        let (place, is_full) = {
            let mut state = self.state.lock();
            state.last += 1;
            state.parked += 1;
            let number = state.last;
            let sessions = state.networks.entry(network).or_default();
            sessions.insert(number, slot.clone());
            (ParkedPlace { network, number }, state.parked > self.limits.parked)
        };
        meter::session_parked();
        if is_full {
            self.end_oldest();
        }
        place
    }

    /// Removes a session from those that are parked.
    pub(super) fn unpark(&self, place: ParkedPlace) {
        drop(self.state.lock().remove(place));
        meter::session_unparked();
    }

    /// Keeps a Close that its client has not read. At most as many are kept as sessions may be parked.
    pub(super) fn leave_close(&self, client: ClientId, close: UnreadClose) {
        let mut state = self.state.lock();
        if state.unread.len() >= self.limits.parked.min(UNREAD_AT_FIRST) {
            let now = now();
            state.unread.retain(|_, unread| unread.until > now);
        }
        if state.unread.len() < self.limits.parked {
            state.unread.insert(client, close);
        }
    }

    /// Returns the Close of a session that has ended, for the client that comes with its token.
    pub(crate) fn unread_close(&self, offer: &ResumeOffer) -> Option<Close> {
        self.unread_close_of(&offer.client, |secret| secret.equals(offer.secret))
    }

    /// Returns true if the Close of a client's session is kept for it.
    #[cfg(feature = "nats")]
    pub(super) fn has_unread_close(&self, client: &ClientId) -> bool {
        self.state.lock().unread.contains_key(client)
    }

    /// Returns the Close of a client's session that has ended, if `has` is true for one of the secrets of its tokens.
    pub(super) fn unread_close_of(&self, client: &ClientId, has: impl Fn(Secret) -> bool) -> Option<Close> {
        let mut state = self.state.lock();
        let unread = state.unread.get(client)?;
        let has_token = unread.secrets.iter().flatten().any(|secret| has(*secret));
        let is_kept = unread.until > now();
        // Kept for the next handshake, because this one may fail.
        let close = (has_token && is_kept).then(|| unread.close.clone());
        if !is_kept {
            state.unread.remove(client);
        }
        close
    }

    /// Ends the session that has been parked for longest, among those of the network with the most of them.
    fn end_oldest(&self) {
        let oldest = {
            let mut state = self.state.lock();
            let first = |sessions: &BTreeMap<_, _>| sessions.first_key_value().map(|(number, _)| *number);
            let networks = state.networks.iter();
            let most = networks.max_by_key(|(_, sessions)| (sessions.len(), Reverse(first(sessions))));
            let place = most.and_then(|(network, sessions)| {
                let (network, number) = (*network, *sessions.first_key_value()?.0);
                Some(ParkedPlace { network, number })
            });
            place.and_then(|place| state.remove(place))
        };
        if let Some(slot) = oldest {
            // At once, so that the next report ends no other session.
            let bytes = slot.account().parked.swap(0, Ordering::AcqRel);
            change(&self.parked_bytes, bytes, 0);
            tracing::warn!(client = %slot.client_id(), "parked session ended: the app has reached AppLimits::parked or parked_bytes");
            slot.request_end();
        }
    }
}

impl State {
    fn remove(&mut self, place: ParkedPlace) -> Option<Arc<ResumeSlot>> {
        let sessions = self.networks.get_mut(&place.network)?;
        let slot = sessions.remove(&place.number)?;
        if sessions.is_empty() {
            self.networks.remove(&place.network);
        }
        self.parked -= 1;
        Some(slot)
    }
}

/// Number of unread Closes from which those that have expired are dropped before another one is added.
const UNREAD_AT_FIRST: usize = 64;

/// Returns the time of tokio's clock, which a test can pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Replaces one session's part of a sum. Returns the sum.
fn change(sum: &AtomicUsize, before: usize, now: usize) -> usize {
    match now.checked_sub(before) {
        Some(more) => sum.fetch_add(more, Ordering::AcqRel) + more,
        None => sum.fetch_sub(before - now, Ordering::AcqRel) - (before - now),
    }
}
