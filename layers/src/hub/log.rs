//! What a room sends: appended once, read by each member at its own pace, without a lock.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;

use crate::{Event, Except};

/// Frames of more bytes are not joined: to write them by themselves costs less than to copy them.
const JOINED_FRAME: usize = 1 << 10;
/// So many bytes of frames are joined at most.
const JOINED: usize = 16 << 10;

/// What the numbers of everything that a hub sends are taken from.
#[derive(Debug, Default)]
pub(super) struct Clock {
    last: AtomicU64,
    /// The last number of something that those in some rooms do not take.
    last_selective: AtomicU64,
}

impl Clock {
    /// The next number. Taken under the lock of the log that the entry goes to.
    pub(super) fn tick(&self) -> u64 {
        self.last.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// The last number that was taken.
    pub(super) fn now(&self) -> u64 {
        self.last.load(Ordering::SeqCst)
    }

    /// Says that what has this number depends on the rooms that its receivers are in. Before it is appended.
    pub(super) fn note_selective(&self, number: u64) {
        self.last_selective.fetch_max(number, Ordering::AcqRel);
    }

    /// Whether, of what came after a number, anything may depend on the rooms that its receivers are in.
    pub(super) fn is_selective_after(&self, number: u64) -> bool {
        self.last_selective.load(Ordering::Acquire) > number
    }
}

/// One event, at its place in the order of the hub.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// From 1, across everything that the hub sends.
    pub(super) number: u64,
    /// Shared by the entries of one event that went to several rooms.
    pub(super) group: Option<Arc<Group>>,
    /// Who does not take it.
    pub(super) except: Option<Arc<Except>>,
    pub(super) event: Event,
}

/// What the entries of one event in several logs have in common: a member of several of the rooms takes one.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Whether the event stands in all of the logs already.
    pub(super) complete: AtomicBool,
}

impl Entry {
    /// Whether every reader takes it as it is, and it is small.
    fn can_be_joined(&self) -> bool {
        self.group.is_none() && self.except.is_none() && self.event.wire().len() <= JOINED_FRAME
    }
}

/// A place in a log: the end, until something is appended there. Whoever holds it keeps all that follows, and
/// nothing of what came before.
#[derive(Debug, Default)]
pub(super) struct Place {
    filled: OnceLock<(Entry, Arc<Self>)>,
    /// What its readers have read from here at once.
    run: OnceLock<Box<Run>>,
}

/// The frames of several entries, one after the other, as all who begin to read at the same place share them.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) wire: Bytes,
    /// What the entries weigh.
    pub(super) weight: u64,
    /// The last one's number.
    last: u64,
    /// Where the reader goes on.
    pub(super) next: Arc<Place>,
}

impl Place {
    /// What stands here, and the next place.
    pub(super) fn get(&self) -> Option<&(Entry, Arc<Self>)> {
        self.filled.get()
    }

    /// What stands here, if it has a number up to `until`.
    pub(super) fn get_until(&self, until: u64) -> Option<&(Entry, Arc<Self>)> {
        self.get().filter(|(entry, _)| entry.number <= until)
    }

    /// What stands here and at the places that follow, joined, if that is worth it. Made by the first who asks.
    pub(super) fn run_until(&self, until: u64) -> Option<&Run> {
        if let Some(run) = self.run.get() {
            return (run.last <= until).then_some(&**run);
        }
        let (_, second) = self.get_joinable(until)?;
        second.get_joinable(until)?;
        let run = self.run.get_or_init(|| Box::new(self.join(until)));
        (run.last <= until).then_some(&**run)
    }

    fn get_joinable(&self, until: u64) -> Option<&(Entry, Arc<Self>)> {
        self.get_until(until).filter(|(entry, _)| entry.can_be_joined())
    }

    fn join(&self, until: u64) -> Run {
        let mut wire = BytesMut::with_capacity(2 * JOINED_FRAME);
        let (mut weight, mut last) = (0, 0);
        let mut next = Arc::default();
        let mut place = self;
        while let Some((entry, following)) = place.get_joinable(until)
            && wire.len() < JOINED
        {
            wire.extend_from_slice(entry.event.wire());
            weight += entry.event.weight() as u64;
            last = entry.number;
            next = following.clone();
            place = following;
        }
        Run {
            wire: wire.freeze(),
            weight,
            last,
            next,
        }
    }
}

/// The last holder of the first of many places lets them go one by one, not by recursion.
impl Drop for Place {
    fn drop(&mut self) {
        // A run goes first: the place where it ends is still held by the one before it.
        self.run.take();
        let mut next = self.filled.take().map(|(_, next)| next);
        while let Some(place) = next {
            next = Arc::into_inner(place)
                .and_then(|mut place| {
                    place.run.take();
                    place.filled.take()
                })
                .map(|(_, next)| next);
        }
    }
}

/// A log's end, where entries are appended.
#[derive(Debug, Default)]
pub(super) struct Log(Mutex<Arc<Place>>);

impl Log {
    /// The place of the next entry, and what `at` says while nothing is appended.
    pub(super) fn end<R>(&self, at: impl FnOnce() -> R) -> (Arc<Place>, R) {
        let end = self.0.lock();
        (end.clone(), at())
    }

    /// Appends what `entry` makes, then calls `appended`. Both are called under the log's lock: a number that
    /// `entry` takes is in the log's order.
    pub(super) fn append<E>(
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
