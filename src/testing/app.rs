//! An app served in memory.

use std::{fmt, future::Future, net::SocketAddr, panic::Location, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderName, HeaderValue, Request, Response};
use hyper::{
    body::{Body, Incoming as RequestBody},
    server::conn::http1,
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::TcpStream,
};
use tokio_tungstenite::{WebSocketStream, client_async};
use tower::{BoxError, Service, util::MapRequest};
use url::Url;
use zocket_layers::Codec;

use super::{
    TestClient,
    client::Resumption,
    link::{Link, LinkFaults},
    record::{self, RESUME},
};
use crate::{
    client::{
        BuildError, Outage, Welcome,
        dial::{Received, handshake_error, read, request},
        headers::Headers,
        wire::{self, ServerFrame},
    },
    upgrade::KitHandshake,
};

/// The app's end of a connection.
trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Function that serves a connection, with the kit's settings of its handshake.
type Serve = dyn Fn(Box<dyn Duplex>, Option<KitHandshake>) + Send + Sync;

/// An app served in memory: the service that `zo.serve(router)` returned, or any HTTP service around it. Cheap to
/// clone. Connecting requires a tokio runtime. See the [module](super).
#[derive(Clone)]
pub struct TestApp {
    serve: Arc<Serve>,
    resume_within: Duration,
}

impl TestApp {
    /// Serves an HTTP service with hyper, as in production.
    pub fn new<S, B>(service: S) -> Self
    where
        S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let service = Mutex::new(service);
        let serve = move |io: Box<dyn Duplex>, kit: Option<KitHandshake>| {
            let service = MapRequest::new(
                service.lock().clone(),
                move |mut request: Request<RequestBody>| {
                    if let Some(kit) = kit.clone() {
                        request.extensions_mut().insert(kit);
                    }
                    request
                },
            );
            let service = TowerToHyperService::new(service);
            let connection = http1::Builder::new().serve_connection(TokioIo::new(io), service);
            tokio::spawn(async move {
                if let Err(error) = connection.with_upgrades().await {
                    tracing::debug!(%error, "HTTP connection ended");
                }
            });
        };
        Self {
            serve: Arc::new(serve),
            resume_within: Duration::ZERO,
        }
    }

    /// Returns an app that is served elsewhere.
    pub(super) fn at(addr: SocketAddr) -> Self {
        let carry = move |mut io: Box<dyn Duplex>, _| {
            tokio::spawn(async move {
                // Whoever notices the end of one socket ends the other.
                if let Ok(mut stream) = TcpStream::connect(addr).await
                    && stream.set_nodelay(true).is_ok()
                {
                    let _ = copy_bidirectional(&mut io, &mut stream).await;
                }
            });
        };
        Self {
            serve: Arc::new(carry),
            resume_within: Duration::ZERO,
        }
    }

    /// Serves a connection.
    pub(super) fn serve(&self, stream: TcpStream) {
        (self.serve)(Box::new(stream), None);
    }

    /// Sets the time that the app waits for the kit's clients after a cut, in place of
    /// [`Limits::resume_within`](field@crate::Limits::resume_within). The clients then offer to
    /// [`resume`](TestClient::resume) their sessions. Without any time, which is the default, a cut ends the session at
    /// once, so that a test of `on_disconnect` need not wait.
    #[must_use]
    pub const fn resume_within(mut self, resume_within: Duration) -> Self {
        self.resume_within = resume_within;
        self
    }

    /// Connects a client with these connect headers (an object of strings, numbers and booleans; `&()` for none).
    ///
    /// # Errors
    /// [`Outage::Refused`], with the status and the error of `on_connect` or of the validation. [`Outage::Build`] for
    /// headers that are no such object. Another [`Outage`] if the app does not complete the handshake.
    pub async fn connect(&self, headers: &(impl Serialize + ?Sized)) -> Result<TestClient, Outage> {
        self.handshake().connect(headers).await
    }

    /// Connects a link with these faults to the app's HTTP server.
    pub(super) fn dial(&self, faults: LinkFaults) -> Link {
        self.dial_with(faults, None)
    }

    fn dial_with(&self, faults: LinkFaults, kit: Option<KitHandshake>) -> Link {
        let (link, end) = Link::pair(faults);
        (self.serve)(Box::new(end), kit);
        link
    }

    /// Prepares a handshake with another path, cookies or an origin.
    pub fn handshake(&self) -> Handshake {
        Handshake {
            app: self.clone(),
            path: "/".to_owned(),
            fields: Vec::new(),
        }
    }
}

