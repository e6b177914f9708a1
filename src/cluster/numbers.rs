//! Numbers of events, which reveal losses. A sender numbers the events of each subject. A receiver that finds a gap knows how
//! many it has lost.

use std::{collections::HashMap, sync::Arc, time::Duration};

use indexmap::IndexMap;
use tokio::time::Instant;
use uuid::Uuid;

/// Number of an event on its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Number {
    /// Number of the sequence among those that a node has begun, from 1. 0 if there is no event.
    pub(super) chain: u32,
    /// Position in the sequence, from 1.
    pub(super) position: u64,
}

impl Number {
    /// Returns true if it comes after another one. The numbers of chains begin anew after the last one.
    const fn follows(self, other: Self) -> bool {
        match self.chain == other.chain {
            true => self.position > other.position,
            false if other.chain == 0 => true,
            false => self.chain.wrapping_sub(other.chain) <= u32::MAX / 2,
        }
    }
}

/// Sequences of the events that this node sends.
#[derive(Debug, Default)]
pub(super) struct SentNumbers {
    chains: u32,
    /// In the order of their beginning, so that a simulation is repeatable.
    sequences: IndexMap<Arc<str>, Sequence>,
}

#[derive(Debug)]
struct Sequence {
    last: Number,
    /// Time of the last event.
    active: Instant,
    is_announced: bool,
}

/// Time without events after which a sequence is forgotten. By then, its last number was announced, and repeated for the nodes
/// that had missed that.
const FORGET_AFTER: Duration = Duration::from_secs(60);

impl SentNumbers {
    /// Returns the number of the next event on a subject.
    pub(super) fn next(&mut self, subject: &Arc<str>, now: Instant) -> Number {
        self.skip(subject, 1, now)
    }

    /// Uses the numbers of several events. Returns the last of them.
    pub(super) fn skip(&mut self, subject: &Arc<str>, events: u64, now: Instant) -> Number {
        let chains = &mut self.chains;
        let sequence = self.sequences.entry(subject.clone()).or_insert_with(|| {
            // 0 says that there is no event.
            *chains = chains.checked_add(1).unwrap_or(1);
            let last = Number {
                chain: *chains,
                position: 0,
            };
            Sequence {
                last,
                active: now,
                is_announced: false,
            }
        });
        sequence.last.position += events;
        sequence.active = now;
        sequence.is_announced = false;
        sequence.last
    }

    /// Writes the last numbers of these subjects. Those without a sequence keep theirs.
    pub(super) fn write_last(&self, last: &mut [(String, u32, u64)]) {
        for (subject, chain, position) in last {
            if let Some(sequence) = self.sequences.get(subject.as_str()) {
                (*chain, *position) = (sequence.last.chain, sequence.last.position);
            }
        }
    }

    /// Returns the subjects whose last number has not been announced, with that number. A loss at the end of a burst shows
    /// by nothing else. Forgets idle sequences, if every node can have received their announcements.
    pub(super) fn announcements(&mut self, now: Instant, all_hear: bool) -> Vec<(Arc<str>, Number)> {
        if all_hear {
            self.sequences.retain(|_, sequence| {
                now.duration_since(sequence.active) < FORGET_AFTER || !sequence.is_announced
            });
        }
        let open = self
            .sequences
            .iter_mut()
            .filter(|(_, sequence)| !sequence.is_announced);
        open.map(|(subject, sequence)| {
            sequence.is_announced = true;
            (subject.clone(), sequence.last)
        })
        .collect()
    }

    /// Announces all last numbers again.
    pub(super) fn repeat(&mut self) {
        for sequence in self.sequences.values_mut() {
            sequence.is_announced = false;
        }
    }
}

/// Last numbers of the events that other nodes have sent, by subject and node.
#[derive(Debug, Default)]
pub(super) struct ReceivedNumbers {
    last: HashMap<Arc<str>, HashMap<Uuid, Received>>,
}

/// Numbers of another node's events on a subject.
#[derive(Debug)]
struct Received {
    last: Number,
    /// Number of the first event, until the number before the subscription is known.
    first: Option<Number>,
}

impl ReceivedNumbers {
    /// Records the number of an event. Returns the number of events that were lost before it, or none if the event itself
    /// comes so late that it was counted as lost. That happens after a partition: what was sent over the old connection may
    /// arrive behind what was sent over the new one.
    pub(super) fn event(&mut self, subject: &Arc<str>, node: Uuid, number: Number) -> Option<u64> {
        if number.chain == 0 {
            return Some(0);
        }
        let received = self.nodes_of(subject).get(&node);
        let is_late = received.is_some_and(|received| !number.follows(received.last));
        match is_late {
            true => None,
            false => Some(self.follow(subject, node, number, number.position.saturating_sub(1))),
        }
    }

    /// Records the last number that a node has used. Returns the number of events that were lost.
    pub(super) fn announcement(&mut self, subject: &Arc<str>, node: Uuid, number: Number) -> u64 {
        self.follow(subject, node, number, number.position)
    }

