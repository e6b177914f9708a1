//! The other nodes, as this node knows them. Each node judges for itself which others are there.

use std::time::Duration;

use indexmap::IndexMap;
use tokio::time::Instant;
use uuid::Uuid;

/// Time between two signs of life.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(1);
/// Time in which a node that has connected learns of the others.
pub(super) const DISCOVERY: Duration = Duration::from_millis(250);
/// Time without a sign of life after which a node is taken for gone.
const LEASE: Duration = Duration::from_secs(5);
/// Time for which a node that is taken for gone may come back, and both sides know what it has missed.
const MISSED: Duration = Duration::from_secs(600);
/// Time for which a node that has ended is remembered.
const ENDED: Duration = Duration::from_secs(60);

/// Nodes that are known or may come back at most.
const MAX_NODES: usize = 1 << 10;

/// Refusal of a node, since too many are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMany;

/// Meaning of a sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// The node is there, as before.
    Known,
    /// The node was not known, or has not been heard since the engine was away. It may have missed something meanwhile.
    Back,
    /// The node was never heard.
    New,
    /// The node has ended. Its last messages may still come.
    Ended,
}

#[derive(Debug, Clone, Copy)]
struct Heard {
    at: Instant,
    /// False after the engine was away, until the next sign of life.
    since_away: bool,
}

/// Nodes that were heard within their lease. A node has another id each time it starts.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    /// In the order in which they appeared, so that a simulation is repeatable.
    heard: IndexMap<Uuid, Heard>,
    /// Nodes whose lease is over, with the time at which they were last heard. They have died, or are cut off.
    missed: IndexMap<Uuid, Instant>,
    /// Nodes that have said that they end, with the time. Their last events may still come, in one of several messages.
    ended: IndexMap<Uuid, Instant>,
}

impl Nodes {
    /// Records a sign of life.
    pub(super) fn hear(&mut self, node: Uuid, now: Instant) -> Sign {
        if self.ended.contains_key(&node) {
            return Sign::Ended;
        }
        let heard = Heard {
            at: now,
            since_away: true,
        };
        let was_missed = self.missed.shift_remove(&node).is_some();
        match self.heard.insert(node, heard) {
            Some(before) if before.since_away => Sign::Known,
            Some(_) => Sign::Back,
            None if was_missed => Sign::Back,
            None => Sign::New,
        }
    }

    /// Renews the lease of a node that has sent an event. An event alone does not bring a node back, or make it known: it may
    /// have ended since.
    pub(super) fn hear_event(&mut self, node: Uuid, now: Instant) {
        match self.heard.get_mut(&node) {
            Some(heard) => heard.at = now,
            None if self.ended.contains_key(&node) => {}
            None => drop(self.missed.entry(node).or_insert(now)),
        }
    }

    /// Makes a place for a node that was not met. Returns true if those that may come back were forgotten for it, all at once,
    /// so that many strangers cost little.
    pub(super) fn admit(&mut self, node: Uuid) -> Result<bool, TooMany> {
        if self.has_met(node) || self.heard.len() + self.missed.len() < MAX_NODES {
            return Ok(false);
        }
        if self.missed.is_empty() {
            return Err(TooMany);
        }
        self.missed.clear();
        Ok(true)
    }

    /// Returns true if the node was heard before, even if its lease is over.
    pub(super) fn has_met(&self, node: Uuid) -> bool {
        self.heard.contains_key(&node) || self.missed.contains_key(&node)
    }

    /// Returns true if the node has said that it ends.
    pub(super) fn has_ended(&self, node: Uuid) -> bool {
        self.ended.contains_key(&node)
    }

    /// Removes a node that says that it ends. Returns true if it was known.
    pub(super) fn remove(&mut self, node: Uuid, now: Instant) -> bool {
        let was_known = self.heard.shift_remove(&node).is_some();
        // A stranger takes no space.
        if self.missed.shift_remove(&node).is_some() || was_known {
            self.ended.insert(node, now);
        }
        was_known
    }

