use std::{
    convert::Infallible,
    fmt,
    future::Future,
    net::SocketAddr,
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context as Task, Poll},
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{Either, select},
};
use http::{Extensions, HeaderMap, Request, Response, request::Parts};
use pin_project::pin_project;
use tokio::time::sleep;
use tower::{BoxError, Service};
use zocket_layers::{Body, ClientId, Code, Connection, Error, Frame, FrameResponse};

#[cfg(feature = "testing")]
use super::kit::KitHandshake;
#[cfg(feature = "nats")]
use super::resume::leave_other_node;
use super::{
    answer,
    handshake::Handshake,
    inner_app,
    offers::Offers,
    options::ServeOptions,
    origin::OriginChoice,
    refusal::Refusal,
    resume::{caller, try_resume},
};
use crate::{
    connection::{ConnectionTask, tell_refusal},
    core::{
        ClientHandle, Core, DisconnectGuard, NotAdmitted, Phase, Reason, Rejection, Stage,
        contain::drop_contained,
    },
    server::PeerAddr,
};

/// An app as a tower service of HTTP requests with any body: for axum's `route_service`, `nest_service` and
/// `fallback_service`, for hyper, and inside of tower-http's layers. It is always ready. Cheap to clone.
///
/// It answers 101 (200 over HTTP/2, with the feature `http2`) and serves the connection in its own task. Otherwise it
/// answers 405, 426 or 400 to a request that opens no WebSocket, 403 to a page of another origin, the status of
/// `on_connect`'s refusal, 504 if it takes too long, 503 during shutdown and beyond [`AppLimits`](crate::AppLimits), or 500 if the HTTP server does not allow upgrades. The body is JSON with
/// the reason: `{"error": …}`. A client that offers the subprotocol `zocket.refusals` is told all but 405, 426 and the 400
/// of a malformed handshake by a WebSocket that is closed at once.
///
/// The HTTP server must allow upgrades. axum does, and hyper does with `serve_connection_with_upgrades`. For WebSockets
/// over HTTP/2 (RFC 8441), it must also enable the CONNECT protocol: `http2().enable_connect_protocol()`, or axum's
/// feature `http2`.
pub struct UpgradeService(Arc<dyn Accept>);

impl Clone for UpgradeService {
    fn clone(&self) -> Self {
        inner_app::report(&self.0);
        Self(self.0.clone())
    }
}

/// Accepts upgrade requests. Erases the types of the app's context and of its stack.
pub(super) trait Accept: Send + Sync {
    fn accept(self: Arc<Self>, request: Parts) -> Accepting;

    /// Refuses a request by a WebSocket that is closed at once, and returns the response that opens it. Returns none if
    /// the client is told by the HTTP status: it has not offered to understand a close code, opens no WebSocket, or there
    /// are too many such WebSockets.
    fn tell(&self, request: &mut Parts, refusal: &Refusal) -> Option<Response<Body>>;

    /// Returns true if a request's client has the token of a session that it can resume.
    fn recognizes(&self, headers: &HeaderMap) -> bool;
}

type Accepting = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// Time for the WebSocket of a refused handshake, from the refusal to the end of the connection.
const REFUSED_WITHIN: Duration = Duration::from_secs(2);

struct App<C, S> {
    core: Arc<Core<C>>,
    stack: S,
    options: ServeOptions,
}

impl UpgradeService {
    pub(crate) fn new<C, S>(core: Arc<Core<C>>, stack: S, options: ServeOptions) -> Self
    where
        C: Send + Sync + 'static,
        S: Service<Frame> + Clone + Send + Sync + 'static,
        S::Response: Into<FrameResponse>,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        Self(Arc::new(App { core, stack, options }))
    }
}

