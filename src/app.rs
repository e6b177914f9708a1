//! The app: everything that its connections share.

use std::{
    fmt,
    future::Future,
    sync::{Arc, Once},
    time::Duration,
};

use schemars::SchemaGenerator;
use tower::{
    BoxError, Layer, Service,
    layer::util::{Identity, Stack},
};
use zocket_layers::{
    Connection, Context, Declared, DecodeLayer, Emitter, Error, Hub, Limits, LocalHub, Message, Reply,
    RescueLayer,
};

use crate::{
    OnConnect, OnConnectWith, Procedure, Router, RouterError, UpgradeService,
    connection::{Ends, Open},
    contract::SchemaOf,
    on_connect::{Connect, Lifecycle, connect, connect_with},
    router::RouterService,
};

/// An app: what happens when a client comes and goes, the hub, the limits. Its [`message`](Self::message) begins
/// procedures, its [`router`](Self::router) holds them, [`serve`](Self::serve) makes a service of it. Cheap to
/// clone.
///
/// `C` is the value that `on_connect` makes and every handler gets.
pub struct Zocket<C = (), L = Identity> {
    pub(crate) core: Arc<Core<C>>,
    layers: L,
}

/// What the connections of an app share.
pub(crate) struct Core<C> {
    pub(crate) hub: Arc<dyn Hub>,
    pub(crate) declared: Declared,
    pub(crate) limits: Arc<Limits>,
    pub(crate) concurrency: usize,
    pub(crate) lifecycle: Lifecycle<C>,
    pub(crate) open: Arc<Open<C>>,
    pub(crate) ends: Ends,
    background: Once,
}

impl Zocket {
    /// Begins an app.
    #[must_use]
    pub fn builder() -> Builder<(), Identity> {
        Builder {
            hub: None,
            limits: Limits::default(),
            concurrency: 1,
            lifecycle: Lifecycle::new(),
            layers: Identity::new(),
        }
    }
}

impl<C, L> Zocket<C, L> {
    /// Begins a procedure.
    #[must_use]
    pub fn message(&self) -> Procedure<C, C, (), Identity> {
        Procedure::new()
    }

    /// Begins a router, of the app or of a module.
    #[must_use]
    pub fn router(&self) -> Router<C> {
        Router::new(self.core.hub.clone(), self.core.lifecycle.headers)
    }

    /// Sends from outside of handlers. Before the first [`serve`](Self::serve) has said what the app sends,
    /// everything goes.
    #[must_use]
    pub fn emitter(&self) -> Emitter {
        Emitter::new(
            self.core.hub.clone(),
            self.core.declared.clone(),
            self.core.limits.clone(),
        )
    }

    /// A connection without a socket, of a client that nobody else knows: for trying one procedure in a test. It has the
    /// app's limits, and what [`serve`](Self::serve) declared, so that an event nobody declared is refused as it will be.
    #[must_use]
    pub fn detached(&self, context: C) -> Connection
    where
        C: Send + Sync + 'static,
    {
        Connection::detached_from(context, self.core.declared.clone(), self.core.limits.clone())
    }

    /// How many connections there are, counted from a successful `on_connect` until `on_disconnect` has ended and the
    /// peer has been said goodbye.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.core.open.len()
    }

    /// The context of each connection that there is, as [`connections`](Self::connections) counts them, in no order:
    /// to look at what `on_connect` made, at their rooms, to send to them or to close them. What is done by way of
    /// them is done at once.
    #[must_use]
    pub fn contexts(&self) -> Vec<Context<C>> {
        self.core.open.contexts()
    }

    /// Lets no one in any more (503), closes every connection with 1001 `going-away`, and waits until each has
    /// run its handlers and `on_disconnect` to the end, but no longer than `grace`. Returns how many have not by
    /// then.
    pub async fn shutdown(&self, grace: Duration) -> usize {
        self.core.open.shutdown();
        let _ = tokio::time::timeout(grace, self.core.open.drained()).await;
        self.core.open.len()
    }
}

impl<C, L> Zocket<C, L>
where
    C: Send + Sync + 'static,
    L: Layer<RouterService>,
    L::Service: Service<Message, Response = Reply> + Clone + Send + Sync + 'static,
    <L::Service as Service<Message>>::Error: Into<BoxError>,
    <L::Service as Service<Message>>::Future: Send,
{
    /// Makes a service of the app, for `axum::Router::route_service`, hyper, or a stack of tower-http layers.
    ///
    /// # Panics
    /// If the router contradicts itself; [`try_serve`](Self::try_serve) returns the reasons instead.
    #[must_use]
    #[track_caller]
    pub fn serve(&self, router: Router<C>) -> UpgradeService {
        match self.try_serve(router) {
            Ok(service) => service,
            Err(error) => panic!("{error}"),
        }
    }

    /// [`serve`](Self::serve) for whoever wants to handle the error.
    ///
    /// # Errors
    /// Everything in which the router contradicts itself: a route declared twice, a route that is the prefix of
    /// a nest, an empty segment, a name that begins with `__`, an outgoing message outside of its nest's prefix
    /// or declared as two types.
    pub fn try_serve(&self, router: Router<C>) -> Result<UpgradeService, RouterError> {
        let contract = router.contract().hash();
        let (router, outgoing) = router.build_for(&self.core.hub)?;
        self.core.declared.extend(outgoing);
        self.core.declared.extend_routes(router.paths());
        let pipeline = RescueLayer::new().layer(self.layers.layer(router));
        Ok(UpgradeService::new(
            self.core.clone(),
            DecodeLayer::json().layer(pipeline),
            &contract,
        ))
    }
}

