use std::{fmt, sync::Arc};

use crate::{
    client_id::ClientId,
    effect::{Effect, EffectObserver},
    message::Parts,
    protocol::{Name, RpcId},
};

/// An effect that the hub has accepted, with the client and the message that caused it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Audited<'a> {
    /// Client that caused the effect; none for the server's own code.
    pub client: Option<ClientId>,
    /// Route of the message that caused the effect, if [`AuditLayer`](super::AuditLayer) reports it.
    /// [`AuditHub`](super::AuditHub) does not know it.
    pub route: Option<&'a str>,
    /// Id of that message, if it has one. Known to [`AuditLayer`](super::AuditLayer) only, like the route.
    pub rpc_id: Option<&'a RpcId>,
    /// The effect. The hub has *accepted* it. It may still be pending, and may fail later.
    pub effect: &'a Effect,
}

/// Sink that receives each effect that the hub has accepted. Any closure `Fn(&Audited<'_>)` is one.
pub trait Audit: Send + Sync + 'static {
    /// Receives one effect, which may still be pending. It must not block.
    fn audit(&self, audited: &Audited<'_>);
}

impl<F: Fn(&Audited<'_>) + Send + Sync + 'static> Audit for F {
    fn audit(&self, audited: &Audited<'_>) {
        self(audited);
    }
}

/// Observer of one message's effects. It is called when the hub has accepted an effect, which may still be pending.
pub(crate) struct Auditor {
    client: ClientId,
    route: Name,
    rpc_id: Option<RpcId>,
    sink: Arc<dyn Audit>,
    /// Observer of a layer further outside, called after this one's sink.
    next: Option<Arc<dyn EffectObserver>>,
}

impl Auditor {
    pub(super) fn of(parts: &Parts, sink: Arc<dyn Audit>, next: Option<Arc<dyn EffectObserver>>) -> Self {
        Self {
            client: parts.connection().client_id(),
            route: parts.route().clone(),
            rpc_id: parts.rpc_id().cloned(),
            sink,
            next,
        }
    }
}

impl EffectObserver for Auditor {
    fn observe(&self, effect: &Effect) {
        self.sink.audit(&Audited {
            client: Some(self.client),
            route: Some(&self.route),
            rpc_id: self.rpc_id.as_ref(),
            effect,
        });
        if let Some(next) = &self.next {
            next.observe(effect);
        }
    }
}

impl fmt::Debug for Auditor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auditor")
            .field("route", &self.route)
            .finish_non_exhaustive()
    }
}
