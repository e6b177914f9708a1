//! The builder of an app.

use std::{fmt, future::Future, sync::Arc};

use http::request::Parts;
use tower::{
    BoxError, Layer, Service,
    layer::util::{Identity, Stack},
};
use zocket_layers::{
    Context, DecodeLayer, Error, Hub, Input, Limits, Message, Reply, RescueLayer, service::ServedByClones,
};

use super::Zocket;
use crate::{
    core::{AppLimits, Core, Lifecycle, Settings},
    on_connect::{Connecting, OnConnect, OnConnectWith, connect, connect_with, no_lifecycle},
    on_disconnect::{OnDisconnect, disconnect},
    on_resume::resume,
    router::RouterService,
    upgrade::{
        ServeOptions, UpgradeService,
        origin::{OriginChoice, Origins},
    },
};

impl Zocket {
    /// Begins an app with the default settings.
    #[must_use]
    pub fn builder() -> Builder<(), Identity> {
        Builder {
            settings: Settings::default(),
            lifecycle: no_lifecycle(),
            layers: Identity::new(),
        }
    }
}

/// Builder of an app, made by [`Zocket::builder`].
pub struct Builder<C, L> {
    settings: Settings,
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
    /// If the callback takes the request's parts, or `H` has a field `cookie` or `authorization`, the app has to choose
    /// the pages that may connect: [`origins`](Self::origins) or [`any_origin`](Self::any_origin).
    ///
    /// # Panics
    /// If `on_open` or `on_disconnect` was set before: they receive the context that this callback makes.
    #[must_use]
    #[track_caller]
    pub fn on_connect<F, M>(self, f: F) -> Builder<F::Context, L>
    where
        F: OnConnect<M>, // A closure that captures: see `on_connect_with`.
    {
        self.connecting(connect(f))
    }

    /// Sets the callback like [`on_connect`](Self::on_connect), with a clone of `state` as its first argument:
    /// `on_connect_with(pool, async |pool: Pool, headers: Headers, id: ClientId| ..)`.
    ///
    /// An async closure that captures `state` is no such callback, because its future borrows from the closure. The
    /// guide's page [`errors`](crate::guide::errors#a-closure-that-captures) has the compiler's message.
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
        self.connecting(connect_with(state, f))
    }

    #[track_caller]
    fn connecting<C>(self, connecting: Connecting<C>) -> Builder<C, L> {
        assert!(
            self.lifecycle.open.is_none()
                && self.lifecycle.resume.is_none()
                && self.lifecycle.disconnect.is_none(),
            "expected on_connect before on_open, on_resume and on_disconnect, which take its context: call it first"
        );
        let lifecycle = Lifecycle {
            headers: connecting.headers,
            connect: connecting.connect,
            credential: connecting.credential,
            fingerprint: connecting.fingerprint,
            open: None,
            resume: None,
            disconnect: None,
        };
        Builder {
            settings: self.settings,
            lifecycle,
            layers: self.layers,
        }
    }
}

impl<C, L> Builder<C, L> {
    /// Sets the callback that runs when the socket is open, before any message is handled. If it fails, or an effect of
    /// it (an event that can't be sent, say), the connection closes with 1008 and the error's code as the reason, after a
    /// panic with 1011. Messages that the client has sent
    /// by then are not handled.
    #[must_use]
    pub fn on_open<F, Fut>(mut self, f: F) -> Self
    where
        F: Fn(Context<C>) -> Fut + Send + Sync + 'static, // `on_connect` makes `C`: call it before.
        Fut: Future<Output = Result<(), Error>> + Send + 'static,
    {
        self.lifecycle.open = Some(Box::new(move |cx| Box::pin(f(cx))));
        self
    }

    /// Sets the callback that decides whether a client may come back to its session, whose connection was lost:
    /// `async fn(H, Parts, Context<C>) -> Result<bool, Error>`. It receives the headers and the request of the new
    /// handshake, and the context of the session. It runs before the handshake is answered, and only for a client with the
    /// session's secret token.
    ///
    /// - `Ok(true)`: the session goes on over the new connection.
    /// - `Ok(false)`: the client gets a new session, for which `on_connect` runs. The old one is left alone.
    /// - `Err`: the session ends, and the client is refused.
    ///
    /// Default: the client may come back if the connect headers are the same as those that were accepted last, together
    /// with its cookies and its `Authorization` if `on_connect` takes the request's parts. An app whose clients send a
    /// fresh token in each handshake needs this callback. A client that comes to another node of a cluster is compared in this
    /// way, too, and the callback is not asked: [`deploying`](crate::guide::deploying#more-than-one-process).
    ///
    /// ```
    /// use garde::Validate;
    /// use http::request::Parts;
    /// use schemars::JsonSchema;
    /// use serde::Deserialize;
    /// use zocket::{ClientId, Context, Error, Zocket};
    ///
    /// #[derive(Deserialize, JsonSchema, Validate)]
    /// struct Headers {
    ///     #[garde(skip)]
    ///     token: String,
    /// }
    ///
    /// async fn user_of(token: &str) -> Result<String, Error> {
    ///     Ok(token.chars().take(3).collect()) // say, a query
    /// }
    ///
    /// let zo = Zocket::builder()
    ///     .on_connect(async |headers: Headers, _: ClientId| user_of(&headers.token).await)
    ///     .on_resume(async |headers: Headers, _: Parts, cx: Context<String>| {
    ///         Ok(user_of(&headers.token).await? == **cx)
    ///     })
    ///     .build();
    /// # drop(zo.serve(zo.router()));
    /// ```
    #[must_use]
    pub fn on_resume<F, H, Fut>(mut self, f: F) -> Self
    where
        F: Fn(H, Parts, Context<C>) -> Fut + Send + Sync + 'static, // `on_connect` makes `C`: call it before.
        H: Input,
        Fut: Future<Output = Result<bool, Error>> + Send + 'static,
    {
        self.lifecycle.resume = Some(resume(f));
        self
    }