impl<C, S> Accept for App<C, S>
where
    C: Send + Sync + 'static,
    S: Service<Frame> + Clone + Send + Sync + 'static,
    S::Response: Into<FrameResponse>,
    S::Error: Into<BoxError>,
    S::Future: Send,
{
    fn accept(self: Arc<Self>, mut request: Parts) -> Accepting {
        Box::pin(async move {
            let mut handshake = match Handshake::take(&mut request, self.options.codec) {
                Ok(handshake) => handshake,
                Err(reason) => return answer::handshake_failed(reason),
            };
            match self.try_accept(request, &mut handshake).await {
                Ok(accepted) => accepted,
                Err(refusal) => {
                    let told = self.tell_by_socket(&mut handshake, &refusal);
                    let response = told.unwrap_or_else(|| refusal.response());
                    drop_contained(refusal);
                    response
                }
            }
        })
    }

    fn tell(&self, request: &mut Parts, refusal: &Refusal) -> Option<Response<Body>> {
        let mut handshake = Handshake::take(request, self.options.codec).ok()?;
        self.tell_by_socket(&mut handshake, refusal)
    }

    fn recognizes(&self, headers: &HeaderMap) -> bool {
        let offers = Offers::read(headers, self.options.codec);
        offers.session.as_ref().is_some_and(|offer| {
            let session = self.core.sessions.get(&offer.client);
            session.is_some_and(|slot| slot.recognizes(offer, offers.form()))
        })
    }
}

impl<C, S> App<C, S>
where
    C: Send + Sync + 'static,
    S: Service<Frame> + Clone + Send + Sync + 'static,
    S::Response: Into<FrameResponse>,
    S::Error: Into<BoxError>,
    S::Future: Send,
{
    /// Accepts an upgrade request, and spawns the connection's task.
    ///
    /// # Errors
    /// The refusal of the request.
    async fn try_accept(
        &self,
        mut request: Parts,
        handshake: &mut Handshake,
    ) -> Result<Response<Body>, Refusal> {
        let core = &self.core;
        #[cfg(feature = "testing")]
        let limits = KitHandshake::receive(&mut request.extensions, &core.sessions, &core.limits);
        #[cfg(not(feature = "testing"))]
        let limits = core.limits.clone();
        if let OriginChoice::Only(origins) = &core.origins {
            let checked = origins.check(&request.uri, &request.headers);
            checked.map_err(Refusal::of_origin)?;
        }
        if let Some(resumed) = try_resume(core, handshake, &mut request).await? {
            return Ok(resumed);
        }
        // Counted until the client is registered or refused, so that a shutdown waits for it.
        let attempt = core.registry.attempt(&core.app_limits)?;
        if handshake.upgrade.is_none() {
            return Err(no_upgrades());
        }
        log_version(&request);

        let fingerprint = match handshake.offers.resume {
            true => core.fingerprint(&request),
            false => 0,
        };
        #[cfg(feature = "nats")]
        if let Some(told) = leave_other_node(core, handshake, fingerprint).await? {
            return Ok(told);
        }
        let caller = caller(&mut request, fingerprint);
        let client_id = core.hub.new_client_id();
        let (peer_addr, extensions) = peer(&mut request.extensions);
        let value = Arc::new(self.connect(request, client_id).await?);
        let form = handshake.offers.form();
        let declared = self.options.declared.clone();
        let hub = core.hub.clone();
        let mut connection = Connection::new(client_id, form, value.clone(), hub, declared, limits)
            .with_extensions(extensions);
        if let Some(addr) = peer_addr {
            connection = connection.with_peer_addr(addr);
        }
        let handle = ClientHandle { connection, value };
        // From here on the guard runs on_disconnect, however the connection ends.
        let guard = DisconnectGuard::new(core.clone(), attempt, handle.clone());
        if guard.ending().stage() > Stage::Open {
            guard.spawn(Reason::Shutdown);
            return Err(NotAdmitted::ShuttingDown.into());
        }
        let Some(upgrade) = handshake.upgrade.take() else {
            return Err(no_upgrades());
        };
        let task = Box::new(ConnectionTask {
            core: core.clone(),
            pipeline: self.stack.clone(),
            handle,
            guard,
            caller,
            offers: handshake.offers.clone(),
            codec: self.options.codec,
            contract: self.options.contract.clone(),
            ended: handshake.ended,
        });
        tokio::spawn(task.run(upgrade));
        Ok(answer::accepted(&handshake.accept, form))
    }

    /// Runs `on_connect`, for `AppLimits::connect_within` at most.
    ///
    /// # Errors
    /// The refusal of the client.
    async fn connect(&self, request: Parts, client_id: ClientId) -> Result<C, Refusal> {
        let core = &self.core;
        let limit = core.app_limits.connect_within;
        let connecting =
            AssertUnwindSafe(async { (core.lifecycle.connect)(request, client_id).await }).catch_unwind();
        let (late, cut) = (pin!(sleep(limit)), pin!(core.registry.reached(Phase::Cut)));
        match select(Box::pin(connecting), select(late, cut)).await {
            Either::Left((Ok(value), _)) => value.map_err(Refusal::from),
            Either::Left((Err(panic), _)) => {
                drop_contained(panic);
                let error = Error::internal("on_connect panicked");
                Err(Rejection::Refused(error).into())
            }
            Either::Right((Either::Left(_), connecting)) => {
                drop_contained(connecting);
                tracing::warn!(
                    ?limit,
                    "on_connect dropped: it did not finish within AppLimits::connect_within"
                );
                Err(Refusal::connect_timed_out())
            }
            Either::Right((Either::Right(_), connecting)) => {
                drop_contained(connecting);
                Err(NotAdmitted::ShuttingDown.into())
            }
        }
    }

    /// Refuses a handshake by a WebSocket that is closed at once: [`Accept::tell`].
    fn tell_by_socket(&self, handshake: &mut Handshake, refusal: &Refusal) -> Option<Response<Body>> {
        let core = &self.core;
        let Handshake {
            accept,
            offers,
            upgrade,
            ..
        } = handshake;
        let codec = offers.codec.filter(|_| offers.refusals)?;
        // Past the grace period of a shutdown no WebSocket is waited for.
        if core.registry.phase() == Phase::Cut {
            return None;
        }
        let permit = core.refusals.clone().try_acquire_owned().ok()?;
        let (upgrade, core) = (upgrade.take()?, core.clone());
        refusal.record();
        let (frame, close) = refusal.told(codec);
        tokio::spawn(async move {
            let telling = pin!(tell_refusal(upgrade, frame, close));
            select(telling, pin!(core.over(REFUSED_WITHIN))).await;
            drop(permit);
        });
        Some(answer::accepted(accept, offers.form()))
    }
}