impl fmt::Debug for TestApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TestApp")
    }
}

/// A handshake that is being prepared. Created by [`TestApp::handshake`].
#[must_use = "no client is connected until `.connect(..)`"]
#[derive(Debug, Clone)]
pub struct Handshake {
    app: TestApp,
    path: String,
    fields: Vec<(HeaderName, HeaderValue)>,
}

impl Handshake {
    /// Sets the path, and the query if there is one: `/ws?name=Ann`. Default: `/`.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Adds a field to the request: `("cookie", "session=…")`, `("origin", "https://…")`.
    ///
    /// # Panics
    /// If the name or the value is not valid in an HTTP field.
    #[track_caller]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => self.fields.push((name, value)),
            _ => panic!("expected a valid header field, got {name:?}: {value:?}"),
        }
        self
    }

    /// Connects with this handshake and these connect headers: see [`TestApp::connect`].
    ///
    /// # Errors
    /// See [`TestApp::connect`]. [`Outage::Build`] also for a path that makes no valid URL.
    pub async fn connect(self, headers: &(impl Serialize + ?Sized)) -> Result<TestClient, Outage> {
        let headers = Headers::of(headers)?;
        let mut opened = self.clone().open(headers.clone(), None).await?;
        let resumption = Resumption::begin(self, headers, &mut opened).await;
        Ok(TestClient::new(opened, resumption))
    }

    /// Connects a client again, with this handshake and these connect headers instead of those it had:
    /// [`TestClient::resume`]. For tests of [`Builder::on_resume`](crate::Builder::on_resume).
    ///
    /// # Errors
    /// See [`connect`](Self::connect).
    ///
    /// # Panics
    /// As [`TestClient::resume`].
    #[track_caller]
    pub fn resume(
        self,
        client: &mut TestClient,
        headers: &(impl Serialize + ?Sized),
    ) -> impl Future<Output = Result<bool, Outage>> {
        let (place, headers) = (Location::caller(), Headers::of(headers));
        async move { client.resume_at(self, headers?, place).await }
    }

    /// Opens a connection, and waits for the welcome. `resume` is the offer of a client that comes back.
    pub(super) async fn open(self, headers: Headers, resume: Option<String>) -> Result<Opened, Outage> {
        let url = Url::parse("ws://app.test")
            .and_then(|base| base.join(&self.path))
            .map_err(|error| BuildError::Url(error.to_string()))?;
        let codec = Codec::Json.subprotocol();
        let offers = match self.app.resume_within.is_zero() {
            true => codec.to_owned(),
            false => format!("{codec}, {}", resume.as_deref().unwrap_or(RESUME)),
        };
        let mut request = request(url, headers, &offers)?;
        for (name, value) in self.fields {
            request.headers_mut().append(name, value);
        }
        let kit = KitHandshake::new(self.app.resume_within);
        let link = self.app.dial_with(LinkFaults::default(), Some(kit.clone()));
        let (mut stream, _) = client_async(request, link.clone())
            .await
            .map_err(handshake_error)?;
        let (welcome, session) = welcome(&mut stream).await?;
        Ok(Opened {
            stream,
            link,
            welcome,
            session,
            kit,
        })
    }
}

/// A connection that was opened.
pub(super) struct Opened {
    pub(super) stream: WebSocketStream<Link>,
    pub(super) link: Link,
    pub(super) welcome: Welcome,
    /// The welcome's members of the session.
    pub(super) session: record::Welcome,
    pub(super) kit: KitHandshake,
}

/// Waits for the app's first frame.
async fn welcome(stream: &mut WebSocketStream<Link>) -> Result<(Welcome, record::Welcome), Outage> {
    loop {
        let frame = match read(stream.next().await)? {
            Received::Data(frame) => frame,
            Received::Control => continue,
        };
        let payload = match wire::read(&frame) {
            Ok(ServerFrame::Welcome(payload)) => payload,
            _ => Bytes::new(),
        };
        return match (serde_json::from_slice(&payload), serde_json::from_slice(&payload)) {
            (Ok(welcome), Ok(session)) => Ok((welcome, session)),
            _ => Err(Outage::Incompatible(
                "expected a welcome as its first message, got something else".to_owned(),
            )),
        };
    }
}
