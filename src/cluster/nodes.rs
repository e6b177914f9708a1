//! The other nodes, as this node knows them. Each node judges for itself which others are there.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;
use uuid::Uuid;

/// Time between two signs of life.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(1);
/// Time without a sign of life after which a node is taken for gone.
const LEASE: Duration = Duration::from_secs(5);

/// Nodes that were heard within their lease. A node has another id each time it starts.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    heard: HashMap<Uuid, Instant>,
}

impl Nodes {
    /// Records a sign of life. Returns true if the node was not known.
    pub(super) fn hear(&mut self, node: Uuid, now: Instant) -> bool {
        self.heard.insert(node, now).is_none()
    }

    /// Removes a node that says that it ends. Returns true if it was known.
    pub(super) fn remove(&mut self, node: Uuid) -> bool {
        self.heard.remove(&node).is_some()
    }

    /// Removes the nodes whose lease is over, and returns them.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Uuid> {
        self.heard
            .extract_if(|_, heard| now.duration_since(*heard) > LEASE)
            .map(|(node, _)| node)
            .collect()
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
}
