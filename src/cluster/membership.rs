//! Knowledge of a node about the others, and the end of its part among them.

use std::sync::atomic::Ordering;

use uuid::Uuid;
use zocket_layers::hub::Full;

use super::{
    hub::{Cluster, NatsHub},
    meter,
};

impl NatsHub {
    /// Returns true while there is a connection to NATS. Without one, events reach the clients of this node only.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.0.is_connected.load(Ordering::Acquire)
    }

    /// Returns the id of this node. It is another one after each start.
    #[must_use]
    pub fn node(&self) -> Uuid {
        self.0.node
    }

    /// Returns the ids of the other nodes that were heard within the last 5 seconds.
    #[must_use]
    pub fn other_nodes(&self) -> Vec<Uuid> {
        self.0.nodes.lock().known()
    }

    /// Leaves the other nodes: sends what waits, and tells them that this node ends, so that they wait for it no longer. It has
    /// an effect once. From then on, events reach the clients of this node only.
    ///
    /// Call it when the app has shut down, before the process ends. Without it, the others take the node for gone 5 seconds
    /// later.
    ///
    /// # Errors
    /// [`Full::Engine`] if too much waits, or NATS has not taken it within 5 seconds. In the latter case, the node has left.
    pub async fn leave(&self) -> Result<(), Full> {
        match self.0.has_left() {
            true => Ok(()),
            false => self.0.queue.leave().await,
        }
    }
}

impl Cluster {
    pub(super) fn has_left(&self) -> bool {
        self.has_left.load(Ordering::Acquire)
    }

    /// Waits no longer for a node that is not there.
    pub(super) fn forget(&self, node: Uuid) {
        self.barriers.forget(node);
        self.queries.forget(node);
        self.questions.forget(node);
        self.other_sizes.lock().forget(node);
        meter::nodes(self.nodes.lock().known().len());
    }

    /// Waits for no other node any more.
    pub(super) fn leave(&self) {
        self.has_left.store(true, Ordering::Release);
        self.is_connected.store(false, Ordering::Release);
        self.barriers.cancel();
        let nodes = self.nodes.lock().clear();
        nodes.into_iter().for_each(|node| self.forget(node));
    }
}
