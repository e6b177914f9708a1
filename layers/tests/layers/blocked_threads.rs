//! Members whose threads are blocked, as by a handler that computes or waits without `await`: the other members of a
//! large room are notified.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as a test may")]

use std::{
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use tokio::runtime::Builder;
use zocket_layers::{ClientId, Effect, Event, Hub, LocalHub, Target, hub::ConnectOptions};

use crate::support::{Said, notified, pull};

/// More members than several slices of the flusher.
const MEMBERS: usize = 200;
const WORKERS: usize = 2;
const ROUNDS: u64 = 20;
const PATIENCE: Duration = Duration::from_secs(30);

/// Number of members that have read the event of a round.
#[derive(Default)]
struct Count {
    read: Mutex<usize>,
    changed: Condvar,
}

impl Count {
    fn add(&self) -> usize {
        let mut read = self.read.lock().unwrap();
        *read += 1;
        self.changed.notify_all();
        *read
    }

    /// Blocks the thread until this number is reached. Returns the number in time.
    fn wait(&self, number: usize) -> usize {
        let read = self.read.lock().unwrap();
        let waited = self
            .changed
            .wait_timeout_while(read, PATIENCE, |read| *read < number);
        *waited.unwrap().0
    }
}

#[test]
fn a_member_that_blocks_its_thread_delays_no_other_member() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .build()
        .unwrap();
    let hub = LocalHub::new();
    for _ in 0..WORKERS {
        runtime.spawn(hub.background().unwrap());
    }
    let counts: Arc<[Count]> = (0..ROUNDS).map(|_| Count::default()).collect();
    for _ in 0..MEMBERS {
        let client = ClientId::random();
        let mailbox = hub.connect(client, &ConnectOptions::default());
        hub.perform(Some(&client), Effect::Join("big".into())).unwrap();
        let counts = counts.clone();
        runtime.spawn(async move {
            loop {
                notified(&mailbox).await;
                for number in pull(&mailbox) {
                    let count = &counts[number as usize];
                    // The first one that reads goes on when all the others have read.
                    if count.add() == 1 {
                        count.wait(MEMBERS);
                    }
                }
            }
        });
    }
    for number in 0..ROUNDS {
        let event = Event::of(&Said(number)).unwrap();
        let to = Target::room("big");
        hub.perform(None, Effect::Emit { to, event }).unwrap();
        assert_eq!(counts[number as usize].wait(MEMBERS), MEMBERS, "round {number}");
    }
}
