//! Record of a run: nodes, clients, their rooms, and the events.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::Instant;
use uuid::Uuid;
use zocket::{
    ClientId, Event, RawPayload,
    cluster::{Loss, NatsHub},
    layers::{Mailbox, hub::MailboxState},
};

use super::link::Conn;

/// A node, from its start to its end.
pub struct Node {
    pub hub: Option<Arc<NatsHub>>,
    pub id: Uuid,
    pub conn: Conn,
    pub losses: Losses,
    pub began: Instant,
    pub ended: Option<Instant>,
}

pub type Losses = Arc<Mutex<Vec<(Instant, Loss)>>>;

/// An event that a hub has accepted, or refused.
pub struct Sent {
    pub node: usize,
    pub at: Instant,
    pub rooms: Vec<usize>,
    pub is_to_everyone: bool,
    pub clients: Vec<ClientId>,
    pub except: Option<ClientId>,
    pub except_room: Option<usize>,
    pub is_refused: bool,
}

/// The time of a client in a room.
#[derive(Debug)]
pub struct Stay {
    pub room: usize,
    /// Time from which the client may receive the room's events.
    pub from: Instant,
    pub answer: Arc<Mutex<Option<Answer>>>,
    /// Time at which the client, or another one for it, began to leave.
    pub leaves: Option<Instant>,
    /// Time after which the client receives no more of the room's events.
    pub left: Option<Instant>,
}

/// The answer to a join.
#[derive(Debug)]
pub struct Answer {
    pub at: Instant,
    /// Nodes that the node has known since the join began.
    pub known: Vec<Uuid>,
    /// True if the join has waited for the other nodes, since it is the first to its room.
    pub has_waited: bool,
}

/// A connected client, from its connection to its end.
pub struct Client {
    pub id: ClientId,
    pub node: usize,
    pub mailbox: Arc<Mailbox>,
    pub since: Instant,
    pub stays: Vec<Stay>,
    /// Joins and leaves that nodes have asked for, which may arrive late or never: the room, true for a join, the time.
    pub managed: Vec<(usize, bool, Instant)>,
    /// Numbers of the events that it has received.
    pub got: Vec<usize>,
    /// Numbers of events of its own node that it must have.
    pub due: Vec<usize>,
    pub pauses_until: Instant,
    pub is_over: bool,
}

/// Time within which an action of another node arrives, or never.
const LATE: Duration = Duration::from_secs(90);

impl Client {
    pub fn new(id: ClientId, node: usize, mailbox: Arc<Mailbox>) -> Self {
        let now = Instant::now();
        Self {
            id,
            node,
            mailbox,
            since: now,
            stays: Vec::new(),
            managed: Vec::new(),
            got: Vec::new(),
            due: Vec::new(),
            pauses_until: now,
            is_over: false,
        }
    }

    /// Returns the time of the first action of another node that may still arrive.
    fn managed_since(&self, room: usize, joins: bool, now: Instant) -> Option<Instant> {
        let is_it = |(of, is_join, at): &&(usize, bool, Instant)| {
            *of == room && *is_join == joins && now.duration_since(*at) < LATE
        };
        self.managed.iter().find(is_it).map(|(_, _, at)| *at)
    }

    /// Begins a stay in a room.
    pub fn begin_stay(&mut self, room: usize, from: Instant) -> Arc<Mutex<Option<Answer>>> {
        let answer = Arc::default();
        let leaves = self.managed_since(room, false, Instant::now());
        self.stays.push(Stay {
            room,
            from,
            answer: Arc::clone(&answer),
            leaves,
            left: None,
        });
        answer
    }

    /// Compares the client's presence in a room with what was asked for.
    pub fn observe(&mut self, room: usize, is_in: bool, now: Instant) {
        let has_stay = self.stay(room).is_some();
        if is_in && !has_stay {
            let from = self.managed_since(room, true, now);
            let from = from.expect("nobody has let the client join");
            let known = Vec::new();
            *self.begin_stay(room, from).lock().unwrap() = Some(Answer {
                at: now,
                known,
                has_waited: false,
            });
        } else if !is_in && has_stay {
            let stay = self.stay(room).unwrap();
            assert!(stay.leaves.is_some(), "nobody has let the client leave");
            stay.left = Some(now);
        }
    }

    /// Receives what is there. Returns true if the mailbox is closed.
    pub fn pull(&mut self) -> bool {
        let mut events = Vec::new();
        let state = self.mailbox.pull(&mut events);
        self.got.extend(events.iter().map(number));
        match state {
            MailboxState::Open => false,
            MailboxState::Close(_) => true,
            other => panic!("a mailbox is {other:?}"),
        }
    }

    pub fn stay(&mut self, room: usize) -> Option<&mut Stay> {
        self.stays
            .iter_mut()
            .find(|stay| stay.room == room && stay.left.is_none())
    }

    /// Returns true if the client may be in the room at some time from then on.
    pub fn may_be_in(&self, room: usize, from: Instant) -> bool {
        let of_room = |stay: &Stay| stay.room == room && stay.left.is_none_or(|left| left >= from);
        // A stay that other nodes have begun and ended between two observations is not recorded.
        let may_join = |(of, joins, at): &(usize, bool, Instant)| *of == room && *joins && *at + LATE >= from;
        self.stays.iter().any(of_room) || self.managed.iter().any(may_join)
    }

    /// Returns the stay of a client that was in the room all the time since its join was answered before this time.
    pub fn lasting_stay(&self, room: usize, at: Instant) -> Option<&Stay> {
        self.stays.iter().find(|stay| {
            let answer = stay.answer.lock().unwrap();
            let lasts = stay.room == room && stay.leaves.is_none() && stay.left.is_none();
            lasts && answer.as_ref().is_some_and(|answer| answer.at < at)
        })
    }
}

impl Sent {
    pub fn is_to(&self, room: usize) -> bool {
        self.rooms.contains(&room)
    }
}

/// Creates an event with a number, of about this size.
pub fn said(number: usize, bytes: usize) -> Event {
    let json = format!(r#"{{"number":{number},"text":"{}"}}"#, "x".repeat(bytes));
    Event::from_payload("said", RawPayload::json(json)).unwrap()
}

fn number(event: &Event) -> usize {
    let value: serde_json::Value = serde_json::from_slice(event.payload().as_json()).unwrap();
    value["number"].as_u64().unwrap().try_into().unwrap()
}

/// Time between nodes for an event, and for what repairs a subscription.
pub const TRAVEL: Duration = Duration::from_secs(3);
