//! The app: everything that its connections share.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use schemars::SchemaGenerator;
use tower::{
    BoxError, Layer, Service,
    layer::util::{Identity, Stack},
};
use zocket_layers::{
    Connection, Context, DecodeLayer, Emitter, Error, Frame, FrameResponse, Hub, Limits, LocalHub, Message,
    Reply, RescueLayer,
};

use crate::{
    contract::SchemaOf,
    core::{Connect, Core, Lifecycle},
    on_connect::{OnConnect, OnConnectWith, connect, connect_with, no_lifecycle},
    procedure::ProcedureBuilder,
    router::{Router, RouterError, RouterService},
    upgrade::{ServeError, ServeOptions, StackError, UpgradeService},
};

/// An app: its lifecycle, its hub, its limits. Its [`message`](Self::message) begins procedures, its
/// [`router`](Self::router) holds them, [`serve`](Self::serve) makes a service of it. Cheap to clone.
///
/// `C` is the value that `on_connect` makes and every handler gets. The layers of the builder are not part of the type:
/// a function returns a `Zocket<User>` however many there are.
pub struct Zocket<C = ()> {
    core: Arc<Core<C>>,
    compose: Arc<Compose<C>>,
}

/// Puts the app's layers around a router, and serves that with the contract of this hash.
type Compose<C> = dyn Fn(&Arc<Core<C>>, RouterService, &str) -> UpgradeService + Send + Sync;

impl Zocket {
    /// Begins an app.
    #[must_use]
    pub fn builder() -> Builder<(), Identity> {
        Builder {
            hub: None,
            limits: Limits::default(),
            concurrency: 1,
            lifecycle: no_lifecycle(),
            layers: Identity::new(),
        }
    }
}

impl<C> Zocket<C> {
    /// Begins a procedure.
    #[must_use]
    pub fn message(&self) -> ProcedureBuilder<C, C, (), Identity> {
        ProcedureBuilder::new()
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

    /// The number of connections, each counted from a successful `on_connect` until `on_disconnect` has ended and the Close
    /// has been answered.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.core.registry.len()
    }

    /// The context of each connection that there is, as [`connections`](Self::connections) counts them, in no order:
    /// to look at what `on_connect` made, at their rooms, to send to them or to close them. What is done by way of
    /// them is done at once.
    #[must_use]
    pub fn contexts(&self) -> Vec<Context<C>> {
        self.core.registry.contexts()
    }

    /// Lets no one in any more (503), closes every connection with 1001 `going-away`, and waits until each has
    /// run its handlers and `on_disconnect` to the end, but no longer than `grace`. Returns how many have not by
    /// then.
    pub async fn shutdown(&self, grace: Duration) -> usize {
        self.core.registry.shutdown();
        let _ = tokio::time::timeout(grace, self.core.registry.drained()).await;
        self.core.registry.len()
    }
}

