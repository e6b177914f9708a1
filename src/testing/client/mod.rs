//! The client of a test.

mod calls;
mod connection;
mod resume;

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    future::Future,
    panic::Location,
    time::Duration,
};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};
use zocket_layers::{ClientId, Outgoing, internal::read_json, protocol::words};

pub use self::calls::Pending;
use self::connection::{Connection, FromApp};
pub(super) use self::resume::Resumption;
use super::app::Opened;
use crate::client::{CallError, Outage, SendFailure, Sent, ServerRefusal, Welcome, wire::ServerFrame};

/// Time limit of each wait of a test.
const WAIT_LIMIT: Duration = Duration::from_secs(5);

/// A client of an app in memory. Created by [`TestApp::connect`](super::TestApp::connect).
///
/// Each wait lasts at most 5 seconds of tokio's clock, and then panics with the location of the call that waits. The
/// client reads frames and answers pings all the time, even while the test does something else. Dropping it ends the
/// connection without a Close, as [`cut`](Self::cut) does.
///
/// It connects once, and again only by [`resume`](Self::resume).
pub struct TestClient {
    welcome: Welcome,
    connection: Connection,
    resumption: Resumption,
    last_id: u64,
    /// Calls up to this id belong to a session that has ended.
    lost_id: u64,
    /// Events that arrived while something else was awaited. `answers` and `pongs` hold the other frames.
    events: VecDeque<(String, Bytes)>,
    answers: HashMap<u64, Result<Bytes, ServerRefusal>>,
    pongs: usize,
    /// The reason why the connection ended.
    end: Option<Outage>,
}

impl TestClient {
    pub(super) fn new(opened: Opened, resumption: Resumption) -> Self {
        let Opened {
            stream,
            link,
            welcome,
            ..
        } = opened;
        Self {
            welcome,
            connection: Connection::new(stream, link, resumption.record.clone()),
            resumption,
            last_id: 0,
            lost_id: 0,
            events: VecDeque::new(),
            answers: HashMap::new(),
            pongs: 0,
            end: None,
        }
    }

    /// Returns the id that the app gave this client.
    #[must_use]
    pub fn client_id(&self) -> ClientId {
        self.welcome.client_id
    }

    /// Returns the app's first frame on the last connection.
    #[must_use]
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// Sends a text frame as it is, for input that no Zocket client would send.
    ///
    /// # Errors
    /// [`CallError::Disconnected`] if there is no connection any more.
    pub async fn send_text(&mut self, text: impl Into<String>) -> Result<(), CallError> {
        self.write(Message::text(text.into())).await
    }

    async fn write(&self, message: Message) -> Result<(), CallError> {
        let written = self.connection.write(message).await;
        written.map_err(|_| CallError::Disconnected { sent: Sent::Unknown })
    }

    /// Waits for the next event, which must be a `T`.
    ///
    /// # Panics
    /// If the next event has another type or does not fit `T`, if the connection ends, or if no event arrives in time.
    #[track_caller]
    pub fn expect<T: Outgoing + DeserializeOwned>(&mut self) -> impl Future<Output = T> {
        let place = Location::caller();
        async move {
            let payload = self.event_of(T::TYPE, place).await;
            match read_json(&payload) {
                Ok(event) => event,
                Err(error) => panic!(
                    "{place}: expected the payload of `{}`, got another one: {error}: {}",
                    T::TYPE,
                    String::from_utf8_lossy(&payload)
                ),
            }
        }
    }

    /// Waits for the failure of a message that requested no answer. It must be the next event that the test has not
    /// read.
    ///
    /// # Panics
    /// As with [`expect`](Self::expect).
    #[track_caller]
    pub fn expect_error(&mut self) -> impl Future<Output = SendFailure> {
        let place = Location::caller();
        async move {
            let payload = self.event_of(words::ERROR, place).await;
            match read_json(&payload) {
                Ok(error) => error,
                Err(error) => panic!(
                    "{place}: expected the payload of `{}`, got another one: {error}",
                    words::ERROR
                ),
            }
        }
    }

    async fn event_of(&mut self, event_type: &str, place: &Location<'_>) -> Bytes {
        loop {
            if let Some((came, payload)) = self.events.pop_front() {
                let shown = String::from_utf8_lossy(&payload);
                assert!(
                    came == event_type,
                    "{place}: expected `{event_type}`, got `{came}`: {shown}"
                );
                return payload;
            }
            if let Some(end) = &self.end {
                panic!("{place}: expected `{event_type}`, but {end}");
            }
            self.receive(event_type, place).await;
        }
    }