    /// Records the last number that a node has used before it knew of the subscription. Returns the number of events that were
    /// lost since then.
    pub(super) fn begin(&mut self, subject: &Arc<str>, node: Uuid, number: Number) -> u64 {
        let nodes = self.nodes_of(subject);
        let received = nodes.entry(node).or_insert(Received {
            last: number,
            first: None,
        });
        let lost = match received.first.take() {
            Some(first) if first.chain == number.chain => {
                (first.position - 1).saturating_sub(number.position)
            }
            Some(first) => first.position - 1,
            None => 0,
        };
        // If events have arrived already, later ones may be on their way: the next announcement counts them.
        lost
    }

    /// Expects that everything up to `before` was received.
    fn follow(&mut self, subject: &Arc<str>, node: Uuid, number: Number, before: u64) -> u64 {
        if number.chain == 0 {
            return 0;
        }
        let nodes = self.nodes_of(subject);
        let Some(Received { last, .. }) = nodes.get_mut(&node) else {
            // The first that arrives since this node has subscribed. Earlier ones were for earlier members.
            let position = before.saturating_add(1);
            let first = Some(Number { position, ..number });
            nodes.insert(node, Received { last: number, first });
            return 0;
        };
        let received = if last.chain == number.chain {
            last.position
        } else {
            0
        };
        if !number.follows(*last) {
            return 0;
        }
        *last = number;
        before.saturating_sub(received)
    }

    /// Returns the last number of each node since this subscription began. Messages of one subscription share one name: a
    /// subscription that has ended and begun anew has another, and what was sent in between was for nobody here.
    fn nodes_of(&mut self, subject: &Arc<str>) -> &mut HashMap<Uuid, Received> {
        let known = self.last.get_key_value(subject);
        if known.is_some_and(|(known, _)| !Arc::ptr_eq(known, subject)) {
            self.last.remove(subject);
        }
        self.last.entry(subject.clone()).or_default()
    }

    /// Returns true if something of this node was recorded.
    pub(super) fn has(&self, node: Uuid) -> bool {
        self.last.values().any(|nodes| nodes.contains_key(&node))
    }

    /// Forgets the subjects that this node no longer subscribes to.
    pub(super) fn retain(&mut self, is_subscribed: impl Fn(&Arc<str>) -> bool) {
        self.last.retain(|subject, _| is_subscribed(subject));
    }

    /// Forgets nodes.
    pub(super) fn retain_nodes(&mut self, is_known: impl Fn(Uuid) -> bool) {
        for nodes in self.last.values_mut() {
            nodes.retain(|node, _| is_known(*node));
        }
    }

