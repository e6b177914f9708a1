//! The mailbox of a client: its own events and those of its rooms, in the hub's order.

mod inbox;
pub(in crate::hub) mod log;
pub(in crate::hub) mod subscription;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context as Task, Poll},
};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

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
};

/// The mailbox of a client: events that were sent to the client, and those of its rooms, in the hub's order. One reader
/// takes them, with [`poll_notified`](Self::poll_notified) and [`pull`](Self::pull).
///
/// A hub of your own makes one per client with [`new`](Self::new) and fills it with [`push`](Self::push).
pub struct Mailbox {
    client: ClientId,
    clock: Arc<Clock>,
    options: ConnectOptions,
    notified: AtomicBool,
    /// There is an event of the client itself to pull. The task that notifies the rest of the room notifies the reader.
    marked: AtomicBool,
    reader: Arc<AtomicWaker>,
    inbox: Mutex<Inbox>,
}

/// Properties of a client that its hub needs.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// Limits of the connection.
    pub limits: Arc<Limits>,
    /// The form in which the client reads events.
    pub form: Form,
}

impl ConnectOptions {
    /// A client with these limits, which reads events in this form.
    #[must_use]
    pub const fn new(limits: Arc<Limits>, form: Form) -> Self {
        Self { limits, form }
    }
}

/// The state of a mailbox after a [`pull`](Mailbox::pull).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailboxState {
    /// More may come.
    Open,
    /// The connection is to be closed after what was pulled.
    Close(Close),
    /// Too much was sent for what was read: events are lost, and with them the connection.
    Overflowed,
}

impl Mailbox {
    /// An empty mailbox, for a hub that numbers the events of each client by themselves.
    #[must_use]
    pub fn new(client: ClientId, options: &ConnectOptions) -> Self {
        Self::with_clock(client, options, Arc::default())
    }

    /// An empty mailbox of a hub whose events are numbered by this clock.
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

    /// The client whose mailbox this is.
    #[must_use]
    pub fn client_id(&self) -> ClientId {
        self.client
    }

    /// The waker of the reader. It may be used to wake it for other reasons.
    #[must_use]
    pub(crate) fn reader(&self) -> &Arc<AtomicWaker> {
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

    /// Returns true if the reader was notified and has not pulled since.
    #[must_use]
    pub fn is_notified(&self) -> bool {
        self.notified.load(Ordering::Acquire)
    }

    /// Returns true if there may be events to pull that the client is to have before an answer: those that the reader was
    /// notified of, and those that the client itself has sent to its own rooms.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.is_notified() || self.marked.load(Ordering::Acquire)
    }

    /// Appends to `events` all that there is to read, in order.
    ///
    /// If an event is pulled, the events that its sender sent before it are pulled with it, or were before.
    pub fn pull(&self, events: &mut Vec<Event>) -> MailboxState {
        self.read(|inbox, clock| inbox.pull(self.client, clock, events))
    }

    /// [`pull`](Self::pull) as it is written to a socket: whole WebSocket frames, one or several in each batch, which
    /// other receivers share. `take` is called under the mailbox's lock.
    pub fn pull_batches(&self, take: &mut dyn FnMut(Batch)) -> MailboxState {
        self.read(|inbox, clock| inbox.pull_batches(self.client, clock, self.options.form, take))
    }

    fn read(&self, pull: impl FnOnce(&mut Inbox, &Clock)) -> MailboxState {
        // Swapped, not stored: an event of a sender that found the mailbox notified is seen below.
        self.notified.swap(false, Ordering::SeqCst);
        self.marked.store(false, Ordering::Relaxed);
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

    /// Asks for the connection to be closed after what was sent before. The first close stands.
    pub fn close(&self, close: Close) {
        self.inbox.lock().close.get_or_insert_with(|| Box::new(close));
        self.notify();
    }

    /// Wakes the reader.
    pub(in crate::hub) fn notify(&self) {
        if !self.notified.swap(true, Ordering::SeqCst) {
            self.reader.wake();
        }
    }

    /// Notes that the client has sent an event to a room of its own. The reader pulls before it answers the client; it is
    /// not woken for it, so that an event goes out to the whole room together.
    pub(in crate::hub) fn mark(&self) {
        self.marked.store(true, Ordering::Release);
    }

    /// Says that nothing will be pulled any more: nothing is kept for this client from here on, and nobody waits
    /// for it. It stays in its rooms until it is let go.
    pub fn mute(&self) {
        self.silence(false);
    }

    /// Gives up on a reader that does not read, and on all that it has not read.
    pub(in crate::hub) fn overflow(&self) {
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

    /// Puts an event for this client, and wakes the reader. A client that has more than
    /// [`Limits::outbound`] bytes unread overflows: its connection is closed.
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
        inbox.direct.push_back(Entry {
            number: self.clock.tick(),
            group: None,
            except: None,
            event: event.clone(),
        });
        drop(inbox);
        self.notify();
    }

    pub(in crate::hub) fn subscribe_to_everyone(&self, subscription: Subscription) {
        self.inbox.lock().everyone = Some(subscription);
    }

    /// Returns whether the client may enter this room: not if it is in it already, or was let go.
    pub(in crate::hub) fn may_subscribe(&self, room: &str) -> Result<bool, Full> {
        let inbox = self.inbox.lock();
        if inbox.gone || inbox.rooms.contains_key(room) {
            return Ok(false);
        }
        self.check_rooms(&inbox).map(|()| true)
    }

    /// Begins to read a room that the client has entered. Called under the lock of the room's name. Returns false if the
    /// client was let go meanwhile.
    pub(in crate::hub) fn subscribe(
        &self,
        name: &Arc<str>,
        mut subscription: Subscription,
    ) -> Result<bool, Full> {
        let mut inbox = self.inbox.lock();
        // Other messages of this client were handled meanwhile.
        self.check_rooms(&inbox)?;
        if inbox.gone {
            return Ok(false);
        }
        if inbox.muted {
            subscription.mute();
        }
        inbox.resolve_exclusions(self.client, &self.clock);
        inbox.rooms.insert(name.clone(), subscription);
        Ok(true)
    }

    fn check_rooms(&self, inbox: &Inbox) -> Result<(), Full> {
        let limit = self.options.limits.rooms;
        if inbox.rooms.len() < limit {
            Ok(())
        } else {
            Err(Full::Rooms { limit })
        }
    }

    /// Stops reading a room; events that were sent before are still delivered. Called under the lock of the room's
    /// name. Returns whether something is unread, so that the reader has to be notified: the flusher no longer finds it
    /// among the members. Returns none for a room that the client is not in.
    pub(in crate::hub) fn unsubscribe(&self, name: &str) -> Option<bool> {
        let mut inbox = self.inbox.lock();
        inbox.resolve_exclusions(self.client, &self.clock);
        let mut subscription = inbox.rooms.swap_remove(name)?;
        inbox.keep_unread(&mut subscription);
        inbox.sort_direct();
        Some(!inbox.direct.is_empty())
    }

    pub(in crate::hub) fn has(&self, room: &str) -> bool {
        self.inbox.lock().rooms.contains_key(room)
    }

    pub(in crate::hub) fn rooms(&self) -> Vec<Arc<str>> {
        self.inbox.lock().rooms.keys().cloned().collect()
    }

    /// Enters no room any more, and no longer reads what everyone reads. Returns its subscription to that, if it had
    /// one, and the rooms that are left to leave.
    pub(in crate::hub) fn let_go(&self) -> (Option<Subscription>, Vec<Arc<str>>) {
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
