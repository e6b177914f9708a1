//! Sizes of rooms on the other nodes. Each node tells the others every second which sizes have changed, so that a question
//! for a size asks nobody.
//!
//! A node numbers these messages, and its signs of life repeat the last number. A node that has missed something asks for all
//! sizes. Sizes are absolute, so that a size that is told twice does no harm.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;
use uuid::Uuid;

use super::note::json_length;

/// Bytes of the names in one message, but for a longer name.
const MESSAGE: usize = 32 << 10;
/// Messages of a node that are kept while all its sizes are asked for.
const HELD: usize = 256;
/// Space for the rooms of one node. The sizes of a node with more are not known.
const MAX_BYTES: usize = if cfg!(test) { 64 << 10 } else { 256 << 20 };
/// Bytes that a room takes beside its name.
const ROOM: usize = 64;
/// Time after which a node is asked again.
const PATIENCE: Duration = Duration::from_secs(2);

/// Rooms, and the number of their members on one node.
pub(super) type RoomSizes = Vec<(String, usize)>;

/// The rooms of this node whose sizes the others do not know yet.
#[derive(Debug, Default)]
pub(super) struct OwnSizes {
    changed: Mutex<HashSet<Arc<str>>>,
    told: AtomicU64,
}

impl OwnSizes {
    pub(super) fn change(&self, room: &str) {
        let mut changed = self.changed.lock();
        if !changed.contains(room) {
            changed.insert(room.into());
        }
    }

    /// Takes the rooms whose sizes have changed since the last call.
    pub(super) fn take_changed(&self) -> HashSet<Arc<str>> {
        mem::take(&mut *self.changed.lock())
    }

    /// Returns the number of the next message.
    pub(super) fn next(&self) -> u64 {
        self.told.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Returns the number of the last message.
    pub(super) fn told(&self) -> u64 {
        self.told.load(Ordering::Acquire)
    }
}

/// Splits sizes into messages that an engine with this limit takes. Returns at least one.
pub(super) fn messages(
    sizes: impl IntoIterator<Item = (String, usize)>,
    max_payload: usize,
) -> Vec<RoomSizes> {
    let limit = MESSAGE.min(max_payload);
    let (mut messages, mut bytes) = (vec![RoomSizes::new()], 0);
    for (room, size) in sizes {
        // With the digits of its size.
        let length = json_length(&room) + 16;
        if bytes + length > limit && bytes > 0 {
            messages.push(RoomSizes::new());
            bytes = 0;
        }
        bytes += length;
        if let Some(last) = messages.last_mut() {
            last.push((room, size));
        }
    }
    messages
}

/// The sizes that the other nodes have told.
#[derive(Debug, Default)]
pub(super) struct OtherSizes {
    nodes: HashMap<Uuid, Told>,
    sums: HashMap<Arc<str>, u64>,
}

/// Sizes that one node has told.
#[derive(Debug, Default)]
struct Told {
    /// 32 bits, so that no sum overflows.
    rooms: HashMap<Arc<str>, u32>,
    /// Bytes of the rooms.
    bytes: usize,
    /// True if they exceeded the limit. Then nothing is kept, and the node is not asked again.
    is_too_large: bool,
    /// Number of the last message that is contained. None before all sizes were told once.
    number: Option<u64>,
    /// Set while messages are missing.
    behind: Option<Behind>,
}

#[derive(Debug)]
struct Behind {
    asked: Instant,
    /// Messages that came meanwhile. They follow all sizes.
    held: VecDeque<(u64, RoomSizes)>,
    held_bytes: usize,
    /// Parts of all sizes that have come, and their number.
    parts: Vec<RoomSizes>,
    parts_bytes: usize,
    number: u64,
}

impl OtherSizes {
    /// Returns the number of members on other nodes.
    pub(super) fn of(&self, room: &str) -> usize {
        let sum = self.sums.get(room).copied().unwrap_or_default();
        usize::try_from(sum).unwrap_or(usize::MAX)
    }

    /// Returns those among the nodes whose sizes are not known.
    pub(super) fn missing(&self, nodes: &[Uuid]) -> Vec<Uuid> {
        let is_unknown = |node: &&Uuid| self.nodes.get(node).is_none_or(|told| told.number.is_none());
        nodes.iter().filter(is_unknown).copied().collect()
    }

    /// Compares with the number of the last message that the node has sent. Returns true if it has to be asked for all sizes.
    #[must_use]
    pub(super) fn compare(&mut self, node: Uuid, last: u64, now: Instant) -> bool {
        let told = self.nodes.entry(node).or_default();
        if told.is_too_large {
            return false;
        }
        if let Some(behind) = &mut told.behind {
            let asks = now.duration_since(behind.asked) >= PATIENCE;
            if asks {
                behind.asked = now;
            }
            return asks;
        }
        // A number that is already passed was overtaken.
        if told.number.is_some_and(|number| number >= last) {
            return false;
        }
        told.behind = Some(Behind::since(now));
        true
    }

