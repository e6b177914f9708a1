use std::collections::{BTreeMap, HashMap};

use super::log::{Batch, JOINED, JOINED_FRAME};
use crate::{
    effect::{Delivery, Event},
    protocol::{Form, FrameHeader, Name},
};

/// Bytes that an item takes beside its content: its place in the tree, which may be half empty, and an allocation.
const PLACE: usize = 2 * size_of::<(u64, Item)>() + 32;
/// Bytes that the key of a latest event takes: its place in the table, which may be half empty.
const KEY: usize = 2 * (size_of::<(Name, u64, u64)>() + 1);

/// Events that wait for a reader which is behind, in order. Their deliveries have been applied.
#[derive(Debug)]
pub(super) struct Waiting {
    form: Form,
    /// Items by the number of their addition. So one in the middle can be removed.
    items: BTreeMap<u64, Item>,
    next: u64,
    /// Number of the event with [`Delivery::Latest`], by its name and its key.
    latest: HashMap<(Name, u64), u64>,
    bytes: usize,
}

#[derive(Debug)]
enum Item {
    /// An event that may be replaced, or that is too large to be copied.
    Event(Event),
    /// Frames of small reliable events. Copied, because an event with its allocations takes several times as much.
    Joined {
        wire: Vec<u8>,
        weight: usize,
        frames: usize,
    },
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

impl Item {
    /// Returns the memory of the item at most, as if no other reader shared it. It is not less than the weight.
    fn footprint(&self) -> usize {
        let content = match self {
            Self::Event(event) => event.footprint() + event.delivery_key().map_or(0, |_| KEY),
            Self::Joined { wire, weight, .. } => weight + wire.capacity() - wire.len(),
        };
        content + PLACE
    }
}

impl Waiting {
    pub(super) fn new(form: Form) -> Self {
        Self {
            form,
            items: BTreeMap::new(),
            next: 0,
            latest: HashMap::new(),
            bytes: 0,
        }
    }

    /// Adds an event at the end, according to its delivery.
    pub(super) fn add(&mut self, event: Event) -> Added {
        match event.delivery() {
            Delivery::Volatile => return Added::Dropped,
            Delivery::Reliable => {
                if event.wire(self.form).len() <= JOINED_FRAME {
                    self.join(&event);
                } else {
                    self.push(Item::Event(event));
                }
                return Added::Kept;
            }
            Delivery::Latest => {}
        }
        let mut added = Added::Kept;
        if let Some(key) = event.delivery_key() {
            let older = self.latest.insert((event.name().clone(), key), self.next);
            if let Some(older) = older.and_then(|older| self.items.remove(&older)) {
                self.bytes -= older.footprint();
                added = Added::Replaced;
            }
        }
        self.push(Item::Event(event));
        added
    }

    fn push(&mut self, item: Item) {
        self.bytes += item.footprint();
        self.items.insert(self.next, item);
        self.next += 1;
    }

    fn join(&mut self, event: &Event) {
        let frame = event.wire(self.form);
        if let Some(mut last) = self.items.last_entry() {
            let before = last.get().footprint();
            if let Item::Joined { wire, weight, frames } = last.get_mut()
                && wire.len() + frame.len() <= JOINED
            {
                wire.extend_from_slice(frame);
                *weight += event.weight();
                *frames += 1;
                self.bytes += last.get().footprint() - before;
                return;
            }
        }
        self.push(Item::Joined {
            wire: frame.to_vec(),
            weight: event.weight(),
            frames: 1,
        });
    }

    /// Takes the first events, at least one.
    pub(super) fn take_first(&mut self) -> Option<Batch> {
        self.pop().map(|item| match item {
            Item::Event(event) => Batch::of(&event, self.form),
            Item::Joined { wire, weight, frames } => Batch::new(wire.into(), weight, frames),
        })
    }

    /// Takes all events.
    pub(super) fn take_events(&mut self, events: &mut Vec<Event>) {
        while let Some(item) = self.pop() {
            match item {
                Item::Event(event) => events.push(event),
                Item::Joined { wire, .. } => {
                    let mut wire = bytes::Bytes::from(wire);
                    while let Some(length) = FrameHeader::frame_len(&wire) {
                        let frame = wire.split_to(length);
                        // The frame was written for an event, so it is one.
                        events.extend(Event::from_wire(self.form, frame).ok());
                    }
                }
            }
        }
    }

    fn pop(&mut self) -> Option<Item> {
        let (_, item) = self.items.pop_first()?;
        self.bytes -= item.footprint();
        if let Item::Event(event) = &item
            && let Some(key) = event.delivery_key()
        {
            self.latest.remove(&(event.name().clone(), key));
        }
        Some(item)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns true if the events take more than `limit` bytes. One event always fits.
    pub(super) fn exceeds(&self, limit: usize) -> bool {
        let is_one = match self.items.first_key_value() {
            Some((_, Item::Joined { frames, .. })) => self.items.len() == 1 && *frames == 1,
            _ => self.items.len() == 1,
        };
        self.bytes > limit && !is_one
    }

    /// Returns the memory that the events take at most, as if no other reader shared them.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::RawPayload;

    fn event(name: &str, number: u64) -> Event {
        Event::from_payload(name, RawPayload::json(number.to_string())).unwrap()
    }

    fn take_all(waiting: &mut Waiting) -> Vec<Event> {
        let mut events = Vec::new();
        waiting.take_events(&mut events);
        events
    }

    #[test]
    fn a_latest_event_replaces_its_own_name_and_key_only_and_stands_at_the_end() {
        let mut waiting = Waiting::new(Form::BASE);
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
    fn small_reliable_events_are_joined_and_read_one_by_one() {
        let large = |number: u64| {
            let payload = format!("[{number},\"{}\"]", "x".repeat(10_000));
            Event::from_payload("a", RawPayload::json(payload)).unwrap()
        };
        let events: Vec<_> = (0..3_000)
            .map(|number| {
                if number % 500 == 7 {
                    large(number)
                } else {
                    event("a", number)
                }
            })
            .collect();
        let mut waiting = Waiting::new(Form::BASE);
        let fill = |waiting: &mut Waiting| {
            for event in &events {
                assert_eq!(waiting.add(event.clone()), Added::Kept);
            }
        };
        fill(&mut waiting);
        assert_eq!(take_all(&mut waiting), events);
        fill(&mut waiting);
        let (mut wire, mut weight, mut frames) = (Vec::new(), 0, 0);
        while let Some(batch) = waiting.take_first() {
            wire.extend_from_slice(&batch.wire);
            weight += batch.weight;
            frames += batch.frames;
        }
        let expected: Vec<_> = events.iter().map(|event| &event.wire(Form::BASE)[..]).collect();
        assert_eq!(wire, expected.concat());
        assert_eq!(weight, events.iter().map(Event::weight).sum::<usize>());
        assert_eq!((frames, waiting.bytes()), (events.len(), 0));
    }

    #[test]
    fn each_key_counts_with_its_memory() {
        let mut waiting = Waiting::new(Form::BASE);
        for key in 0..1_000 {
            waiting.add(event("a", 1).latest(key));
        }
        let (events, keys) = (waiting.items.len(), waiting.latest.capacity());
        let tables = events * size_of::<(u64, Item)>() + keys * (size_of::<(Name, u64, u64)>() + 1);
        let content = events * event("a", 1).footprint();
        assert!(
            waiting.bytes() >= tables + content,
            "{} {tables} {content}",
            waiting.bytes()
        );
    }
}
