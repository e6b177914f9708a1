//! A membership, as the member sees it.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;

use super::{
    log::{Entry, Place},
    room::Room,
};

/// A membership, as the member sees it.
pub(super) struct Subscription {
    pub(super) room: Arc<Room>,
    /// What is to be read next.
    pub(super) place: Arc<Place>,
    /// Weight of what was read, for the room to see.
    pub(super) read: Arc<AtomicU64>,
}

impl Subscription {
    /// Ends the reading. Returns the place where what was not read begins.
    pub(super) fn mute(&mut self) -> Arc<Place> {
        // Never behind again.
        self.read.store(u64::MAX, Ordering::Relaxed);
        mem::take(&mut self.place)
    }

    /// Reads on, up to and with the entry of this number. Returns whether that was all: an entry that not everyone
    /// takes is left, with what comes after it.
    pub(super) fn read_wire(&mut self, until: u64, take: &mut dyn FnMut(Bytes, usize)) -> bool {
        let mut weight = 0;
        let mut was_all = true;
        while let Some((entry, next)) = self.place.get_until(until) {
            if entry.group.is_some() || entry.except.is_some() {
                was_all = false;
                break;
            }
            let (wire, weighs, next) = match self.place.run_until(until) {
                Some(run) => (run.wire.clone(), run.weight, run.next.clone()),
                None => (
                    entry.event.wire().clone(),
                    entry.event.weight() as u64,
                    next.clone(),
                ),
            };
            take(wire, weighs as usize);
            weight += weighs;
            self.place = next;
        }
        self.advance(weight);
        was_all
    }

    fn advance(&self, weight: u64) {
        if weight > 0 {
            self.read.fetch_add(weight, Ordering::Relaxed);
        }
    }

    /// Reads on, up to and with the entry of this number.
    pub(super) fn read_until(&mut self, until: u64, mut read: impl FnMut(Entry)) {
        let mut weight = 0;
        while let Some((entry, next)) = self.place.get_until(until) {
            weight += entry.event.weight() as u64;
            read(entry.clone());
            let next = next.clone();
            self.place = next;
        }
        self.advance(weight);
    }
}