impl<C: Send + Sync + 'static> Zocket<C> {
    /// Makes a service of the app, for `axum::Router::route_service`, hyper, or a stack of tower-http layers.
    ///
    /// # Panics
    /// If the router contradicts itself; [`try_serve`](Self::try_serve) returns the reasons instead.
    #[must_use]
    #[track_caller]
    pub fn serve(&self, router: Router<C>) -> UpgradeService {
        or_panic(self.try_serve(router))
    }

    /// [`serve`](Self::serve) for callers that handle the error.
    ///
    /// # Errors
    /// Everything in which the router contradicts itself: a route declared twice, a route that is the prefix of
    /// a nest, an empty segment, a name that begins with `__`, an outgoing message outside of its nest's prefix
    /// or declared as two types.
    pub fn try_serve(&self, router: Router<C>) -> Result<UpgradeService, RouterError> {
        let checked = self.check(router)?;
        self.declare(&checked);
        Ok((self.compose)(&self.core, checked.routes, &checked.contract))
    }

    /// Serves a stack that you compose by hand around the routes of a router. It keeps the router's contract, and its
    /// declared events and routes. The layers of the builder are not part of it: the stack is yours, whole.
    ///
    /// ```
    /// use tower::ServiceBuilder;
    /// use zocket::{Zocket, layers::{DecodeLayer, RescueLayer, TraceLayer}};
    ///
    /// let zo = Zocket::builder().build();
    /// let service = zo.serve_with(zo.router(), |routes| {
    ///     ServiceBuilder::new()
    ///         .layer(DecodeLayer::json())
    ///         .layer(RescueLayer::new())
    ///         .layer(TraceLayer::new())
    ///         .service(routes)
    /// });
    /// # drop(service);
    /// ```
    ///
    /// # Panics
    /// If the router contradicts itself, or the stack does not fit the app;
    /// [`try_serve_with`](Self::try_serve_with) returns the reasons instead.
    #[must_use]
    #[track_caller]
    pub fn serve_with<S>(&self, router: Router<C>, compose: impl FnOnce(RouterService) -> S) -> UpgradeService
    where
        S: Service<Frame> + Clone + Send + Sync + 'static,
        S::Response: Into<FrameResponse>,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        or_panic(self.try_serve_with(router, compose))
    }

    /// [`serve_with`](Self::serve_with) for callers that handle the error.
    ///
    /// # Errors
    /// [`ServeError::Router`] as with [`try_serve`](Self::try_serve); [`ServeError::Stack`] as with
    /// [`try_serve_stack`](Self::try_serve_stack).
    pub fn try_serve_with<S>(
        &self,
        router: Router<C>,
        compose: impl FnOnce(RouterService) -> S,
    ) -> Result<UpgradeService, ServeError>
    where
        S: Service<Frame> + Clone + Send + Sync + 'static,
        S::Response: Into<FrameResponse>,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        let checked = self.check(router)?;
        let stack = compose(checked.routes.clone());
        let options = ServeOptions::of_stack::<C, _>(&stack)?
            .contract(&checked.contract)
            .declared(&self.core.declared);
        self.declare(&checked);
        Ok(UpgradeService::new(self.core.clone(), stack, options))
    }

    /// Serves a stack that you compose by hand: any service of [`Frame`]s, over the same upgrade, with the same limits and
    /// the same lifecycle as [`serve`](Self::serve). It declares no events and no routes, so that everything may be sent.
    ///
    /// - With a [`DecodeLayer`] the stack speaks the base protocol, and the extended one to clients that negotiate it.
    ///   Their welcome has no `contract`.
    /// - Without one, frames are opaque in both directions: text stays text, binary stays binary, and no client negotiates
    ///   anything. A response over [`Limits::message`] is logged and not sent.
    /// - An `Err` or a panic of `call` ends that message alone: it is logged, and refused where its id is known. An `Err`
    ///   or a panic of `poll_ready` means that the stack has failed for good: the connection closes with 1011.
    /// - A `DecodeLayer` inside of a `Buffer` is not seen: put it outside.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use tower::service_fn;
    /// use zocket::{Zocket, layers::Frame};
    ///
    /// let echo = service_fn(async |frame: Frame| Ok::<_, Infallible>(frame.into_data()));
    /// let service = Zocket::builder().build().serve_stack(echo);
    /// # drop(service);
    /// ```
    ///
    /// # Panics
    /// If the stack does not fit the app; [`try_serve_stack`](Self::try_serve_stack) returns the reason instead.
    #[must_use]
    #[track_caller]
    pub fn serve_stack<S>(&self, stack: S) -> UpgradeService
    where
        S: Service<Frame> + Clone + Send + Sync + 'static,
        S::Response: Into<FrameResponse>,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        or_panic(self.try_serve_stack(stack))
    }

    /// [`serve_stack`](Self::serve_stack) for callers that handle the error.
    ///
    /// # Errors
    /// [`StackError`] for a `ContextLayer` of another type than `C`.
    pub fn try_serve_stack<S>(&self, stack: S) -> Result<UpgradeService, StackError>
    where
        S: Service<Frame> + Clone + Send + Sync + 'static,
        S::Response: Into<FrameResponse>,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        let options = ServeOptions::of_stack::<C, _>(&stack)?;
        Ok(UpgradeService::new(self.core.clone(), stack, options))
    }

    fn check(&self, router: Router<C>) -> Result<CheckedRouter, RouterError> {
        let contract = router.contract().hash();
        let (routes, outgoing) = router.build_for(&self.core.hub)?;
        Ok(CheckedRouter {
            routes,
            outgoing,
            contract,
        })
    }

    /// Declares the events and routes of a router that is served.
    fn declare(&self, router: &CheckedRouter) {
        self.core.declared.extend(router.outgoing.iter().copied());
        self.core.declared.extend_routes(router.routes.paths());
    }
}

/// A router that does not contradict itself.
struct CheckedRouter {
    routes: RouterService,
    /// Names of its events.
    outgoing: Vec<&'static str>,
    /// Hash of its contract.
    contract: String,
}

#[track_caller]
fn or_panic<E: fmt::Display>(served: Result<UpgradeService, E>) -> UpgradeService {
    match served {
        Ok(service) => service,
        Err(error) => panic!("{error}"),
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
}

impl<C, L> Builder<C, L>
where
    C: Send + Sync + 'static,
    L: Layer<RouterService> + Send + Sync + 'static,
    L::Service: Service<Message, Response = Reply> + Clone + Send + Sync + 'static,
    <L::Service as Service<Message>>::Error: Into<BoxError>,
    <L::Service as Service<Message>>::Future: Send,
{
    /// The app.
    #[must_use]
    pub fn build(self) -> Zocket<C> {
        let hub = self
            .hub
            .unwrap_or_else(|| Arc::new(LocalHub::with_limits(&self.limits)));
        let core = Core::new(hub, Arc::new(self.limits), self.concurrency, self.lifecycle);
        let layers = self.layers;
        let decode = DecodeLayer::json();
        let compose = move |core: &Arc<Core<C>>, routes: RouterService, contract: &str| {
            let pipeline = decode.layer(RescueLayer::new().layer(layers.layer(routes)));
            let options = ServeOptions::with_codec(decode.codec())
                .contract(contract)
                .declared(&core.declared);
            UpgradeService::new(core.clone(), pipeline, options)
        };
        Zocket {
            core: Arc::new(core),
            compose: Arc::new(compose),
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
