use std::{
    convert::Infallible,
    fmt,
    future::Future,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll},
};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Extensions, Request, Response, request::Parts};
use http_body_util::Full;
use hyper::upgrade::OnUpgrade;
use pin_project::pin_project;
use tower::{BoxError, Service};
use zocket_layers::{ClientId, Code, Connection, Error, Frame};

use super::{answer, handshake};
use crate::{
    app::Core,
    connection::{Departure, Guest, Visit},
    on_connect::Rejection,
};

/// The body of an answer to an upgrade request: empty, or JSON that says why there is no upgrade.
pub type Body = Full<Bytes>;

/// An app as a tower service of HTTP requests, whatever their body: for axum's `route_service`, `nest_service` and
/// `fallback_service`, for hyper, and inside of tower-http's layers. Cheap to clone.
///
/// It answers 101 (200 over HTTP/2, with the feature `http2`) and goes on with the connection in a task of its own; or 405, 426, 400, what `on_connect`
/// refused with, or 503 during shutdown, with a JSON body `{"error": …}` that says why.
///
/// The HTTP server must let connections be upgraded: axum does, hyper by `serve_connection_with_upgrades`. For WebSockets
/// over HTTP/2 (RFC 8441), it must enable the CONNECT protocol, too: `http2().enable_connect_protocol()`, or axum's
/// feature `http2`.
#[derive(Clone)]
pub struct UpgradeService(Arc<dyn Accept>);

/// An app with its pipeline, whatever their types.
trait Accept: Send + Sync {
    fn accept(self: Arc<Self>, request: Parts) -> Accepting;
}

type Accepting = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

struct App<C, S> {
    core: Arc<Core<C>>,
    pipeline: S,
    /// The contract's hash.
    contract: Arc<str>,
}

impl UpgradeService {
    pub(crate) fn new<C, S>(core: Arc<Core<C>>, pipeline: S, contract: &str) -> Self
    where
        C: Send + Sync + 'static,
        S: Service<Frame, Response = Option<Vec<u8>>, Error = BoxError> + Clone + Send + Sync + 'static,
        S::Future: Send,
    {
        Self(Arc::new(App {
            core,
            pipeline,
            contract: contract.into(),
        }))
    }
}

impl<C, S> Accept for App<C, S>
where
    C: Send + Sync + 'static,
    S: Service<Frame, Response = Option<Vec<u8>>, Error = BoxError> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    fn accept(self: Arc<Self>, request: Parts) -> Accepting {
        Box::pin(async move { self.try_accept(request).await.unwrap_or_else(|refusal| *refusal) })
    }
}

impl<C, S> App<C, S>
where
    C: Send + Sync + 'static,
    S: Service<Frame, Response = Option<Vec<u8>>, Error = BoxError> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    async fn try_accept(&self, mut request: Parts) -> Result<Response<Body>, Box<Response<Body>>> {
        let core = &self.core;
        let accept = handshake::check(&request).map_err(answer::no_handshake)?;
        if core.open.is_shut_down() {
            return Err(answer::refused(&Error::new(Code::OVERLOADED, "the server is shutting down")).into());
        }
        let Some(upgrade) = request.extensions.remove::<OnUpgrade>() else {
            tracing::error!(
                "the HTTP server does not let connections be upgraded: hyper needs `with_upgrades`"
            );
            return Err(answer::refused(&Error::new(
                Code::INTERNAL_SERVER_ERROR,
                "this server can't upgrade",
            ))
            .into());
        };
        let wire = handshake::negotiate(&request.headers);
        log_version(&request);

        let client_id = ClientId::random();
        // An emptied map would be kept with its room for each connection.
        let extensions = match request.extensions.is_empty() {
            true => Extensions::new(),
            false => request.extensions.clone(),
        };
        let asking =
            AssertUnwindSafe(async { (core.lifecycle.connect)(request, client_id).await }).catch_unwind();
        let value = match asking.await {
            Ok(value) => value,
            Err(_) => Err(Rejection::Refused(Error::internal("on_connect panicked"))),
        };
        let value = value.map_err(answer::rejected)?;

        // From here on, on_disconnect is owed: `departure` runs it, whatever becomes of the connection.
        let value = Arc::new(value);
        let (hub, declared, limits) = (core.hub.clone(), core.declared.clone(), core.limits.clone());
        let connection = Connection::new(client_id, wire, value.clone(), hub, declared, limits)
            .with_extensions(extensions);
        let guest = Guest { connection, value };
        core.start_background();
        let mailbox = core.hub.connect(client_id, &core.limits);
        let departure = Departure::new(core.clone(), guest.clone(), mailbox.clone());
        let pipeline = self.pipeline.clone();
        let visit = Box::new(Visit {
            core: core.clone(),
            pipeline,
            guest,
            mailbox,
            departure,
            contract: self.contract.clone(),
        });
        tokio::spawn(visit.run(upgrade));
        Ok(answer::accepted(&accept, wire))
    }
}

/// Versions of the client's library that are unknown are served all the same, and logged once.
fn log_version(request: &Parts) {
    static UNKNOWN: std::sync::Once = std::sync::Once::new();
    const KNOWN: &str = env!("CARGO_PKG_VERSION");
    let query = request.uri.query().unwrap_or_default();
    let field = request
        .headers
        .get("x-zocket-version")
        .map(|field| String::from_utf8_lossy(field.as_bytes()));
    let version = field.or_else(|| {
        url::form_urlencoded::parse(query.as_bytes())
            .find_map(|(name, value)| (name == "x-zocket-version").then(|| value.into_owned().into()))
    });
    if let Some(version) = version.filter(|version| version != KNOWN) {
        UNKNOWN.call_once(|| tracing::warn!(%version, known = KNOWN, "a client of another version"));
    }
}

impl<B> Service<Request<B>> for UpgradeService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = UpgradeFuture;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, _) = request.into_parts();
        UpgradeFuture {
            inner: self.0.clone().accept(parts),
        }
    }
}

impl fmt::Debug for UpgradeService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UpgradeService")
    }
}

/// The future of [`UpgradeService`].
#[pin_project]
pub struct UpgradeFuture {
    inner: Accepting,
}

impl Future for UpgradeFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        self.project().inner.as_mut().poll(cx).map(Ok)
    }
}

impl fmt::Debug for UpgradeFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UpgradeFuture")
    }
}
