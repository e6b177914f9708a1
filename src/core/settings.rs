use std::sync::Arc;

use zocket_layers::{Hub, Limits};

use super::AppLimits;
use crate::upgrade::origin::OriginChoice;

/// Settings of an app that depend neither on the type of its context nor on its layers, so that its builder keeps them
/// where its own type changes.
pub(crate) struct Settings {
    /// `None` for a `LocalHub` of the app's own.
    pub(crate) hub: Option<Arc<dyn Hub>>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) app_limits: AppLimits,
    /// Messages of one connection that may be handled at once, besides those of concurrent routes.
    pub(crate) concurrency: usize,
    /// Pages that may connect.
    pub(crate) origins: OriginChoice,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hub: None,
            limits: Arc::default(),
            app_limits: AppLimits::default(),
            concurrency: 1,
            origins: OriginChoice::Unchosen,
        }
    }
}
