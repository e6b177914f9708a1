use std::sync::Arc;

use zocket_layers::hub::local::RoomWatcher;

use super::{interest::Interest, sizes::OwnSizes};

/// Passes what the local hub reports to the subscriptions, and to what the other nodes are told.
#[derive(Debug)]
pub(super) struct Watcher {
    pub(super) interest: Arc<Interest>,
    pub(super) sizes: Arc<OwnSizes>,
}

impl RoomWatcher for Watcher {
    fn opened(&self, room: &Arc<str>) {
        self.interest.opened(room);
    }

    fn closed(&self, room: &str) {
        self.interest.closed(room);
    }

    fn resized(&self, room: &str) {
        self.sizes.change(room);
    }
}
