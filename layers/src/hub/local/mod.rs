//! The hub within one process.

mod flusher;
mod population;
mod room;
mod watcher;

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, atomic::Ordering},
};

use futures_util::FutureExt;

pub use self::watcher::RoomWatcher;
use self::{
    flusher::Flusher,
    population::Population,
    room::{Backlog, Room},
};
use super::{
    BoxFuture, ConnectOptions, Full, Gathered, Hub, Mailbox, Performed,
    mailbox::log::{Clock, Entry, Group},
};
use crate::{
    client_id::ClientId,
    effect::{Action, Audience, Effect, Event, Target},
    limits::Limits,
    meter,
    sync::{DashMap, MapEntry as Name},
};

/// The hub within one process. Sending appends an event to the room's log. The members read the log at their own pace,
/// without a lock, so neither the sender nor another room waits for them.
///
/// Members of rooms with more than 16 members are notified by [`Hub::background`], which has to run. An app spawns it.
pub struct LocalHub {
    clock: Arc<Clock>,
    clients: DashMap<ClientId, Arc<Mailbox>>,
    rooms: DashMap<Arc<str>, Arc<Room>>,
    everyone: Arc<Room>,
    flusher: Flusher,
    backlog: usize,
    population: Population,
    watcher: Option<Arc<dyn RoomWatcher>>,
}

