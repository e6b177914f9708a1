use std::{fmt, sync::Arc};

use super::{Audit, Audited};
use crate::{
    client_id::ClientId,
    effect::{Effect, Target},
    hub::{BoxFuture, ConnectOptions, Full, Gathered, Hub, Mailbox, Peers, Performed},
};

/// Wraps a hub, and reports each effect to a sink once the inner hub has accepted it:
/// `builder.hub(Arc::new(AuditHub::new(hub, sink)))`.
pub struct AuditHub<H> {
    inner: H,
    sink: Arc<dyn Audit>,
}

impl<H: Hub> AuditHub<H> {
    /// Wraps `inner`, and reports the effects that it accepts to `sink`.
    pub fn new(inner: H, sink: impl Audit) -> Self {
        Self {
            inner,
            sink: Arc::new(sink),
        }
    }

    /// Returns the inner hub.
    #[must_use]
    pub const fn inner(&self) -> &H {
        &self.inner
    }
}

impl<H: Hub> Hub for AuditHub<H> {
    fn new_client_id(&self) -> ClientId {
        self.inner.new_client_id()
    }

    fn connect(&self, client: ClientId, options: &ConnectOptions) -> Arc<Mailbox> {
        self.inner.connect(client, options)
    }

    fn disconnect(&self, mailbox: &Mailbox) {
        self.inner.disconnect(mailbox);
    }

    fn perform(&self, from: Option<&ClientId>, effect: Effect) -> Result<Performed, Full> {
        let performed = self.inner.perform(from, effect.clone())?;
        self.sink.audit(&Audited {
            client: from.copied(),
            route: None,
            rpc_id: None,
            effect: &effect,
        });
        Ok(performed)
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

impl<H: fmt::Debug> fmt::Debug for AuditHub<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditHub")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
