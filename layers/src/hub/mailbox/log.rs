//! Log of a room. Events are appended once, and each member reads them at its own pace, without a lock.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::{Bytes, BytesMut};

use crate::{
    effect::{Event, Except},
    protocol::Form,
    sync::{AtomicBool, AtomicU64, Mutex, OnceLock},
};

/// Maximum length in bytes of a frame that is copied into a batch. Writing a larger frame by itself is cheaper than
/// copying it.
pub(super) const JOINED_FRAME: usize = 1 << 10;
/// Maximum length in bytes of a batch.
pub(super) const JOINED: usize = 16 << 10;

/// Bytes that an allocation takes beside its content: reference counts, and the allocator's rounding.
const ALLOCATION: usize = 32;

/// Counter that numbers all events of a hub.
#[derive(Debug, Default)]
pub(in crate::hub) struct Clock {
    last: AtomicU64,
    /// Number of events so far whose exceptions depend on the rooms of their receivers. An event is counted after all of
    /// its entries were appended, and before its sender continues. A reader that loads this number before it pulls has
    /// then read the entries of the events that were counted.
    selective: AtomicU64,
}

impl Clock {
    /// Takes the next number. The caller holds the lock of the log or inbox that the entry is appended to, unless the
    /// entry has a [`Group`].
    pub(in crate::hub) fn tick(&self) -> u64 {
        self.last.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Returns the last number that was taken.
    pub(in crate::hub) fn now(&self) -> u64 {
        self.last.load(Ordering::SeqCst)
    }

    /// Counts an event whose exceptions depend on the rooms of its receivers. Called after its entries were appended.
    pub(in crate::hub) fn count_selective(&self) {
        self.selective.fetch_add(1, Ordering::AcqRel);
    }

    /// Returns the number of such events so far.
    pub(in crate::hub) fn selective(&self) -> u64 {
        self.selective.load(Ordering::Acquire)
    }
}

/// An event with its position in the hub's order.
#[derive(Debug, Clone)]
pub(in crate::hub) struct Entry {
    /// Number of the event, from 1, unique among all events of the hub.
    pub(in crate::hub) number: u64,
    /// Shared by the entries of one event that was sent to several rooms.
    pub(in crate::hub) group: Option<Arc<Group>>,
    /// Clients that do not receive the event.
    pub(in crate::hub) except: Option<Arc<Except>>,
    pub(in crate::hub) event: Event,
    /// Bytes that the entry counts for in [`Limits::room_backlog`](crate::limits::Limits::room_backlog): the memory of
    /// its place, its event and its exceptions.
    pub(in crate::hub) footprint: u64,
}

/// Group of the entries of one event in several logs. A member of several of the rooms receives one of them.
#[derive(Debug, Default)]
pub(in crate::hub) struct Group {
    /// True once the event is in all of the logs.
    pub(in crate::hub) complete: AtomicBool,
}

impl Entry {
    /// Creates an entry of a log.
    pub(in crate::hub) fn new(
        number: u64,
        group: Option<Arc<Group>>,
        except: Option<Arc<Except>>,
        event: Event,
    ) -> Self {
        let footprint = size_of::<Place>() + ALLOCATION + event.footprint();
        let footprint = footprint + except.as_ref().map_or(0, |except| except.footprint());
        Self {
            number,
            group,
            except,
            event,
            footprint: footprint as u64,
        }
    }

    /// Returns true for a small event that every reader receives unconditionally.
    fn can_be_joined(&self, form: Form) -> bool {
        self.group.is_none() && self.except.is_none() && self.event.wire(form).len() <= JOINED_FRAME
    }
}

/// A place in a log. It is the log's end until an entry is appended there. A place keeps the later ones alive, and none
/// of the earlier ones.
#[derive(Debug, Default)]
pub(in crate::hub) struct Place {
    filled: OnceLock<(Entry, Arc<Self>)>,
    /// Batches that begin here, one per encoding of events.
    batches: [OnceLock<Box<JoinedBatch>>; Form::EVENT_ENCODINGS],
}

/// Frames that are written to a socket unchanged. Receivers share them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Batch {
    /// Whole WebSocket frames, one after another.
    pub wire: Bytes,
    /// Bytes that the frames count for in a bounded queue.
    pub weight: usize,
    /// Number of frames.
    pub frames: usize,
}

/// A batch of several entries, shared by all readers that begin at the same place.
#[derive(Debug)]
pub(in crate::hub) struct JoinedBatch {
    pub(in crate::hub) batch: Batch,
    /// Number of the last entry.
    last: u64,
    /// Place after the last entry.
    pub(in crate::hub) next: Arc<Place>,
    /// Sum of the entries' footprints.
    pub(in crate::hub) footprint: u64,
    /// Space of the batch itself.
    _space: Space,
}

/// Space for the batches of a room. Without space, readers read the entries one by one.
#[derive(Debug)]
pub(in crate::hub) struct BatchSpace {
    limit: usize,
    taken: AtomicUsize,
}

/// Space that a batch has taken, until it is dropped.
#[derive(Debug)]
struct Space {
    of: Arc<BatchSpace>,
    bytes: usize,
}

impl BatchSpace {
    pub(in crate::hub) const fn new(limit: usize) -> Self {
        Self {
            limit,
            taken: AtomicUsize::new(0),
        }
    }

    fn left(&self) -> usize {
        self.limit.saturating_sub(self.taken.load(Ordering::Relaxed))
    }

