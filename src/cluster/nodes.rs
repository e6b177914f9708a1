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

/// Nodes that were heard within their lease. A node has another id each time it starts.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    /// In the order in which they appeared, so that a simulation is repeatable.
    heard: IndexMap<Uuid, Instant>,
    /// Nodes whose lease is over, with the time at which they were last heard. They have died, or are cut off.
    missed: IndexMap<Uuid, Instant>,
    /// Nodes that have said that they end, with the time. Their last events may still come, in one of several messages.
    ended: IndexMap<Uuid, Instant>,
}

impl Nodes {
    /// Records a sign of life. Returns true if the node was not known. A node that has ended does not come back.
    pub(super) fn hear(&mut self, node: Uuid, now: Instant) -> bool {
        if self.ended.contains_key(&node) {
            return false;
        }
        self.missed.shift_remove(&node);
        self.heard.insert(node, now).is_none()
    }

    /// Renews the lease of a node that is known.
    pub(super) fn hear_known(&mut self, node: Uuid, now: Instant) {
        if let Some(heard) = self.heard.get_mut(&node) {
            *heard = now;
        }
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
        self.missed.shift_remove(&node);
        self.ended.insert(node, now);
        self.heard.shift_remove(&node).is_some()
    }

    /// Removes the nodes whose lease is over, and returns them. They may come back.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Uuid> {
        let over = |_: &Uuid, heard: &mut Instant| now.duration_since(*heard) > LEASE;
        let over: Vec<_> = self.heard.extract_if(.., over).collect();
        self.missed.extend(over.iter().copied());
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
        self.heard.values_mut().for_each(|heard| *heard = now);
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
        assert!(nodes.hear(a, now) && nodes.hear(b, now) && nodes.hear(c, now));
        assert!(!nodes.hear(a, now + LEASE));
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
        nodes.hear_known(a, now + LEASE);
        nodes.remove(c, now + MISSED);
        assert!(
            !nodes.hear(c, now + MISSED),
            "a node that has ended does not come back"
        );
        assert_eq!(nodes.expire(now + LEASE + HEARTBEAT), [b]);
        nodes.hear_known(b, now + 2 * LEASE);
        assert_eq!(nodes.known(), [a], "an event alone does not bring a node back");
        assert!(nodes.misses_any() && nodes.has_met(b) && !nodes.has_met(c));
        assert!(nodes.hear(b, now + MISSED));
        assert!(!nodes.misses_any());
        assert_eq!(nodes.give_up(now + 2 * MISSED), [c]);
        nodes.expire(now + 2 * MISSED);
        let mut given_up = nodes.give_up(now + 3 * MISSED);
        given_up.sort();
        assert_eq!(given_up, if a < b { [a, b] } else { [b, a] });
        assert!(!nodes.has_met(a));
    }
}