    /// Returns the types and payloads of all events that have been sent to this client by now and that the test has not
    /// read yet. Sends the app a ping, which is answered after everything sent before.
    ///
    /// # Panics
    /// If no answer arrives in time, as after [`freeze`](Self::freeze).
    #[track_caller]
    pub fn events(&mut self) -> impl Future<Output = Vec<(String, Value)>> {
        let place = Location::caller();
        async move {
            self.pongs = 0;
            if self.write(Message::text(r#"{"type":"__ping"}"#)).await.is_ok() {
                while self.pongs == 0 && self.end.is_none() {
                    self.receive("a pong", place).await;
                }
            }
            let as_value = |payload: Bytes| read_json(&payload).unwrap_or_default();
            let events = self.events.drain(..);
            events
                .map(|(event_type, payload)| (event_type, as_value(payload)))
                .collect()
        }
    }

    /// Checks that no event has been sent to this client that the test has not read. It does not wait for later events.
    /// If a task of the app sends an event, the test itself has to wait until that has happened.
    ///
    /// # Panics
    /// If there is such an event, with its type and payload, or if the app does not answer the ping in time.
    #[track_caller]
    pub fn expect_nothing(&mut self) -> impl Future<Output = ()> {
        let place = Location::caller();
        let events = self.events();
        async move {
            let events = events.await;
            assert!(events.is_empty(), "{place}: expected nothing, got {events:?}");
        }
    }

    /// Waits for the end of the connection. Returns the code and the reason of the app's Close, or `(1006, "")` if the
    /// connection ends without one. Frames that arrive before the end are kept.
    ///
    /// # Panics
    /// If the connection does not end in time.
    #[track_caller]
    pub fn closed(&mut self) -> impl Future<Output = (u16, String)> {
        let place = Location::caller();
        async move {
            while self.end.is_none() {
                self.receive("a Close", place).await;
            }
            match &self.end {
                Some(Outage::Closed { code, reason }) => (*code, reason.clone()),
                _ => (1006, String::new()),
            }
        }
    }

    /// Closes the connection with code 1000, and waits for the app's answer. The session ends, too.
    ///
    /// # Panics
    /// If no answer arrives in time.
    #[track_caller]
    pub fn close(mut self) -> impl Future<Output = ()> {
        let place = Location::caller();
        async move {
            let goodbye = CloseFrame {
                code: CloseCode::Normal,
                reason: self.resumption.goodbye().into(),
            };
            // An error means that the connection is gone already, so that no answer will arrive.
            drop(self.write(Message::Close(Some(goodbye))).await);
            while self.end.is_none() {
                self.receive("the answer to a Close", place).await;
            }
        }
    }

    /// Cuts the connection without a Close, like a pulled cable or a killed process. The app still reads what was sent
    /// before. It ends the client's session at once, or waits for the client if it may [`resume`](Self::resume).
    pub fn cut(&self) {
        self.connection.link.cut();
    }

    /// Keeps the connection open but holds up all data in both directions until [`thaw`](Self::thaw), like a train in a
    /// tunnel. The app notices by its pings, or because more and more data is queued for this client.
    pub fn freeze(&self) {
        self.connection.link.freeze(true);
    }

    /// Delivers the data that was held up, and all that follows.
    pub fn thaw(&self) {
        self.connection.link.freeze(false);
    }

    /// Receives and stores the next frame. `what` names the expected frame in the panic's message.
    async fn receive(&mut self, what: &str, place: &Location<'_>) {
        let Ok(incoming) = timeout(WAIT_LIMIT, self.connection.incoming.recv()).await else {
            panic!("{place}: expected {what} within {WAIT_LIMIT:?}, got nothing");
        };
        match incoming {
            Some(FromApp::Frame(ServerFrame::Answer(id, answer))) => drop(self.answers.insert(id, answer)),
            Some(FromApp::Frame(ServerFrame::Event(event_type, payload))) => {
                self.events.push_back((event_type, payload));
            }
            Some(FromApp::Frame(ServerFrame::Pong)) => self.pongs += 1,
            Some(FromApp::Frame(
                ServerFrame::Welcome(_) | ServerFrame::Ping | ServerFrame::Ack(_) | ServerFrame::Unknown,
            )) => {}
            Some(FromApp::Unreadable(what)) => {
                panic!("{place}: expected a frame of the protocol, got another one: {what}")
            }
            Some(FromApp::End(outage)) => self.end = Some(outage),
            None => self.end = Some(self.end.take().unwrap_or(Outage::ClosedLocally)),
        }
    }
}

impl fmt::Debug for TestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestClient")
            .field("client_id", &self.client_id())
            .finish_non_exhaustive()
    }
}
