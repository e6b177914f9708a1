//! The hub's background future: several run at once, and each may be dropped at any time.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as a test may")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context as Task, Poll, Wake, Waker},
};

use zocket_layers::{
    ClientId, Effect, Event, Hub, LocalHub, Mailbox, Target,
    hub::{BoxFuture, ConnectOptions},
};

use crate::support::{Said, pull};

/// More members than a few slices notify.
const MEMBERS: usize = 100;

/// A task that the test polls when it was woken.
struct Flusher {
    future: BoxFuture<'static, ()>,
    wakes: Arc<Wakes>,
    seen: usize,
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Flusher {
    /// Starts the background future of a hub, and polls it until it waits.
    fn start(hub: &LocalHub) -> Self {
        let wakes = Arc::new(Wakes(AtomicUsize::new(1)));
        let future = hub.background().unwrap();
        let mut flusher = Self {
            future,
            wakes,
            seen: 0,
        };
        assert!(!flusher.run());
        flusher
    }

    /// Polls the future once if it was woken since the last poll.
    fn poll(&mut self) -> Option<Poll<()>> {
        let wakes = self.wakes.0.load(Ordering::SeqCst);
        if wakes == self.seen {
            return None;
        }
        self.seen = wakes;
        let waker = Waker::from(self.wakes.clone());
        Some(self.future.as_mut().poll(&mut Task::from_waker(&waker)))
    }

    /// Polls the future for as long as it is woken. Returns true if it has ended.
    fn run(&mut self) -> bool {
        while let Some(polled) = self.poll() {
            if polled.is_ready() {
                return true;
            }
        }
        false
    }
}

fn crowded(hub: &LocalHub) -> Vec<Arc<Mailbox>> {
    let connect = |_| {
        let client = ClientId::random();
        let mailbox = hub.connect(client, &ConnectOptions::default());
        hub.perform(Some(&client), Effect::Join("big".into())).unwrap();
        mailbox
    };
    (0..MEMBERS).map(connect).collect()
}

fn send(hub: &LocalHub, number: u64) {
    let event = Event::of(&Said(number)).unwrap();
    let to = Target::room("big");
    hub.perform(None, Effect::Emit { to, event }).unwrap();
}

/// Returns the number of members that were notified of exactly this event.
fn hearing(members: &[Arc<Mailbox>], number: u64) -> usize {
    let hears = |mailbox: &&Arc<Mailbox>| mailbox.is_notified() && pull(mailbox) == [number];
    members.iter().filter(hears).count()
}

#[test]
fn every_background_future_ends_with_the_hub() {
    let hub = LocalHub::new();
    let mut flushers = [(); 3].map(|()| Flusher::start(&hub));
    drop(hub);
    for flusher in &mut flushers {
        assert!(flusher.run());
    }
}

#[test]
fn members_that_were_not_notified_yet_are_notified_when_the_hub_is_dropped() {
    let hub = LocalHub::new();
    let members = crowded(&hub);
    send(&hub, 1);
    assert_eq!(hearing(&members, 1), 0);
    drop(hub);
    assert_eq!(hearing(&members, 1), MEMBERS);
}

#[test]
fn a_background_future_that_starts_after_another_was_dropped_notifies() {
    let hub = LocalHub::new();
    let members = crowded(&hub);
    drop(Flusher::start(&hub));
    send(&hub, 1);
    let mut second = Flusher::start(&hub);
    second.run();
    assert_eq!(hearing(&members, 1), MEMBERS);
    send(&hub, 2);
    second.run();
    assert_eq!(hearing(&members, 2), MEMBERS);
}

#[test]
fn members_are_notified_though_another_background_future_is_not_polled() {
    let hub = LocalHub::new();
    let members = crowded(&hub);
    for (number, idle_first) in [(1, true), (2, false)] {
        let started = [(); 2].map(|()| Flusher::start(&hub));
        let [first, second] = started;
        let (idle, mut busy) = if idle_first {
            (first, second)
        } else {
            (second, first)
        };
        send(&hub, number);
        busy.run();
        assert_eq!(hearing(&members, number), MEMBERS);
        drop(idle);
    }
}

#[test]
fn a_round_that_one_background_future_began_is_finished_by_another() {
    for is_dropped in [true, false] {
        let hub = LocalHub::new();
        let members = crowded(&hub);
        let [mut first, mut second] = [(); 2].map(|()| Flusher::start(&hub));
        send(&hub, 1);
        // The second finds a room to notify, or none; then the first begins a slice, and stops.
        second.poll();
        for _ in 0..3 {
            first.poll();
        }
        if is_dropped {
            drop(first);
            second.run();
            assert_eq!(hearing(&members, 1), MEMBERS);
        } else {
            second.run();
            assert_eq!(hearing(&members, 1), MEMBERS);
            drop(first);
        }
    }
}