impl<C> Core<C> {
    /// Has run what the hub needs to have run beside it.
    pub(crate) fn start_background(&self) {
        self.background.call_once(|| {
            if let Some(background) = self.hub.background() {
                tokio::spawn(background);
            }
        });
    }
}

impl<C, L: Clone> Clone for Zocket<C, L> {
    fn clone(&self) -> Self {
        Self {
            core: self.core.clone(),
            layers: self.layers.clone(),
        }
    }
}

impl<C, L> fmt::Debug for Zocket<C, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zocket")
            .field("hub", &self.core.hub)
            .field("limits", &self.core.limits)
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}

/// An app in the making.
pub struct Builder<C, L> {
    hub: Option<Arc<dyn Hub>>,
    limits: Limits,
    concurrency: usize,
    lifecycle: Lifecycle<C>,
    layers: L,
}

impl<L> Builder<(), L> {
    /// Makes each connection's context: `async fn(H, ClientId) -> Result<C, Error>`, or with the upgrade request's
    /// parts as its third argument. It runs before the handshake is answered, with the validated connect headers;
    /// its error refuses the upgrade. Without it, the context is `()`.
    ///
    /// The values of connect headers are strings on the wire: `H` has `String`s, enums of unit variants, or fields
    /// that serde reads from a string. A `u8` would refuse every client.
    ///
    /// For its every success, `on_disconnect` runs exactly once.
    ///
    /// # Panics
    /// If `on_open` or `on_disconnect` was set before: they take the context that this makes.
    #[must_use]
    #[track_caller]
    pub fn on_connect<F, M>(self, f: F) -> Builder<F::Context, L>
    where
        F: OnConnect<M>,
    {
        self.connecting(connect(f), SchemaGenerator::subschema_for::<F::Headers>)
    }

    /// [`on_connect`](Self::on_connect) with a clone of something as the first argument, since an async closure
    /// can't capture: `on_connect_with(pool, async |pool: Pool, headers: Headers, id: ClientId| ..)`.
    ///
    /// # Panics
    /// If `on_open` or `on_disconnect` was set before: they take the context that this makes.
    #[must_use]
    #[track_caller]
    pub fn on_connect_with<S, F, M>(self, state: S, f: F) -> Builder<F::Context, L>
    where
        S: Clone + Send + Sync + 'static,
        F: OnConnectWith<S, M>,
    {
        self.connecting(
            connect_with(state, f),
            SchemaGenerator::subschema_for::<F::Headers>,
        )
    }

    #[track_caller]
    fn connecting<C>(self, connect: Connect<C>, headers: SchemaOf) -> Builder<C, L> {
        assert!(
            self.lifecycle.open.is_none() && self.lifecycle.disconnect.is_none(),
            "on_connect comes before on_open and on_disconnect: they take the context that it makes"
        );
        let lifecycle = Lifecycle {
            headers,
            connect,
            open: None,
            disconnect: None,
        };
        let Self {
            hub,
            limits,
            concurrency,
            layers,
            ..
        } = self;
        Builder {
            hub,
            limits,
            concurrency,
            lifecycle,
            layers,
        }
    }
}

impl<C, L> Builder<C, L> {
    /// Runs when the socket is up, before any message is handled. Its error, or a panic, closes the connection, and
    /// what the client has sent by then is not handled.
    #[must_use]
    pub fn on_open<F, Fut>(mut self, f: F) -> Self
    where
        F: Fn(Context<C>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Error>> + Send + 'static,
    {
        self.lifecycle.open = Some(Box::new(move |cx| Box::pin(f(cx))));
        self
    }

    /// Runs exactly once for every `on_connect` that succeeded, after the last handler has ended; the client is
    /// still in its rooms.
    #[must_use]
    pub fn on_disconnect<F, Fut>(mut self, f: F) -> Self
    where
        F: Fn(Context<C>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.lifecycle.disconnect = Some(Box::new(move |cx| Box::pin(f(cx))));
        self
    }

    /// Sets what each connection may take.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Lets so many messages of one connection be handled at once: begun in order, free to overtake. By default
    /// 1: each waits for the one before it, except on `.concurrent()` routes.
    #[must_use]
    pub fn concurrency(mut self, messages: usize) -> Self {
        self.concurrency = messages.max(1);
        self
    }

    /// Sets the hub, instead of a [`LocalHub`] of the app's own.
    #[must_use]
    pub fn hub(mut self, hub: Arc<dyn Hub>) -> Self {
        self.hub = Some(hub);
        self
    }

    /// Adds a tower layer for the whole app, between rescue and the router, around all that is added later. Its
    /// requests are raw [`Message`]s, its responses [`Reply`]s; while it is not ready, no socket is read further
    /// than its queue.
    #[must_use]
    pub fn layer<T>(self, layer: T) -> Builder<C, Stack<T, L>> {
        let Self {
            hub,
            limits,
            concurrency,
            lifecycle,
            layers,
        } = self;
        Builder {
            hub,
            limits,
            concurrency,
            lifecycle,
            layers: Stack::new(layer, layers),
        }
    }

    /// The app.
    #[must_use]
    pub fn build(self) -> Zocket<C, L> {
        let hub = self
            .hub
            .unwrap_or_else(|| Arc::new(LocalHub::with_limits(&self.limits)));
        let core = Core {
            hub,
            declared: Declared::default(),
            limits: Arc::new(self.limits),
            concurrency: self.concurrency,
            lifecycle: self.lifecycle,
            open: Arc::default(),
            ends: Ends::default(),
            background: Once::new(),
        };
        Zocket {
            core: Arc::new(core),
            layers: self.layers,
        }
    }
}

impl<C, L> fmt::Debug for Builder<C, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("limits", &self.limits)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}
