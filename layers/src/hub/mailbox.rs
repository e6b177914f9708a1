//! Where a client's events come together.

use std::{
    collections::{HashMap, VecDeque},
    fmt, mem,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context as Task, Poll},
};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use indexmap::IndexMap;
use parking_lot::Mutex;

use super::{
    Full,
    log::{Clock, Entry, Group, Place},
    room::Room,
};
use crate::{ClientId, Close, Event, Limits};

/// Where a client's events come together: those sent to the client, and those of its rooms, in the hub's order.
/// One reader takes them, with [`poll_notified`](Self::poll_notified) and [`pull`](Self::pull).
pub struct Mailbox {
    client: ClientId,
    clock: Arc<Clock>,
    max_rooms: usize,
    max_direct: usize,
    notified: AtomicBool,
    /// There is something to pull, which the reader is told of later, by whoever tells the rest of the room.
    marked: AtomicBool,
    reader: Arc<AtomicWaker>,
    inbox: Mutex<Inbox>,
}

#[derive(Default)]
struct Inbox {
    /// What was sent to the client itself, or was left unread in a room that it has left.
    direct: VecDeque<Entry>,
    direct_weight: usize,
    everyone: Option<Subscription>,
    rooms: IndexMap<Arc<str>, Subscription>,
    /// Up to which number everything was read.
    pulled: u64,
    /// Groups of which an entry was read, by its number, as long as another one may come.
    seen: HashMap<u64, Arc<Group>>,
    close: Option<Close>,
    overflowed: bool,
    /// Nothing is read any more.
    muted: bool,
    /// The client was let go: it enters no room any more.
    gone: bool,
}

/// A membership, as the member sees it.
pub(super) struct Subscription {
    pub(super) room: Arc<Room>,
    /// What is to be read next.
    pub(super) place: Arc<Place>,
    /// Weight of what was read, for the room to see.
    pub(super) read: Arc<AtomicU64>,
}

/// How it stands with a mailbox after a [`pull`](Mailbox::pull).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// More may come.
    Open,
    /// The connection is to be closed after what was pulled.
    Close(Close),
    /// Too much was sent for what was read: events are lost, and with them the connection.
    Overflowed,
}

impl Mailbox {
    pub(super) fn new(client: ClientId, clock: Arc<Clock>, limits: &Limits) -> Self {
        Self {
            client,
            clock,
            max_rooms: limits.rooms,
            max_direct: limits.outbound,
            notified: AtomicBool::new(false),
            marked: AtomicBool::new(false),
            reader: Arc::default(),
            inbox: Mutex::default(),
        }
    }

    /// Whose mailbox this is.
    #[must_use]
    pub fn client_id(&self) -> ClientId {
        self.client
    }

    /// What wakes the reader; it may be used to wake it for other reasons.
    #[must_use]
    pub fn reader(&self) -> &Arc<AtomicWaker> {
        &self.reader
    }

    /// Ready when there may be something to pull. Whoever polls last is woken.
    pub fn poll_notified(&self, cx: &mut Task<'_>) -> Poll<()> {
        self.reader.register(cx.waker());
        if self.is_notified() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Whether the reader was told that there may be something to pull.
    #[must_use]
    pub fn is_notified(&self) -> bool {
        self.notified.load(Ordering::Acquire)
    }

    /// Whether there may be something to pull that the client is to have before an answer: what the reader was told
    /// of, or what the client itself has sent to rooms that it is in.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.is_notified() || self.marked.load(Ordering::Acquire)
    }

    /// Appends to `events` all that there is to read, in order.
    ///
    /// What a client performed before something that is pulled now is pulled now too, or was before.
    pub fn pull(&self, events: &mut Vec<Event>) -> Delivery {
        self.read(|inbox, clock| inbox.pull(self.client, clock, events))
    }

    /// [`pull`](Self::pull) as it is written to a socket: whole WebSocket frames, one or several in each piece, which
    /// other receivers share. `take` gets each with what it weighs; it is called under the mailbox's lock.
    pub fn pull_wire(&self, take: &mut dyn FnMut(Bytes, usize)) -> Delivery {
        self.read(|inbox, clock| inbox.pull_wire(self.client, clock, take))
    }

    fn read(&self, pull: impl FnOnce(&mut Inbox, &Clock)) -> Delivery {
        // Swapped, not stored: what was appended by whoever found it notified is seen below.
        self.notified.swap(false, Ordering::SeqCst);
        self.marked.store(false, Ordering::Relaxed);
        let mut inbox = self.inbox.lock();
        pull(&mut inbox, &self.clock);
        if inbox.overflowed {
            return Delivery::Overflowed;
        }
        inbox.close.clone().map_or(Delivery::Open, Delivery::Close)
    }

    /// Asks for the connection to be closed after what was sent before. The first close stands.
    pub fn close(&self, close: Close) {
        self.inbox.lock().close.get_or_insert(close);
        self.notify();
    }

    /// Wakes the reader.
    pub(super) fn notify(&self) {
        if !self.notified.swap(true, Ordering::SeqCst) {
            self.reader.wake();
        }
    }

