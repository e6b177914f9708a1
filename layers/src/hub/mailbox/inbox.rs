use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    sync::{Arc, atomic::Ordering},
};

use indexmap::IndexMap;

use super::{
    log::{Batch, Clock, Entry, Group, Place},
    subscription::Subscription,
    waiting::Waiting,
};
use crate::{
    broken::{Broken, is_broken},
    client_id::ClientId,
    effect::{Close, Event},
    protocol::Form,
};

/// State of a mailbox behind its lock: unread direct events, and the position in each room.
#[derive(Default)]
pub(super) struct Inbox {
    /// Events that were sent to the client directly.
    pub(super) direct: VecDeque<Entry>,
    pub(super) direct_weight: usize,
    /// Events that were moved here from the logs of rooms before the client entered or left a room, in order.
    pub(super) kept: VecDeque<Entry>,
    pub(super) kept_footprint: u64,
    /// Events that were read while the reader was behind. All of them come before the unread ones.
    pub(super) waiting: Option<Box<Waiting>>,
    pub(super) everyone: Option<Subscription>,
    pub(super) rooms: IndexMap<Arc<str>, Subscription>,
    /// [`Clock::selective`] before the last pull: the exceptions of the events that it counts were applied.
    resolved: u64,
    /// Groups of which an entry was read, by number. Kept while another entry of the group may follow.
    seen: BTreeMap<u64, Arc<Group>>,
    pub(super) close: Option<Box<Close>>,
    pub(super) overflowed: bool,
    /// Nothing is read any more, so nothing is kept.
    pub(super) muted: bool,
    /// The client has disconnected. It can't enter rooms.
    pub(super) gone: bool,
}

impl Inbox {
    /// Applies the exceptions of unread events. Called before the client enters or leaves a room, since exceptions
    /// refer to its rooms at the time of sending.
    pub(super) fn resolve_exclusions(&mut self, client: ClientId, clock: &Clock) {
        let selective = clock.selective();
        if selective == self.resolved {
            return;
        }
        self.resolved = selective;
        let mut everyone = self.everyone.take();
        let mut rooms = mem::take(&mut self.rooms);
        for subscription in everyone.iter_mut().chain(rooms.values_mut()) {
            self.keep_unread(subscription);
        }
        (self.everyone, self.rooms) = (everyone, rooms);
        self.sort_kept();
        let Self {
            kept,
            kept_footprint,
            rooms,
            ..
        } = self;
        kept.retain_mut(|entry| {
            let is_out = entry
                .except
                .take()
                .is_some_and(|except| except.covers(&client, |room| rooms.contains_key(room)));
            if is_out {
                *kept_footprint -= entry.footprint;
            }
            !is_out
        });
    }

    /// Moves the unread events of a room's log to the kept events.
    pub(super) fn keep_unread(&mut self, subscription: &mut Subscription) {
        subscription.read_until(u64::MAX, |entry| {
            self.kept_footprint += entry.footprint;
            self.kept.push_back(entry);
        });
    }

    pub(super) fn sort_kept(&mut self) {
        self.kept.make_contiguous().sort_by_key(|entry| entry.number);
    }

    /// Stops reading, and drops the events outside of rooms. Returns the unread places of the rooms.
    pub(super) fn silence(&mut self, overflowed: bool) -> Vec<Arc<Place>> {
        self.muted = true;
        self.overflowed |= overflowed;
        self.direct = VecDeque::new();
        self.kept = VecDeque::new();
        self.waiting = None;
        (self.direct_weight, self.kept_footprint) = (0, 0);
        let subscriptions = self.everyone.iter_mut().chain(self.rooms.values_mut());
        subscriptions.map(Subscription::mute).collect()
    }

    /// Passes the unread events to `take` in batches. If only one room has any, its shared batches are passed, since
    /// there is no order among rooms to establish.
    pub(super) fn pull_batches(
        &mut self,
        client: ClientId,
        clock: &Clock,
        form: Form,
        take: &mut dyn FnMut(Batch),
    ) {
        let selective = clock.selective();
        let until = clock.now();
        let Self {
            direct,
            kept,
            waiting,
            everyone,
            rooms,
            seen,
            resolved,
            ..
        } = self;
        let mut unread = None;
        let mut sources = [
            direct.is_empty(),
            kept.is_empty(),
            waiting.is_none(),
            seen.is_empty(),
        ]
        .into_iter()
        .filter(|is_empty| !is_empty)
        .count();
        let subscriptions = everyone.iter().chain(rooms.values()).enumerate();
        for (index, _) in subscriptions.filter(|(_, source)| source.place.get_until(until).is_some()) {
            sources += 1;
            unread = Some(index);
        }
        if let (1, Some(index)) = (sources, unread)
            && let Some(source) = everyone.iter_mut().chain(rooms.values_mut()).nth(index)
            && source.read_batches(until, form, take)
        {
            *resolved = selective;
        } else if sources > 0 {
            let mut events = Vec::new();
            self.pull(client, clock, &mut events);
            for event in events {
                take(Batch::of(&event, form));
            }
        } else {
            *resolved = selective;
        }
    }

    pub(super) fn pull(&mut self, client: ClientId, clock: &Clock, events: &mut Vec<Event>) {
        if let Some(mut waiting) = self.waiting.take() {
            waiting.take_events(events);
        }
        let Self {
            direct,
            direct_weight,
            kept,
            kept_footprint,
            everyone,
            rooms,
            seen,
            resolved,
            ..
        } = self;
        // Loaded before the clock, so that the entries of the events that it counts are visible below.
        *resolved = clock.selective();
        // If a group is complete by now, this pull reads all of its entries, and the group can be forgotten. This has
        // to be checked before the clock is read. Entries before the group's may have larger numbers than the group,
        // and `until` then covers those too.
        let complete = |group: &Arc<Group>| group.complete.load(Ordering::Acquire);
        let forgettable: Vec<_> = seen
            .iter()
            .filter(|(_, group)| complete(group))
            .map(|(number, _)| *number)
            .collect();
        // For an event with a number up to this one, all earlier events of the same sender are visible now. For an
        // event with a larger number that is not certain, so it is left for the next pull.
        let until = clock.now();

        let mut entries = Vec::new();
        while direct.front().is_some_and(|entry| entry.number <= until) {
            if let Some(entry) = direct.pop_front() {
                *direct_weight -= entry.event.weight();
                entries.push(entry);
            }
        }
        while kept.front().is_some_and(|entry| entry.number <= until) {
            if let Some(entry) = kept.pop_front() {
                *kept_footprint -= entry.footprint;
                entries.push(entry);
            }
        }
        for subscription in everyone.iter_mut().chain(rooms.values_mut()) {
            subscription.read_until(until, |entry| entries.push(entry));
        }
        if !is_broken(Broken::OrderAmongRooms) {
            entries.sort_by_key(|entry| entry.number);
        }
        entries.retain(|Entry { except, .. }| match except {
            Some(except) => !except.covers(&client, |room| rooms.contains_key(room)),
            None => true,
        });
        // Keeps one of several entries of the same event.
        entries.retain(|Entry { number, group, .. }| match group {
            Some(group) => seen.insert(*number, group.clone()).is_none(),
            None => true,
        });
        events.extend(entries.into_iter().map(|entry| entry.event));
        for number in forgettable {
            seen.remove(&number);
        }
    }
}
