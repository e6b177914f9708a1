//! An app served in memory.

use std::{fmt, sync::Arc};

use http::{HeaderName, HeaderValue, Request, Response};
use hyper::{
    body::{Body, Incoming},
    server::conn::http1,
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use parking_lot::Mutex;
use serde::Serialize;
use tokio_tungstenite::client_async;
use tower::{BoxError, Service};
use url::Url;
use zocket_layers::Codec;

use super::{
    TestClient,
    link::{AppEnd, Link, LinkFaults},
};
use crate::client::{
    BuildError, Outage,
    dial::{handshake_error, request, welcome},
    headers::Headers,
};

/// An app served in memory: the service that `zo.serve(router)` returned, or any HTTP service around it. Cheap to
/// clone. Connecting requires a tokio runtime. See the [module](super).
#[derive(Clone)]
pub struct TestApp {
    serve: Arc<dyn Fn(AppEnd) + Send + Sync>,
}

impl TestApp {
    /// Serves an HTTP service with hyper, as in production.
    pub fn new<S, B>(service: S) -> Self
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let service = Mutex::new(service);
        let serve = move |io: AppEnd| {
            let service = TowerToHyperService::new(service.lock().clone());
            let connection = http1::Builder::new().serve_connection(TokioIo::new(io), service);
            tokio::spawn(async move {
                if let Err(error) = connection.with_upgrades().await {
                    tracing::debug!(%error, "HTTP connection ended");
                }
            });
        };
        Self {
            serve: Arc::new(serve),
        }
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
        let (link, end) = Link::pair(faults);
        (self.serve)(end);
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
        let url = Url::parse("ws://app.test")
            .and_then(|base| base.join(&self.path))
            .map_err(|error| BuildError::Url(error.to_string()))?;
        let mut request = request(url, Headers::of(headers)?, Codec::Json.subprotocol())?;
        for (name, value) in self.fields {
            request.headers_mut().append(name, value);
        }
        let link = self.app.dial(LinkFaults::default());
        let (mut stream, _) = client_async(request, link.clone())
            .await
            .map_err(handshake_error)?;
        let welcome = welcome(&mut stream).await?;
        Ok(TestClient::new(stream, link, welcome))
    }
}