    fn take(space: &Arc<Self>, bytes: usize) -> Option<Space> {
        // Dropping it returns the bytes, also those beyond the limit.
        let taken = space.taken.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let of = space.clone();
        let taking = Space { of, bytes };
        (taken <= space.limit).then_some(taking)
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        self.of.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Place {
    /// Returns the entry at this place, and the next place.
    pub(in crate::hub) fn get(&self) -> Option<&(Entry, Arc<Self>)> {
        self.filled.get()
    }

    /// Returns the entry at this place and the next place, if the entry's number is at most `until`.
    pub(in crate::hub) fn get_until(&self, until: u64) -> Option<&(Entry, Arc<Self>)> {
        self.get().filter(|(entry, _)| entry.number <= until)
    }

    /// Returns the batch of the entries from here on, if several can be joined, all of them have numbers up to `until`,
    /// and the room has space for it. The first reader creates it.
    pub(in crate::hub) fn batch_until(
        &self,
        until: u64,
        form: Form,
        space: &Arc<BatchSpace>,
    ) -> Option<&JoinedBatch> {
        let made = &self.batches[form.event_encoding()];
        if let Some(joined) = made.get() {
            return (joined.last <= until).then_some(&**joined);
        }
        let (_, second) = self.get_joinable(until, form)?;
        second.get_joinable(until, form)?;
        let room = space
            .left()
            .checked_sub(size_of::<JoinedBatch>() + 2 * ALLOCATION)?;
        let (entries, bytes) = self.joinable(until, form, room.min(JOINED));
        if entries < 2 {
            return None;
        }
        let space = BatchSpace::take(space, bytes + size_of::<JoinedBatch>() + 2 * ALLOCATION)?;
        let joined = made.get_or_init(|| Box::new(self.join(entries, bytes, form, space)));
        (joined.last <= until).then_some(&**joined)
    }

    fn get_joinable(&self, until: u64, form: Form) -> Option<&(Entry, Arc<Self>)> {
        self.get_until(until)
            .filter(|(entry, _)| entry.can_be_joined(form))
    }

    /// Returns the number of entries from here on that can be joined, and the bytes of their frames, at most `room`.
    fn joinable(&self, until: u64, form: Form, room: usize) -> (usize, usize) {
        let (mut entries, mut bytes, mut place) = (0, 0, self);
        while let Some((entry, next)) = place.get_joinable(until, form) {
            let joined = bytes + entry.event.wire(form).len();
            if joined > room {
                break;
            }
            (entries, bytes, place) = (entries + 1, joined, next);
        }
        (entries, bytes)
    }

    fn join(&self, entries: usize, bytes: usize, form: Form, space: Space) -> JoinedBatch {
        let mut wire = BytesMut::with_capacity(bytes);
        let (mut weight, mut footprint, mut last) = (0, 0, 0);
        let mut next = Arc::default();
        let mut place = self;
        for _ in 0..entries {
            let Some((entry, following)) = place.get() else {
                break;
            };
            wire.extend_from_slice(entry.event.wire(form));
            weight += entry.event.weight();
            footprint += entry.footprint;
            last = entry.number;
            next = following.clone();
            place = following;
        }
        JoinedBatch {
            batch: Batch {
                wire: wire.freeze(),
                weight,
                frames: entries,
            },
            last,
            next,
            footprint,
            _space: space,
        }
    }

    /// Drops the batches that begin here. Each refers to a later place, so they are dropped while the chain still holds
    /// that place. Otherwise dropping a batch would drop the chain recursively.
    fn drop_batches(&mut self) {
        for batch in &mut self.batches {
            batch.take();
        }
    }
}

impl Batch {
    /// Creates a batch from encoded frames: `wire` holds `frames` whole WebSocket frames.
    #[must_use]
    pub const fn new(wire: Bytes, weight: usize, frames: usize) -> Self {
        Self { wire, weight, frames }
    }

    /// Creates a batch of one event's frame.
    pub(in crate::hub) fn of(event: &Event, form: Form) -> Self {
        Self {
            wire: event.wire(form).clone(),
            weight: event.weight(),
            frames: 1,
        }
    }
}

/// Drops a chain of places in a loop. Recursion would overflow the stack.
impl Drop for Place {
    fn drop(&mut self) {
        // Batches are dropped first, while the place after each is still held by the place before it. Their drop then
        // does not recurse.
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

/// The end of a log, where entries are appended.
#[derive(Debug, Default)]
pub(in crate::hub) struct Log(Mutex<Arc<Place>>);

impl Log {
    /// Returns the place of the next entry, and the result of `at`, which is called with the log's lock held, so that
    /// nothing is appended meanwhile.
    pub(in crate::hub) fn end<R>(&self, at: impl FnOnce() -> R) -> (Arc<Place>, R) {
        let end = self.0.lock();
        (end.clone(), at())
    }

    /// Appends the result of `entry`, then calls `appended` with its footprint. Both are called with the log's lock held, so that numbers
    /// that `entry` takes follow the log's order.
    pub(in crate::hub) fn append<E>(
        &self,
        entry: impl FnOnce() -> Result<Entry, E>,
        appended: impl FnOnce(u64),
    ) -> Result<(), E> {
        let mut end = self.0.lock();
        let entry = entry()?;
        let footprint = entry.footprint;
        let next = Arc::new(Place::default());
        // The end is filled only here, under the lock.
        let _ = end.filled.set((entry, next.clone()));
        *end = next;
        appended(footprint);
        Ok(())
    }
}
