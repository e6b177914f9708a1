use std::collections::{BTreeMap, HashMap};

use crate::{
    effect::{Delivery, Event},
    protocol::Name,
};

/// Bytes that an event takes beside its own: its place in the tree, which may be half empty.
const PLACE: usize = 64;
/// Bytes that the key of a latest event takes: its place in the table, which may be half empty.
const KEY: usize = 2 * (size_of::<(Name, u64, u64)>() + 1);

/// Events that wait for a reader which is behind, in order. Their deliveries have been applied.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Events by the number of their addition. So one in the middle can be removed.
    events: BTreeMap<u64, Event>,
    next: u64,
    /// Position of the event with [`Delivery::Latest`], by its name and its key.
    latest: HashMap<(Name, u64), u64>,
    bytes: usize,
}

/// Result of adding an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// The event waits.
    Kept,
    /// The event waits, and the older one is dropped.
    Replaced,
    /// The event is dropped.
    Dropped,
}

impl Waiting {
    /// Adds an event at the end, according to its delivery.
    pub(super) fn add(&mut self, event: Event) -> Added {
        let mut added = Added::Kept;
        if event.delivery() == Delivery::Volatile {
            return Added::Dropped;
        }
        if let Some(key) = event.delivery_key() {
            let older = self.latest.insert((event.name().clone(), key), self.next);
            if let Some(older) = older.and_then(|older| self.events.remove(&older)) {
                self.bytes -= footprint(&older);
                added = Added::Replaced;
            }
        }
        self.bytes += footprint(&event);
        self.events.insert(self.next, event);
        self.next += 1;
        added
    }

    /// Takes the first event.
    pub(super) fn take_first(&mut self) -> Option<Event> {
        let (_, event) = self.events.pop_first()?;
        self.bytes -= footprint(&event);
        if let Some(key) = event.delivery_key() {
            self.latest.remove(&(event.name().clone(), key));
        }
        Some(event)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Returns true if the events take more than `limit` bytes. One event always fits.
    pub(super) fn exceeds(&self, limit: usize) -> bool {
        self.bytes > limit && self.events.len() > 1
    }

    /// Returns the memory that the events take at most, as if no other reader shared them.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}

fn footprint(event: &Event) -> usize {
    let key = event.delivery_key().map_or(0, |_| KEY);
    event.footprint() + PLACE + key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::RawPayload;

    fn event(name: &str, number: u64) -> Event {
        Event::from_payload(name, RawPayload::json(number.to_string())).unwrap()
    }

    fn take_all(waiting: &mut Waiting) -> Vec<Event> {
        std::iter::from_fn(|| waiting.take_first()).collect()
    }

    #[test]
    fn a_latest_event_replaces_its_own_name_and_key_only_and_stands_at_the_end() {
        let mut waiting = Waiting::default();
        let mut add = |event| waiting.add(event);
        assert_eq!(add(event("a", 1).latest(7)), Added::Kept);
        assert_eq!(add(event("a", 2)), Added::Kept);
        assert_eq!(add(event("a", 3).latest(8)), Added::Kept);
        assert_eq!(add(event("b", 4).latest(7)), Added::Kept);
        assert_eq!(add(event("a", 5).volatile()), Added::Dropped);
        assert_eq!(add(event("a", 6).latest(7)), Added::Replaced);
        let expected = [event("a", 2), event("a", 3), event("b", 4), event("a", 6)];
        assert_eq!(take_all(&mut waiting), expected);
        // One that has been taken is not replaced.
        assert_eq!(waiting.add(event("a", 7).latest(7)), Added::Kept);
        assert_eq!(take_all(&mut waiting), [event("a", 7)]);
        assert_eq!((waiting.bytes(), waiting.latest.len()), (0, 0));
    }

    #[test]
    fn each_key_counts_with_its_memory() {
        let mut waiting = Waiting::default();
        for key in 0..1_000 {
            waiting.add(event("a", 1).latest(key));
        }
        let (events, keys) = (waiting.events.len(), waiting.latest.capacity());
        let tables =
            events * (size_of::<u64>() + size_of::<Event>()) + keys * (size_of::<(Name, u64, u64)>() + 1);
        let content = events * event("a", 1).footprint();
        assert!(
            waiting.bytes() >= tables + content,
            "{} {tables} {content}",
            waiting.bytes()
        );
    }
}
