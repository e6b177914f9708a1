//! The configuration of a client before it connects.

use std::{fmt, future::Future, ops::RangeInclusive, sync::Arc, time::Duration};

use serde::Serialize;
use tower::BoxError;
use url::Url;

use super::{
    BuildError, CallOptions, Client, Opened, Outage, Status,
    backoff::Backoff,
    config::{Config, FOREVER},
    handle::HandleSettings,
    headers::{Headers, Source},
    spawn::{OnOpen, spawn},
};

/// Configures a client. Created by [`Client::builder`], finished by [`connect`](Self::connect) or
/// [`start`](Self::start).
#[must_use = "a builder does not connect until it is started"]
pub struct Builder {
    url: String,
    handles: HandleSettings,
    on_open: Option<OnOpen>,
    headers: Source,
    connect_timeout: Duration,
    backoff: Backoff,
    proven_after: Duration,
    ping_after: Option<Duration>,
    pong_within: Duration,
    resume: bool,
    max_message: usize,
    reconnect_on: Vec<RangeInclusive<u16>>,
    #[cfg(feature = "client-rustls")]
    tls: Option<std::sync::Arc<rustls::ClientConfig>>,
}

impl Client {
    /// Creates a builder for a client of the server at this URL, `ws://…`, or `wss://…` with the feature
    /// `client-rustls`.
    pub fn builder(url: impl Into<String>) -> Builder {
        Builder::new(url.into())
    }
}

impl Builder {
    fn new(url: String) -> Self {
        Self {
            url,
            handles: HandleSettings {
                call: CallOptions::default(),
                max_calls: 1_024,
                event_buffer: 256,
            },
            on_open: None,
            headers: Source::Fixed(Headers::default()),
            connect_timeout: Duration::from_secs(10),
            backoff: Backoff {
                floor: Duration::from_millis(500),
                cap: Duration::from_secs(30),
            },
            proven_after: Duration::from_secs(5),
            ping_after: None,
            pong_within: Duration::from_secs(5),
            resume: true,
            max_message: 16 << 20,
            reconnect_on: Vec::new(),
            #[cfg(feature = "client-rustls")]
            tls: None,
        }
    }

    /// Sets the connect headers: any value that serialises to an object of strings, numbers and booleans. Members that
    /// are null are left out. Headers are sent as fields of the request. The few that no field can carry (a line break
    /// in the value, a space in the name) are sent as query parameters of the URL.
    ///
    /// # Errors
    /// [`BuildError::Headers`], for a value of another shape and for names that the handshake itself needs, like
    /// `host`.
    pub fn headers(mut self, headers: &(impl Serialize + ?Sized)) -> Result<Self, BuildError> {
        self.headers = Source::Fixed(Headers::of(headers)?);
        Ok(self)
    }

    /// Sets a function that makes new connect headers for each attempt, for tokens that expire. If it fails, the
    /// attempt fails, and another follows. Headers of the wrong shape are final. If the server refuses an attempt with
    /// 401, one more follows, with new headers.
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
    /// The function clones the values that its future needs:
    /// `move || { let vault = vault.clone(); async move { … } }`.
    pub fn headers_with<F, Fut, H>(mut self, make: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<H, BoxError>> + Send + 'static,
        H: Serialize,
    {
        self.headers = Source::per_attempt(make);
        self
    }

    /// Sets a function that runs after each connection and reconnection, for example to join rooms again, unless the
    /// session was [resumed](Opened::resumed). Its calls are sent first: calls that wait for the connection, and those
    /// that are made meanwhile, are sent when it has returned.
    ///
    /// ```
    /// # use zocket::client::Client;
    /// let builder = Client::builder("ws://127.0.0.1:3000/ws").on_open(async |client, opened| {
    ///     if opened.resumed {
    ///         return; // It is still in its rooms, and has missed nothing.
    ///     }
    ///     if let Some(lost) = opened.lost {
    ///         eprintln!("{} calls may have been handled, or not", lost.calls);
    ///     }
    ///     if let Err(error) = client.call_route::<()>("rooms.join", "lobby").await {
    ///         eprintln!("the bot is not in its room: {error}");
    ///         client.reconnect();
    ///     }
    /// });
    /// # drop(builder);
    /// ```
    ///
    /// The function has to call by the handle that it receives. A call by another one would wait for the function's own
    /// end, until it times out. If the connection breaks, the function goes on when the session is resumed, and then
    /// runs again for the new connection. If the session ends, it is dropped at its `await`, and runs again for the
    /// next session. It clones the values that its future needs, as in [`headers_with`](Self::headers_with); a
    /// [`Client`] among them would keep the connection open for ever, and the handle keeps it open while the function
    /// runs.
    pub fn on_open<F, Fut>(mut self, run: F) -> Self
    where
        F: Fn(Client, Opened) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.on_open = Some(Arc::new(move |client, opened| Box::pin(run(client, opened))));
        self
    }

