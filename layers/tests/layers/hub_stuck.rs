//! Members that never read: they alone are disconnected, and no send fails because of them.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as a test may")]

use std::{sync::Arc, task::Context as Task};

use futures_util::task::noop_waker;
use zocket_layers::{
    ClientId, Effect, Event, Hub, Limits, LocalHub, Mailbox, Target,
    hub::{BoxFuture, ConnectOptions, Full, MailboxState},
};

use crate::support::{Said, number};

const BACKLOG: usize = 20_000;
const ROOM: &str = "room";

/// A room of a hub whose flusher runs when the test says so.
struct World {
    hub: LocalHub,
    flusher: BoxFuture<'static, ()>,
    members: Vec<Arc<Mailbox>>,
    sent: u64,
}

impl World {
    fn new(members: usize) -> Self {
        let hub = LocalHub::with_limits(&Limits::default().room_backlog(BACKLOG));
        let flusher = hub.background().unwrap();
        let mut world = Self {
            hub,
            flusher,
            members: Vec::new(),
            sent: 0,
        };
        for _ in 0..members {
            world.enter();
        }
        world
    }

    fn enter(&mut self) {
        let client = ClientId::random();
        let mailbox = self.hub.connect(client, &ConnectOptions::default());
        self.hub
            .perform(Some(&client), Effect::Join(ROOM.into()))
            .unwrap();
        self.members.push(mailbox);
    }

    fn send(&mut self, to: Target) -> Result<(), Full> {
        let event = Event::of(&Said(self.sent)).unwrap();
        self.hub.perform(None, Effect::Emit { to, event })?;
        self.sent += 1;
        Ok(())
    }

    /// Runs the flusher for as long as one round of notifications takes at most.
    fn flush(&mut self) {
        let waker = noop_waker();
        for _ in 0..2 + self.members.len() / 8 {
            assert!(
                self.flusher
                    .as_mut()
                    .poll(&mut Task::from_waker(&waker))
                    .is_pending()
            );
        }
    }

    fn read(&self, member: usize) -> (Vec<u64>, MailboxState) {
        let mut events = Vec::new();
        let state = self.members[member].pull(&mut events);
        (events.iter().map(number).collect(), state)
    }

    /// Sends events, and lets the member `reader` read after the event `reader + k * pace`. Members from `readers` on
    /// never read.
    fn send_and_read(&mut self, to: &Target, readers: usize, events: usize, pace: usize) {
        let mut heard = vec![Vec::new(); readers];
        for round in 0..events {
            self.send(to.clone()).unwrap();
            self.flush();
            for (reader, heard) in heard.iter_mut().enumerate() {
                if round % pace == reader % pace || round + 1 == events {
                    let (numbers, state) = self.read(reader);
                    assert_eq!(state, MailboxState::Open, "{reader} after {round}");
                    heard.extend(numbers);
                }
            }
        }
        for heard in heard {
            assert_eq!(heard, (0..events as u64).collect::<Vec<_>>());
        }
        for stuck in readers..self.members.len() {
            assert_eq!(self.read(stuck), (vec![], MailboxState::Overflowed), "{stuck}");
        }
    }
}

#[test]
fn one_stuck_member_of_a_room_of_any_size_overflows_alone_and_no_send_fails() {
    for members in [2, 3, 4, 16, 17, 18, 100] {
        World::new(members).send_and_read(&Target::room(ROOM), members - 1, 300, 1);
    }
}

#[test]
fn one_stuck_client_of_everyone_overflows_alone_and_no_send_fails() {
    for clients in [2, 4, 16, 17, 100] {
        World::new(clients).send_and_read(&Target::everyone(), clients - 1, 300, 1);
    }
}

#[test]
fn most_members_may_be_stuck() {
    for (members, readers) in [(4, 2), (4, 1), (16, 1), (17, 1), (40, 20), (40, 1)] {
        World::new(members).send_and_read(&Target::room(ROOM), readers, 300, 1);
    }
}

#[test]
fn members_that_read_late_are_not_taken_for_stuck() {
    for members in [4, 16, 40] {
        World::new(members).send_and_read(&Target::room(ROOM), members - 1, 300, 8);
    }
}

#[test]
fn an_event_to_several_rooms_does_not_fail_for_a_stuck_member_of_one() {
    for members in [4, 40] {
        let to = Target::rooms([ROOM, "elsewhere"]);
        World::new(members).send_and_read(&to, members - 1, 300, 1);
    }
}

#[test]
fn a_member_that_gets_stuck_later_overflows_alone() {
    for members in [4, 40] {
        let mut world = World::new(members);
        for _ in 0..100 {
            world.send(Target::room(ROOM)).unwrap();
            world.flush();
            for member in 0..members {
                assert_eq!(world.read(member).1, MailboxState::Open);
            }
        }
        for _ in 0..300 {
            world.send(Target::room(ROOM)).unwrap();
            world.flush();
            for member in 1..members {
                assert_eq!(world.read(member).1, MailboxState::Open);
            }
        }
        assert_eq!(world.read(0).1, MailboxState::Overflowed);
    }
}

#[test]
fn a_burst_that_nobody_could_read_is_refused_and_closes_nobody() {
    for members in [1, 4, 16, 17, 40] {
        let mut world = World::new(members);
        // They have read before, and are not stuck.
        world.send(Target::room(ROOM)).unwrap();
        world.flush();
        for member in 0..members {
            assert_eq!(world.read(member), (vec![0], MailboxState::Open));
        }
        let refused = (0..1_000).find_map(|_| world.send(Target::room(ROOM)).err());
        assert_eq!(refused, Some(Full::Backlog { limit: BACKLOG }));
        let expected = (1..world.sent).collect::<Vec<_>>();
        for member in 0..members {
            assert_eq!(world.read(member), (expected.clone(), MailboxState::Open));
        }
        world.send(Target::room(ROOM)).unwrap();
    }
}

#[test]
fn one_who_enters_during_a_burst_does_not_make_the_others_count_as_stuck() {
    for members in [4, 15, 40] {
        let mut world = World::new(members);
        while world.send(Target::room(ROOM)).is_ok() {}
        world.enter();
        assert!(world.send(Target::room(ROOM)).is_err());
        for member in 0..members {
            assert_eq!(world.read(member).1, MailboxState::Open);
        }
    }
}

#[test]
fn members_of_a_large_room_that_were_not_notified_are_not_stuck() {
    let mut world = World::new(40);
    let sent = (0..1_000)
        .take_while(|_| world.send(Target::room(ROOM)).is_ok())
        .count();
    // One reads by itself, as a sender does before its answer. The flusher has not run.
    assert_eq!(world.read(0).0.len(), sent);
    assert!(world.send(Target::room(ROOM)).is_err());
    world.flush();
    for member in 1..40 {
        let (numbers, state) = world.read(member);
        assert_eq!((numbers.len(), state), (sent, MailboxState::Open));
    }
    world.send(Target::room(ROOM)).unwrap();
}
