//! Notification of the members of large rooms, in slices.

use std::{
    collections::VecDeque,
    future::Future,
    ops::RangeInclusive,
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use futures_util::future::{Either, select};
use tokio::task::yield_now;

use super::room::Room;
use crate::sync::{IS_MODELLED, Mutex, Notify};

/// Target time for the members of one slice to read and to be written to. After each slice, the next room has its turn,
/// and other tasks run.
const SLICE: Duration = Duration::from_micros(200);
/// Minimum and maximum number of members in a slice.
const SLICE_MEMBERS: RangeInclusive<usize> = if IS_MODELLED { 1..=1 } else { 8..=128 };

/// Queue of large rooms whose members have to be notified of new events. A room is in the queue at most once.
#[derive(Debug)]
pub(super) struct Flusher {
    queue: Arc<Queue>,
    backlog: u64,
}

#[derive(Debug, Default)]
struct Queue {
    rooms: Mutex<VecDeque<QueuedRoom>>,
    scheduled: Notify,
    ended: Notify,
}

/// A room in the queue, and the position of the member that is notified next.
#[derive(Debug)]
struct QueuedRoom {
    room: Arc<Room>,
    next: usize,
    /// Weight of all entries that were appended when the first member was notified.
    appended: u64,
}

impl Flusher {
    pub(super) fn new(backlog: u64) -> Self {
        Self {
            queue: Arc::default(),
            backlog,
        }
    }

    /// Queues a room, unless it is queued already.
    pub(super) fn schedule(&self, room: &Arc<Room>) {
        self.queue.schedule(room);
    }

    /// Notifies members until the hub is dropped.
    pub(super) fn run(&self) -> impl Future<Output = ()> + Send + 'static {
        let (queue, backlog) = (self.queue.clone(), self.backlog);
        async move {
            let mut ended = pin!(queue.ended.notified());
            let mut members = *SLICE_MEMBERS.start();
            loop {
                let queued = queue.rooms.lock().pop_front();
                if let Some(queued) = queued {
                    let begin = Instant::now();
                    queue.notify_slice(queued, members, backlog);
                    // Waits until the notified members have run, and the runtime has polled its sockets.
                    yield_now().await;
                    let took = begin.elapsed();
                    let fit = members as f64 * SLICE.div_duration_f64(took.max(SLICE / 128));
                    // The number shrinks at once, and grows by at most a quarter per slice.
                    members = (fit as usize).min(members + members / 4);
                    members = members.clamp(*SLICE_MEMBERS.start(), *SLICE_MEMBERS.end());
                    continue;
                }
                if let Either::Right(_) = select(pin!(queue.scheduled.notified()), ended.as_mut()).await {
                    break;
                }
                // Members that read a message now may send to the same room. Their events are then delivered together.
                yield_now().await;
            }
        }
    }
}

/// Ends [`run`](Flusher::run) when the hub is dropped.
impl Drop for Flusher {
    fn drop(&mut self) {
        self.queue.ended.notify_one();
    }
}

impl Queue {
    fn schedule(&self, room: &Arc<Room>) {
        if !room.scheduled.swap(true, Ordering::SeqCst) {
            let queued = QueuedRoom {
                room: room.clone(),
                next: 0,
                appended: room.begin_flush(),
            };
            self.rooms.lock().push_back(queued);
            self.scheduled.notify_one();
        }
    }

    /// Notifies one slice of members.
    fn notify_slice(&self, mut queued: QueuedRoom, members: usize, backlog: u64) {
        if queued.next == 0 {
            queued.appended = queued.room.begin_flush();
        }
        let to = queued.next + members;
        if queued.room.notify_slice(queued.next, to, backlog) {
            queued.next = to;
            self.rooms.lock().push_back(queued);
            return;
        }
        queued.room.end_flush(queued.appended);
        // Swapped rather than stored, so that an event is visible below if its sender found the room scheduled.
        queued.room.scheduled.swap(false, Ordering::SeqCst);
        // Members that were notified before the last event was appended are notified again.
        if queued.room.has_more_than(queued.appended) {
            self.schedule(&queued.room);
        }
    }
}
