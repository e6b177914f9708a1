//! Mailbox of a client: events sent to the client, and those of its rooms, in the hub's order.

mod absorb;
mod inbox;
pub(in crate::hub) mod log;
pub(in crate::hub) mod subscription;
mod waiting;

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    task::{Context as Task, Poll},
};

pub use self::log::Batch;
use self::{
    inbox::Inbox,
    log::{Clock, Entry},
    subscription::Subscription,
};
use super::full::Full;
use crate::{
    client_id::ClientId,
    effect::{Close, Event},
    limits::Limits,
    protocol::Form,
    sync::{AtomicBool, AtomicWaker, Mutex},
};

/// Mailbox of a client: events that were sent to the client, and those of its rooms, in the hub's order. It has one
/// reader, which calls [`poll_notified`](Self::poll_notified) and [`pull`](Self::pull).
///
/// Another hub than [`LocalHub`](crate::LocalHub) creates one per client with [`new`](Self::new), and fills it with
/// [`push`](Self::push).
pub struct Mailbox {
    client: ClientId,
    clock: Arc<Clock>,
    options: ConnectOptions,
    notified: AtomicBool,
    /// The client has sent an event that may be in this mailbox. The reader is not woken for it, since it is notified
    /// with the rest of the room.
    marked: AtomicBool,
    reader: Arc<AtomicWaker>,
    inbox: Mutex<Inbox>,
}

/// Properties of a client that its hub needs.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// Limits of the connection. A mailbox enforces [`Limits::outbound`] and, in a [`LocalHub`](crate::LocalHub),
    /// [`Limits::rooms`].
    pub limits: Arc<Limits>,
    /// Form in which the client receives events.
    pub form: Form,
}

impl ConnectOptions {
    /// Creates options with these limits, and this form of events.
    #[must_use]
    pub const fn new(limits: Arc<Limits>, form: Form) -> Self {
        Self { limits, form }
    }
}

/// State of a mailbox after a [`pull`](Mailbox::pull).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailboxState {
    /// More events may follow.
    Open,
    /// The connection has to be closed after the events that were pulled.
    Close(Close),
    /// The reader was too slow, and events were lost. The connection has to be closed.
    Overflowed,
}

impl Mailbox {
    /// Creates an empty mailbox that numbers its events by itself, for a hub that fills it with [`push`](Self::push).
    #[must_use]
    pub fn new(client: ClientId, options: &ConnectOptions) -> Self {
        Self::with_clock(client, options, Arc::default())
    }

    /// Creates an empty mailbox that numbers its events by the counter of its hub. Events of the mailbox and of its
    /// rooms then have one order.
    pub(in crate::hub) fn with_clock(client: ClientId, options: &ConnectOptions, clock: Arc<Clock>) -> Self {
        Self {
            client,
            clock,
            options: options.clone(),
            notified: AtomicBool::new(false),
            marked: AtomicBool::new(false),
            reader: Arc::default(),
            inbox: Mutex::default(),
        }
    }

    /// Returns the id of the client.
    #[must_use]
    pub fn client_id(&self) -> ClientId {
        self.client
    }

    /// Returns the waker of the reader. Callers may use it to wake the reader for other reasons.
    #[must_use]
    pub(crate) fn reader(&self) -> &Arc<AtomicWaker> {
        &self.reader
    }

    /// Polls for a notification. It is ready if there may be events to pull. Only the task that polled last is woken.
    pub fn poll_notified(&self, cx: &mut Task<'_>) -> Poll<()> {
        self.reader.register(cx.waker());
        if self.is_notified() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Returns true if the reader was notified and has not pulled since.
    #[must_use]
    pub fn is_notified(&self) -> bool {
        self.notified.load(Ordering::Acquire)
    }

    /// Returns true if there may be events to pull that the client has to receive before an answer: those that the
    /// reader was notified of, and those that the client has sent to its own rooms.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.is_notified() || self.marked.load(Ordering::Acquire)
    }

    /// Appends all unread events to `events`, in order.
    ///
    /// Pulls an event only if all earlier events of its sender are pulled with it, or were pulled before.
    pub fn pull(&self, events: &mut Vec<Event>) -> MailboxState {
        self.read(|inbox, clock| inbox.pull(self.client, clock, events))
    }

    /// Pulls like [`pull`](Self::pull), in the form that is written to a socket: batches of one or more whole WebSocket
    /// frames, which other receivers share. `take` is called with the mailbox's lock held.
    pub fn pull_batches(&self, take: &mut dyn FnMut(Batch)) -> MailboxState {
        self.read(|inbox, clock| inbox.pull_batches(self.client, clock, self.options.form, take))
    }

    fn read(&self, pull: impl FnOnce(&mut Inbox, &Clock)) -> MailboxState {
        // Swapped rather than stored, so that an event is visible below if its sender found the mailbox notified.
        self.notified.swap(false, Ordering::SeqCst);
        // Swapped here as well. Mostly there is no mark, and nothing to be written.
        if self.marked.load(Ordering::Relaxed) {
            self.marked.swap(false, Ordering::AcqRel);
        }
        let mut inbox = self.inbox.lock();
        pull(&mut inbox, &self.clock);
        if inbox.overflowed {
            return MailboxState::Overflowed;
        }
        inbox
            .close
            .as_deref()
            .map_or(MailboxState::Open, |close| MailboxState::Close(close.clone()))
    }