impl LocalHub {
    /// Creates an empty hub with the room backlog of the default [`Limits`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_limits(&Limits::default())
    }

    /// Creates an empty hub whose rooms accept [`Limits::room_backlog`] bytes.
    #[must_use]
    pub fn with_limits(limits: &Limits) -> Self {
        let backlog = limits.room_backlog;
        Self {
            clock: Arc::default(),
            clients: DashMap::new(),
            rooms: DashMap::new(),
            everyone: Arc::new(Room::new(backlog)),
            flusher: Flusher::default(),
            backlog,
            population: Population::default(),
            watcher: None,
        }
    }

    /// Reports the rooms that get or lose members to a watcher from now on.
    #[must_use]
    pub fn watched_by(mut self, watcher: Arc<dyn RoomWatcher>) -> Self {
        self.watcher = Some(watcher);
        self
    }

    /// Returns the number of connected clients.
    #[must_use]
    pub fn client_count(&self) -> usize {
        self.clients.len()
    }

    /// Returns the number of rooms that have members.
    #[must_use]
    pub fn room_count(&self) -> usize {
        self.rooms.len()
    }

    fn mailbox(&self, client: &ClientId) -> Option<Arc<Mailbox>> {
        self.clients.get(client).map(|mailbox| mailbox.clone())
    }

    fn join(&self, mailbox: &Arc<Mailbox>, name: &Arc<str>) -> Result<(), Full> {
        // The name stays locked until the member is added, so that the room is not removed meanwhile.
        let room = match self.rooms.entry(name.clone()) {
            Name::Occupied(room) => room.into_ref(),
            Name::Vacant(vacant) => {
                self.opened(name);
                vacant.insert(Arc::new(Room::new(self.backlog)))
            }
        };
        let entered = Self::enter(mailbox, name, &room);
        let empty = room.size() == 0;
        if matches!(entered, Ok(true)) {
            self.report(|watcher| watcher.resized(name));
        }
        drop(room);
        if empty {
            self.remove_if(name, |room| room.size() == 0);
        }
        entered.map(drop)
    }

    /// Adds a client to a room. Returns false if it is in the room already. The caller holds the lock of the room's name.
    fn enter(mailbox: &Arc<Mailbox>, name: &Arc<str>, room: &Room) -> Result<bool, Full> {
        if !mailbox.may_subscribe(name)? {
            return Ok(false);
        }
        // Lock order: a room's members are locked before a mailbox, never after.
        let subscribed = mailbox.subscribe(name, room.enter(mailbox));
        if !matches!(subscribed, Ok(true)) {
            room.exit(mailbox);
        }
        subscribed
    }

    fn leave(&self, mailbox: &Mailbox, name: &str) {
        self.remove_if(name, |room| {
            if let Some(has_unread) = mailbox.unsubscribe(name) {
                room.exit(mailbox);
                self.report(|watcher| watcher.resized(name));
                if has_unread {
                    mailbox.notify();
                }
            }
            room.size() == 0
        });
    }

    fn remove_if(&self, name: &str, is_empty: impl FnOnce(&Room) -> bool) {
        self.rooms.remove_if(name, |_, room| {
            let is_closed = is_empty(room);
            if is_closed {
                self.closed(name);
            }
            is_closed
        });
    }

    fn opened(&self, room: &Arc<str>) {
        meter::room_opened();
        self.report(|watcher| watcher.opened(room));
    }

    fn closed(&self, room: &str) {
        meter::room_closed();
        self.report(|watcher| watcher.closed(room));
    }

    /// Called with the lock of the room's name, so that the watcher learns of the changes of a room in their order.
    fn report(&self, change: impl FnOnce(&dyn RoomWatcher)) {
        if let Some(watcher) = &self.watcher {
            change(&**watcher);
        }
    }

    fn emit(&self, from: Option<&ClientId>, to: &Target, event: &Event) -> Result<(), Full> {
        let sent = match &to.audience {
            Audience::Clients(ids) => {
                if let ([id], None) = (ids.as_slice(), &to.except) {
                    if let Some(mailbox) = self.mailbox(id) {
                        mailbox.push(event);
                    }
                } else {
                    for mailbox in self.mailboxes_of(to) {
                        mailbox.push(event);
                    }
                }
                return Ok(());
            }
            Audience::Everyone => self.send(&self.everyone, to, None, event),
            Audience::Rooms(names) => match names.as_slice() {
                [name] => self
                    .room(name)
                    .map_or(Ok(()), |room| self.send(&room, to, None, event)),
                names => self.send_to_several(names, to, event),
            },
        };
        // Even if a room has refused the event, others may have accepted it.
        if to.except.as_ref().is_some_and(|except| !except.rooms.is_empty()) {
            self.clock.count_selective();
        }
        // The sender's own connection reads the event before the answer, even if the flusher has not notified it yet.
        if sent.is_ok()
            && let Some(mailbox) = from.and_then(|from| self.clients.get(from))
        {
            mailbox.mark();
        }
        sent
    }

    fn send_to_several(&self, names: &[Arc<str>], to: &Target, event: &Event) -> Result<(), Full> {
        let group = Arc::new(Group::default());
        let number = self.clock.tick();
        let mut seen = HashSet::new();
        let sent = names
            .iter()
            .filter(|name| seen.insert(*name))
            .filter_map(|name| self.room(name))
            .map(|room| self.send(&room, to, Some((number, &group)), event))
            // A room that is full does not keep the event from the other rooms.
            .fold(Ok(()), Result::and);
        group.complete.store(true, Ordering::Release);
        sent
    }

    /// Returns the mailboxes of a target's clients, each once.
    fn mailboxes_of(&self, target: &Target) -> Vec<Arc<Mailbox>> {
        let mut seen = HashSet::new();
        let mut mailboxes: Vec<_> = match &target.audience {
            Audience::Clients(ids) => ids
                .iter()
                .filter(|id| seen.insert(**id))
                .filter_map(|id| self.mailbox(id))
                .collect(),
            Audience::Rooms(names) => names
                .iter()
                .filter_map(|name| self.room(name))
                .flat_map(|room| room.members())
                .filter(|mailbox| seen.insert(mailbox.client_id()))
                .collect(),
            Audience::Everyone => self.everyone.members(),
        };
        if let Some(except) = &target.except {
            mailboxes.retain(|mailbox| !except.covers(&mailbox.client_id(), |room| mailbox.has(room)));
        }
        mailboxes
    }

    fn manage(&self, clients: &Target, action: &Action) -> Result<(), Full> {
        let mut done = Ok(());
        for mailbox in self.mailboxes_of(clients) {
            match action {
                // A client that has reached its limit does not keep the others out.
                Action::Join(room) => done = done.and(self.join(&mailbox, room)),
                Action::Leave(room) => self.leave(&mailbox, room),
                Action::Disconnect(close) => mailbox.close(close.clone()),
            }
        }
        done
    }

    fn room(&self, name: &str) -> Option<Arc<Room>> {
        self.rooms.get(name).map(|room| room.clone())
    }

    fn send(
        &self,
        room: &Arc<Room>,
        to: &Target,
        group: Option<(u64, &Arc<Group>)>,
        event: &Event,
    ) -> Result<(), Full> {
        let sent = room.send(|| {
            let number = group.map_or_else(|| self.clock.tick(), |(number, _)| number);
            let group = group.map(|(_, group)| group.clone());
            Entry::new(number, group, to.except.clone(), event.clone())
        });
        let (is_large, sent) = match sent {
            Ok(is_large) => (is_large, Ok(())),
            Err(Backlog { is_large }) => {
                let limit = self.backlog;
                (is_large, Err(Full::Backlog { limit }))
            }
        };
        // After a refusal too: members that were not notified yet hold the space.
        if is_large {
            self.flusher.schedule(room);
        }
        sent
    }
}

