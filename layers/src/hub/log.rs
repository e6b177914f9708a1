//! What a room sends: appended once, read by each member at its own pace, without a lock.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use parking_lot::Mutex;

use crate::{Event, Except};

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

/// A place in a log: the end, until something is appended there. Whoever holds it keeps all that follows, and
/// nothing of what came before.
#[derive(Debug, Default)]
pub(super) struct Place(OnceLock<(Entry, Arc<Self>)>);

impl Place {
    /// What stands here, and the next place.
    pub(super) fn get(&self) -> Option<&(Entry, Arc<Self>)> {
        self.0.get()
    }
}

/// The last holder of the first of many places lets them go one by one, not by recursion.
impl Drop for Place {
    fn drop(&mut self) {
        let mut next = self.0.take().map(|(_, next)| next);
        while let Some(place) = next {
            next = Arc::into_inner(place)
                .and_then(|mut place| place.0.take())
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
        let _ = end.0.set((entry()?, next.clone()));
        *end = next;
        appended();
        Ok(())
    }
}
