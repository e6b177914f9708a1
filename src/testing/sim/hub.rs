//! A wrapper around the app's hub, which the model learns from.

use std::{fmt, sync::Arc};

use parking_lot::Mutex;
use zocket_layers::{
    ClientId, Effect, Hub, Mailbox, Target,
    hub::{BoxFuture, ConnectOptions, Full, Gathered, Peers, Performed},
};

use super::model::Model;

/// Passes everything on to the app's hub, and reports the effects to the model.
pub(super) struct ObservedHub {
    inner: Arc<dyn Hub>,
    model: Arc<Mutex<Model>>,
}

impl ObservedHub {
    pub(super) fn new(inner: Arc<dyn Hub>, model: Arc<Mutex<Model>>) -> Self {
        Self { inner, model }
    }
}

impl Hub for ObservedHub {
    fn new_client_id(&self) -> ClientId {
        self.inner.new_client_id()
    }

    fn connect(&self, client: ClientId, options: &ConnectOptions) -> Arc<Mailbox> {
        self.model.lock().connect(client);
        self.inner.connect(client, options)
    }

    fn disconnect(&self, mailbox: &Mailbox) {
        self.model.lock().disconnect(mailbox.client_id());
        self.inner.disconnect(mailbox);
    }

    fn perform(&self, from: Option<&ClientId>, effect: Effect) -> Result<Performed, Full> {
        let performed = self.inner.perform(from, effect.clone());
        self.model.lock().perform(from, &effect, performed.is_ok());
        performed
    }

    fn has(&self, client: &ClientId, room: &str) -> bool {
        self.inner.has(client, room)
    }

    fn rooms(&self, client: &ClientId) -> Vec<Arc<str>> {
        self.inner.rooms(client)
    }

    fn clients<'a>(&'a self, of: &'a Target) -> BoxFuture<'a, Gathered<Vec<ClientId>>> {
        self.inner.clients(of)
    }

    fn size<'a>(&'a self, room: &'a str) -> BoxFuture<'a, Gathered<usize>> {
        self.inner.size(room)
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), Full>> {
        self.inner.flush()
    }

    fn background(&self) -> Option<BoxFuture<'static, ()>> {
        self.inner.background()
    }

    fn peers(&self) -> Option<&dyn Peers> {
        self.inner.peers()
    }
}

impl fmt::Debug for ObservedHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
