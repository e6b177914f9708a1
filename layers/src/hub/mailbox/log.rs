//! The log of a room: events are appended once, and each member reads them at its own pace, without a lock.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;

use crate::{
    effect::{Event, Except},
    protocol::Form,
};

/// Limit for the bytes of a frame that is joined: to write a larger one by itself costs less than to copy it.
const JOINED_FRAME: usize = 1 << 10;
/// Limit for the bytes of a batch.
const JOINED: usize = 16 << 10;

/// Source of the numbers of all events of a hub.
#[derive(Debug, Default)]
pub(in crate::hub) struct Clock {
    last: AtomicU64,
    /// The last number of an event that depends on the rooms of its receivers.
    last_selective: AtomicU64,
}

impl Clock {
    /// Takes the next number, under the lock of the log that the entry goes to.
    pub(in crate::hub) fn tick(&self) -> u64 {
        self.last.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// The last number that was taken.
    pub(in crate::hub) fn now(&self) -> u64 {
        self.last.load(Ordering::SeqCst)
    }

    /// Notes that the event with this number depends on the rooms of its receivers. Called before it is appended.
    pub(in crate::hub) fn note_selective(&self, number: u64) {
        self.last_selective.fetch_max(number, Ordering::AcqRel);
    }

    /// Returns true if an event after this number may depend on the rooms of its receivers.
    pub(in crate::hub) fn is_selective_after(&self, number: u64) -> bool {
        self.last_selective.load(Ordering::Acquire) > number
    }
}

/// One event, at its place in the order of the hub.
#[derive(Debug, Clone)]
pub(in crate::hub) struct Entry {
    /// From 1, across everything that the hub sends.
    pub(in crate::hub) number: u64,
    /// Shared by the entries of one event that went to several rooms.
    pub(in crate::hub) group: Option<Arc<Group>>,
    /// Clients that do not take it.
    pub(in crate::hub) except: Option<Arc<Except>>,
    pub(in crate::hub) event: Event,
}

/// The entries of one event in several logs. A member of several of the rooms takes one of them.
#[derive(Debug, Default)]
pub(in crate::hub) struct Group {
    /// True when the event is in all of the logs.
    pub(in crate::hub) complete: AtomicBool,
}

impl Entry {
    /// Returns true for a small event that every reader takes as it is.
    fn can_be_joined(&self, form: Form) -> bool {
        self.group.is_none() && self.except.is_none() && self.event.wire(form).len() <= JOINED_FRAME
    }
}

/// A place in a log: the end, until something is appended there. Whoever holds it keeps all that follows, and
/// nothing of what came before.
#[derive(Debug, Default)]
pub(in crate::hub) struct Place {
    filled: OnceLock<(Entry, Arc<Self>)>,
    /// The batches that begin here, one per encoding of events.
    batches: [OnceLock<Box<JoinedBatch>>; Form::EVENT_ENCODINGS],
}

/// Frames that are written to a socket as they are. Receivers share them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Batch {
    /// Whole WebSocket frames, one after the other.
    pub wire: Bytes,
    /// Bytes that they count for in a bounded queue.
    pub weight: usize,
    /// The number of frames.
    pub frames: usize,
}

/// A batch of several entries, shared by all who begin to read at the same place.
#[derive(Debug)]
pub(in crate::hub) struct JoinedBatch {
    pub(in crate::hub) batch: Batch,
    /// Number of the last entry.
    last: u64,
    /// The place after it.
    pub(in crate::hub) next: Arc<Place>,
}

impl Place {
    /// The entry at this place, and the next place.
    pub(in crate::hub) fn get(&self) -> Option<&(Entry, Arc<Self>)> {
        self.filled.get()
    }

    /// The entry at this place, if its number is at most `until`.
    pub(in crate::hub) fn get_until(&self, until: u64) -> Option<&(Entry, Arc<Self>)> {
        self.get().filter(|(entry, _)| entry.number <= until)
    }

    /// The entries from here on, joined, if there are several that can be. The first reader who asks makes the batch.
    pub(in crate::hub) fn batch_until(&self, until: u64, form: Form) -> Option<&JoinedBatch> {
        let made = &self.batches[form.event_encoding()];
        if let Some(joined) = made.get() {
            return (joined.last <= until).then_some(&**joined);
        }
        let (_, second) = self.get_joinable(until, form)?;
        second.get_joinable(until, form)?;
        let joined = made.get_or_init(|| Box::new(self.join(until, form)));
        (joined.last <= until).then_some(&**joined)
    }

    fn get_joinable(&self, until: u64, form: Form) -> Option<&(Entry, Arc<Self>)> {
        self.get_until(until)
            .filter(|(entry, _)| entry.can_be_joined(form))
    }

    fn join(&self, until: u64, form: Form) -> JoinedBatch {
        let mut wire = BytesMut::with_capacity(2 * JOINED_FRAME);
        let (mut weight, mut frames, mut last) = (0, 0, 0);
        let mut next = Arc::default();
        let mut place = self;
        while let Some((entry, following)) = place.get_joinable(until, form)
            && wire.len() < JOINED
        {
            wire.extend_from_slice(entry.event.wire(form));
            weight += entry.event.weight();
            frames += 1;
            last = entry.number;
            next = following.clone();
            place = following;
        }
        JoinedBatch {
            batch: Batch {
                wire: wire.freeze(),
                weight,
                frames,
            },
            last,
            next,
        }
    }

    /// Lets the batches go. They hold the places where they end.
    fn drop_batches(&mut self) {
        for batch in &mut self.batches {
            batch.take();
        }
    }
}

impl Batch {
    /// Frames that are encoded already: `wire` holds `frames` whole WebSocket frames.
    #[must_use]
    pub const fn new(wire: Bytes, weight: usize, frames: usize) -> Self {
        Self { wire, weight, frames }
    }

    /// The frame of one event.
    pub(in crate::hub) fn of(event: &Event, form: Form) -> Self {
        Self {
            wire: event.wire(form).clone(),
            weight: event.weight(),
            frames: 1,
        }
    }
}

/// Drops a chain of places one by one, not by recursion.
impl Drop for Place {
    fn drop(&mut self) {
        // Batches go first: the place where one ends is still held by the place before it.
        self.drop_batches();
        let mut next = self.filled.take().map(|(_, next)| next);
        while let Some(place) = next {
            next = Arc::into_inner(place)
                .and_then(|mut place| {
                    place.drop_batches();
                    place.filled.take()
                })
                .map(|(_, next)| next);
        }
    }
}

/// A log's end, where entries are appended.
#[derive(Debug, Default)]
pub(in crate::hub) struct Log(Mutex<Arc<Place>>);

impl Log {
    /// The place of the next entry, and what `at` says while nothing is appended.
    pub(in crate::hub) fn end<R>(&self, at: impl FnOnce() -> R) -> (Arc<Place>, R) {
        let end = self.0.lock();
        (end.clone(), at())
    }

    /// Appends what `entry` makes, then calls `appended`. Both are called under the log's lock: a number that
    /// `entry` takes is in the log's order.
    pub(in crate::hub) fn append<E>(
        &self,
        entry: impl FnOnce() -> Result<Entry, E>,
        appended: impl FnOnce(),
    ) -> Result<(), E> {
        let mut end = self.0.lock();
        let next = Arc::new(Place::default());
        // The end is never filled but here.
        let _ = end.filled.set((entry()?, next.clone()));
        *end = next;
        appended();
        Ok(())
    }
}