    /// Sets the time that a call waits for its answer, unless it sets its own. Default: 10 s.
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.handles.call.timeout = timeout;
        self
    }

    /// Sets the time limit of one attempt: the headers, the handshake and the welcome. Default: 10 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout.min(FOREVER);
        self
    }

    /// Sets the shortest and the longest wait before an attempt. The wait before the n-th attempt is a random time
    /// between `floor` and `floor · 2ⁿ`, at most `cap`. Defaults: 500 ms and 30 s.
    pub fn backoff(mut self, floor: Duration, cap: Duration) -> Self {
        self.backoff = Backoff {
            floor: floor.min(FOREVER),
            cap: cap.min(FOREVER),
        };
        self
    }

    /// Sets the time that a connection has to last to prove itself. Only then do waits begin at the floor again, so
    /// that a server that accepts and then fails is not hammered. Default: 5 s.
    pub fn proven_after(mut self, lasting: Duration) -> Self {
        self.proven_after = lasting;
        self
    }

    /// Sets the time without a frame after which the client sends a ping, and the time after the ping until it drops
    /// the connection with [`Outage::Silent`]. That time doubles with each such break in a row, up to 60 s. Defaults:
    /// the time that the server's welcome names, else 25 s; and 5 s. The client also pings when a call has timed out.
    pub fn ping(mut self, after: Duration, within: Duration) -> Self {
        self.ping_after = Some(after.min(FOREVER));
        self.pong_within = within.min(FOREVER);
        self
    }

    /// Sets the number of calls and messages that may be queued or unanswered at once. A further one waits for its
    /// turn, while its time-out runs. At least 1. Default: 1,024. Of these, the client sends as many as the server
    /// accepts unanswered on one connection, and holds the others back in their order.
    pub fn max_calls(mut self, calls: usize) -> Self {
        self.handles.max_calls = calls.clamp(1, tokio::sync::Semaphore::MAX_PERMITS);
        self
    }

    /// Sets the number of unread events that a stream keeps. Beyond that, the oldest are dropped, and the stream
    /// reports it by [`EventError::Lagged`](super::EventError::Lagged). At least 1. Default: 256.
    pub fn event_buffer(mut self, events: usize) -> Self {
        self.handles.event_buffer = events.max(1);
        self
    }

    /// Sets if the client comes back to its session after a break: see [*Resumption*](super#resumption). If not, each
    /// connection begins a new session. Default: true.
    pub fn resume(mut self, resume: bool) -> Self {
        self.resume = resume;
        self
    }

    /// Sets the size limit of one received message, in bytes. A larger one ends the connection. Default: 16 MiB. The
    /// server sets the limit of sent messages: see [`Welcome::max_message`](super::Welcome::max_message).
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes;
        self
    }

    /// Adds close codes of the app, 4000 to 4999, after which the client reconnects. May be called several times. Codes
    /// outside that range have no effect. Default: the client does not reconnect after any of them.
    pub fn reconnect_on(mut self, codes: RangeInclusive<u16>) -> Self {
        self.reconnect_on.push(codes);
        self
    }

    /// Sets the TLS configuration of `wss://`: for servers whose certificates the operating system does not trust, and
    /// for clients that have certificates of their own. The version of rustls is that of
    /// [`client::rustls`](super::rustls). Default: the operating system's roots.
    #[cfg(feature = "client-rustls")]
    pub fn tls(mut self, config: std::sync::Arc<rustls::ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// Connects, and fails if the first attempt fails: for programs that prefer to exit rather than wait. Once
    /// connected, the client reconnects by itself.
    ///
    /// # Errors
    /// The [`Outage`] that made the attempt fail.
    ///
    /// # Panics
    /// If called outside a tokio runtime.
    pub async fn connect(self) -> Result<Client, Outage> {
        let client = self.start()?;
        let mut statuses = client.statuses();
        let decided = statuses
            .wait_for(|status| !matches!(status, Status::Connecting { .. }))
            .await;
        match decided {
            Some(Status::Waiting { outage, .. } | Status::Closed(outage)) => Err(outage),
            Some(_) => Ok(client),
            None => Err(Outage::ClosedLocally),
        }
    }

    /// Starts to connect, with as many attempts as needed, and returns at once: for programs that start before their
    /// server does. Streams created before the next `await` miss no event. [`Client::ready`] waits for the connection.
    ///
    /// # Errors
    /// [`BuildError::Url`]; for `wss://` [`BuildError::Tls`].
    ///
    /// # Panics
    /// If called outside a tokio runtime.
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
            ("wss", None) => Some(super::tls::trusting_system_roots()?),
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
            resume: self.resume,
            max_message: self.max_message,
            reconnect_on: std::mem::take(&mut self.reconnect_on),
            #[cfg(feature = "client-rustls")]
            tls,
        };
        Ok(spawn(config, self.handles, self.on_open.take()))
    }
}

/// Omits the headers and the URL: the headers may hold secrets, and so may the URL's query.
impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").finish_non_exhaustive()
    }
}
