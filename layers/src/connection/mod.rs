//! Connection of a client, as its messages see it.

mod call;
pub(crate) mod declared;
mod emitter;
pub(crate) mod turns;

use std::{
    any::Any,
    fmt,
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use http::Extensions;
use tokio::sync::Notify;

pub(crate) use self::turns::Turn;
use self::turns::Turns;
pub use self::{
    declared::Declared,
    emitter::{Clients, Emitter, SendBy, Sending},
};
use crate::{
    client_id::ClientId,
    hub::{ConnectOptions, Hub, local::LocalHub},
    limits::Limits,
    protocol::Form,
};

/// Connection of a client, as its messages see it: the client's id, the value that `on_connect` made, the hub. It
/// outlives the socket. Cheap to clone.
#[derive(Clone)]
pub struct Connection(Arc<Inner>);

struct Inner {
    client_id: ClientId,
    form: Form,
    context: Arc<dyn Any + Send + Sync>,
    emitter: Emitter,
    peer_addr: Option<SocketAddr>,
    extensions: Extensions,
    turns: Turns,
    closed: AtomicBool,
    on_closed: Notify,
}

impl Connection {
    /// Creates a connection of `client_id` that uses this form, with the app's context value. Its effects and queries
    /// go to `hub`.
    pub fn new<C: Send + Sync + 'static>(
        client_id: ClientId,
        form: Form,
        context: Arc<C>,
        hub: Arc<dyn Hub>,
        declared: Declared,
        limits: Arc<Limits>,
    ) -> Self {
        Self(Arc::new(Inner {
            client_id,
            form,
            context,
            emitter: Emitter::new(hub, declared, limits),
            peer_addr: None,
            extensions: Extensions::new(),
            turns: Turns::default(),
            closed: AtomicBool::new(false),
            on_closed: Notify::new(),
        }))
    }

    /// Creates a connection without a socket, with its own hub, for calling a layer or a procedure with `oneshot`.
    #[must_use]
    pub fn detached<C: Send + Sync + 'static>(context: C) -> Self {
        Self::detached_from(context, Declared::default(), Arc::default())
    }

    /// Creates a connection like [`detached`](Self::detached), with the declarations and limits of an app.
    #[must_use]
    pub fn detached_from<C: Send + Sync + 'static>(
        context: C,
        declared: Declared,
        limits: Arc<Limits>,
    ) -> Self {
        let hub = Arc::new(LocalHub::with_limits(&limits));
        let client_id = hub.new_client_id();
        hub.connect(client_id, &ConnectOptions::new(limits.clone(), Form::BASE));
        Self::new(client_id, Form::BASE, Arc::new(context), hub, declared, limits)
    }

    /// Sets the extensions of the upgrade request. Call it before the connection is shared: earlier clones keep the
    /// previous extensions, and do not learn of a later [`close`](Self::close).
    #[must_use]
    pub fn with_extensions(self, extensions: Extensions) -> Self {
        self.with(|inner| inner.extensions = extensions)
    }

    /// Sets the address of the peer: [`peer_addr`](Self::peer_addr). Call it before the connection is shared, as
    /// [`with_extensions`](Self::with_extensions).
    #[must_use]
    pub fn with_peer_addr(self, addr: SocketAddr) -> Self {
        self.with(|inner| inner.peer_addr = Some(addr))
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            change(inner);
            return self;
        }
        let mut inner = Inner {
            client_id: self.0.client_id,
            form: self.0.form,
            context: self.0.context.clone(),
            emitter: self.0.emitter.clone(),
            peer_addr: self.0.peer_addr,
            extensions: self.0.extensions.clone(),
            turns: Turns::default(),
            closed: AtomicBool::new(self.is_closed()),
            on_closed: Notify::new(),
        };
        change(&mut inner);
        Self(Arc::new(inner))
    }

    /// Returns the client's id.
    #[must_use]
    pub fn client_id(&self) -> ClientId {
        self.0.client_id
    }

    /// Returns the codec and the protocol level that were negotiated with the client.
    #[must_use]
    pub fn form(&self) -> Form {
        self.0.form
    }

    /// Returns the hub that this connection's effects go to.
    #[must_use]
    pub fn hub(&self) -> &Arc<dyn Hub> {
        self.0.emitter.hub()
    }

    /// Returns the limits of this connection.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        self.0.emitter.limits()
    }

    /// Returns the emitter, which sends outside of any message.
    #[must_use]
    pub fn emitter(&self) -> &Emitter {
        &self.0.emitter
    }

    /// Returns true if a router of the app declares this route.
    #[must_use]
    pub fn has_route(&self, route: &str) -> bool {
        self.0.emitter.declared().has_route(route)
    }

    /// Returns the extensions of the upgrade request, as `on_connect` received them. The HTTP server and the layers
    /// around the upgrade add to them, for example axum's `ConnectInfo` or a request id.
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        &self.0.extensions
    }

    /// Returns the address of the peer that sent the upgrade request, if the HTTP server has told it: zocket's own does.
    /// Behind a proxy this is the proxy's address. A session that is resumed from another address keeps its first one.
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.0.peer_addr
    }

    /// Returns the value that `on_connect` made, if it is a `C`.
    #[must_use]
    pub fn context<C: Send + Sync + 'static>(&self) -> Option<Arc<C>> {
        self.0.context.clone().downcast().ok()
    }

    /// Returns the turns that messages have given up before their end.
    #[must_use]
    pub(crate) fn turns(&self) -> &Turns {
        &self.0.turns
    }

    /// Marks the connection as closed, and wakes the futures of [`closed`](Self::closed).
    pub fn close(&self) {
        self.0.closed.store(true, Ordering::Release);
        self.0.on_closed.notify_waiters();
    }

    /// Returns true if the client has disconnected.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::Acquire)
    }

    /// Resolves when the client has disconnected.
    pub fn closed(&self) -> impl Future<Output = ()> + Send + 'static {
        let connection = self.clone();
        async move {
            let closed = connection.0.on_closed.notified();
            tokio::pin!(closed);
            // Registers before it reads the flag, so that a close between the two is not missed.
            closed.as_mut().enable();
            if !connection.is_closed() {
                closed.await;
            }
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("client_id", &self.0.client_id)
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
