//! The handle of a client.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    sync::{Semaphore, mpsc, oneshot, watch},
    time::timeout,
};
use zocket_layers::{ClientId, Incoming, Outgoing, internal::read_json, protocol::words};

use super::{
    CallError, CallOptions, Events, Outage, SendFailure, Sent, Status, Statuses, Welcome,
    call::{Claim, Request},
    commands::Commands,
    inbox::Listeners,
    wire,
};

/// The settings of a client's handles.
#[derive(Debug, Clone, Copy)]
pub(super) struct HandleSettings {
    pub(super) call: CallOptions,
    pub(super) max_calls: usize,
    pub(super) event_buffer: usize,
}

/// A client of a Zocket server. Cheap to clone: the clones share one connection, which is closed when the last of
/// them is dropped. The [module](super) describes its behaviour.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    queue: mpsc::Sender<Request>,
    turns: Semaphore,
    shared: Shared,
    commands: Arc<watch::Sender<Commands>>,
}

/// Parts that the handles of one connection have in common.
#[derive(Clone)]
pub(super) struct Shared {
    max_calls: usize,
    status: watch::Receiver<Status>,
    pub(super) listeners: Listeners,
    next_id: Arc<AtomicU64>,
    options: CallOptions,
    event_buffer: usize,
    /// Notified when a call that was sent has timed out.
    timed_out: mpsc::Sender<()>,
}

impl Shared {
    pub(super) fn new(
        settings: HandleSettings,
        status: watch::Receiver<Status>,
        timed_out: mpsc::Sender<()>,
    ) -> Self {
        Self {
            max_calls: settings.max_calls,
            status,
            listeners: Listeners::default(),
            next_id: Arc::new(AtomicU64::new(1)),
            options: settings.call,
            event_buffer: settings.event_buffer,
            timed_out,
        }
    }
}

impl Client {
    /// Creates a handle whose requests go to this queue.
    pub(super) fn new(
        queue: mpsc::Sender<Request>,
        shared: Shared,
        commands: Arc<watch::Sender<Commands>>,
    ) -> Self {
        Self(Arc::new(Inner {
            queue,
            turns: Semaphore::new(shared.max_calls),
            shared,
            commands,
        }))
    }

