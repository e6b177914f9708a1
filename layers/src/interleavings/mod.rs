//! Model tests of the wake-up protocol, by [loom](https://docs.rs/loom): each runs its threads in every order, and with
//! every value that the memory model lets an atomic load return.
//!
//! The promise: a task that has polled its mailbox, and was not ready, is woken for everything that is sent to it from
//! then on. A thread that waits for a wake-up that never comes is a deadlock, which loom reports.
//!
//! - [`mailbox`]: a sender and a reader.
//! - [`driver`]: mailbox, socket and turns wake one task; `IoWakeFlag` remembers which.
//! - [`flusher`]: a sender, a room with more members than it notifies itself, the flusher.
//! - [`parting`]: leaving, closing and disconnecting while someone sends.
//!
//! They run the protocol's code on the primitives of [`sync`](crate::sync). To loom a load with `SeqCst` only acquires, so
//! no test depends on a total order. Rooms are small: the sender notifies one member itself, and the flusher's slices are
//! of one. A run interrupts threads that could go on at most `LOOM_MAX_PREEMPTIONS` times: 2, unless it is set.
//!
//! ```sh
//! CARGO_TARGET_DIR=target/loom RUSTFLAGS="--cfg zocket_loom" cargo test --package zocket-layers --lib interleavings
//! ```

mod driver;
mod flusher;
mod mailbox;
mod parting;

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context as Task, Poll, Wake},
};

use loom::{
    model::Builder,
    thread::{self, Thread},
};
use uuid::Uuid;

use crate::{
    client_id::ClientId,
    effect::{Effect, Event, Target},
    hub::{ConnectOptions, Hub, Mailbox, MailboxState, local::LocalHub},
    protocol::RawPayload,
    sync,
};

/// Runs a test in every order.
fn in_every_order(test: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound.get_or_insert(2);
    builder.max_branches = 10_000;
    builder.check(test);
}

/// A task that has a thread of its own.
struct Executor {
    thread: Thread,
    is_woken: sync::AtomicBool,
    /// Loom would unpark a thread that waits for a lock, too. It is not loom's own flag: no thread runs meanwhile.
    is_parked: AtomicBool,
}

impl Wake for Executor {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        if self.is_parked.load(Ordering::Relaxed) {
            self.thread.unpark();
        }
    }
}

/// Runs a future. Loom has such a function too, which counts clones of its waker and wakes up without a reason: both
/// multiply the orders, and find nothing here.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let executor = Arc::new(Executor {
        thread: thread::current(),
        is_woken: sync::AtomicBool::new(false),
        is_parked: AtomicBool::new(false),
    });
    let waker = executor.clone().into();
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut Task::from_waker(&waker)) {
            return done;
        }
        while !executor.is_woken.swap(false, Ordering::AcqRel) {
            executor.is_parked.store(true, Ordering::Relaxed);
            thread::park();
            executor.is_parked.store(false, Ordering::Relaxed);
        }
    }
}

const ROOM: &str = "lobby";

/// Client ids are the same in each run.
fn client(number: u128) -> ClientId {
    ClientId::from(Uuid::from_u128(number))
}

fn event(number: u64) -> Event {
    Event::from_payload("said", RawPayload::json(number.to_string())).unwrap()
}

fn number(event: &Event) -> u64 {
    serde_json::from_slice(event.payload().bytes().unwrap()).unwrap()
}

/// A hub whose flusher runs in a thread of its own, until the hub is dropped.
fn hub_with_flusher() -> Arc<LocalHub> {
    let hub = Arc::new(LocalHub::new());
    let flusher = hub.background().unwrap();
    thread::spawn(|| block_on(flusher));
    hub
}

/// Connects a client that is in the room.
fn member(hub: &LocalHub, id: u128) -> Arc<Mailbox> {
    let mailbox = hub.connect(client(id), &ConnectOptions::default());
    hub.perform(Some(&client(id)), Effect::Join(ROOM.into())).unwrap();
    mailbox
}

/// Sends an event to the room, from nobody.
fn send(hub: &LocalHub, number: u64) {
    let event = event(number);
    let to = Target::rooms([ROOM]);
    hub.perform(None, Effect::Emit { to, event }).unwrap();
}

fn leave(hub: &LocalHub, id: u128) {
    hub.perform(Some(&client(id)), Effect::Leave(ROOM.into()))
        .unwrap();
}

fn pull(mailbox: &Mailbox) -> (Vec<u64>, MailboxState) {
    let mut events = Vec::new();
    let state = mailbox.pull(&mut events);
    (events.iter().map(number).collect(), state)
}

/// Reads as a connection does: polls, pulls if it was notified, and waits to be woken. Returns when the event with the
/// number `last` has come, or the mailbox is not open any more.
fn read_until(mailbox: &Mailbox, last: u64) -> (Vec<u64>, MailboxState) {
    read_while(mailbox, |numbers| numbers.last() != Some(&last))
}

fn read_while(mailbox: &Mailbox, is_incomplete: impl Fn(&[u64]) -> bool) -> (Vec<u64>, MailboxState) {
    let mut numbers = Vec::new();
    let state = block_on(poll_fn(|cx| {
        if mailbox.poll_notified(cx).is_pending() {
            return Poll::Pending;
        }
        let (pulled, state) = pull(mailbox);
        numbers.extend(pulled);
        if state == MailboxState::Open && is_incomplete(&numbers) {
            return Poll::Pending;
        }
        Poll::Ready(state)
    }));
    (numbers, state)
}
