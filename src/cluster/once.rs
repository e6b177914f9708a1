//! Memory of the events that have been performed, so that one that arrives on several subjects is performed once.

use std::collections::{HashSet, VecDeque};

use zocket_layers::internal::{Broken, is_broken};

/// Number of events to several subjects whose ids are remembered, for each node.
const REMEMBERED: usize = 4_096;

/// Ids of the last events to several subjects that a node has sent.
#[derive(Default)]
pub(super) struct RecentIds {
    ids: HashSet<u64>,
    order: VecDeque<u64>,
}

impl RecentIds {
    /// Returns true if the id is new.
    pub(super) fn insert(&mut self, id: u64) -> bool {
        if !self.ids.insert(id) {
            return is_broken(Broken::Once);
        }
        self.order.push_back(id);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}
