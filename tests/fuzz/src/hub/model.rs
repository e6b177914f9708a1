//! The model of a hub: a table of clients, their rooms, and what they have not read.

use std::collections::{BTreeMap, BTreeSet};

use super::input::{Action, Audience, Client, Delivery, Event, Selection};

/// An event that was sent to a client.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) number: usize,
    event: Event,
    /// False if the hub refused the event, which may then have reached some of several rooms.
    is_certain: bool,
}

impl Sent {
    /// Returns true if a later event with this one's name and key replaces it.
    fn is_replaced_by(&self, other: &Self) -> bool {
        let (before, after) = (self.event, other.event);
        matches!(before.delivery, Delivery::Latest(_))
            && before.delivery == after.delivery
            && before.is_other == after.is_other
    }
}

#[derive(Debug, Default)]
pub(super) struct Member {
    pub(super) rooms: BTreeSet<&'static str>,
    /// Events that the reader has not read.
    unread: Vec<Sent>,
    /// Events that were absorbed, and not released.
    waiting: Vec<Sent>,
    /// True if a room of the client has events that the reader has not read, whether it receives them or not.
    pub(super) has_entries: bool,
    /// Code of the Close that was requested first.
    pub(super) close: Option<u16>,
    pub(super) is_muted: bool,
    /// True once the reader was too slow.
    pub(super) is_overflowed: bool,
}

#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) members: BTreeMap<usize, Member>,
}

/// The most rooms that a client may be in.
pub(super) const ROOMS: usize = 3;

impl Model {
    /// Returns the clients of a selection.
    pub(super) fn select(&self, selection: &Selection) -> Vec<usize> {
        let is_out = |client: usize, member: &Member| {
            let has_left_out = |other: &Client| other.index() == client;
            selection.except.iter().any(has_left_out)
                || selection
                    .except_rooms
                    .iter()
                    .any(|room| member.rooms.contains(room.name()))
        };
        let selected = self.members.iter().filter(|(client, member)| {
            is_in(&selection.audience, **client, member) && !is_out(**client, member)
        });
        selected.map(|(client, _)| *client).collect()
    }

    pub(super) fn send(&mut self, number: usize, to: &Selection, event: Event, is_certain: bool) {
        for (client, member) in &mut self.members {
            member.has_entries |= is_in(&to.audience, *client, member);
        }
        for client in self.select(to) {
            let member = self.members.get_mut(&client).expect("it was selected");
            if !member.is_muted {
                member.unread.push(Sent {
                    number,
                    event,
                    is_certain,
                });
            }
        }
    }

    /// Enters a room. Returns false if the client is in too many.
    pub(super) fn join(&mut self, client: usize, room: &'static str) -> bool {
        let Some(member) = self.members.get_mut(&client) else {
            return true;
        };
        if !member.rooms.contains(room) && member.rooms.len() == ROOMS {
            return false;
        }
        member.rooms.insert(room);
        true
    }

    pub(super) fn leave(&mut self, client: usize, room: &str) {
        if let Some(member) = self.members.get_mut(&client) {
            member.rooms.remove(room);
        }
    }

    pub(super) fn close(&mut self, client: usize, code: u16) {
        if let Some(member) = self.members.get_mut(&client) {
            member.close.get_or_insert(code);
        }
    }

    /// Performs an action on the clients of a selection. Returns false if one of them is in too many rooms.
    pub(super) fn manage(&mut self, clients: &Selection, action: Action) -> bool {
        let mut done = true;
        for client in self.select(clients) {
            match action {
                Action::Join(room) => done &= self.join(client, room.name()),
                Action::Leave(room) => self.leave(client, room.name()),
                Action::Disconnect(code) => self.close(client, 4_000 + u16::from(code)),
            }
        }
        done
    }

    /// Returns the number of clients in a room.
    pub(super) fn size(&self, room: &str) -> usize {
        self.members
            .values()
            .filter(|member| member.rooms.contains(room))
            .count()
    }
}

fn is_in(audience: &Audience, client: usize, member: &Member) -> bool {
    match audience {
        Audience::Everyone => true,
        Audience::Clients(clients) => clients.iter().any(|other| other.index() == client),
        Audience::Rooms(rooms) => rooms.iter().any(|room| member.rooms.contains(room.name())),
    }
}

impl Member {
    /// Returns true if the reader has something to read that it has to be notified of.
    pub(super) fn has_unread(&self) -> bool {
        self.unread.iter().any(|sent| sent.is_certain)
    }

    /// Drops what is unread.
    pub(super) fn silence(&mut self) {
        self.is_muted = true;
        self.unread.clear();
        self.waiting.clear();
    }

    /// Checks that a reader that keeps up has read everything that was sent to it.
    pub(super) fn pull(&mut self, numbers: &[usize]) {
        self.has_entries = false;
        let mut expected = std::mem::take(&mut self.waiting);
        expected.append(&mut self.unread);
        let left = take(expected, numbers);
        assert!(
            left.iter().all(|sent| !sent.is_certain),
            "{numbers:?} lack {left:?}"
        );
    }

    /// Applies the deliveries of what is unread. Then checks that this reader has read the first of the events that wait,
    /// of which it wanted `release` bytes.
    pub(super) fn absorb(&mut self, release: usize, numbers: &[usize], weight: usize) {
        self.has_entries = false;
        for sent in std::mem::take(&mut self.unread) {
            if sent.event.delivery == Delivery::Volatile {
                continue;
            }
            for waiting in &mut self.waiting {
                // An event that was refused may replace it, and may not.
                waiting.is_certain &= sent.is_certain || !waiting.is_replaced_by(&sent);
            }
            self.waiting
                .retain(|waiting| !sent.is_certain || !waiting.is_replaced_by(&sent));
            self.waiting.push(sent);
        }
        let left = take(std::mem::take(&mut self.waiting), numbers);
        if weight < release {
            assert!(
                left.iter().all(|sent| !sent.is_certain),
                "{weight} bytes {numbers:?} lack {left:?}"
            );
        } else if release == 0 {
            assert!(numbers.is_empty(), "{numbers:?}");
        }
        self.waiting = left;
    }
}

/// Takes the events with these numbers, which must be the first ones. Returns the others.
fn take(expected: Vec<Sent>, numbers: &[usize]) -> Vec<Sent> {
    let mut expected = expected.into_iter().peekable();
    for number in numbers {
        while expected
            .next_if(|sent| !sent.is_certain && sent.number != *number)
            .is_some()
        {}
        let next = expected.next();
        let is_next = next.as_ref().is_some_and(|sent| sent.number == *number);
        assert!(is_next, "expected {next:?}, got {number} of {numbers:?}");
    }
    expected.collect()
}
