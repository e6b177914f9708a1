//! The client of a simulation: a small session of its own, not that of [`client`](crate::client), so that it can be
//! wrong in other ways than those.

mod driver;
mod frame;
mod handshake;
mod heartbeat;
mod session;

use std::{fmt, future::Future, marker::PhantomData, sync::Arc, time::Duration};

use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    sync::{Notify, oneshot},
    time::timeout,
};
use zocket_layers::{ClientId, Incoming, Outgoing, internal::read_json};

pub(super) use self::driver::drive;
use self::session::{Answer, Session};
use super::{chance::Chance, world::World};
use crate::client::{CallError, wire};

/// A client of a simulation, as its script uses it. It connects by itself, and again after each break. Clones are the
/// same client.
#[derive(Clone)]
pub struct SimClient {
    index: usize,
    chance: Chance,
    world: World,
    shared: Arc<Shared>,
}

/// State that the script and the driver of a client share.
pub(super) struct Shared {
    session: Mutex<Session>,
    /// Notifies the driver that there is something to send.
    outgoing: Notify,
    /// Notifies the script of events, and of the end.
    incoming: Notify,
    /// The client shall not connect again.
    stage: Mutex<Stage>,
}

/// Progress of a client's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Running,
    /// The client closes the connection: once every call is answered, or at once.
    Closing {
        at_once: bool,
    },
    Ended,
}

/// A call that was sent, and whose answer was not awaited yet.
#[must_use = "`answer()` returns the answer"]
pub struct SimCall<O = ()> {
    id: u64,
    answer: oneshot::Receiver<Answer>,
    output: PhantomData<fn() -> O>,
}

impl SimClient {
    pub(super) fn new(index: usize, world: &World) -> Self {
        Self {
            index,
            chance: world.chance_of_client(index),
            world: world.clone(),
            shared: Arc::new(Shared {
                session: Mutex::new(Session::new(world.may_lose_sessions())),
                outgoing: Notify::default(),
                incoming: Notify::default(),
                stage: Mutex::new(Stage::Running),
            }),
        }
    }

    /// Returns the number of this client, from 0.
    #[must_use]
    pub const fn index(&self) -> usize {
        self.index
    }

    /// Returns random numbers for the script of this client.
    #[must_use]
    pub const fn chance(&self) -> &Chance {
        &self.chance
    }

    /// Returns the run that the client is part of.
    #[must_use]
    pub const fn world(&self) -> &World {
        &self.world
    }

    /// Returns the id that the app gave to this client's present or last connection. `None` before the first welcome.
    #[must_use]
    pub fn client_id(&self) -> Option<ClientId> {
        self.shared.session.lock().client_id()
    }

