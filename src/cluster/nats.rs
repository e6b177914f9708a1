//! NATS as an engine.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context as Task, Poll},
    time::Duration,
};

use async_nats::{Client, Event, Subscriber, ToServerAddrs, connection::State};
use futures_util::{
    StreamExt,
    stream::{AbortHandle, Abortable, SelectAll},
};
use parking_lot::Mutex;
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep},
};
use tower::{BoxError, Service, util::BoxService};

use super::{
    engine::{EngineEvent, EngineRequest},
    hub::{Cluster, NatsHub},
    nodes::DISCOVERY,
    options::NatsOptions,
    queue::queue,
    receiver::Receiver,
    sender::Sender,
    subject::check_prefix,
};

/// Messages of other nodes that may wait to be received, beside those of NATS's own buffers.
const RECEIVED: usize = 1 << 10;
/// Time after which NATS is asked whether it is there. The third question without an answer ends the connection, before the
/// leases of the other nodes end.
const PING: Duration = Duration::from_millis(1_500);
/// Time between two looks at the connection's state.
const LOOK: Duration = Duration::from_millis(500);
/// Bytes of a message beside its event.
const HEAD: usize = 1 << 10;

impl NatsHub {
    /// Connects to a NATS server, or to a cluster: `nats://a:4222,nats://b:4222`. Returns once the node knows the others. Has
    /// to be called within tokio's runtime, which runs the tasks of the hub. They end when the hub is dropped.
    ///
    /// # Errors
    /// [`ConnectError`] if no server accepts the connection, or an option is invalid.
    pub async fn connect(
        servers: impl ToServerAddrs,
        options: NatsOptions,
    ) -> Result<Arc<Self>, ConnectError> {
        check_prefix(&options.prefix).map_err(ConnectError::Option)?;
        let (queue, queued) = queue(options.max_queued_bytes);
        let cluster = Arc::new(Cluster::new(&options, queue));
        let (reports, events) = mpsc::channel(RECEIVED);
        let (reported, is_connected) = (reports.clone(), Arc::new(AtomicBool::new(false)));
        let said_connected = is_connected.clone();
        let connection = options.connect.no_echo().ping_interval(PING);
        let connection = connection.event_callback(move |event| {
            let (reports, said_connected) = (reported.clone(), said_connected.clone());
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
        let client = connection
            .connect(servers)
            .await
            .map_err(|error| ConnectError::Refused(error.into()))?;
        cluster
            .max_payload
            .store(client.max_payload().saturating_sub(HEAD), Ordering::Relaxed);
        let (subscribed, subscriptions) = mpsc::channel(64);
        let forwarder = Forwarder {
            client: client.clone(),
            cluster: Arc::downgrade(&cluster),
            reports,
            is_connected,
        };
        tokio::spawn(forwarder.run(subscriptions));
        let mut engine = BoxService::new(NatsEngine {
            client,
            subscribed,
            subscriptions: Arc::default(),
        });
        // The first layer is the outermost.
        for layer in options.layers.into_iter().rev() {
            engine = layer(engine);
        }
        let mut sender = Sender::new(engine);
        let (subjects, node) = (&cluster.subjects, cluster.node);
        for subject in [
            subjects.everyone.clone(),
            subjects.nodes.clone(),
            subjects.node(node),
        ] {
            let request = EngineRequest::Subscribe(subject);
            sender.request(request).await.map_err(ConnectError::Refused)?;
        }
        sender
            .request(EngineRequest::Flush)
            .await
            .map_err(ConnectError::Refused)?;
        tokio::spawn(sender.run(Arc::downgrade(&cluster), queued));
        tokio::spawn(Receiver::default().run(Arc::downgrade(&cluster), events));
        // The receiver asks for the others when it learns of the connection.
        sleep(DISCOVERY).await;
        Ok(Arc::new(Self(cluster)))
    }
}

/// Reason why a hub could not be connected.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// An option is invalid. The string says which.
    Option(String),
    /// The engine has refused the connection or a subscription.
    Refused(BoxError),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(problem) => write!(f, "invalid option: {problem}"),
            Self::Refused(error) => write!(f, "no connection to NATS: {error}"),
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Option(_) => None,
            Self::Refused(error) => Some(&**error),
        }
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
    cluster: Weak<Cluster>,
    reports: mpsc::Sender<EngineEvent>,
    /// The state of the connection that was reported last.
    is_connected: Arc<AtomicBool>,
}

impl Forwarder {
    async fn run(self, mut subscriptions: mpsc::Receiver<Subscribed>) {
        let mut messages = SelectAll::new();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut differed = false;
        loop {
            let report = tokio::select! {
                subscribed = subscriptions.recv() => {
                    let Some((subject, subscriber)) = subscribed else { return };
                    messages.push(subscriber.map(move |message| (subject.clone(), message.payload)));
                    continue;
                }
                Some((subject, payload)) = messages.next() => EngineEvent::Message { subject, payload },
                _ = look.tick() => match self.look(&mut differed) {
                    Some(event) => event,
                    None => continue,
                },
            };
            if self.reports.send(report).await.is_err() {
                return;
            }
        }
    }

    /// Returns the state of the connection if its report was dropped: NATS's client drops reports when many messages are
    /// dropped.
    fn look(&self, differed: &mut bool) -> Option<EngineEvent> {
        // The server that the client has connected to again may have another limit.
        if let Some(cluster) = self.cluster.upgrade() {
            let limit = self.client.max_payload().saturating_sub(HEAD);
            cluster.max_payload.store(limit, Ordering::Relaxed);
        }
        let is_connected = self.client.connection_state() == State::Connected;
        let differs = is_connected != self.is_connected.load(Ordering::Acquire);
        // At the second look, the report is not on its way any more.
        let is_lost = mem::replace(differed, differs) && differs;
        is_lost.then(|| {
            self.is_connected.store(is_connected, Ordering::Release);
            match is_connected {
                true => EngineEvent::Connected,
                false => EngineEvent::Disconnected,
            }
        })
    }
}
