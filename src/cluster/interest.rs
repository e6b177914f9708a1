//! The subjects that a node subscribes to as it needs them: those of the rooms with members here.

use std::{
    collections::{HashMap, VecDeque},
    mem,
    sync::Arc,
    time::Duration,
};

use indexmap::IndexMap;
use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};
use zocket_layers::internal::{Broken, is_broken};

use super::subject::Subjects;

/// Time for which a room without members here stays subscribed, since the next member often follows soon.
const LINGER: Duration = Duration::from_secs(5);

/// A subscription to begin or to end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Change {
    Subscribe(Arc<str>),
    Unsubscribe(Arc<str>),
}

impl Change {
    pub(super) fn subject(&self) -> &Arc<str> {
        let (Self::Subscribe(subject) | Self::Unsubscribe(subject)) = self;
        subject
    }
}

#[derive(Debug)]
pub(super) struct Interest {
    subjects: Subjects,
    state: Mutex<State>,
    /// Notified of changes.
    pub(super) changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// In the order of their beginning, so that a simulation is repeatable.
    rooms: IndexMap<Arc<str>, Room>,
    /// Names of the rooms by their subjects.
    names: HashMap<Arc<str>, Arc<str>>,
    changes: VecDeque<Change>,
    /// Number of the last barrier that has begun.
    barriers: u64,
    /// Subjects of the rooms that were subscribed to since then.
    unsettled: Vec<Arc<str>>,
}

#[derive(Debug)]
struct Room {
    subject: Arc<str>,
    /// Number of the barrier after which every node's events to this room arrive here.
    barrier: u64,
    /// Time at which the last member left.
    empty_since: Option<Instant>,
}

impl Interest {
    pub(super) fn new(subjects: Subjects) -> Self {
        Self {
            subjects,
            state: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Returns the number of the barrier that a member of this room waits for.
    pub(super) fn barrier_of(&self, room: &str) -> Option<u64> {
        self.state.lock().rooms.get(room).map(|room| room.barrier)
    }

    /// Returns the rooms that have members here, or had some lately.
    pub(super) fn rooms(&self) -> Vec<Arc<str>> {
        self.state.lock().rooms.keys().cloned().collect()
    }

    /// Returns the room that the events of a subject are for, if it is subscribed to. Returns it with the subject as this
    /// subscription has it: one that has ended and begun anew has another.
    pub(super) fn subscription(&self, subject: &str) -> Option<(Arc<str>, Arc<str>)> {
        let state = self.state.lock();
        let (subject, room) = state.names.get_key_value(subject)?;
        Some((subject.clone(), room.clone()))
    }

    /// Returns true if the change is what this node still wants.
    pub(super) fn wants(&self, change: &Change) -> bool {
        let names = &self.state.lock().names;
        match change {
            Change::Subscribe(subject) => names.contains_key(subject),
            Change::Unsubscribe(subject) => !names.contains_key(subject),
        }
    }

    /// Takes the changes. They have to be made in their order.
    pub(super) fn take_changes(&self) -> VecDeque<Change> {
        mem::take(&mut self.state.lock().changes)
    }

    /// Begins a barrier, if there are rooms that need one and all changes were taken. Returns its number, and
    /// the subjects of the rooms.
    pub(super) fn begin_barrier(&self) -> Option<(u64, Vec<Arc<str>>)> {
        let mut state = self.state.lock();
        if state.unsettled.is_empty() || !state.changes.is_empty() {
            return None;
        }
        state.barriers += 1;
        Some((state.barriers, mem::take(&mut state.unsettled)))
    }

    /// Ends the subscriptions of rooms that have had no members for a while.
    pub(super) fn end_empty(&self, now: Instant) {
        let mut state = self.state.lock();
        let State {
            rooms,
            names,
            changes,
            ..
        } = &mut *state;
        let is_over = |_: &Arc<str>, room: &mut Room| {
            room.empty_since
                .is_some_and(|since| now.duration_since(since) >= LINGER)
        };
        if is_broken(Broken::Interest) {
            return;
        }
        for (_, room) in rooms.extract_if(.., is_over) {
            names.remove(&room.subject);
            changes.push_back(Change::Unsubscribe(room.subject));
        }
        drop(state);
        self.changed.notify_one();
    }
}

/// Called with the lock of the room's name.
impl Interest {
    /// Subscribes to a room that gets its first member.
    pub(super) fn opened(&self, name: &Arc<str>) {
        let mut state = self.state.lock();
        if let Some(room) = state.rooms.get_mut(name) {
            room.empty_since = None;
            return;
        }
        let subject = self.subjects.room(name);
        let room = Room {
            subject: subject.clone(),
            barrier: state.barriers + 1,
            empty_since: None,
        };
        state.rooms.insert(name.clone(), room);
        state.names.insert(subject.clone(), name.clone());
        state.unsettled.push(subject.clone());
        state.changes.push_back(Change::Subscribe(subject));
        drop(state);
        self.changed.notify_one();
    }

    /// Records that a room has lost its last member.
    pub(super) fn closed(&self, name: &str) {
        if let Some(room) = self.state.lock().rooms.get_mut(name) {
            room.empty_since = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interest() -> Interest {
        Interest::new(Subjects::new("app"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_room_is_subscribed_once_and_stays_so_for_a_while_without_members() {
        let (interest, lobby) = (interest(), Arc::from("lobby"));
        interest.opened(&lobby);
        let subject = Arc::from("app.room.lobby");
        assert_eq!(interest.take_changes(), [Change::Subscribe(Arc::clone(&subject))]);
        interest.closed("lobby");
        tokio::time::advance(LINGER / 2).await;
        interest.end_empty(Instant::now());
        interest.opened(&lobby);
        tokio::time::advance(LINGER).await;
        interest.end_empty(Instant::now());
        assert!(interest.take_changes().is_empty());
        interest.closed("lobby");
        tokio::time::advance(LINGER).await;
        interest.end_empty(Instant::now());
        assert_eq!(interest.take_changes(), [Change::Unsubscribe(subject)]);
        assert!(interest.subscription("app.room.lobby").is_none());
    }

    #[test]
    fn rooms_that_open_during_a_barrier_wait_for_the_next_one() {
        let interest = interest();
        interest.opened(&Arc::from("a"));
        assert_eq!(interest.begin_barrier(), None, "its subscription is not made yet");
        interest.take_changes();
        assert_eq!(interest.begin_barrier(), Some((1, vec!["app.room.a".into()])));
        interest.opened(&Arc::from("b"));
        interest.take_changes();
        assert_eq!(interest.begin_barrier(), Some((2, vec!["app.room.b".into()])));
        assert_eq!(interest.begin_barrier(), None);
        assert_eq!(
            ["a", "b", "c"].map(|room| interest.barrier_of(room)),
            [Some(1), Some(2), None]
        );
    }
}
