//! Handles of the recorder, kept for each route.

use std::{collections::HashMap, sync::Arc, time::Duration};

use metrics::SharedString;
use parking_lot::RwLock;
use tokio::time::Instant;

use crate::protocol::Name;

/// Time for which handles are kept before they are registered again. Registration allocates name and labels and looks
/// them up in the recorder, which is too expensive for each message. A handle can't be kept forever: it records nothing
/// if no recorder was installed when it was registered, or once the recorder has dropped the idle metric.
const HANDLE_LIFETIME: Duration = Duration::from_secs(10);

/// Metric handles by route. The caller bounds the number of routes.
#[derive(Debug)]
pub(super) struct Cache<H>(RwLock<HashMap<Name, Kept<H>>>);

#[derive(Debug)]
struct Kept<H> {
    registered: Instant,
    handles: Arc<H>,
}

impl<H> Cache<H> {
    /// Returns the handles of a route, unless they have to be registered again.
    pub(super) fn fresh(&self, route: &str, now: Instant) -> Option<Arc<H>> {
        let routes = self.0.read();
        let kept = routes.get(route)?;
        (now.saturating_duration_since(kept.registered) < HANDLE_LIFETIME).then(|| kept.handles.clone())
    }

    /// Registers the handles of a route, and keeps them.
    pub(super) fn register(
        &self,
        route: &str,
        now: Instant,
        register: impl FnOnce(SharedString) -> H,
    ) -> Arc<H> {
        let handles = Arc::new(register(SharedString::from_shared(route.into())));
        let kept = Kept {
            registered: now,
            handles: handles.clone(),
        };
        self.0.write().insert(route.into(), kept);
        handles
    }
}

impl<H> Default for Cache<H> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}