    /// Calls the route of a message and waits for the answer, at most for
    /// [`Builder::call_timeout`](super::Builder::call_timeout). While there is no connection, the call waits for one. A
    /// call that was sent goes on with its session.
    ///
    /// The message is encoded at once, and sent when the future is polled. Dropping the future cancels the wait: a call
    /// that was not sent by then is never sent, and one that the server had not received when its connection broke is
    /// not sent again.
    ///
    /// ```no_run
    /// use serde::{Deserialize, Serialize};
    /// use zocket::{Incoming, client::{CallError, Client}};
    ///
    /// #[derive(Serialize)]
    /// struct Bid { cents: u64 }
    /// #[derive(Deserialize)]
    /// struct Price { cents: u64 }
    /// impl Incoming for Bid { const TYPE: &'static str = "lot.bid"; type Answer = Price; }
    ///
    /// # async fn example(client: Client) -> Result<(), CallError> {
    /// let price = client.call(&Bid { cents: 1_100 }).await?;
    /// println!("{}", price.cents);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Every variant of [`CallError`] is possible.
    pub fn call<'client, M>(
        &'client self,
        message: &M,
    ) -> impl Future<Output = Result<M::Answer, CallError>> + use<'client, M>
    where
        M: Incoming<Answer: DeserializeOwned> + Serialize + ?Sized,
    {
        self.call_with(message, self.0.shared.options)
    }

    /// Calls the route of a message like [`call`](Self::call), with its own time-out and its own choice to wait for a
    /// connection.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use zocket::{Incoming, client::{CallError, CallOptions, Client}};
    /// # #[derive(serde::Serialize)] struct Export { year: u16 }
    /// # impl Incoming for Export { const TYPE: &'static str = "lots.export"; type Answer = String; }
    /// # async fn example(client: Client) -> Result<(), CallError> {
    /// let patient = CallOptions::default().timeout(Duration::from_secs(60));
    /// let csv: String = client.call_with(&Export { year: 2026 }, patient).await?;
    /// # drop(csv); Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Every variant of [`CallError`] is possible.
    pub fn call_with<'client, M>(
        &'client self,
        message: &M,
        options: CallOptions,
    ) -> impl Future<Output = Result<M::Answer, CallError>> + use<'client, M>
    where
        M: Incoming<Answer: DeserializeOwned> + Serialize + ?Sized,
    {
        let id = self.next_id();
        let frame = wire::write(M::TYPE, message, Some(id));
        self.answer(id, frame, options)
    }

    /// Sends a message and requests no answer. Returns when it was handed to the connection. Its failure on the server
    /// is reported by [`errors`](Self::errors). The message is encoded at once.
    ///
    /// # Errors
    /// [`CallError`], except for a refusal and an answer that can't be decoded. The session may end before the message
    /// has arrived. That is not reported.
    pub fn send<'client, M>(
        &'client self,
        message: &M,
    ) -> impl Future<Output = Result<(), CallError>> + use<'client, M>
    where
        M: Incoming + Serialize + ?Sized,
    {
        self.hand_over(wire::write(M::TYPE, message, None))
    }

    /// Calls a route by its name, where no type stands for its messages. Otherwise it behaves as [`call`](Self::call).
    /// The output type `()` fits a procedure that answers nothing.
    ///
    /// ```no_run
    /// # use zocket::client::{CallError, Client};
    /// # async fn example(client: Client) -> Result<(), CallError> {
    /// let names: Vec<String> = client.call_route("rooms.members", "lobby").await?;
    /// # drop(names); Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Every variant of [`CallError`] is possible.
    pub async fn call_route<O: DeserializeOwned>(
        &self,
        route: &str,
        input: &(impl Serialize + ?Sized),
    ) -> Result<O, CallError> {
        self.call_route_with(route, input, self.0.shared.options).await
    }

    /// Calls a route by its name like [`call_route`](Self::call_route), with its own time-out and its own choice to wait
    /// for a connection.
    ///
    /// # Errors
    /// Every variant of [`CallError`] is possible.
    pub async fn call_route_with<O: DeserializeOwned>(
        &self,
        route: &str,
        input: &(impl Serialize + ?Sized),
        options: CallOptions,
    ) -> Result<O, CallError> {
        let id = self.next_id();
        let frame = wire::write(route, input, Some(id));
        self.answer(id, frame, options).await
    }

    /// Sends a message to a route by its name, as [`send`](Self::send) does, and requests no answer.
    ///
    /// # Errors
    /// Those of [`send`](Self::send).
    pub async fn send_route(&self, route: &str, input: &(impl Serialize + ?Sized)) -> Result<(), CallError> {
        self.hand_over(wire::write(route, input, None)).await
    }

    /// Sends a call, and waits for its answer.
    async fn answer<O: DeserializeOwned>(
        &self,
        id: u64,
        frame: Result<String, serde_json::Error>,
        options: CallOptions,
    ) -> Result<O, CallError> {
        let frame = frame.map_err(CallError::Encode)?;
        let answer = self.request(frame, Some(id), options).await?;
        read_json(&answer).map_err(CallError::Decode)
    }

    /// Sends a message that requests no answer.
    async fn hand_over(&self, frame: Result<String, serde_json::Error>) -> Result<(), CallError> {
        let frame = frame.map_err(CallError::Encode)?;
        self.request(frame, None, self.0.shared.options).await.map(drop)
    }

    pub(super) async fn request(
        &self,
        frame: String,
        id: Option<u64>,
        options: CallOptions,
    ) -> Result<Bytes, CallError> {
        if self.0.commands.borrow().close {
            return Err(CallError::Closed);
        }
        let claim = Claim::default();
        let answered = async {
            if !options.wait_for_connection && !self.0.shared.status.borrow().is_open() {
                let closed = self.0.shared.status.borrow().is_closed();
                return Err(if closed {
                    CallError::Closed
                } else {
                    CallError::Disconnected { sent: Sent::No }
                });
            }
            let _turn = self.0.turns.acquire().await.map_err(|_| CallError::Closed)?;
            let (reply, answer) = oneshot::channel();
            let request = Request {
                frame,
                id,
                reply,
                claim: claim.clone(),
            };
            self.0.queue.send(request).await.map_err(|_| CallError::Closed)?;
            answer.await.unwrap_or(Err(CallError::Closed))
        };
        timeout(options.timeout, answered).await.unwrap_or_else(|_| {
            let sent = if claim.take() { Sent::No } else { Sent::Unknown };
            if sent == Sent::Unknown {
                // An error means that another notice waits, or that the client is closed.
                let _ = self.0.shared.timed_out.try_send(());
            }
            Err(CallError::Timeout { sent })
        })
    }

    /// Subscribes to the events of one type, from now on and across reconnections.
    #[must_use = "dropping the stream unsubscribes"]
    pub fn on<T: Outgoing + DeserializeOwned>(&self) -> Events<T> {
        Events::new(T::TYPE, self.0.shared.event_buffer, &self.0.shared.listeners)
    }

    /// Subscribes to the failures of messages that request no answer: see [`send`](Self::send).
    #[must_use = "dropping the stream unsubscribes"]
    pub fn errors(&self) -> Events<SendFailure> {
        Events::new(words::ERROR, self.0.shared.event_buffer, &self.0.shared.listeners)
    }

    /// Returns the current status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.0.shared.status.borrow().clone()
    }

    /// Returns the changes of the status from now on, to wait for one of them.
    #[must_use]
    pub fn statuses(&self) -> Statuses {
        Statuses::new(self.0.shared.status.clone())
    }

    /// Waits until there is a connection.
    ///
    /// # Errors
    /// The final [`Outage`], if there will be no connection.
    pub async fn ready(&self) -> Result<Welcome, Outage> {
        let mut statuses = self.statuses();
        let decided = statuses
            .wait_for(|status| status.is_open() || status.is_closed())
            .await;
        match decided {
            Some(Status::Open(welcome)) => Ok(welcome),
            Some(Status::Closed(outage)) => Err(outage),
            _ => Err(Outage::ClosedLocally),
        }
    }

    /// Returns `Ok` while there is a connection, and an error once the client is closed. Returns `None` in between.
    pub(super) fn readiness(&self) -> Option<Result<(), CallError>> {
        // Without a sender of statuses, the driver's task ended together with its runtime.
        if self.0.commands.borrow().close || self.0.shared.status.has_changed().is_err() {
            return Some(Err(CallError::Closed));
        }
        match &*self.0.shared.status.borrow() {
            Status::Open(_) => Some(Ok(())),
            Status::Closed(_) => Some(Err(CallError::Closed)),
            Status::Connecting { .. } | Status::Waiting { .. } => None,
        }
    }

    /// Returns the options of calls that have none of their own.
    pub(super) fn options(&self) -> CallOptions {
        self.0.shared.options
    }

    /// Returns the id of a new call.
    pub(super) fn next_id(&self) -> u64 {
        self.0.shared.next_id.fetch_add(1, Ordering::Relaxed)
    }

    fn welcome(&self) -> Option<Welcome> {
        match &*self.0.shared.status.borrow() {
            Status::Open(welcome) => Some(welcome.clone()),
            _ => None,
        }
    }

    /// Returns the id that the server gave this client, or `None` without a connection. It changes with each session.
    #[must_use]
    pub fn client_id(&self) -> Option<ClientId> {
        self.welcome().map(|welcome| welcome.client_id)
    }

    /// Returns true if the current connection continues the session of the one before. False without a connection.
    #[must_use]
    pub fn resumed(&self) -> bool {
        self.welcome().is_some_and(|welcome| welcome.resumed)
    }

    /// Returns the hash of the server's contract. Compare it with [`Contract::hash`](crate::Contract::hash) of the
    /// contract that this client was written for. `None` without a connection, or from a server without a contract.
    #[must_use]
    pub fn contract(&self) -> Option<String> {
        self.welcome().and_then(|welcome| welcome.contract)
    }

    /// Drops the current connection, or ends the wait for the next one, and connects at once, with new headers. The new
    /// connection resumes the session. Without one that can be resumed, calls that are queued or unanswered fail with
    /// [`CallError::Disconnected`]. Has no effect on a closed client.
    pub fn reconnect(&self) {
        self.0.commands.send_modify(|commands| commands.reconnects += 1);
    }

    /// Ends the session and closes the connection, for all clones and for good, with close code 1000. Calls that are
    /// queued or unanswered fail with [`CallError::Closed`], and streams end. Returns when the server has answered the
    /// close, or after 5 s.
    pub async fn close(&self) {
        self.0.commands.send_modify(|commands| commands.close = true);
        // An error means that the driver's task ended together with its runtime.
        drop(self.statuses().wait_for(Status::is_closed).await);
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("status", &*self.0.shared.status.borrow())
            .field("streams", &self.0.shared.listeners.len())
            .finish_non_exhaustive()
    }
}