    /// Requests that the connection is closed after the events that were sent before. Later requests have no effect.
    pub fn close(&self, close: Close) {
        self.inbox.lock().close.get_or_insert_with(|| Box::new(close));
        self.notify();
    }

    /// Notifies the reader, and wakes it unless it is notified already.
    pub(in crate::hub) fn notify(&self) {
        if !self.notified.swap(true, Ordering::SeqCst) {
            self.reader.wake();
        }
    }

    /// Records that the client has sent an event, perhaps to one of its own rooms. The reader then pulls before it
    /// answers the client. It is not woken, so that the event is delivered to the whole room together.
    pub(in crate::hub) fn mark(&self) {
        self.marked.store(true, Ordering::Release);
    }

    /// Mutes the mailbox, after the last pull: unread and later events are dropped, and no sender waits for this
    /// reader. The client stays in its rooms until [`Hub::disconnect`](super::Hub::disconnect).
    pub fn mute(&self) {
        self.silence(false);
    }

    /// Drops the unread events of a reader that is too slow, and notifies it that its connection has to be closed.
    pub(in crate::hub) fn overflow(&self) {
        self.silence(true);
        self.notify();
    }

    fn silence(&self, overflowed: bool) {
        let unread = self.inbox.lock().silence(overflowed);
        // There may be many unread events, so they are dropped after the lock is released.
        drop(unread);
    }

    /// Adds an event for this client, and wakes the reader. If more than [`Limits::outbound`] bytes of such events are
    /// unread already, the mailbox overflows instead, and the connection is closed.
    pub fn push(&self, event: &Event) {
        let mut inbox = self.inbox.lock();
        if inbox.muted {
            return;
        }
        if inbox.direct_weight > self.options.limits.outbound {
            drop(inbox);
            return self.overflow();
        }
        inbox.direct_weight += event.weight();
        let number = self.clock.tick();
        inbox
            .direct
            .push_back(Entry::new(number, None, None, event.clone()));
        drop(inbox);
        self.notify();
    }

    pub(in crate::hub) fn subscribe_to_everyone(&self, subscription: Subscription) {
        self.inbox.lock().everyone = Some(subscription);
    }

    /// Returns true if the client may enter this room. Returns false if it is in the room already, or has disconnected.
    pub(in crate::hub) fn may_subscribe(&self, room: &str) -> Result<bool, Full> {
        let inbox = self.inbox.lock();
        if inbox.gone || inbox.rooms.contains_key(room) {
            return Ok(false);
        }
        self.check_rooms(&inbox).map(|()| true)
    }

    /// Starts reading a room that the client has entered. The caller holds the lock of the room's name. Returns false
    /// if the client has disconnected meanwhile.
    pub(in crate::hub) fn subscribe(
        &self,
        name: &Arc<str>,
        mut subscription: Subscription,
    ) -> Result<bool, Full> {
        let mut inbox = self.inbox.lock();
        // Checked again, since other messages of this client may have entered rooms meanwhile.
        self.check_rooms(&inbox)?;
        if inbox.gone {
            return Ok(false);
        }
        if inbox.muted {
            subscription.mute();
        }
        inbox.resolve_exclusions(self.client, &self.clock);
        inbox.rooms.insert(name.clone(), subscription);
        let keeps_too_much = self.keeps_too_much(&inbox);
        drop(inbox);
        if keeps_too_much {
            self.overflow();
        }
        Ok(true)
    }

    /// Returns true if more events were moved out of the logs of rooms, and are unread, than one room may keep.
    fn keeps_too_much(&self, inbox: &Inbox) -> bool {
        inbox.kept_footprint > self.options.limits.room_backlog as u64
    }

    fn check_rooms(&self, inbox: &Inbox) -> Result<(), Full> {
        let limit = self.options.limits.rooms;
        if inbox.rooms.len() < limit {
            Ok(())
        } else {
            Err(Full::Rooms { limit })
        }
    }

    /// Stops reading a room. Events that were sent before are still delivered. The caller holds the lock of the room's
    /// name. Returns true if events are unread. The caller then has to notify the reader, since the flusher no longer
    /// finds it among the members. Returns none if the client is not in the room.
    ///
    /// The mailbox overflows if its client leaves rooms again and again, and does not read.
    pub(in crate::hub) fn unsubscribe(&self, name: &str) -> Option<bool> {
        let mut inbox = self.inbox.lock();
        inbox.resolve_exclusions(self.client, &self.clock);
        let mut subscription = inbox.rooms.swap_remove(name)?;
        inbox.keep_unread(&mut subscription);
        inbox.sort_kept();
        if self.keeps_too_much(&inbox) {
            drop(inbox);
            self.overflow();
            return Some(false);
        }
        Some(!inbox.direct.is_empty() || !inbox.kept.is_empty())
    }

    pub(in crate::hub) fn has(&self, room: &str) -> bool {
        self.inbox.lock().rooms.contains_key(room)
    }

    pub(in crate::hub) fn rooms(&self) -> Vec<Arc<str>> {
        self.inbox.lock().rooms.keys().cloned().collect()
    }

    /// Records that the client has disconnected: it can't enter rooms, and no longer receives broadcasts. Returns its
    /// subscription to broadcasts, if it had one, and the rooms that it has yet to leave.
    pub(in crate::hub) fn unsubscribe_all(&self) -> (Option<Subscription>, Vec<Arc<str>>) {
        let mut inbox = self.inbox.lock();
        inbox.gone = true;
        (inbox.everyone.take(), inbox.rooms.keys().cloned().collect())
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