    /// Applies changed sizes. Returns true if the node has to be asked for all sizes.
    #[must_use]
    pub(super) fn changed(&mut self, node: Uuid, number: u64, sizes: RoomSizes, now: Instant) -> bool {
        let told = self.nodes.entry(node).or_default();
        if told.is_too_large {
            return false;
        }
        if let Some(behind) = &mut told.behind {
            behind.hold(number, sizes);
            return false;
        }
        match told.number {
            Some(last) if number <= last => false,
            Some(last) if number == last + 1 => {
                told.number = Some(number);
                told.apply(sizes, &mut self.sums);
                told.check_space(node, &mut self.sums);
                false
            }
            _ => {
                let mut behind = Behind::since(now);
                behind.hold(number, sizes);
                told.behind = Some(behind);
                true
            }
        }
    }

    /// Takes a part of all sizes, as they were after the message with this number.
    pub(super) fn all(&mut self, node: Uuid, number: u64, (part, of): (usize, usize), sizes: RoomSizes) {
        let told = self.nodes.entry(node).or_default();
        // Nothing was asked for, or it was answered already.
        let Some(behind) = &mut told.behind else { return };
        if part == 0 {
            behind.parts.clear();
            behind.parts_bytes = 0;
            behind.number = number;
        }
        // A part has got lost. The node is asked again.
        if behind.parts.len() != part || behind.number != number {
            return;
        }
        behind.parts_bytes += weight(&sizes);
        behind.parts.push(sizes);
        if behind.parts_bytes > MAX_BYTES {
            return told.give_up(node, &mut self.sums);
        }
        if behind.parts.len() < of {
            return;
        }
        let Some(behind) = told.behind.take() else { return };
        told.clear(&mut self.sums);
        told.number = Some(number);
        for sizes in behind.parts {
            told.apply(sizes, &mut self.sums);
        }
        for (next, sizes) in behind.held {
            // After a gap, the next sign of life shows that messages are missing.
            if told.number == Some(next.wrapping_sub(1)) {
                told.number = Some(next);
                told.apply(sizes, &mut self.sums);
            }
        }
        told.check_space(node, &mut self.sums);
    }

    /// Forgets the sizes of a node.
    pub(super) fn forget(&mut self, node: Uuid) {
        if let Some(mut told) = self.nodes.remove(&node) {
            told.clear(&mut self.sums);
        }
    }
}

impl Behind {
    const fn since(asked: Instant) -> Self {
        Self {
            asked,
            held: VecDeque::new(),
            held_bytes: 0,
            parts: Vec::new(),
            parts_bytes: 0,
            number: 0,
        }
    }

    fn hold(&mut self, number: u64, sizes: RoomSizes) {
        self.held_bytes += weight(&sizes);
        self.held.push_back((number, sizes));
        while self.held.len() > HELD || self.held_bytes > MAX_BYTES {
            let Some((_, oldest)) = self.held.pop_front() else {
                return;
            };
            self.held_bytes -= weight(&oldest);
        }
    }
}

impl Told {
    fn apply(&mut self, sizes: RoomSizes, sums: &mut HashMap<Arc<str>, u64>) {
        for (room, size) in sizes {
            let size = u32::try_from(size).unwrap_or(u32::MAX);
            let bytes = ROOM + room.len();
            // The name is kept once for all nodes.
            let room = match sums.get_key_value(&*room) {
                Some((room, _)) => room.clone(),
                None => room.into(),
            };
            let before = match size {
                0 => self.rooms.remove(&room),
                size => self.rooms.insert(room.clone(), size),
            };
            match (before.is_some(), size > 0) {
                (false, true) => self.bytes += bytes,
                (true, false) => self.bytes -= bytes,
                _ => {}
            }
            add(sums, room, before.unwrap_or_default(), size);
        }
    }

    /// Keeps nothing of a node with too many rooms.
    fn check_space(&mut self, node: Uuid, sums: &mut HashMap<Arc<str>, u64>) {
        if self.bytes > MAX_BYTES {
            self.give_up(node, sums);
        }
    }

    fn give_up(&mut self, node: Uuid, sums: &mut HashMap<Arc<str>, u64>) {
        tracing::warn!(%node, limit = MAX_BYTES, "the sizes of another node's rooms are not known: too many rooms");
        self.clear(sums);
        *self = Self {
            is_too_large: true,
            ..Self::default()
        };
    }

    fn clear(&mut self, sums: &mut HashMap<Arc<str>, u64>) {
        self.bytes = 0;
        for (room, size) in self.rooms.drain() {
            add(sums, room, size, 0);
        }
    }
}

fn weight(sizes: &RoomSizes) -> usize {
    sizes.iter().map(|(room, _)| ROOM + room.len()).sum()
}

/// Replaces a node's share of a room's sum.
fn add(sums: &mut HashMap<Arc<str>, u64>, room: Arc<str>, before: u32, now: u32) {
    let sum = sums.get(&room).copied().unwrap_or_default() + u64::from(now) - u64::from(before);
    match sum {
        0 => sums.remove(&room),
        sum => sums.insert(room, sum),
    };
}

#[cfg(test)]
mod tests;