    /// Forgets a node that is gone.
    pub(super) fn forget_node(&mut self, node: Uuid) {
        for nodes in self.last.values_mut() {
            nodes.remove(&node);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(name: &str) -> Arc<str> {
        name.into()
    }

    #[test]
    fn each_subject_is_numbered_from_one() {
        let (mut sent, now) = (SentNumbers::default(), Instant::now());
        let positions = |sent: &mut SentNumbers, name| sent.next(&room(name), now).position;
        assert_eq!(
            [
                positions(&mut sent, "a"),
                positions(&mut sent, "b"),
                positions(&mut sent, "a")
            ],
            [1, 1, 2]
        );
    }

    #[test]
    fn every_missing_event_is_counted_once() {
        let (mut sent, mut received) = (SentNumbers::default(), ReceivedNumbers::default());
        let (a, node, now) = (room("a"), Uuid::new_v4(), Instant::now());
        let numbers: Vec<_> = (0..10).map(|_| sent.next(&a, now)).collect();
        let lost: Vec<_> = [0, 1, 4, 5, 8]
            .map(|at: usize| received.event(&a, node, numbers[at]))
            .into();
        assert_eq!(lost, [0, 0, 2, 0, 2].map(Some));
        let announced = sent.announcements(now, true);
        assert_eq!(announced, [(a.clone(), numbers[9])]);
        assert_eq!(received.announcement(&a, node, numbers[9]), 1);
        assert_eq!(received.announcement(&a, node, numbers[9]), 0);
        assert!(sent.announcements(now, true).is_empty());
        sent.repeat();
        assert_eq!(sent.announcements(now, true), [(a, numbers[9])]);
        assert!(sent.announcements(now, true).is_empty());
    }

    #[test]
    fn what_was_sent_before_the_subscription_is_not_lost() {
        let mut received = ReceivedNumbers::default();
        let number = Number {
            chain: 1,
            position: 500,
        };
        assert_eq!(received.event(&room("a"), Uuid::new_v4(), number), Some(0));
    }

    #[test]
    fn a_sequence_that_was_forgotten_begins_anew_without_a_loss() {
        let (mut sent, mut received) = (SentNumbers::default(), ReceivedNumbers::default());
        let (a, node, now) = (room("a"), Uuid::new_v4(), Instant::now());
        let first = sent.next(&a, now);
        received.event(&a, node, first);
        sent.announcements(now, true);
        assert!(sent.announcements(now + 2 * FORGET_AFTER, true).is_empty());
        let again = sent.next(&a, now + 2 * FORGET_AFTER);
        assert_ne!(again.chain, first.chain);
        assert_eq!(received.event(&a, node, again), Some(0));
        let third = {
            sent.next(&a, now);
            sent.next(&a, now)
        };
        assert_eq!(received.event(&a, node, third), Some(1));
    }

    #[test]
    fn an_event_that_was_counted_as_lost_is_not_received_any_more() {
        let (mut received, a, node) = (ReceivedNumbers::default(), room("a"), Uuid::new_v4());
        let number = |chain, position| Number { chain, position };
        assert_eq!(received.event(&a, node, number(1, 1)), Some(0));
        assert_eq!(received.event(&a, node, number(1, 4)), Some(2));
        assert_eq!(received.event(&a, node, number(1, 2)), None);
        assert_eq!(received.event(&a, node, number(1, 4)), None, "a duplicate");
        assert_eq!(received.event(&a, node, number(3, 2)), Some(1));
        assert_eq!(received.event(&a, node, number(1, 9)), None);
        assert_eq!(received.announcement(&a, node, number(1, 9)), 0);
        assert_eq!(received.event(&a, node, number(3, 3)), Some(0));
        assert_eq!(received.event(&a, node, Number::default()), Some(0));
        assert_eq!(received.event(&a, node, Number::default()), Some(0));
    }

    #[test]
    fn chains_begin_anew_after_the_last_number() {
        let (mut received, a, node) = (ReceivedNumbers::default(), room("a"), Uuid::new_v4());
        let number = |chain, position| Number { chain, position };
        assert_eq!(received.event(&a, node, number(u32::MAX, 7)), Some(0));
        assert_eq!(received.event(&a, node, number(1, 1)), Some(0));
        assert_eq!(received.event(&a, node, number(u32::MAX, 8)), None);
        assert_eq!(received.event(&a, node, number(1, 3)), Some(1));
        let mut sent = SentNumbers {
            chains: u32::MAX - 1,
            ..SentNumbers::default()
        };
        let chains = ["a", "b"].map(|name| sent.next(&room(name), Instant::now()).chain);
        assert_eq!(chains, [u32::MAX, 1]);
    }

    #[test]
    fn what_was_sent_between_two_subscriptions_is_not_lost() {
        let (mut received, node) = (ReceivedNumbers::default(), Uuid::new_v4());
        let number = |position| Number { chain: 1, position };
        let (first, second) = (room("a"), room("a"));
        assert_eq!(received.event(&first, node, number(1)), Some(0));
        assert_eq!(received.event(&second, node, number(5)), Some(0));
        assert_eq!(received.event(&second, node, number(7)), Some(1));
        assert_eq!(received.announcement(&second, node, number(8)), 1);
    }

    #[test]
    fn a_sequence_is_kept_while_a_node_can_have_missed_its_last_number() {
        let (mut sent, now) = (SentNumbers::default(), Instant::now());
        let number = sent.next(&room("a"), now);
        sent.announcements(now, true);
        let later = now + 2 * FORGET_AFTER;
        assert!(sent.announcements(later, false).is_empty());
        sent.repeat();
        assert_eq!(sent.announcements(later, false), [(room("a"), number)]);
        assert!(sent.announcements(later, true).is_empty());
        sent.repeat();
        assert!(sent.announcements(later, true).is_empty());
    }

    #[test]
    fn events_after_the_subscription_are_counted_even_if_none_arrived_before() {
        let (mut received, a, node) = (ReceivedNumbers::default(), room("a"), Uuid::new_v4());
        let number = |position| Number { chain: 1, position };
        assert_eq!(received.begin(&a, node, number(5)), 0);
        assert_eq!(received.event(&a, node, number(8)), Some(2));
        let other = Uuid::new_v4();
        assert_eq!(received.begin(&a, other, Number::default()), 0);
        assert_eq!(received.announcement(&a, other, number(3)), 3);
    }

    #[test]
    fn the_number_before_the_subscription_may_come_after_an_event() {
        let (mut received, a) = (ReceivedNumbers::default(), room("a"));
        let number = |position| Number { chain: 1, position };
        let [one, other] = [(); 2].map(|()| Uuid::new_v4());
        assert_eq!(received.event(&a, one, number(8)), Some(0));
        assert_eq!(received.begin(&a, one, number(5)), 2);
        assert_eq!(received.begin(&a, one, number(5)), 0);
        assert_eq!(received.announcement(&a, other, number(8)), 0);
        assert_eq!(received.begin(&a, other, number(5)), 3);
        assert_eq!(received.event(&a, other, number(9)), Some(0));
    }

    #[test]
    fn nodes_and_subjects_that_are_gone_are_forgotten() {
        let mut received = ReceivedNumbers::default();
        let (a, node) = (room("a"), Uuid::new_v4());
        let number = |position| Number { chain: 1, position };
        received.event(&a, node, number(1));
        assert!(received.has(node));
        received.forget_node(node);
        assert!(!received.has(node));
        assert_eq!(received.event(&a, node, number(9)), Some(0));
        received.retain(|subject| **subject != *"a");
        assert!(received.last.is_empty());
    }
}
