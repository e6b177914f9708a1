//! The test kit's part in a handshake: an extension of its requests.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use http::Extensions;
use zocket_layers::Limits;

use crate::core::Sessions;

/// Settings of a handshake from the test kit, and a place for the sessions of the app that receives it.
#[derive(Debug, Clone)]
pub(crate) struct KitHandshake {
    /// Time that a session waits for its client, in place of `Limits::resume_within`.
    resume_within: Duration,
    sessions: Arc<OnceLock<Arc<Sessions>>>,
}

impl KitHandshake {
    pub(crate) fn new(resume_within: Duration) -> Self {
        Self {
            resume_within,
            sessions: Arc::default(),
        }
    }

    /// Returns the sessions of the app that has received the handshake. `None` if none has.
    pub(crate) fn sessions(&self) -> Option<&Arc<Sessions>> {
        self.sessions.get()
    }

    /// Takes the settings from a request, reports the app's sessions, and returns the limits of the connection.
    pub(super) fn receive(
        extensions: &mut Extensions,
        sessions: &Arc<Sessions>,
        limits: &Arc<Limits>,
    ) -> Arc<Limits> {
        let Some(kit) = extensions.remove::<Self>() else {
            return limits.clone();
        };
        kit.sessions.get_or_init(|| sessions.clone());
        let limits = Limits::clone(limits).resume_within(kit.resume_within);
        Arc::new(limits)
    }
}