/// Returns what the HTTP server has told about the peer, as the connection keeps it: its address, and the other extensions.
/// The address alone would take eight times as much memory as an extension.
fn peer(extensions: &mut Extensions) -> (Option<SocketAddr>, Extensions) {
    let addr = extensions.remove::<PeerAddr>();
    // A clone of an emptied map would keep its allocation as long as the connection lives.
    let others = match extensions.is_empty() {
        true => Extensions::new(),
        false => extensions.clone(),
    };
    addr.map(|addr| extensions.insert(addr));
    (addr.map(|PeerAddr(addr)| addr), others)
}

/// Returns the refusal of a server that does not let its connections be upgraded.
fn no_upgrades() -> Refusal {
    tracing::error!("upgrade refused: the HTTP server must serve connections `with_upgrades`");
    let message = "this server does not support upgrades";
    Error::new(Code::INTERNAL_SERVER_ERROR, message).into()
}

/// Returns true for a text that may be logged as a version. Other texts of a client do not reach the log.
fn is_version(text: &str) -> bool {
    text.len() <= 20
        && text.starts_with(|first: char| first.is_ascii_digit())
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || ".-+".contains(letter))
}

/// Logs the first client whose library has another version than the server. Later ones are not logged. All of them are
/// served.
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
    if let Some(version) = version.filter(|version| version != KNOWN && is_version(version)) {
        UNKNOWN.call_once(
            || tracing::warn!(%version, known = KNOWN, "a client with an unknown version connected"),
        );
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

/// Future of [`UpgradeService`].
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