    /// Says that the client itself has sent something that it is to get, too. The reader looks before it answers the
    /// client; it is not woken for it, so that what the whole room is told goes out together.
    pub(super) fn mark(&self) {
        self.marked.store(true, Ordering::Release);
    }

    /// Says that nothing will be pulled any more: nothing is kept for this client from here on, and nobody waits
    /// for it. It stays in its rooms until it is let go.
    pub fn mute(&self) {
        self.silence(false);
    }

    /// Gives up on a reader that does not read, and on all that it has not read.
    pub(super) fn overflow(&self) {
        self.silence(true);
        self.notify();
    }

    fn silence(&self, overflowed: bool) {
        let unread = {
            let mut inbox = self.inbox.lock();
            inbox.muted = true;
            inbox.overflowed |= overflowed;
            inbox.direct.clear();
            let Inbox { everyone, rooms, .. } = &mut *inbox;
            everyone
                .iter_mut()
                .chain(rooms.values_mut())
                .map(Subscription::mute)
                .collect::<Vec<_>>()
        };
        // Possibly much, and better let go without the lock.
        drop(unread);
    }

    /// Puts an event for this client alone.
    pub(super) fn push(&self, event: &Event) {
        let mut inbox = self.inbox.lock();
        if inbox.muted {
            return;
        }
        if inbox.direct_weight > self.max_direct {
            drop(inbox);
            return self.overflow();
        }
        inbox.direct_weight += event.weight();
        inbox.direct.push_back(Entry {
            number: self.clock.tick(),
            group: None,
            except: None,
            event: event.clone(),
        });
        drop(inbox);
        self.notify();
    }

    pub(super) fn enter_everyone(self: &Arc<Self>, everyone: &Arc<Room>) {
        let subscription = everyone.enter(self.client, self);
        self.inbox.lock().everyone = Some(subscription);
    }

    /// Begins to read a room, unless it does already. Called under the lock of the room's name.
    pub(super) fn enter(self: &Arc<Self>, name: &Arc<str>, room: &Arc<Room>) -> Result<(), Full> {
        {
            let inbox = self.inbox.lock();
            if inbox.gone || inbox.rooms.contains_key(name) {
                return Ok(());
            }
            if inbox.rooms.len() >= self.max_rooms {
                return Err(Full::Rooms {
                    limit: self.max_rooms,
                });
            }
        }
        // A room's members are locked before their mailboxes are, never after.
        let mut subscription = room.enter(self.client, self);
        let mut inbox = self.inbox.lock();
        // Other messages of this client were handled meanwhile.
        let full = inbox.rooms.len() >= self.max_rooms;
        if full || inbox.gone {
            drop(inbox);
            room.exit(&self.client);
            return if full {
                Err(Full::Rooms {
                    limit: self.max_rooms,
                })
            } else {
                Ok(())
            };
        }
        if inbox.muted {
            subscription.mute();
        }
        inbox.settle(self.client, &self.clock);
        inbox.rooms.insert(name.clone(), subscription);
        Ok(())
    }

    /// Ends to read a room; what it sent before is still delivered. Called under the lock of the room's name.
    pub(super) fn exit(&self, name: &str) {
        let mut inbox = self.inbox.lock();
        inbox.settle(self.client, &self.clock);
        let Some(mut subscription) = inbox.rooms.swap_remove(name) else {
            return;
        };
        inbox.keep_unread(&mut subscription);
        inbox.sort_direct();
        let unread = !inbox.direct.is_empty();
        drop(inbox);
        subscription.room.exit(&self.client);
        if unread {
            // The flusher finds it among the members no more.
            self.notify();
        }
    }

    pub(super) fn has(&self, room: &str) -> bool {
        self.inbox.lock().rooms.contains_key(room)
    }

    pub(super) fn rooms(&self) -> Vec<Arc<str>> {
        self.inbox.lock().rooms.keys().cloned().collect()
    }

    /// Enters no room any more, and reads no longer what everyone reads. Returns the rooms that are left to
    /// leave.
    pub(super) fn begin_to_go(&self) -> Vec<Arc<str>> {
        let everyone = {
            let mut inbox = self.inbox.lock();
            inbox.gone = true;
            inbox.everyone.take()
        };
        if let Some(everyone) = everyone {
            everyone.room.exit(&self.client);
        }
        self.rooms()
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox")
            .field("client", &self.client)
            .field("notified", &self.notified)
            .finish_non_exhaustive()
    }
}

impl Inbox {
    /// Decides about what is unread and depends on the rooms that the client is in, before it enters or leaves one.
    fn settle(&mut self, client: ClientId, clock: &Clock) {
        if !clock.is_selective_after(self.pulled) {
            return;
        }
        let mut everyone = self.everyone.take();
        let mut rooms = mem::take(&mut self.rooms);
        for subscription in everyone.iter_mut().chain(rooms.values_mut()) {
            self.keep_unread(subscription);
        }
        (self.everyone, self.rooms) = (everyone, rooms);
        self.sort_direct();
        let Self {
            direct,
            direct_weight,
            rooms,
            ..
        } = self;
        direct.retain_mut(|entry| {
            let is_out = entry
                .except
                .take()
                .is_some_and(|except| except.covers(&client, |room| rooms.contains_key(room)));
            if is_out {
                *direct_weight -= entry.event.weight();
            }
            !is_out
        });
    }

