//! The model: everything that each client must receive, computed from the effects that the hub accepted.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use zocket_layers::{Action, Audience, ClientId, Effect, Event, Except, Form, Target};

use super::failure::Failure;

/// The events of all clients, and their rooms.
#[derive(Debug, Default)]
pub(super) struct Model {
    mail: BTreeMap<ClientId, Mail>,
    /// Every room that had a member.
    rooms: BTreeSet<Arc<str>>,
}

/// The events of one client.
#[derive(Debug, Default)]
struct Mail {
    rooms: BTreeSet<Arc<str>>,
    is_connected: bool,
    events: Vec<Sent>,
    /// Number of `events` that the client has received, or that were allowed to be missing.
    received: usize,
}

/// An event that was sent to a client.
#[derive(Debug)]
struct Sent {
    frame: Bytes,
    /// False if the client may miss the event: it is not reliable, or the hub refused it. It may then have reached some of
    /// several rooms.
    is_certain: bool,
}

impl Model {
    /// Records that a client is connected to the hub.
    pub(super) fn connect(&mut self, client: ClientId) {
        self.mail.entry(client).or_default().is_connected = true;
    }

    /// Records that a client has left the hub.
    pub(super) fn disconnect(&mut self, client: ClientId) {
        if let Some(mail) = self.mail.get_mut(&client) {
            mail.is_connected = false;
            mail.rooms.clear();
        }
    }

    /// Performs an effect, as the hub has.
    pub(super) fn perform(&mut self, from: Option<&ClientId>, effect: &Effect, is_certain: bool) {
        match effect {
            Effect::Emit { to, event } => self.emit(to, event, is_certain),
            Effect::Join(room) if is_certain => self.join(from.copied(), room),
            Effect::Leave(room) => self.leave(from.copied(), room),
            Effect::Manage { clients, action } => {
                for client in self.clients_of(clients) {
                    match action {
                        Action::Join(room) if is_certain => self.join(Some(client), room),
                        Action::Leave(room) => self.leave(Some(client), room),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn join(&mut self, client: Option<ClientId>, room: &Arc<str>) {
        if let Some(mail) = client.and_then(|client| self.mail.get_mut(&client))
            && mail.is_connected
        {
            mail.rooms.insert(room.clone());
            self.rooms.insert(room.clone());
        }
    }

    fn leave(&mut self, client: Option<ClientId>, room: &str) {
        if let Some(mail) = client.and_then(|client| self.mail.get_mut(&client)) {
            mail.rooms.remove(room);
        }
    }

    fn emit(&mut self, to: &Target, event: &Event, is_certain: bool) {
        let frame = Bytes::copy_from_slice(event.frame(Form::BASE));
        // A client that is behind may miss the others.
        let is_certain = is_certain && event.delivery().is_reliable();
        for client in self.clients_of(to) {
            if let Some(mail) = self.mail.get_mut(&client) {
                mail.events.push(Sent {
                    frame: frame.clone(),
                    is_certain,
                });
            }
        }
    }

    /// Returns the connected clients of a target.
    fn clients_of(&self, target: &Target) -> Vec<ClientId> {
        let is_in = |client: &ClientId, mail: &Mail| match &target.audience {
            Audience::Everyone => true,
            Audience::Clients(ids) => ids.contains(client),
            Audience::Rooms(rooms) => rooms.iter().any(|room| mail.rooms.contains(room)),
            _ => false,
        };
        let is_excepted = |client: &ClientId, mail: &Mail| {
            target.except.as_ref().is_some_and(|except| {
                let Except { clients, rooms, .. } = &**except;
                clients.contains(client) || rooms.iter().any(|room| mail.rooms.contains(room))
            })
        };
        let connected = self.mail.iter().filter(|(_, mail)| mail.is_connected);
        connected
            .filter(|(client, mail)| is_in(client, mail) && !is_excepted(client, mail))
            .map(|(client, _)| *client)
            .collect()
    }

    /// Returns the number of events that were sent to a client. `None` if the hub of the app is not observed.
    pub(super) fn sent_to(&self, client: &ClientId) -> Option<usize> {
        self.mail.get(client).map(|mail| mail.events.len())
    }

    /// Checks that an event is the next one that its client must receive.
    pub(super) fn receive(&mut self, client: &ClientId, frame: &[u8]) -> Result<(), Failure> {
        let Some(mail) = self.mail.get_mut(client) else {
            return Ok(());
        };
        let unread = &mail.events[mail.received..];
        let missing = unread
            .iter()
            .position(|sent| sent.is_certain || sent.frame == frame)
            .unwrap_or(unread.len());
        if unread.get(missing).is_some_and(|sent| sent.frame == frame) {
            mail.received += missing + 1;
            return Ok(());
        }
        let shown = String::from_utf8_lossy(frame);
        let next = unread.get(missing).map_or_else(
            || "nothing more was sent to it".to_owned(),
            |sent| format!("expected {}", String::from_utf8_lossy(&sent.frame)),
        );
        let number = mail.received + 1;
        let is = |sent: &Sent| sent.frame == frame;
        Err(if unread.iter().any(is) {
            Failure::out_of_order(format!("event {number}: {next}, got a later one: {shown}"))
        } else if mail.events.iter().any(is) {
            Failure::doubled(format!(
                "event {number}: {next}, got an earlier one again: {shown}"
            ))
        } else {
            Failure::other(format!(
                "event {number}: {next}, got one that was not sent to it: {shown}"
            ))
        })
    }

    /// Checks that a client has received the first `count` events that were sent to it.
    pub(super) fn has_received(&self, client: &ClientId, count: usize) -> Result<(), Failure> {
        let Some(mail) = self.mail.get(client) else {
            return Ok(());
        };
        let missing = mail.events.get(mail.received..count).unwrap_or_default();
        match missing.iter().find(|sent| sent.is_certain) {
            Some(sent) => Err(Failure::lost(format!(
                "a pong shows that the client has every event up to number {count}; number {} is missing: {}",
                mail.received + 1,
                String::from_utf8_lossy(&sent.frame)
            ))),
            None => Ok(()),
        }
    }

    /// Returns every room that had a member.
    pub(super) fn rooms(&self) -> Vec<Arc<str>> {
        self.rooms.iter().cloned().collect()
    }

    /// Returns the number of clients that have not left the hub.
    pub(super) fn connected(&self) -> usize {
        self.mail.values().filter(|mail| mail.is_connected).count()
    }
}
