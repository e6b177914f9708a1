//! Resident memory of rooms with members that do not read. Each scenario runs in a process of its own, since an
//! allocator reuses what an earlier one has freed.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as a test may")]

use std::{env, process::Command, sync::Arc, task::Context as Task};

use futures_util::task::noop_waker;
use zocket_layers::{
    ClientId, Effect, Event, Form, Hub, Limits, LocalHub, Mailbox, RawPayload, Target,
    hub::{BoxFuture, ConnectOptions, MailboxState},
};

const ROOM: &str = "room";
const BACKLOG: usize = 4 << 20;
const SCENARIO: &str = "ZOCKET_MEMORY_SCENARIO";

/// Runs a scenario in a new process of this program. A scenario that panics fails the test.
fn in_own_process(test: &str, scenario: impl FnOnce()) {
    if env::var_os(SCENARIO).is_some() {
        return scenario();
    }
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(SCENARIO, "1")
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&child.stdout),
        String::from_utf8_lossy(&child.stderr),
    );
    assert!(child.status.success(), "{out}\n{err}");
    assert!(out.contains("1 passed"), "{out}");
    // Shown with `--nocapture`.
    eprint!("{err}");
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
}

/// Returns the memory of the hub, the readers and the allocator's own tables, beside the backlog. Where the kernel gives every
/// program huge pages, it rounds up the allocator's regions.
fn beside() -> usize {
    let pages = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
    match pages.is_ok_and(|pages| pages.contains("[always]")) {
        true => 8 << 20,
        false => 4 << 20,
    }
}

/// A room with one member that never reads, and readers.
struct World {
    hub: LocalHub,
    flusher: BoxFuture<'static, ()>,
    parked: Arc<Mailbox>,
    readers: Vec<Arc<Mailbox>>,
    before: usize,
    most: usize,
}

impl World {
    fn new(readers: usize) -> Self {
        let hub = LocalHub::with_limits(&Limits::default().room_backlog(BACKLOG));
        let connect = |_| {
            let client = ClientId::random();
            let mailbox = hub.connect(client, &ConnectOptions::default());
            hub.perform(Some(&client), Effect::Join(ROOM.into())).unwrap();
            mailbox
        };
        let parked = connect(0);
        let readers = (0..readers).map(connect).collect();
        let flusher = hub.background().unwrap();
        let before = resident();
        Self {
            hub,
            flusher,
            parked,
            readers,
            before,
            most: before,
        }
    }

    /// Sends events until the parked member has overflowed by far. After the event `n`, the readers read whose number is
    /// `n` modulo `pace`.
    fn fill(&mut self, events: usize, pace: usize, mut next: impl FnMut(usize) -> Event) {
        for sent in 0..events {
            let (to, event) = (Target::room(ROOM), next(sent));
            self.send(to, event);
            for reader in self.readers.iter().skip(sent % pace).step_by(pace) {
                assert_eq!(reader.pull_batches(&mut drop), MailboxState::Open);
            }
            if sent % 256 == 0 {
                self.measure();
            }
        }
        assert_eq!(self.parked.pull(&mut Vec::new()), MailboxState::Overflowed);
        self.assert_bounded();
    }

    /// Sends an event. No send fails for the parked member.
    fn send(&mut self, to: Target, event: Event) {
        self.hub.perform(None, Effect::Emit { to, event }).unwrap();
        let waker = noop_waker();
        for _ in 0..self.readers.len() / 8 {
            let _ = self.flusher.as_mut().poll(&mut Task::from_waker(&waker));
        }
    }

    fn measure(&mut self) {
        self.most = self.most.max(resident());
    }

    fn assert_bounded(&mut self) {
        self.measure();
        let grown = self.most - self.before;
        eprintln!(
            "resident: {:.1} MB above {:.1} MB",
            grown as f64 / 1e6,
            self.before as f64 / 1e6
        );
        assert!(grown <= BACKLOG + beside(), "{grown} bytes");
    }
}

