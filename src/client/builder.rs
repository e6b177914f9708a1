//! A client that is being made.

use std::{fmt, future::Future, ops::RangeInclusive, time::Duration};

use serde::Serialize;
use tower::BoxError;
use url::Url;

use super::{
    BuildError, CallOptions, Client, Outage, Status,
    backoff::Backoff,
    config::Config,
    headers::{Headers, Source},
};

/// So far into the future timers are set at most.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// A client that is being made. Begun by [`Client::builder`], ended by [`connect`](Self::connect) or
/// [`start`](Self::start).
#[must_use = "a builder connects nothing"]
pub struct Builder {
    url: String,
    pub(super) call: CallOptions,
    pub(super) max_calls: usize,
    pub(super) event_buffer: usize,
    headers: Source,
    connect_timeout: Duration,
    backoff: Backoff,
    proven_after: Duration,
    ping_after: Duration,
    pong_within: Duration,
    max_message: usize,
    come_back: Vec<RangeInclusive<u16>>,
    #[cfg(feature = "client-rustls")]
    tls: Option<std::sync::Arc<rustls::ClientConfig>>,
}

impl Builder {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            call: CallOptions::default(),
            max_calls: 1_024,
            event_buffer: 256,
            headers: Source::Fixed(Headers::default()),
            connect_timeout: Duration::from_secs(10),
            backoff: Backoff {
                floor: Duration::from_millis(500),
                cap: Duration::from_secs(30),
            },
            proven_after: Duration::from_secs(5),
            ping_after: Duration::from_secs(25),
            pong_within: Duration::from_secs(20),
            max_message: 16 << 20,
            come_back: Vec::new(),
            #[cfg(feature = "client-rustls")]
            tls: None,
        }
    }

    /// The connect headers: whatever serialises to an object of strings; members that are null are left out. They
    /// are sent as fields of the request; the few that no field can carry (a line break in the value, a space in the
    /// name) as parameters of the URL.
    ///
    /// # Errors
    /// [`BuildError::Headers`], for anything else and for names that the handshake itself needs, like `host`.
    pub fn headers(mut self, headers: &(impl Serialize + ?Sized)) -> Result<Self, BuildError> {
        self.headers = Source::Fixed(Headers::of(headers)?);
        Ok(self)
    }

    /// Connect headers that are made anew at each attempt, for tokens that expire. Where it fails, so does the
    /// attempt, and there will be another; headers of the wrong shape are final.
    ///
    /// ```
    /// # use zocket::client::Client;
    /// # #[derive(serde::Serialize)] struct Headers { token: String }
    /// # async fn token() -> Result<String, std::io::Error> { Ok(String::new()) }
    /// let builder = Client::builder("ws://127.0.0.1:3000/ws")
    ///     .headers_with(async || Ok(Headers { token: token().await? }));
    /// # drop(builder);
    /// ```
    ///
    /// What it needs it clones: `move || { let vault = vault.clone(); async move { … } }`.
    pub fn headers_with<F, Fut, H>(mut self, make: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<H, BoxError>> + Send + 'static,
        H: Serialize,
    {
        self.headers = Source::fresh(make);
        self
    }

    /// How long a call waits for its answer, where it does not say so itself. Default: 10 s.
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.call.timeout = timeout;
        self
    }

    /// How long one attempt may take: the headers, the handshake and the welcome. Default: 10 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout.min(FOREVER);
        self
    }

    /// The least and the longest wait before an attempt: each is a random time between `floor` and `floor · 2ⁿ`, at
    /// most `cap`, before the n-th. Defaults: 500 ms and 30 s.
    pub fn backoff(mut self, floor: Duration, cap: Duration) -> Self {
        self.backoff = Backoff {
            floor: floor.min(FOREVER),
            cap: cap.min(FOREVER),
        };
        self
    }

    /// How long a connection has to last to prove itself, so that waits begin at the floor again: a server that
    /// accepts and then fails is not hammered. Default: 5 s.
    pub fn proven_after(mut self, lasting: Duration) -> Self {
        self.proven_after = lasting;
        self
    }

    /// How long the server may be silent before it is sent a ping, and how long after that it is given up, with
    /// [`Outage::Silent`]. Defaults: 25 s and 20 s.
    pub fn ping(mut self, after: Duration, within: Duration) -> Self {
        self.ping_after = after.min(FOREVER);
        self.pong_within = within.min(FOREVER);
        self
    }

    /// Calls and messages that are queued or unanswered at once; a further one waits for its turn, while its
    /// time-out runs. At least 1. Default: 1,024.
    pub fn max_calls(mut self, calls: usize) -> Self {
        self.max_calls = calls.clamp(1, tokio::sync::Semaphore::MAX_PERMITS);
        self
    }

    /// Events that a stream keeps until they are taken. Past it the oldest give way, and the stream says so. At
    /// least 1. Default: 256.
    pub fn event_buffer(mut self, events: usize) -> Self {
        self.event_buffer = events.max(1);
        self
    }

    /// Bytes of one message that comes in; a larger one ends the connection. Default: 16 MiB. How large a message
    /// that goes out may be, the server says.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes;
        self
    }

    /// Close codes of the app's, 4000 to 4999, after which to come back. May be called several times; others have no
    /// effect. By default all of them are final.
    pub fn come_back_on(mut self, codes: RangeInclusive<u16>) -> Self {
        self.come_back.push(codes);
        self
    }

    /// How `wss://` is to be trusted: for servers whose certificates the operating system does not know, and for
    /// clients that have certificates of their own. Default: the operating system's roots.
    #[cfg(feature = "client-rustls")]
    pub fn tls(mut self, config: std::sync::Arc<rustls::ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// Connects, and fails where the first attempt does: for programs that rather end than wait. From then on the
    /// connection comes back by itself.
    ///
    /// # Errors
    /// Why the attempt failed.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn connect(self) -> Result<Client, Outage> {
        let client = self.start()?;
        let mut statuses = client.statuses();
        let decided = statuses
            .wait_for(|status| !matches!(status, Status::Connecting { .. }))
            .await;
        match decided.as_deref() {
            Ok(Status::Waiting { outage, .. } | Status::Closed(outage)) => Err(outage.clone()),
            Ok(_) => Ok(client.clone()),
            Err(_) => Err(Outage::Asked),
        }
    }

    /// Begins to connect, for as often as it takes, and returns at once: for programs that start before their server
    /// does. Streams made before the next `await` miss nothing; [`Client::ready`] waits for the connection.
    ///
    /// # Errors
    /// [`BuildError::Url`]; for `wss://` [`BuildError::Tls`].
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(mut self) -> Result<Client, BuildError> {
        let mut url = Url::parse(&self.url).map_err(|error| BuildError::Url(error.to_string()))?;
        if !matches!(url.scheme(), "ws" | "wss") {
            return Err(BuildError::Url(format!(
                "expected ws:// or wss://, got {}://",
                url.scheme()
            )));
        }
        if url.scheme() == "wss" && !cfg!(feature = "client-rustls") {
            return Err(BuildError::Url(
                "wss:// needs the feature `client-rustls`".to_owned(),
            ));
        }
        url.set_fragment(None);
        #[cfg(feature = "client-rustls")]
        let tls = match (url.scheme(), self.tls.take()) {
            ("wss", None) => Some(super::tls::of_the_system()?),
            (_, given) => given,
        };
        let headers = std::mem::replace(&mut self.headers, Source::Fixed(Headers::default()));
        let config = Config {
            url,
            headers,
            connect_timeout: self.connect_timeout,
            backoff: self.backoff.clone(),
            proven_after: self.proven_after,
            ping_after: self.ping_after,
            pong_within: self.pong_within,
            max_message: self.max_message,
            come_back: std::mem::take(&mut self.come_back),
            #[cfg(feature = "client-rustls")]
            tls,
        };
        Ok(Client::spawn(config, &self))
    }
}

/// Without the headers: there may be secrets among them, as in the URL's query.
impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").finish_non_exhaustive()
    }
}