    /// Removes the nodes whose lease is over, and returns them. They may come back.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Uuid> {
        let over = |_: &Uuid, heard: &mut Heard| now.duration_since(heard.at) > LEASE;
        let over: Vec<_> = self.heard.extract_if(.., over).collect();
        self.missed
            .extend(over.iter().map(|(node, heard)| (*node, heard.at)));
        over.into_iter().map(|(node, _)| node).collect()
    }

    /// Gives up the nodes that have not come back, and those that have ended, and returns them.
    pub(super) fn give_up(&mut self, now: Instant) -> Vec<Uuid> {
        let missed = |_: &Uuid, heard: &mut Instant| now.duration_since(*heard) > MISSED;
        let ended = |_: &Uuid, since: &mut Instant| now.duration_since(*since) > ENDED;
        let missed = self.missed.extract_if(.., missed);
        let ended = self.ended.extract_if(.., ended);
        missed.chain(ended).map(|(node, _)| node).collect()
    }

    /// Returns true if a node may come back.
    pub(super) fn misses_any(&self) -> bool {
        !self.missed.is_empty()
    }

    /// Begins every lease anew, after the engine was away.
    pub(super) fn renew(&mut self, now: Instant) {
        for heard in self.heard.values_mut() {
            *heard = Heard {
                at: now,
                since_away: false,
            };
        }
    }

    /// Removes all nodes, and returns those that were known.
    pub(super) fn clear(&mut self) -> Vec<Uuid> {
        let known = self.known();
        *self = Self::default();
        known
    }

    /// Returns the known nodes.
    pub(super) fn known(&self) -> Vec<Uuid> {
        self.heard.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_known_until_its_lease_is_over_or_it_says_that_it_ends() {
        let (mut nodes, now) = (Nodes::default(), Instant::now());
        let [a, b, c] = [(); 3].map(|()| Uuid::new_v4());
        assert_eq!([a, b, c].map(|node| nodes.hear(node, now)), [Sign::New; 3]);
        assert_eq!(nodes.hear(a, now + LEASE), Sign::Known);
        assert!(nodes.remove(c, now) && !nodes.remove(c, now));
        assert!(nodes.expire(now + LEASE).is_empty());
        assert_eq!(nodes.expire(now + LEASE + HEARTBEAT), [b]);
        assert_eq!(nodes.known(), [a]);
    }

    #[test]
    fn a_node_may_come_back_for_a_while_after_its_lease() {
        let (mut nodes, now) = (Nodes::default(), Instant::now());
        let [a, b, c] = [(); 3].map(|()| Uuid::new_v4());
        for node in [a, b, c] {
            nodes.hear(node, now);
        }
        nodes.hear_event(a, now + LEASE);
        nodes.remove(c, now + MISSED);
        assert_eq!(nodes.hear(c, now + MISSED), Sign::Ended);
        assert_eq!(nodes.expire(now + LEASE + HEARTBEAT), [b]);
        nodes.hear_event(b, now + 2 * LEASE);
        assert_eq!(nodes.known(), [a], "an event alone does not bring a node back");
        assert!(nodes.misses_any() && nodes.has_met(b) && !nodes.has_met(c));
        assert_eq!(nodes.hear(b, now + MISSED), Sign::Back);
        assert!(!nodes.misses_any());
        assert_eq!(nodes.give_up(now + 2 * MISSED), [c]);
        nodes.expire(now + 2 * MISSED);
        let mut given_up = nodes.give_up(now + 3 * MISSED);
        given_up.sort();
        assert_eq!(given_up, if a < b { [a, b] } else { [b, a] });
        assert!(!nodes.has_met(a));
    }

    #[test]
    fn a_node_is_back_when_it_is_heard_after_the_engine_was_away() {
        let (mut nodes, now, a) = (Nodes::default(), Instant::now(), Uuid::new_v4());
        nodes.hear(a, now);
        nodes.renew(now + 2 * LEASE);
        assert!(nodes.expire(now + 3 * LEASE).is_empty());
        let signs = [(); 2].map(|()| nodes.hear(a, now + 3 * LEASE));
        assert_eq!(signs, [Sign::Back, Sign::Known]);
    }

    #[test]
    fn nodes_that_may_come_back_make_room_for_new_ones_and_known_ones_do_not() {
        let (mut nodes, now) = (Nodes::default(), Instant::now());
        let admit = |nodes: &mut Nodes| nodes.admit(Uuid::new_v4());
        let first = Uuid::new_v4();
        nodes.hear(first, now);
        for _ in 1..MAX_NODES {
            assert_eq!(admit(&mut nodes), Ok(false));
            nodes.hear_event(Uuid::new_v4(), now);
        }
        assert_eq!(admit(&mut nodes), Ok(true));
        assert!(nodes.has_met(first) && !nodes.misses_any());
        for _ in 1..MAX_NODES {
            assert_eq!(admit(&mut nodes), Ok(false));
            nodes.hear(Uuid::new_v4(), now);
        }
        assert_eq!(admit(&mut nodes), Err(TooMany));
        assert_eq!(nodes.admit(first), Ok(false));
    }
}