impl Default for LocalHub {
    fn default() -> Self {
        Self::new()
    }
}

impl Hub for LocalHub {
    fn new_client_id(&self) -> ClientId {
        ClientId::random()
    }

    fn connect(&self, client: ClientId, options: &ConnectOptions) -> Arc<Mailbox> {
        let mailbox = Arc::new(Mailbox::with_clock(client, options, self.clock.clone()));
        mailbox.subscribe_to_everyone(self.everyone.enter(&mailbox));
        if self.clients.insert(client, mailbox.clone()).is_none() {
            self.population.grow();
        }
        mailbox
    }

    fn disconnect(&self, mailbox: &Mailbox) {
        let (everyone, rooms) = mailbox.unsubscribe_all();
        if everyone.is_some() {
            self.everyone.exit(mailbox);
        }
        for room in rooms {
            self.leave(mailbox, &room);
        }
        // A later connection of the same id is kept.
        let is_this = |_: &ClientId, other: &Arc<Mailbox>| std::ptr::eq(&**other, mailbox);
        if self.clients.remove_if(&mailbox.client_id(), is_this).is_some() && self.population.shrink() {
            self.clients.shrink_to_fit();
            self.rooms.shrink_to_fit();
        }
    }

    fn perform(&self, from: Option<&ClientId>, effect: Effect) -> Result<Performed, Full> {
        let own = || from.and_then(|from| self.mailbox(from));
        match effect {
            Effect::Emit { to, event } => self.emit(from, &to, &event)?,
            Effect::Join(room) => {
                if let Some(mailbox) = own() {
                    self.join(&mailbox, &room)?;
                }
            }
            Effect::Leave(room) => {
                if let Some(mailbox) = own() {
                    self.leave(&mailbox, &room);
                }
            }
            Effect::Close(close) => {
                if let Some(mailbox) = own() {
                    mailbox.close(close);
                }
            }
            Effect::Manage { clients, action } => self.manage(&clients, &action)?,
        }
        Ok(Performed::Done)
    }

    fn has(&self, client: &ClientId, room: &str) -> bool {
        self.clients.get(client).is_some_and(|mailbox| mailbox.has(room))
    }

    fn rooms(&self, client: &ClientId) -> Vec<Arc<str>> {
        self.clients
            .get(client)
            .map(|mailbox| mailbox.rooms())
            .unwrap_or_default()
    }

    fn clients<'a>(&'a self, of: &'a Target) -> BoxFuture<'a, Gathered<Vec<ClientId>>> {
        let clients = self
            .mailboxes_of(of)
            .iter()
            .map(|mailbox| mailbox.client_id())
            .collect();
        std::future::ready(Gathered::complete(clients)).boxed()
    }

    fn size<'a>(&'a self, room: &'a str) -> BoxFuture<'a, Gathered<usize>> {
        let size = self.room(room).map_or(0, |room| room.size());
        std::future::ready(Gathered::complete(size)).boxed()
    }

    /// Resolves at once, since this hub applies each effect when it is performed.
    fn flush(&self) -> BoxFuture<'_, Result<(), Full>> {
        std::future::ready(Ok(())).boxed()
    }

    fn background(&self) -> Option<BoxFuture<'static, ()>> {
        Some(self.flusher.run().boxed())
    }
}

/// Disconnects the remaining clients. Nothing would leak otherwise, since mailboxes do not hold rooms. But the flusher ends
/// with the hub, so members that it has not notified are notified here, and the gauge of rooms falls.
impl Drop for LocalHub {
    fn drop(&mut self) {
        let mailboxes = self.clients.iter().map(|client| client.clone());
        for mailbox in mailboxes.collect::<Vec<_>>() {
            self.disconnect(&mailbox);
        }
    }
}

impl fmt::Debug for LocalHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalHub")
            .field("clients", &self.client_count())
            .field("rooms", &self.room_count())
            .finish_non_exhaustive()
    }
}
