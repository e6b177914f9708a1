//! Notifies the members of large rooms, a slice at a time.

use std::{
    collections::VecDeque,
    future::Future,
    ops::RangeInclusive,
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use futures_util::future::{Either, select};
use parking_lot::Mutex;
use tokio::{sync::Notify, task::yield_now};

use super::room::Room;

/// As many members are told at a time as read and are written to in about this time; then another room has its turn,
/// and whoever asks for something else.
const SLICE: Duration = Duration::from_micros(200);
/// So many they are, at least and at most.
const SLICE_MEMBERS: RangeInclusive<usize> = 8..=128;

/// Tells the members of large rooms that there is something to read. A room is in the queue at most once.
#[derive(Debug)]
pub(super) struct Flusher {
    queue: Arc<Queue>,
    backlog: u64,
}

#[derive(Debug, Default)]
struct Queue {
    turns: Mutex<VecDeque<Turn>>,
    scheduled: Notify,
    ended: Notify,
}

/// A room, and how far it has been told.
#[derive(Debug)]
struct Turn {
    room: Arc<Room>,
    next: usize,
    /// What had been appended when the first member was told.
    appended: u64,
}

impl Flusher {
    pub(super) fn new(backlog: u64) -> Self {
        Self {
            queue: Arc::default(),
            backlog,
        }
    }

    /// Has a room's members told.
    pub(super) fn schedule(&self, room: &Arc<Room>) {
        self.queue.schedule(room);
    }

    /// Tells members until the hub is gone.
    pub(super) fn run(&self) -> impl Future<Output = ()> + Send + 'static {
        let (queue, backlog) = (self.queue.clone(), self.backlog);
        async move {
            let mut ended = pin!(queue.ended.notified());
            let mut members = *SLICE_MEMBERS.start();
            loop {
                let turn = queue.turns.lock().pop_front();
                if let Some(turn) = turn {
                    let begin = Instant::now();
                    queue.take(turn, members, backlog);
                    // Until those who were told have had their turn, and sockets were looked at.
                    yield_now().await;
                    let took = begin.elapsed();
                    let fit = members as f64 * SLICE.div_duration_f64(took.max(SLICE / 128));
                    // Fewer at once; more by and by.
                    members = (fit as usize).min(members + members / 4);
                    members = members.clamp(*SLICE_MEMBERS.start(), *SLICE_MEMBERS.end());
                    continue;
                }
                if let Either::Right(_) = select(pin!(queue.scheduled.notified()), ended.as_mut()).await {
                    break;
                }
                // Who has read a message by now may send to the same room: then it goes out together.
                yield_now().await;
            }
        }
    }
}

/// The hub is gone.
impl Drop for Flusher {
    fn drop(&mut self) {
        self.queue.ended.notify_one();
    }
}

impl Queue {
    fn schedule(&self, room: &Arc<Room>) {
        if !room.scheduled.swap(true, Ordering::SeqCst) {
            let turn = Turn {
                room: room.clone(),
                next: 0,
                appended: room.begin_flush(),
            };
            self.turns.lock().push_back(turn);
            self.scheduled.notify_one();
        }
    }

    /// Tells one slice.
    fn take(&self, mut turn: Turn, members: usize, backlog: u64) {
        if turn.next == 0 {
            turn.appended = turn.room.begin_flush();
        }
        let to = turn.next + members;
        if turn.room.tell_slice(turn.next, to, backlog) {
            turn.next = to;
            self.turns.lock().push_back(turn);
            return;
        }
        turn.room.end_flush(turn.appended);
        // Swapped, not stored: what was appended by whoever found it scheduled is seen below.
        turn.room.scheduled.swap(false, Ordering::SeqCst);
        // Those who were told before the last entry was appended are told again.
        if turn.room.has_more_than(turn.appended) {
            self.schedule(&turn.room);
        }
    }
}
