//! Notification of the members of large rooms, in slices.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    ops::RangeInclusive,
    sync::{Arc, atomic::Ordering},
    task::Poll,
    time::Duration,
};

use tokio::time::Instant;

use super::room::Room;
use crate::sync::{AtomicBool, IS_MODELLED, Mutex, Notify};

/// Target time for the members of one slice to read and to be written to. After each slice, the next room has its turn,
/// and other tasks run.
const SLICE: Duration = Duration::from_micros(200);
/// Minimum and maximum number of members in a slice.
const SLICE_MEMBERS: RangeInclusive<usize> = if IS_MODELLED { 1..=1 } else { 8..=128 };

/// Queue of large rooms whose members have to be notified of new events. A room is in the queue at most once.
#[derive(Debug, Default)]
pub(super) struct Flusher(Arc<Queue>);

/// Several runs may work on the queue. One that is not polled any more, as its runtime is gone or stands still, delays
/// no room: a run holds a room only within a poll, and each room in the queue wakes all runs. The same holds for a run
/// that waits behind a task which blocks its thread. Of the tasks that a thread wakes, tokio keeps the last one for that
/// thread, so other threads can poll all runs but one.
#[derive(Debug, Default)]
struct Queue {
    rooms: Mutex<VecDeque<QueuedRoom>>,
    /// Wakes each run.
    runs: Mutex<Vec<Arc<Notify>>>,
    /// True once the hub is dropped.
    ended: AtomicBool,
}

/// A room in the queue, and the position of the member that is notified next.
#[derive(Debug)]
struct QueuedRoom {
    room: Arc<Room>,
    next: usize,
    /// Footprint of all entries that were appended when the first member was notified.
    appended: u64,
}

impl Flusher {
    /// Queues a room, unless it is queued already.
    pub(super) fn schedule(&self, room: &Arc<Room>) {
        self.0.schedule(room);
    }

    /// Notifies members until the hub is dropped.
    pub(super) fn run(&self) -> impl Future<Output = ()> + Send + 'static {
        let run = Run::new(self.0.clone());
        async move {
            let Run { queue, woken } = &run;
            let mut members = *SLICE_MEMBERS.start();
            loop {
                // Not in the condition, which would hold the lock.
                let queued = queue.rooms.lock().pop_front();
                if let Some(queued) = queued {
                    let begin = Instant::now();
                    queue.notify_slice(queued, members, woken);
                    // Waits until the notified members have run.
                    requeue().await;
                    let took = begin.elapsed();
                    let fit = members as f64 * SLICE.div_duration_f64(took.max(SLICE / 128));
                    // The number shrinks at once, and grows by at most a quarter per slice.
                    members = (fit as usize).min(members + members / 4);
                    members = members.clamp(*SLICE_MEMBERS.start(), *SLICE_MEMBERS.end());
                    continue;
                }
                if queue.ended.load(Ordering::Acquire) {
                    break;
                }
                woken.notified().await;
                // Members that read a message now may send to the same room. Their events are then delivered together.
                requeue().await;
            }
        }
    }
}

/// Waits until the tasks have run that are ready now. tokio's `yield_now` would have the thread that called it wake this
/// task again, which it can't while one of those tasks blocks it. A task that wakes itself is queued, and any thread may
/// poll it.
fn requeue() -> impl Future<Output = ()> + Send {
    let mut is_queued = false;
    poll_fn(move |cx| {
        if std::mem::replace(&mut is_queued, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

/// Ends every [`run`](Flusher::run) when the hub is dropped.
impl Drop for Flusher {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Release);
        self.0.wake_runs(None);
    }
}

/// A run of the flusher, from its creation until it ends or is dropped.
struct Run {
    queue: Arc<Queue>,
    woken: Arc<Notify>,
}

impl Run {
    fn new(queue: Arc<Queue>) -> Self {
        let woken = Arc::new(Notify::default());
        queue.runs.lock().push(woken.clone());
        Self { queue, woken }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.queue
            .runs
            .lock()
            .retain(|woken| !Arc::ptr_eq(woken, &self.woken));
        // The others continue what this one has begun.
        if !self.queue.rooms.lock().is_empty() {
            self.queue.wake_runs(None);
        }
    }
}

impl Queue {
    /// Wakes all runs, except the one that calls this.
    fn wake_runs(&self, except: Option<&Arc<Notify>>) {
        for woken in &*self.runs.lock() {
            if except.is_none_or(|except| !Arc::ptr_eq(except, woken)) {
                woken.notify_one();
            }
        }
    }

    fn schedule(&self, room: &Arc<Room>) {
        if !room.scheduled.swap(true, Ordering::SeqCst) {
            let queued = QueuedRoom {
                room: room.clone(),
                next: 0,
                appended: 0,
            };
            self.rooms.lock().push_back(queued);
            self.wake_runs(None);
        }
    }

    /// Notifies one slice of members, in this run.
    fn notify_slice(&self, mut queued: QueuedRoom, members: usize, run: &Arc<Notify>) {
        if queued.next == 0 {
            queued.appended = queued.room.appended();
        }
        let to = queued.next + members;
        if queued.room.notify_slice(queued.next, to) {
            queued.next = to;
            self.rooms.lock().push_back(queued);
            // This run may not be polled again.
            self.wake_runs(Some(run));
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