/// An event of 27 bytes.
fn tiny(_: usize) -> Event {
    Event::from_payload("s", RawPayload::json("1234")).unwrap()
}

#[test]
fn tiny_events_with_readers_at_a_hundred_places() {
    in_own_process("tiny_events_with_readers_at_a_hundred_places", || {
        World::new(100).fill(120_000, 100, tiny);
    });
}

#[test]
fn tiny_events_with_a_reader_of_each_event() {
    in_own_process("tiny_events_with_a_reader_of_each_event", || {
        World::new(1).fill(120_000, 1, tiny);
    });
}

#[test]
fn events_of_some_size_that_readers_join_in_pairs() {
    in_own_process("events_of_some_size_that_readers_join_in_pairs", || {
        let payload = format!("\"{}\"", "x".repeat(900));
        World::new(4).fill(20_000, 2, |_| {
            Event::from_payload("said", RawPayload::json(payload.clone())).unwrap()
        });
    });
}

#[test]
fn events_with_a_long_list_of_exceptions() {
    in_own_process("events_with_a_long_list_of_exceptions", || {
        let mut world = World::new(3);
        for sent in 0..8_000 {
            let to = Target::room(ROOM).except((0..200).map(|_| ClientId::random()));
            world.send(to, tiny(sent));
            for reader in &world.readers {
                assert_eq!(reader.pull_batches(&mut drop), MailboxState::Open);
            }
            world.measure();
        }
        world.assert_bounded();
    });
}

/// Sends events of which the parked member absorbs every 100, until it overflows. It keeps `Limits::outbound` at most.
fn absorb(next: impl Fn(u64) -> Event) {
    const OUTBOUND: usize = 32 << 20;
    let hub = LocalHub::with_limits(&Limits::default().room_backlog(BACKLOG));
    let client = ClientId::random();
    let limits = Arc::new(Limits::default().outbound(OUTBOUND));
    let parked = hub.connect(client, &ConnectOptions::new(limits, Form::BASE));
    hub.perform(Some(&client), Effect::Join(ROOM.into())).unwrap();
    let (before, mut most) = (resident(), 0);
    for sent in 0..1_000_000 {
        let (to, event) = (Target::room(ROOM), next(sent));
        hub.perform(None, Effect::Emit { to, event }).unwrap();
        if sent % 100 == 0 {
            most = most.max(resident());
            if parked.absorb(0, &mut drop) == MailboxState::Overflowed {
                let grown = most.saturating_sub(before);
                eprintln!(
                    "resident: {:.1} MB above {:.1} MB",
                    grown as f64 / 1e6,
                    before as f64 / 1e6
                );
                assert!(grown <= OUTBOUND + beside(), "{grown} bytes");
                return;
            }
        }
    }
    panic!("expected an overflow");
}

#[test]
fn reliable_events_that_a_stalled_reader_absorbs() {
    in_own_process("reliable_events_that_a_stalled_reader_absorbs", || {
        absorb(|sent| tiny(sent as usize));
    });
}

#[test]
fn latest_events_of_endless_keys_that_a_stalled_reader_absorbs() {
    in_own_process(
        "latest_events_of_endless_keys_that_a_stalled_reader_absorbs",
        || {
            absorb(|sent| tiny(0).latest(sent));
        },
    );
}

#[test]
fn a_parked_member_that_is_moved_from_room_to_room() {
    in_own_process("a_parked_member_that_is_moved_from_room_to_room", || {
        let mut world = World::new(3);
        let parked = world.parked.client_id();
        for round in 0..100 {
            let room = format!("room {round}");
            world
                .hub
                .perform(Some(&parked), Effect::Join(room.as_str().into()))
                .unwrap();
            for sent in 0..3_000 {
                world.send(Target::room(room.as_str()), tiny(sent));
            }
            world
                .hub
                .perform(Some(&parked), Effect::Leave(room.as_str().into()))
                .unwrap();
            world.measure();
        }
        world.assert_bounded();
        assert_eq!(world.parked.pull(&mut Vec::new()), MailboxState::Overflowed);
    });
}
