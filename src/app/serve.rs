//! Services of an app.

use std::fmt;

use tower::BoxError;
use zocket_layers::{Frame, FrameResponse, internal, service::ServedByClones};

use super::Zocket;
use crate::{
    router::{CheckedRouter, Router, RouterError, RouterService},
    upgrade::{HeaderKinds, ServeError, ServeOptions, StackError, UpgradeService},
};

impl<C: Send + Sync + 'static> Zocket<C> {
    /// Makes a service of the app, for `axum::Router::route_service`, hyper, or a stack of tower-http layers.
    ///
    /// # Panics
    /// If the router is invalid, or if `on_connect` can read a cookie and the app has not chosen the pages that may
    /// connect. [`try_serve`](Self::try_serve) returns the error instead.
    #[must_use]
    #[track_caller]
    pub fn serve(&self, router: Router<C>) -> UpgradeService {
        or_panic(self.try_serve(router))
    }

    /// Makes a service like [`serve`](Self::serve), for callers that handle the error.
    ///
    /// # Errors
    /// [`ServeError::Origins`] if `on_connect` can read a cookie, and the builder has no
    /// [`origins`](crate::Builder::origins) or [`any_origin`](crate::Builder::any_origin).
    ///
    /// [`ServeError::Router`] with all problems of a router that is invalid: a route declared twice, a route that is the
    /// prefix of another route or of a nest, a route that would shadow a member of the generated clients, an empty
    /// segment, a segment to which JavaScript or the clients give a meaning (`then`, `toString`), a name that begins
    /// with `__`, an outgoing message outside of its nest's prefix, declared as two types or the prefix of another, two
    /// types that schemars takes for one, a connect header of a type that no text can hold or with the name
    /// `sec-websocket-protocol`, or a router of another app.
    pub fn try_serve(&self, router: Router<C>) -> Result<UpgradeService, ServeError> {
        self.check_origins()?;
        let checked = self.check(router)?;
        self.declare(&checked);
        Ok((self.compose)(&self.core, checked.routes, &checked.contract))
    }

    /// Serves a stack that you compose by hand around the routes of a router. As with [`serve`](Self::serve), the
    /// router's events and routes are declared, and clients get the hash of its contract. The layers of the builder are
    /// not applied, because you compose the whole stack.
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
    /// If the router is invalid, or the stack does not fit the app. [`try_serve_with`](Self::try_serve_with)
    /// returns the problems instead.
    #[must_use]
    #[track_caller]
    pub fn serve_with<S>(&self, router: Router<C>, compose: impl FnOnce(RouterService) -> S) -> UpgradeService
    where
        S: ServedByClones<Frame> + Send + Sync + 'static,
        S::Response: Into<FrameResponse>,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        or_panic(self.try_serve_with(router, compose))
    }

    /// Serves a stack like [`serve_with`](Self::serve_with), for callers that handle the error.
    ///
    /// # Errors
    /// [`ServeError::Router`] as with [`try_serve`](Self::try_serve). [`ServeError::Stack`] as with
    /// [`try_serve_stack`](Self::try_serve_stack).
    pub fn try_serve_with<S>(
        &self,
        router: Router<C>,
        compose: impl FnOnce(RouterService) -> S,
    ) -> Result<UpgradeService, ServeError>
    where
        S: ServedByClones<Frame> + Send + Sync + 'static,
        S::Response: Into<FrameResponse>,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        self.check_origins()?;
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
    /// - With a [`DecodeLayer`](crate::layers::DecodeLayer) the stack speaks the base protocol, and the extended one to
    ///   clients that negotiate it. Their welcome has no `contract`.
    /// - Without one, frames are opaque in both directions: text stays text, binary stays binary, and no client
    ///   negotiates a subprotocol. A response over [`Limits::message`](crate::Limits::message) is logged and not sent.
    /// - An `Err` or a panic of `call` affects that message only. It is logged, and the message is refused if its id is
    ///   known. An `Err` or a panic of `poll_ready` means that the stack has failed for good. The connection then
    ///   closes with 1011, after the messages in flight have finished.
    /// - A `DecodeLayer` inside of a `Buffer` is not detected. Put it outside.
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
    /// If the stack does not fit the app. [`try_serve_stack`](Self::try_serve_stack) returns the error instead.
    #[must_use]
    #[track_caller]
    pub fn serve_stack<S>(&self, stack: S) -> UpgradeService
    where
        S: ServedByClones<Frame> + Send + Sync + 'static,
        S::Response: Into<FrameResponse>,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        or_panic(self.try_serve_stack(stack))
    }

    /// Serves a stack like [`serve_stack`](Self::serve_stack), for callers that handle the error.
    ///
    /// # Errors
    /// [`ServeError::Stack`] for a `ContextLayer` of another type than `C`, or a connect header of a type that no text can
    /// hold or with the name `sec-websocket-protocol`. [`ServeError::Origins`] as with [`try_serve`](Self::try_serve).
    pub fn try_serve_stack<S>(&self, stack: S) -> Result<UpgradeService, ServeError>
    where
        S: ServedByClones<Frame> + Send + Sync + 'static,
        S::Response: Into<FrameResponse>,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        self.check_origins()?;
        let headers = HeaderKinds::of(self.core.lifecycle.headers);
        if !headers.problems.is_empty() {
            return Err(StackError::of_headers(headers.problems).into());
        }
        let options = ServeOptions::of_stack::<C, _>(&stack)?;
        Ok(UpgradeService::new(self.core.clone(), stack, options))
    }

    /// Checks that an app which can read a cookie has chosen the pages that may connect.
    fn check_origins(&self) -> Result<(), ServeError> {
        Ok(self.core.origins.check(self.core.lifecycle.credential)?)
    }

    /// Checks a router, and makes its service.
    fn check(&self, router: Router<C>) -> Result<CheckedRouter, RouterError> {
        router.build_for(&self.core.hub)
    }

    /// Declares a router's events, so that handlers and emitters may send them, its routes, which metrics may then use as
    /// labels, and the refusals of its routes, which the app's layers have to fit.
    fn declare(&self, router: &CheckedRouter) {
        self.core.declared.extend(router.outgoing.iter().copied());
        self.core.declared.extend_routes(router.routes.paths());
        for (route, rules) in &router.refusals {
            internal::declare_refusals(&self.core.declared, route, rules.clone());
        }
    }
}

#[track_caller]
fn or_panic<E: fmt::Display>(served: Result<UpgradeService, E>) -> UpgradeService {
    match served {
        Ok(service) => service,
        Err(error) => panic!("{error}"),
    }
}
