//! The `on_connect` callback, which makes the context of a new connection.

use std::{future::Future, sync::Arc};

use garde::Validate;
use http::request::Parts;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;
use zocket_layers::{Checker, ClientId, Error, Input};

use crate::{
    contract::SchemaOf,
    core::{Connect, Fingerprint, Lifecycle, Rejection},
    upgrade::{HeaderRules, origin::AmbientCredential},
};

/// Callback that makes a connection's context: `async fn(H, ClientId) -> Result<C, Error>`, or with the upgrade
/// request's [`Parts`] as its third argument, for cookies, the peer's address and extensions. `M` distinguishes the two
/// forms. It is inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't make a connection's context",
    note = "expected `async fn(H, ClientId) -> Result<C, Error>` or `async fn(H, ClientId, http::request::Parts) -> Result<C, Error>`",
    note = "with `H: Deserialize + JsonSchema + garde::Validate`; an async closure that captures is no such function: `on_connect_with(state, f)` passes the state"
)]
pub trait OnConnect<M>: Clone + Send + Sync + 'static {
    /// The validated headers.
    type Headers: Input;
    /// The value that every handler of the connection receives.
    type Context: Send + Sync + 'static;

    /// True if the callback gets the upgrade request's parts. It can then read cookies, so its app has to choose the
    /// pages that may connect: [`Builder::origins`](crate::Builder::origins).
    const TAKES_REQUEST: bool = true;

    /// Returns the future that makes a context.
    fn connect(
        &self,
        headers: Self::Headers,
        client_id: ClientId,
        request: Parts,
    ) -> impl Future<Output = Result<Self::Context, Error>> + Send;
}

impl<F, Fut, H, C> OnConnect<(H, ClientId)> for F
where
    F: Fn(H, ClientId) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<C, Error>> + Send,
    H: Input,
    C: Send + Sync + 'static,
{
    type Headers = H;
    type Context = C;
    const TAKES_REQUEST: bool = false;

    fn connect(
        &self,
        headers: H,
        client_id: ClientId,
        _: Parts,
    ) -> impl Future<Output = Result<C, Error>> + Send {
        self(headers, client_id)
    }
}

impl<F, Fut, H, C> OnConnect<(H, ClientId, Parts)> for F
where
    F: Fn(H, ClientId, Parts) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<C, Error>> + Send,
    H: Input,
    C: Send + Sync + 'static,
{
    type Headers = H;
    type Context = C;

    fn connect(
        &self,
        headers: H,
        client_id: ClientId,
        request: Parts,
    ) -> impl Future<Output = Result<C, Error>> + Send {
        self(headers, client_id, request)
    }
}

/// [`OnConnect`] with state of the app as the first argument, such as a pool or a configuration. Each connection gets a
/// clone of it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't make a connection's context of a `{S}`",
    note = "expected `async fn({S}, H, ClientId) -> Result<C, Error>` or `async fn({S}, H, ClientId, http::request::Parts) -> Result<C, Error>`",
    note = "with `H: Deserialize + JsonSchema + garde::Validate`"
)]
pub trait OnConnectWith<S, M>: Clone + Send + Sync + 'static {
    /// The validated headers.
    type Headers: Input;
    /// The value that every handler of the connection receives.
    type Context: Send + Sync + 'static;

    /// True if the callback gets the upgrade request's parts: see [`OnConnect::TAKES_REQUEST`].
    const TAKES_REQUEST: bool = true;

    /// Returns the future that makes a context.
    fn connect_with(
        &self,
        state: S,
        headers: Self::Headers,
        client_id: ClientId,
        request: Parts,
    ) -> impl Future<Output = Result<Self::Context, Error>> + Send;
}