    /// Returns true if the client is connected.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.shared.session.lock().is_open()
    }

    /// Returns the number of connections so far. It grows with each welcome.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.session.lock().connections
    }

    /// Calls the route of a message, and waits for the answer. A call waits for a connection. If the app can resume
    /// sessions, the call also survives the breaks in between.
    ///
    /// # Errors
    /// [`CallError::Refused`], [`CallError::Encode`] and [`CallError::Decode`]. [`CallError::Disconnected`] if the
    /// connection, or the session that could be resumed, has ended before the answer.
    pub async fn call<M>(&self, message: &M) -> Result<M::Answer, CallError>
    where
        M: Incoming<Answer: DeserializeOwned> + Serialize + ?Sized,
    {
        self.begin(message)?.answer().await
    }

    /// Calls the route of a message, and gives the call up if there is no answer after this time.
    ///
    /// # Errors
    /// Those of [`call`](Self::call), and [`CallError::Timeout`].
    pub async fn call_within<M>(&self, limit: Duration, message: &M) -> Result<M::Answer, CallError>
    where
        M: Incoming<Answer: DeserializeOwned> + Serialize + ?Sized,
    {
        let call = self.begin(message)?;
        self.answer_within(limit, call).await
    }

    /// Sends a call without waiting for its answer.
    ///
    /// # Errors
    /// [`CallError::Encode`].
    pub fn begin<M>(&self, message: &M) -> Result<SimCall<M::Answer>, CallError>
    where
        M: Incoming + Serialize + ?Sized,
    {
        self.begin_route(M::TYPE, message)
    }

    /// Sends a message that requests no answer.
    ///
    /// # Errors
    /// [`CallError::Encode`].
    pub fn send<M: Incoming + Serialize + ?Sized>(&self, message: &M) -> Result<(), CallError> {
        self.send_route(M::TYPE, message)
    }

    /// Calls a route by its name, where no type stands for its messages. Otherwise it behaves as [`call`](Self::call).
    ///
    /// # Errors
    /// Those of [`call`](Self::call).
    pub async fn call_route<O: DeserializeOwned>(
        &self,
        route: &str,
        input: &(impl Serialize + ?Sized),
    ) -> Result<O, CallError> {
        self.begin_route(route, input)?.answer().await
    }

    /// Calls a route by its name, and gives the call up if there is no answer after this time.
    ///
    /// # Errors
    /// Those of [`call_within`](Self::call_within).
    pub async fn call_route_within<O: DeserializeOwned>(
        &self,
        limit: Duration,
        route: &str,
        input: &(impl Serialize + ?Sized),
    ) -> Result<O, CallError> {
        let call = self.begin_route(route, input)?;
        self.answer_within(limit, call).await
    }

    async fn answer_within<O: DeserializeOwned>(
        &self,
        limit: Duration,
        call: SimCall<O>,
    ) -> Result<O, CallError> {
        let id = call.id;
        match timeout(limit, call.answer()).await {
            Ok(answer) => answer,
            Err(_) => {
                let sent = self.shared.session.lock().give_up(id);
                Err(CallError::Timeout { sent })
            }
        }
    }

    /// Sends a call to a route by its name, without waiting for its answer. `O` is the type of the answer.
    ///
    /// # Errors
    /// Those of [`begin`](Self::begin).
    pub fn begin_route<O>(
        &self,
        route: &str,
        input: &(impl Serialize + ?Sized),
    ) -> Result<SimCall<O>, CallError> {
        // Checked before the call has an id.
        wire::write(route, input, Some(u64::MAX)).map_err(CallError::Encode)?;
        let (sender, answer) = oneshot::channel();
        let write = |id| wire::write(route, input, Some(id)).unwrap_or_default();
        let mut session = self.shared.session.lock();
        let id = session.call(write, sender);
        if self.shared.stage() == Stage::Ended {
            session.end();
        }
        drop(session);
        self.shared.outgoing.notify_one();
        Ok(SimCall {
            id,
            answer,
            output: PhantomData,
        })
    }

    /// Sends a message to a route by its name, which requests no answer.
    ///
    /// # Errors
    /// Those of [`send`](Self::send).
    pub fn send_route(&self, route: &str, input: &(impl Serialize + ?Sized)) -> Result<(), CallError> {
        let text = wire::write(route, input, None).map_err(CallError::Encode)?;
        self.shared.session.lock().send(text);
        self.shared.outgoing.notify_one();
        Ok(())
    }

    /// Waits until everything that has been sent to this client has arrived: for the pong of a ping. Returns false if
    /// the client can't connect any more, as after a shutdown.
    pub async fn settle(&self) -> bool {
        let (sender, reached) = oneshot::channel();
        if self.shared.stage() == Stage::Ended {
            return false;
        }
        self.shared.session.lock().ping(sender);
        self.shared.outgoing.notify_one();
        reached.await.is_ok()
    }

    /// Returns the payloads of all events of this type that have arrived and were not returned yet. Events of other types
    /// stay.
    ///
    /// # Panics
    /// If a payload does not fit `T`.
    #[track_caller]
    pub fn take_events<T: Outgoing + DeserializeOwned>(&self) -> Vec<T> {
        let mut session = self.shared.session.lock();
        let events = std::mem::take(&mut session.events);
        let (of_type, others) = events
            .into_iter()
            .partition::<Vec<_>, _>(|(event_type, _)| event_type == T::TYPE);
        session.events = others.into();
        drop(session);
        let parse = |payload: Bytes| match read_json(&payload) {
            Ok(event) => event,
            Err(error) => panic!("expected the payload of `{}`: {error}", T::TYPE),
        };
        of_type.into_iter().map(|(_, payload)| parse(payload)).collect()
    }

    /// Waits for the next event of this type. `None` if the client can't connect any more.
    ///
    /// # Panics
    /// If the payload does not fit `T`.
    #[track_caller]
    pub fn next_event<T: Outgoing + DeserializeOwned>(&self) -> impl Future<Output = Option<T>> {
        let parse = |payload: Bytes| match read_json(&payload) {
            Ok(event) => event,
            Err(error) => panic!("expected the payload of `{}`: {error}", T::TYPE),
        };
        async move {
            loop {
                let incoming = self.shared.incoming.notified();
                if let Some(payload) = self.take_event(T::TYPE) {
                    return Some(parse(payload));
                }
                if self.shared.stage() == Stage::Ended {
                    return None;
                }
                incoming.await;
            }
        }
    }

    /// Returns the payload of the first event of a type that was not returned yet.
    fn take_event(&self, event_type: &str) -> Option<Bytes> {
        let events = &mut self.shared.session.lock().events;
        let position = events.iter().position(|(of_type, _)| of_type == event_type)?;
        events.remove(position).map(|(_, payload)| payload)
    }

    /// Adds this client's calls to the totals.
    pub(super) fn report(&self) {
        let session = self.shared.session.lock();
        self.world.count(|totals| {
            totals.calls += session.calls();
            totals.unanswered += session.unanswered;
            totals.resumes += session.resumes;
        });
    }

    /// Closes the connection, as an app does that calls `close()`. Waits for the answers of the calls before, unless
    /// `at_once` is true: then they have to come before the answer to the Close.
    pub(super) fn close(&self, at_once: bool) {
        let mut stage = self.shared.stage.lock();
        *stage = (*stage).max(Stage::Closing { at_once });
        drop(stage);
        self.shared.outgoing.notify_one();
    }
}

impl Shared {
    fn stage(&self) -> Stage {
        *self.stage.lock()
    }

    /// Records that the client will not connect again.
    fn end(&self) {
        *self.stage.lock() = Stage::Ended;
        self.session.lock().end();
        self.incoming.notify_waiters();
    }
}

impl<O: DeserializeOwned> SimCall<O> {
    /// Waits for the answer.
    ///
    /// # Errors
    /// Those of [`SimClient::call`].
    pub async fn answer(self) -> Result<O, CallError> {
        // The sender is dropped only with the session, at the end of the run.
        let payload = self.answer.await.unwrap_or(Err(CallError::Closed))?;
        read_json(&payload).map_err(CallError::Decode)
    }
}

impl<O> fmt::Debug for SimCall<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimCall")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SimClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimClient")
            .field("index", &self.index)
            .field("client_id", &self.client_id())
            .finish_non_exhaustive()
    }
}
