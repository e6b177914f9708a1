//! The other nodes, as this node knows them. Each node judges for itself which others are there.

use std::{collections::HashMap, time::Duration};

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

/// Nodes that were heard within their lease. A node has another id each time it starts.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    heard: HashMap<Uuid, Instant>,
    /// Nodes whose lease is over, with the time at which they were last heard. They have died, or are cut off.
    missed: HashMap<Uuid, Instant>,
}

impl Nodes {
    /// Records a sign of life. Returns true if the node was not known.
    pub(super) fn hear(&mut self, node: Uuid, now: Instant) -> bool {
        self.missed.remove(&node);
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

    /// Removes a node that says that it ends. Returns true if it was known.
    pub(super) fn remove(&mut self, node: Uuid) -> bool {
        self.missed.remove(&node);
        self.heard.remove(&node).is_some()
    }

    /// Removes the nodes whose lease is over, and returns them. They may come back.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Uuid> {
        let over = |_: &Uuid, heard: &mut Instant| now.duration_since(*heard) > LEASE;
        let over: Vec<_> = self.heard.extract_if(over).collect();
        self.missed.extend(over.iter().copied());
        over.into_iter().map(|(node, _)| node).collect()
    }

    /// Gives up the nodes that have not come back, and returns them.
    pub(super) fn give_up(&mut self, now: Instant) -> Vec<Uuid> {
        let over = |_: &Uuid, heard: &mut Instant| now.duration_since(*heard) > MISSED;
        self.missed.extract_if(over).map(|(node, _)| node).collect()
    }

    /// Returns true if a node may come back.
    pub(super) fn misses_any(&self) -> bool {
        !self.missed.is_empty()
    }

    /// Begins every lease anew, after the engine was away.
    pub(super) fn renew(&mut self, now: Instant) {
        self.heard.values_mut().for_each(|heard| *heard = now);
    }

    /// Returns the known nodes, in no order.
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
        assert!(nodes.remove(c) && !nodes.remove(c));
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
        nodes.remove(c);
        assert_eq!(nodes.expire(now + LEASE + HEARTBEAT), [b]);
        nodes.hear_known(b, now + 2 * LEASE);
        assert_eq!(nodes.known(), [a], "an event alone does not bring a node back");
        assert!(nodes.misses_any() && nodes.has_met(b) && !nodes.has_met(c));
        assert!(nodes.hear(b, now + MISSED));
        assert!(!nodes.misses_any() && nodes.give_up(now + 2 * MISSED).is_empty());
        nodes.expire(now + 2 * MISSED);
        let mut given_up = nodes.give_up(now + 3 * MISSED);
        given_up.sort();
        assert_eq!(given_up, if a < b { [a, b] } else { [b, a] });
        assert!(!nodes.has_met(a));
    }
}
