//! NATS as an engine.

use std::{
    collections::HashMap,
    future::Future,
    mem,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context as Task, Poll},
    time::Duration,
};

use async_nats::{Client, Event, ServerError, Subscriber, ToServerAddrs, connection::State};
use futures_util::{
    StreamExt,
    stream::{AbortHandle, Abortable, SelectAll},
};
use parking_lot::Mutex;
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};
use tower::{BoxError, Service, util::BoxService};

use super::{
    connect_error::{ConnectError, url},
    engine::{EngineEvent, EngineRequest},
    hub::NatsHub,
    meter,
    options::NatsOptions,
    subject::check_prefix,
};
use crate::core::Rarely;

/// Messages of other nodes that may wait to be received, beside those of NATS's own buffers.
const RECEIVED: usize = 1 << 10;
/// Time after which NATS is asked whether it is there. The third question without an answer ends the connection, before the
/// leases of the other nodes end.
const PING: Duration = Duration::from_millis(1_500);
/// Time between two looks at the connection's state.
const LOOK: Duration = Duration::from_millis(500);

impl NatsHub {
    /// Connects to a NATS server, `"nats://a:4222"`, or to a cluster, `vec!["nats://a:4222", "nats://b:4222"]`. Returns once the
    /// node knows the others. Has to be called within tokio's runtime, which runs the tasks of the hub. They end when the hub is
    /// dropped.
    ///
    /// A user and a password in a URL are ignored: [`NatsOptions::connection`] sets them.
    ///
    /// # Errors
    /// [`ConnectError`] if no server accepts the connection, if an option or a URL is invalid, or without permissions for the
    /// prefix. One string with commas between servers is no URL.
    pub async fn connect(
        servers: impl ToServerAddrs,
        mut options: NatsOptions,
    ) -> Result<Arc<Self>, ConnectError> {
        check_prefix(&options.prefix).map_err(ConnectError::Option)?;
        let servers = servers.to_server_addrs();
        let servers = servers.map_err(|error| ConnectError::Option(format!("servers: {error}")))?;
        let servers: Vec<_> = servers.into_iter().collect();
        let urls: Vec<_> = servers.iter().map(url).collect();
        if servers.is_empty() {
            let problem = "servers: expected the URL of at least one, got none";
            return Err(ConnectError::Option(problem.to_owned()));
        }
        let (reports, events) = mpsc::channel(RECEIVED);
        let (reported, is_connected) = (reports.clone(), Arc::new(AtomicBool::new(false)));
        let said_connected = is_connected.clone();
        let refusal = Arc::<Mutex<Option<String>>>::default();
        let (refused, lines) = (refusal.clone(), Arc::<Rarely>::default());
        let connection = mem::take(&mut options.connect).no_echo().ping_interval(PING);
        let connection = connection.event_callback(move |event| {
            let (reports, said_connected) = (reported.clone(), said_connected.clone());
            if let Event::ServerError(error) = &event {
                report(error, &lines);
                *refused.lock() = Some(error.to_string());
            }
            async move {
                let event = match event {
                    Event::Connected => {
                        said_connected.store(true, Ordering::Release);
                        EngineEvent::Connected
                    }
                    Event::Disconnected | Event::Closed => {
                        said_connected.store(false, Ordering::Release);
                        EngineEvent::Disconnected
                    }
                    Event::SlowConsumer(_) => EngineEvent::TooSlow,
                    other => return tracing::debug!(event = %other, "NATS reports"),
                };
                // An error means that the hub has ended.
                drop(reports.send(event).await);
            }
        });
        let client = match connection.connect(servers).await {
            Ok(client) => client,
            Err(error) => {
                let servers = urls;
                return Err(ConnectError::Connection { servers, error });
            }
        };
        let max_payload = client.max_payload();
        let (subscribed, subscriptions) = mpsc::channel(64);
        let forwarder = Forwarder {
            client: client.clone(),
            reports,
            is_connected,
            max_payload,
            differed: false,
        };
        tokio::spawn(forwarder.run(subscriptions));
        let engine = BoxService::new(NatsEngine {
            client,
            subscribed,
            subscriptions: Arc::default(),
        });
        let hub = Self::over(engine, events, max_payload, options).await;
        let hub = hub.map_err(|error| error.of(urls.clone()))?;
        // Without a permission for its subjects, the node would be alone.
        if let Some(refusal) = refusal.lock().take() {
            return Err(ConnectError::subscription(refusal.into()).of(urls));
        }
        Ok(hub)
    }
}