    /// Takes over what stands unread in a room's log.
    fn keep_unread(&mut self, subscription: &mut Subscription) {
        subscription.read_until(u64::MAX, |entry| {
            self.direct_weight += entry.event.weight();
            self.direct.push_back(entry);
        });
    }

    fn sort_direct(&mut self) {
        self.direct.make_contiguous().sort_by_key(|entry| entry.number);
    }

    /// Hands on what a single room has sent, without a look at the order among rooms; all else in order.
    fn pull_wire(&mut self, client: ClientId, clock: &Clock, take: &mut dyn FnMut(Bytes, usize)) {
        let until = clock.now();
        let Self {
            direct,
            everyone,
            rooms,
            seen,
            pulled,
            ..
        } = self;
        let mut unread = None;
        let mut sources = usize::from(!direct.is_empty()) + usize::from(!seen.is_empty());
        let subscriptions = everyone.iter().chain(rooms.values()).enumerate();
        for (index, _) in subscriptions.filter(|(_, source)| source.place.get_until(until).is_some()) {
            sources += 1;
            unread = Some(index);
        }
        if let (1, Some(index)) = (sources, unread)
            && let Some(source) = everyone.iter_mut().chain(rooms.values_mut()).nth(index)
            && source.read_wire(until, take)
        {
            *pulled = until;
        } else if sources > 0 {
            let mut events = Vec::new();
            self.pull(client, clock, &mut events);
            for event in events {
                take(event.wire().clone(), event.weight());
            }
        } else {
            *pulled = until;
        }
    }

    fn pull(&mut self, client: ClientId, clock: &Clock, events: &mut Vec<Event>) {
        let Self {
            direct,
            direct_weight,
            everyone,
            rooms,
            seen,
            pulled,
            ..
        } = self;
        // A group that is complete by now has no entry that this pull does not meet. (Looked at before the clock:
        // what stands before its entries has a smaller number than the clock shows.)
        let complete = |group: &Arc<Group>| group.complete.load(Ordering::Acquire);
        let forgettable: Vec<_> = seen
            .iter()
            .filter(|(_, group)| complete(group))
            .map(|(number, _)| *number)
            .collect();
        // Whatever has a number up to this one and came before it from the same sender is visible now; of what
        // has a larger number that can't be said, so it waits.
        let until = clock.now();

        let mut entries = Vec::new();
        while direct.front().is_some_and(|entry| entry.number <= until) {
            if let Some(entry) = direct.pop_front() {
                *direct_weight -= entry.event.weight();
                entries.push(entry);
            }
        }
        for subscription in everyone.iter_mut().chain(rooms.values_mut()) {
            subscription.read_until(until, |entry| entries.push(entry));
        }
        *pulled = until;
        entries.sort_by_key(|entry| entry.number);
        entries.retain(|Entry { except, .. }| match except {
            Some(except) => !except.covers(&client, |room| rooms.contains_key(room)),
            None => true,
        });
        // Of several entries of one event, one.
        entries.retain(|Entry { number, group, .. }| match group {
            Some(group) => seen.insert(*number, group.clone()).is_none(),
            None => true,
        });
        events.extend(entries.into_iter().map(|entry| entry.event));
        for number in forgettable {
            seen.remove(&number);
        }
    }
}

impl Subscription {
    /// Ends the reading. Returns the place where what was not read begins.
    fn mute(&mut self) -> Arc<Place> {
        // Never behind again.
        self.read.store(u64::MAX, Ordering::Relaxed);
        mem::take(&mut self.place)
    }

    /// Reads on, up to and with the entry of this number. Returns whether that was all: an entry that not everyone
    /// takes is left, with what comes after it.
    fn read_wire(&mut self, until: u64, take: &mut dyn FnMut(Bytes, usize)) -> bool {
        let mut weight = 0;
        let mut was_all = true;
        while let Some((entry, next)) = self.place.get_until(until) {
            if entry.group.is_some() || entry.except.is_some() {
                was_all = false;
                break;
            }
            let (wire, weighs, next) = match self.place.run_until(until) {
                Some(run) => (run.wire.clone(), run.weight, run.next.clone()),
                None => (
                    entry.event.wire().clone(),
                    entry.event.weight() as u64,
                    next.clone(),
                ),
            };
            take(wire, weighs as usize);
            weight += weighs;
            self.place = next;
        }
        self.advance(weight);
        was_all
    }

    fn advance(&self, weight: u64) {
        if weight > 0 {
            self.read.fetch_add(weight, Ordering::Relaxed);
        }
    }

    /// Reads on, up to and with the entry of this number.
    fn read_until(&mut self, until: u64, mut read: impl FnMut(Entry)) {
        let mut weight = 0;
        while let Some((entry, next)) = self.place.get_until(until) {
            weight += entry.event.weight() as u64;
            read(entry.clone());
            let next = next.clone();
            self.place = next;
        }
        self.advance(weight);
    }
}
