//! The app: everything that its connections share.

mod builder;
mod serve;

use std::{fmt, sync::Arc};

use tower::layer::util::Identity;
use zocket_layers::{Connection, Context, Emitter};

pub use self::builder::Builder;
use crate::{
    core::{Core, Shutdown},
    procedure::{ProcedureBuilder, Undeclared},
    router::{Router, RouterService},
    upgrade::UpgradeService,
};

/// An app: its lifecycle, its hub, its limits. [`message`](Self::message) begins a procedure, [`router`](Self::router)
/// begins a router that holds procedures, and [`serve`](Self::serve) makes an HTTP service of the router. Cheap to
/// clone.
///
/// `C` is the value that `on_connect` makes and every handler receives. The layers of the builder are not part of the
/// type: a function can return a `Zocket<User>` with any number of layers.
pub struct Zocket<C = ()> {
    pub(crate) core: Arc<Core<C>>,
    compose: Arc<Compose<C>>,
}

/// Function that puts the app's layers around a router, and serves them with the contract's hash.
type Compose<C> = dyn Fn(&Arc<Core<C>>, RouterService, &str) -> UpgradeService + Send + Sync;

impl<C> Zocket<C> {
    /// Begins a procedure.
    #[must_use]
    pub fn message(&self) -> ProcedureBuilder<C, C, Undeclared, Identity> {
        ProcedureBuilder::new()
    }

    /// Begins a router, of the app or of a module.
    #[must_use]
    pub fn router(&self) -> Router<C> {
        Router::new(self.core.hub.clone(), self.core.lifecycle.headers)
    }

    /// Returns an emitter, which sends from outside of handlers. Until the first [`serve`](Self::serve) declares the
    /// app's events, every event may be sent.
    #[must_use]
    pub fn emitter(&self) -> Emitter {
        Emitter::new(
            self.core.hub.clone(),
            self.core.declared.clone(),
            self.core.limits.clone(),
        )
    }

    /// Returns a connection without a socket, for a test of one procedure: [`Connection::call`] calls it. Nothing else in
    /// the app knows its client.
    /// The connection has the app's limits and the events that [`serve`](Self::serve) declared, so that an undeclared
    /// event is refused as on a real connection.
    #[must_use]
    pub fn detached(&self, context: C) -> Connection
    where
        C: Send + Sync + 'static,
    {
        Connection::detached_from(context, self.core.declared.clone(), self.core.limits.clone())
    }

    /// Returns the number of connections. A connection counts from the success of `on_connect` until `on_disconnect`
    /// has finished and the closing handshake has ended.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.core.registry.len()
    }

    /// Returns the context of each connection that [`connections`](Self::connections) counts and whose socket is open, in
    /// no order. A context
    /// gives access to the value that `on_connect` made and to the client's rooms. It can send to the client and close
    /// the connection. Its effects are performed at once.
    #[must_use]
    pub fn contexts(&self) -> Vec<Context<C>> {
        self.core.registry.contexts()
    }

    /// Shuts the app down. New handshakes are refused with 503 and `Retry-After`, or by a close code, which is not waited
    /// for. Messages that were read and have not
    /// begun are refused with OVERLOADED, so that their senders may repeat them elsewhere. Messages in flight are
    /// answered. Each connection is then closed with 1001 `going-away`, or 1012 `restarting`: [`Shutdown`]. Calls of
    /// `on_connect` that are under way end, and are then refused with 503.
    ///
    /// Waits until [`connections`](Self::connections) is 0, but no longer than the grace period. In the last quarter of
    /// it, and at most its last second, connections are closed with messages in flight. At its end the handlers and
    /// sockets that are left are dropped, and `on_disconnect` runs. Returns the number of connections and of calls of
    /// `on_connect` that were left then.
    pub async fn shutdown(&self, shutdown: impl Into<Shutdown>) -> usize {
        self.core.registry.shut_down(shutdown.into()).await
    }
}

impl<C> Clone for Zocket<C> {
    fn clone(&self) -> Self {
        Self {
            core: self.core.clone(),
            compose: self.compose.clone(),
        }
    }
}

impl<C> fmt::Debug for Zocket<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zocket")
            .field("hub", &self.core.hub)
            .field("limits", &self.core.limits)
            .field("app_limits", &self.core.app_limits)
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}