/// Reports an error of the server, such as a permission that is missing.
fn report(error: &ServerError, lines: &Rarely) {
    meter::problems("engine", 1);
    if let Some(omitted) = lines.line() {
        tracing::warn!(%error, omitted, "NATS refused a request");
    }
}

type Subscribed = (Arc<str>, Abortable<Subscriber>);

struct NatsEngine {
    client: Client,
    subscribed: mpsc::Sender<Subscribed>,
    subscriptions: Arc<Mutex<HashMap<Arc<str>, AbortHandle>>>,
}

impl Service<EngineRequest> for NatsEngine {
    type Response = ();
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: EngineRequest) -> Self::Future {
        let client = self.client.clone();
        let (subscribed, subscriptions) = (self.subscribed.clone(), self.subscriptions.clone());
        Box::pin(async move {
            match request {
                EngineRequest::Publish { subject, payload } => {
                    client.publish(subject.to_string(), payload).await?
                }
                EngineRequest::Flush => client.flush().await?,
                EngineRequest::Unsubscribe(subject) => {
                    // NATS is told when the stream is dropped.
                    if let Some(subscription) = subscriptions.lock().remove(&subject) {
                        subscription.abort();
                    }
                }
                EngineRequest::Subscribe(subject) => {
                    let subscriber = client.subscribe(subject.to_string()).await?;
                    let (handle, registration) = AbortHandle::new_pair();
                    if let Some(earlier) = subscriptions.lock().insert(subject.clone(), handle) {
                        earlier.abort();
                    }
                    subscribed
                        .send((subject, Abortable::new(subscriber, registration)))
                        .await?;
                }
            }
            Ok(())
        })
    }
}

/// Forwards the messages of all subscriptions, and the state of the connection.
struct Forwarder {
    client: Client,
    reports: mpsc::Sender<EngineEvent>,
    /// The state of the connection that was reported last.
    is_connected: Arc<AtomicBool>,
    /// The limit that was reported last.
    max_payload: usize,
    /// True if the state differed from its report at the last look.
    differed: bool,
}

impl Forwarder {
    async fn run(mut self, mut subscriptions: mpsc::Receiver<Subscribed>) {
        let mut messages = SelectAll::new();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let report = tokio::select! {
                subscribed = subscriptions.recv() => {
                    let Some((subject, subscriber)) = subscribed else { return };
                    messages.push(subscriber.map(move |message| (subject.clone(), message.payload)));
                    continue;
                }
                Some((subject, payload)) = messages.next() => EngineEvent::Message { subject, payload },
                _ = look.tick() => match self.look() {
                    Some(event) => event,
                    None => continue,
                },
            };
            if self.reports.send(report).await.is_err() {
                return;
            }
        }
    }

    /// Returns what has changed without a report. NATS's client drops reports when many messages are dropped.
    fn look(&mut self) -> Option<EngineEvent> {
        // The server that the client has connected to again may have another limit.
        let max_payload = self.client.max_payload();
        if mem::replace(&mut self.max_payload, max_payload) != max_payload {
            return Some(EngineEvent::MaxPayload(max_payload));
        }
        let is_connected = self.client.connection_state() == State::Connected;
        let differs = is_connected != self.is_connected.load(Ordering::Acquire);
        // At the second look, the report is not on its way any more.
        let is_lost = mem::replace(&mut self.differed, differs) && differs;
        is_lost.then(|| {
            self.is_connected.store(is_connected, Ordering::Release);
            match is_connected {
                true => EngineEvent::Connected,
                false => EngineEvent::Disconnected,
            }
        })
    }
}