    /// Sets the callback that runs exactly once for every `on_connect` that succeeded, after the last handler has
    /// finished or was dropped: `async fn(Context<C>)`, or with the [`Reason`](crate::Reason) as its second argument.
    /// The client is still in its rooms. It leaves them when the callback has finished, or after
    /// [`Limits::linger`](field@Limits::linger).
    #[must_use]
    pub fn on_disconnect<F, M>(mut self, f: F) -> Self
    where
        F: OnDisconnect<C, M>, // `on_connect` makes `C`: call it before.
    {
        self.lifecycle.disconnect = Some(disconnect(f));
        self
    }

    /// Sets the pages that may connect. A handshake from a page of another origin is refused with 403, before
    /// `on_connect` runs. Requests without `Origin` pass, unless the rule is
    /// [`required`](crate::Origins::required): clients other than browsers send none.
    ///
    /// ```
    /// use http::request::Parts;
    /// use zocket::{ClientId, Error, NoHeaders, Origins, Zocket};
    ///
    /// async fn user_of_session(_: NoHeaders, _: ClientId, request: Parts) -> Result<String, Error> {
    ///     match request.headers.get("cookie") {
    ///         Some(_) => Ok("Ann".to_owned()), // say, a query
    ///         None => Err(Error::unauthorized("log in first")),
    ///     }
    /// }
    ///
    /// let zo = Zocket::builder().on_connect(user_of_session).origins(Origins::same()).build();
    /// # drop(zo.serve(zo.router()));
    /// ```
    #[must_use]
    pub fn origins(mut self, origins: Origins) -> Self {
        self.settings.origins = OriginChoice::Only(origins);
        self
    }

    /// Lets pages of every origin connect. This is the default of an app whose `on_connect` reads neither the header
    /// `cookie` or `authorization` nor the request's parts. Any other app must choose this or
    /// [`origins`](Self::origins), since a browser sends such credentials for pages of every site. It may choose this
    /// if no user is identified by them.
    #[must_use]
    pub fn any_origin(mut self) -> Self {
        self.settings.origins = OriginChoice::Any;
        self
    }

    /// Sets the limits of each connection.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = Arc::new(limits);
        self
    }

    /// Sets the limits of all connections together, and of handshakes.
    #[must_use]
    pub fn app_limits(mut self, app_limits: AppLimits) -> Self {
        self.settings.app_limits = app_limits;
        self
    }

    /// Lets up to `messages` messages of one connection be handled at once. They start in order and may overtake each
    /// other. Default: 1, so that each message waits for the one before it, except on `.concurrent()` routes.
    #[must_use]
    pub fn concurrency(mut self, messages: usize) -> Self {
        self.settings.concurrency = messages.max(1);
        self
    }

    /// Sets the hub. Default: a [`LocalHub`](crate::LocalHub) of the app's own, made with the app's
    /// [`limits`](Self::limits). They do not change a hub that is set here: pass them to
    /// [`LocalHub::with_limits`](crate::LocalHub::with_limits).
    #[must_use]
    pub fn hub(mut self, hub: Arc<dyn Hub>) -> Self {
        self.settings.hub = Some(hub);
        self
    }

    /// Adds a tower layer for the whole app, between rescue and the router, around everything that is added later. Its
    /// requests are raw [`Message`]s, its responses [`Reply`]s. While the layer is not ready, each socket is read only
    /// until its queue is full.
    ///
    /// The layer may refuse with any code. Under a code that the message's route declares, the data has to be the declared
    /// one, as for a layer of [`Router::layer`](crate::Router::layer).
    #[must_use]
    pub fn layer<T>(self, layer: T) -> Builder<C, Stack<T, L>> {
        Builder {
            settings: self.settings,
            lifecycle: self.lifecycle,
            layers: Stack::new(layer, self.layers),
        }
    }
}

impl<C, L> Builder<C, L> {
    /// Builds the app.
    #[must_use]
    pub fn build(self) -> Zocket<C>
    where
        C: Send + Sync + 'static,
        L: Layer<RouterService> + Send + Sync + 'static,
        L::Service: ServedByClones<Message, Response = Reply> + Send + Sync + 'static,
        <L::Service as Service<Message>>::Error: Into<BoxError>,
        <L::Service as Service<Message>>::Future: Send,
    {
        let core = Core::new(self.settings, self.lifecycle);
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
            .field("limits", &self.settings.limits)
            .field("app_limits", &self.settings.app_limits)
            .field("concurrency", &self.settings.concurrency)
            .finish_non_exhaustive()
    }
}
