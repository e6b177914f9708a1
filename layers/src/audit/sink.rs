use std::{fmt, sync::Arc};

use crate::{
    client_id::ClientId,
    effect::{Effect, EffectObserver},
    message::Parts,
    protocol::{Name, RpcId},
};

/// Something that was done, and by whom.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Audited<'a> {
    /// The client that did it; none for the server's own code.
    pub client: Option<ClientId>,
    /// The route of the message that did it, where it was a message and an [`AuditLayer`](super::AuditLayer) saw it.
    pub route: Option<&'a str>,
    /// That message's id, if it had one.
    pub rpc_id: Option<&'a RpcId>,
    /// What the hub has taken.
    pub effect: &'a Effect,
}

/// Sees what was done. A closure `Fn(&Audited<'_>)` is one.
pub trait Audit: Send + Sync + 'static {
    /// Sees one effect. It must not wait.
    fn audit(&self, audited: &Audited<'_>);
}

impl<F: Fn(&Audited<'_>) + Send + Sync + 'static> Audit for F {
    fn audit(&self, audited: &Audited<'_>) {
        self(audited);
    }
}

/// What sees the effects of one message.
pub(crate) struct Auditor {
    client: ClientId,
    route: Name,
    rpc_id: Option<RpcId>,
    sink: Arc<dyn Audit>,
    /// Of a layer further outside.
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
