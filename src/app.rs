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

/// An app: its lifecycle, its hub, its limits. [`message`](Self::message) begins a procedure,
/// [`router`](Self::router) begins a router that holds procedures, [`serve`](Self::serve) makes a service of the
/// router. Cheap to clone.
///
/// `C` is the value that `on_connect` makes and every handler receives. The layers of the builder are not part of the
/// type: a function can return a `Zocket<User>` with any number of layers.
pub struct Zocket<C = ()> {
    core: Arc<Core<C>>,
    compose: Arc<Compose<C>>,
}

/// Function that puts the app's layers around a router, and serves them with the contract's hash.
type Compose<C> = dyn Fn(&Arc<Core<C>>, RouterService, &str) -> UpgradeService + Send + Sync;

impl Zocket {
    /// Begins an app with the default settings.
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

    /// Returns a connection without a socket, for a test of one procedure. Nothing else in the app knows its client.
    /// The connection has the app's limits and the events that [`serve`](Self::serve) declared, so that an undeclared
    /// event is refused as on a real connection.
    #[must_use]
    pub fn detached(&self, context: C) -> Connection
    where
        C: Send + Sync + 'static,
    {
        Connection::detached_from(context, self.core.declared.clone(), self.core.limits.clone())
    }

    /// Returns the number of connections. Each counts from a successful `on_connect` until `on_disconnect` has finished
    /// and the Close has been answered.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.core.registry.len()
    }

    /// Returns the context of each connection that [`connections`](Self::connections) counts, in no order. A context
    /// gives access to the value that `on_connect` made and to the client's rooms, and can send to the client or close
    /// the connection. Effects of these contexts apply at once.
    #[must_use]
    pub fn contexts(&self) -> Vec<Context<C>> {
        self.core.registry.contexts()
    }

    /// Refuses new connections (503), closes every connection with 1001 `going-away`, and waits until each has
    /// finished its handlers and `on_disconnect`, but no longer than `grace`. Returns the number of connections that
    /// have not finished by then.
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

    /// Makes a service like [`serve`](Self::serve), for callers that handle the error.
    ///
    /// # Errors
    /// All problems of a router that contradicts itself: a route declared twice, a route that is the prefix of
    /// a nest, an empty segment, a name that begins with `__`, an outgoing message outside of its nest's prefix
    /// or declared as two types.
    pub fn try_serve(&self, router: Router<C>) -> Result<UpgradeService, RouterError> {
        let checked = self.check(router)?;
        self.declare(&checked);
        Ok((self.compose)(&self.core, checked.routes, &checked.contract))
    }

    /// Serves a stack that you compose by hand around the routes of a router. The service keeps the router's contract
    /// and its declared events and routes. The layers of the builder are not applied: you compose the whole stack.
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

    /// Serves a stack like [`serve_with`](Self::serve_with), for callers that handle the error.
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

    /// Serves a stack that you compose by hand: any service of [`Frame`]s, over the same upgrade, with the same limits
    /// and the same lifecycle as [`serve`](Self::serve). It declares no events and no routes, so that every event may
    /// be sent.
    ///
    /// - With a [`DecodeLayer`] the stack speaks the base protocol, and the extended one to clients that negotiate it.
    ///   Their welcome has no `contract`.
    /// - Without one, frames are opaque in both directions: text stays text, binary stays binary, and no client
    ///   negotiates anything. A response over [`Limits::message`] is logged and not sent.
    /// - An `Err` or a panic of `call` affects that message only: it is logged, and the message is refused if its id is
    ///   known. An `Err` or a panic of `poll_ready` means that the stack has failed for good: the connection closes
    ///   with 1011.
    /// - A `DecodeLayer` inside of a `Buffer` is not detected: put it outside.
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

    /// Serves a stack like [`serve_stack`](Self::serve_stack), for callers that handle the error.
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

/// Builder of an app, made by [`Zocket::builder`].
pub struct Builder<C, L> {
    hub: Option<Arc<dyn Hub>>,
    limits: Limits,
    concurrency: usize,
    lifecycle: Lifecycle<C>,
    layers: L,
}

impl<L> Builder<(), L> {
    /// Sets the callback that makes each connection's context: `async fn(H, ClientId) -> Result<C, Error>`, or with
    /// the upgrade request's parts as its third argument. The callback runs before the handshake is answered, with
    /// the validated connect headers. Its error refuses the upgrade. Default: the context is `()`.
    ///
    /// The values of connect headers are strings on the wire: `H` has `String`s, enums of unit variants, or fields
    /// that serde reads from a string. A `u8` would refuse every client.
    ///
    /// `on_disconnect` runs exactly once for each success of the callback.
    ///
    /// # Panics
    /// If `on_open` or `on_disconnect` was set before: they receive the context that this callback makes.
    #[must_use]
    #[track_caller]
    pub fn on_connect<F, M>(self, f: F) -> Builder<F::Context, L>
    where
        F: OnConnect<M>,
    {
        self.connecting(connect(f), SchemaGenerator::subschema_for::<F::Headers>)
    }

    /// Sets the callback like [`on_connect`](Self::on_connect), with a clone of `state` as its first argument, since an
    /// async closure can't capture: `on_connect_with(pool, async |pool: Pool, headers: Headers, id: ClientId| ..)`.
    ///
    /// # Panics
    /// If `on_open` or `on_disconnect` was set before: they receive the context that this callback makes.
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
    /// Sets the callback that runs when the socket is open, before any message is handled. Its error, or a panic,
    /// closes the connection, and messages that the client has sent by then are not handled.
    #[must_use]
    pub fn on_open<F, Fut>(mut self, f: F) -> Self
    where
        F: Fn(Context<C>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Error>> + Send + 'static,
    {
        self.lifecycle.open = Some(Box::new(move |cx| Box::pin(f(cx))));
        self
    }

    /// Sets the callback that runs exactly once for every `on_connect` that succeeded, after the last handler has
    /// finished. The client is still in its rooms.
    #[must_use]
    pub fn on_disconnect<F, Fut>(mut self, f: F) -> Self
    where
        F: Fn(Context<C>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.lifecycle.disconnect = Some(Box::new(move |cx| Box::pin(f(cx))));
        self
    }

    /// Sets the limits of each connection.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Lets up to `messages` messages of one connection be handled at once. They start in order and may overtake each
    /// other. Default: 1, so that each message waits for the one before it, except on `.concurrent()` routes.
    #[must_use]
    pub fn concurrency(mut self, messages: usize) -> Self {
        self.concurrency = messages.max(1);
        self
    }

    /// Sets the hub. Default: a [`LocalHub`] of the app's own.
    #[must_use]
    pub fn hub(mut self, hub: Arc<dyn Hub>) -> Self {
        self.hub = Some(hub);
        self
    }

    /// Adds a tower layer for the whole app, between rescue and the router, around everything that is added later. Its
    /// requests are raw [`Message`]s, its responses [`Reply`]s. While the layer is not ready, each socket is read only
    /// until its queue is full.
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
    /// Builds the app.
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
