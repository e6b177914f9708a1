//! Where a client's events come together.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context as Task, Poll},
};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

use super::{
    Full,
    inbox::Inbox,
    log::{Clock, Entry},
    room::Room,
    subscription::Subscription,
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
        inbox
            .close
            .as_deref()
            .map_or(Delivery::Open, |close| Delivery::Close(close.clone()))
    }

    /// Asks for the connection to be closed after what was sent before. The first close stands.
    pub fn close(&self, close: Close) {
        self.inbox.lock().close.get_or_insert_with(|| Box::new(close));
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