impl<F, Fut, S, H, C> OnConnectWith<S, (H, ClientId)> for F
where
    F: Fn(S, H, ClientId) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<C, Error>> + Send,
    H: Input,
    C: Send + Sync + 'static,
{
    type Headers = H;
    type Context = C;
    const TAKES_REQUEST: bool = false;

    fn connect_with(
        &self,
        state: S,
        headers: H,
        client_id: ClientId,
        _: Parts,
    ) -> impl Future<Output = Result<C, Error>> + Send {
        self(state, headers, client_id)
    }
}

impl<F, Fut, S, H, C> OnConnectWith<S, (H, ClientId, Parts)> for F
where
    F: Fn(S, H, ClientId, Parts) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<C, Error>> + Send,
    H: Input,
    C: Send + Sync + 'static,
{
    type Headers = H;
    type Context = C;

    fn connect_with(
        &self,
        state: S,
        headers: H,
        client_id: ClientId,
        request: Parts,
    ) -> impl Future<Output = Result<C, Error>> + Send {
        self(state, headers, client_id, request)
    }
}

/// Headers of an app that needs no connect headers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema, Validate)]
pub struct NoHeaders {}

/// A callback that makes contexts, and its properties.
pub(crate) struct Connecting<C> {
    pub(crate) connect: Connect<C>,
    /// The schema of the headers that it reads.
    pub(crate) headers: SchemaOf,
    /// A browser's credential that it can read.
    pub(crate) credential: Option<AmbientCredential>,
    pub(crate) fingerprint: Fingerprint,
}

/// Returns the lifecycle of an app without `on_connect`.
pub(crate) fn no_lifecycle() -> Lifecycle<()> {
    Lifecycle {
        headers: SchemaGenerator::subschema_for::<NoHeaders>,
        connect: Box::new(|_, _| Box::pin(std::future::ready(Ok(())))),
        credential: None,
        fingerprint: Box::new(|_, _| 0),
        open: None,
        resume: None,
        disconnect: None,
    }
}

/// Returns the function that validates a client's headers, then calls the app's callback.
pub(crate) fn connect<F, M>(f: F) -> Connecting<F::Context>
where
    F: OnConnect<M>,
{
    with_valid_headers(F::TAKES_REQUEST, move |headers, client_id, request| {
        let f = f.clone();
        async move { f.connect(headers, client_id, request).await }
    })
}

/// Returns the function that validates a client's headers, then calls the app's callback with a clone of its state.
pub(crate) fn connect_with<S, F, M>(state: S, f: F) -> Connecting<F::Context>
where
    S: Clone + Send + Sync + 'static,
    F: OnConnectWith<S, M>,
{
    with_valid_headers(F::TAKES_REQUEST, move |headers, client_id, request| {
        let (f, state) = (f.clone(), state.clone());
        async move { f.connect_with(state, headers, client_id, request).await }
    })
}

fn with_valid_headers<H, C, Fut>(
    takes_request: bool,
    callback: impl Fn(H, ClientId, Parts) -> Fut + Send + Sync + 'static,
) -> Connecting<C>
where
    H: Input,
    C: Send + 'static,
    Fut: Future<Output = Result<C, Error>> + Send + 'static,
{
    let rules = Arc::new(HeaderRules::<H>::new(Checker::new()));
    let declared = AmbientCredential::among(rules.names());
    let fingerprint = {
        let rules = rules.clone();
        move |request: &Parts, is_shared| match is_shared {
            false => rules.fingerprint(request, takes_request),
            true => rules.shared_fingerprint(request, takes_request),
        }
    };
    Connecting {
        fingerprint: Box::new(fingerprint),
        credential: declared.or(takes_request.then_some(AmbientCredential::Request)),
        headers: SchemaGenerator::subschema_for::<H>,
        connect: Box::new(move |request, client_id| match rules.read(&request) {
            Ok(headers) => {
                let future = callback(headers, client_id, request);
                Box::pin(async move { future.await.map_err(Rejection::Refused) })
            }
            Err(issues) => Box::pin(std::future::ready(Err(Rejection::Headers(issues)))),
        }),
    }
}
