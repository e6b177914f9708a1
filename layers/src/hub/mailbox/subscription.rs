use std::{
    mem,
    sync::{Arc, atomic::Ordering},
};

use super::log::{Batch, BatchSpace, Entry, Place};
use crate::{protocol::Form, sync::AtomicU64};

/// A reader's position in the log of a room.
pub(in crate::hub) struct Subscription {
    /// Place that is read next.
    pub(in crate::hub) place: Arc<Place>,
    /// Footprint of the room's entries up to `place`, including those before the reader entered. Shared with the room.
    /// `u64::MAX` once the reader is muted.
    pub(in crate::hub) read: Arc<AtomicU64>,
    /// Space for the room's batches. Shared with the room.
    pub(in crate::hub) batches: Arc<BatchSpace>,
}

impl Subscription {
    /// Stops reading. Returns the place of the first unread entry.
    pub(super) fn mute(&mut self) -> Arc<Place> {
        // A muted reader never counts as behind.
        self.read.store(u64::MAX, Ordering::Relaxed);
        mem::take(&mut self.place)
    }

    /// Reads batches, up to and including the entry with the number `until`. Returns false if it stopped before an
    /// entry that not every reader receives.
    pub(super) fn read_batches(&mut self, until: u64, form: Form, take: &mut dyn FnMut(Batch)) -> bool {
        let mut footprint = 0;
        let mut was_all = true;
        while let Some((entry, next)) = self.place.get_until(until) {
            if entry.group.is_some() || entry.except.is_some() {
                was_all = false;
                break;
            }
            let (batch, read, next) = match self.place.batch_until(until, form, &self.batches) {
                Some(joined) => (joined.batch.clone(), joined.footprint, joined.next.clone()),
                None => (Batch::of(&entry.event, form), entry.footprint, next.clone()),
            };
            footprint += read;
            take(batch);
            self.place = next;
        }
        self.advance(footprint);
        was_all
    }

    fn advance(&self, footprint: u64) {
        if footprint > 0 {
            self.read.fetch_add(footprint, Ordering::Relaxed);
        }
    }

    /// Reads entries, up to and including the entry with the number `until`.
    pub(super) fn read_until(&mut self, until: u64, mut read: impl FnMut(Entry)) {
        let mut footprint = 0;
        while let Some((entry, next)) = self.place.get_until(until) {
            footprint += entry.footprint;
            read(entry.clone());
            let next = next.clone();
            self.place = next;
        }
        self.advance(footprint);
    }
}
