use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use zocket_layers::hub::local::RoomWatcher;

use super::{interest::Interest, sizes::OwnSizes};

/// Passes what the local hub reports to the subscriptions, and to what the other nodes are told.
#[derive(Debug)]
pub(super) struct Watcher {
    pub(super) interest: Arc<Interest>,
    pub(super) sizes: Arc<OwnSizes>,
    /// True once the node has left: nobody is interested any more.
    pub(super) has_left: Arc<AtomicBool>,
}

impl Watcher {
    fn has_left(&self) -> bool {
        self.has_left.load(Ordering::Acquire)
    }
}

impl RoomWatcher for Watcher {
    fn opened(&self, room: &Arc<str>) {
        if !self.has_left() {
            self.interest.opened(room);
        }
    }

    fn closed(&self, room: &str) {
        if !self.has_left() {
            self.interest.closed(room);
        }
    }

    fn resized(&self, room: &str) {
        if !self.has_left() {
            self.sizes.change(room);
        }
    }
}
