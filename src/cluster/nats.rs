//! NATS as an engine.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context as Task, Poll},
    time::Duration,
};

use async_nats::{Client, Event, Subscriber, ToServerAddrs};
use futures_util::{
    StreamExt,
    stream::{AbortHandle, Abortable, SelectAll},
};
use parking_lot::Mutex;
use tokio::{sync::mpsc, time::sleep};
use tower::{BoxError, Service, util::BoxService};

use super::{
    engine::{EngineEvent, EngineRequest},
    hub::{Cluster, NatsHub},
    options::NatsOptions,
    queue::queue,
    receiver::Receiver,
    sender::Sender,
    subject::check_prefix,
};

/// Messages of other nodes that may wait to be received, beside those of NATS's own buffers.
const RECEIVED: usize = 1 << 10;
/// Time in which a new node learns of the others.
const DISCOVERY: Duration = Duration::from_millis(250);

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
        let reported = reports.clone();
        let connection = options.connect.no_echo().event_callback(move |event| {
            let reports = reported.clone();
            async move {
                let event = match event {
                    Event::Connected => EngineEvent::Connected,
                    Event::Disconnected | Event::Closed => EngineEvent::Disconnected,
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
            .store(client.max_payload().saturating_sub(1 << 10), Ordering::Relaxed);
        let (subscribed, subscriptions) = mpsc::channel(64);
        tokio::spawn(forward(subscriptions, reports));
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
        // A full queue is impossible so soon.
        let _ = cluster
            .queue
            .note(cluster.subjects.nodes.clone(), cluster.alive(true));
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

/// Forwards the messages of all subscriptions.
async fn forward(mut subscriptions: mpsc::Receiver<Subscribed>, reports: mpsc::Sender<EngineEvent>) {
    let mut messages = SelectAll::new();
    loop {
        tokio::select! {
            subscribed = subscriptions.recv() => {
                let Some((subject, subscriber)) = subscribed else { return };
                messages.push(subscriber.map(move |message| (subject.clone(), message.payload)));
            }
            Some((subject, payload)) = messages.next() => {
                if reports.send(EngineEvent::Message { subject, payload }).await.is_err() {
                    return;
                }
            }
        }
    }
}
