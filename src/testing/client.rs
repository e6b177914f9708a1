//! A test's client.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    future::Future,
    panic::Location,
    time::Duration,
};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, stream::SplitSink};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::{sync::mpsc, task::AbortHandle, time::timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};
use zocket_layers::{ClientId, Outgoing, protocol::words};

use super::line::Line;
use crate::client::{
    CallError, Outage, Refusal, Sent, Unanswered, Welcome,
    dial::{Received, read},
    wire::{self, Incoming},
};

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(5);
/// Frames that a test may leave unread. Then the client reads no further, as one would that hangs.
const UNREAD: usize = 10_000;

/// A client of an app in memory. Made by [`TestApp::connect`](super::TestApp::connect).
///
/// What it waits for it waits for 5 seconds of tokio's clock, and then panics, with the place that waits. What comes
/// in is read all the time, and pings are answered, also while the test does something else. Dropped, it is gone
/// without a goodbye, as after [`cut`](Self::cut).
pub struct TestClient {
    welcome: Welcome,
    line: Line,
    sink: SplitSink<WebSocketStream<Line>, Message>,
    reading: AbortHandle,
    incoming: mpsc::Receiver<In>,
    next_id: u64,
    /// What came while something else was awaited.
    events: VecDeque<(String, Bytes)>,
    answers: HashMap<u64, Result<Bytes, Refusal>>,
    pongs: usize,
    /// How the connection ended.
    end: Option<Outage>,
}

enum In {
    Frame(Incoming),
    Pong,
    Unreadable(String),
    End(Outage),
}

/// A call that was begun: see [`TestClient::begin`].
#[must_use = "what it is answered, `answer(..)` says"]
#[derive(Debug)]
pub struct Pending(u64);

impl TestClient {
    pub(super) fn new(stream: WebSocketStream<Line>, line: Line, welcome: Welcome) -> Self {
        let (sink, mut stream) = stream.split();
        let (sender, incoming) = mpsc::channel(UNREAD);
        let hang_up = line.clone();
        let reading = tokio::spawn(async move {
            loop {
                let incoming = match read(stream.next().await) {
                    Ok(Received::Control) => continue,
                    Ok(Received::Data(frame)) => match wire::read(&frame) {
                        Ok(Some(incoming)) => In::Frame(incoming),
                        Ok(None) if frame.starts_with(br#"{"type":"__pong""#) => In::Pong,
                        Ok(None) => continue,
                        Err(error) => In::Unreadable(format!("{error}: {}", String::from_utf8_lossy(&frame))),
                    },
                    Err(outage) => In::End(outage),
                };
                let is_end = matches!(incoming, In::End(_));
                if sender.send(incoming).await.is_err() || is_end {
                    break;
                }
            }
            // By this, the answer to a Close goes out.
            while let Some(Ok(_)) = stream.next().await {}
            hang_up.cut();
        });
        Self {
            welcome,
            line,
            sink,
            reading: reading.abort_handle(),
            incoming,
            next_id: 0,
            events: VecDeque::new(),
            answers: HashMap::new(),
            pongs: 0,
            end: None,
        }
    }

    /// Who this is to the app.
    #[must_use]
    pub fn client_id(&self) -> ClientId {
        self.welcome.client_id
    }

    /// What the app said first.
    #[must_use]
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// Calls a route and waits for its answer; `()` takes a procedure that answers nothing. Events that come meanwhile
    /// are kept.
    ///
    /// # Errors
    /// [`CallError::Refused`]; [`CallError::Disconnected`] where the connection ends instead; [`CallError::Encode`] and
    /// [`CallError::Decode`].
    ///
    /// # Panics
    /// If nothing comes in time.
    #[track_caller]
    pub fn call<O: DeserializeOwned>(
        &mut self,
        route: &str,
        input: &(impl Serialize + ?Sized),
    ) -> impl Future<Output = Result<O, CallError>> {
        let place = Location::caller();
        async move {
            let call = self.begin(route, input).await?;
            self.answer_at(call, place).await
        }
    }

    /// Begins a call, for the test to do something else before its [`answer`](Self::answer) is awaited.
    ///
    /// # Errors
    /// [`CallError::Encode`], and [`CallError::Disconnected`] where there is no connection any more.
    pub async fn begin(
        &mut self,
        route: &str,
        input: &(impl Serialize + ?Sized),
    ) -> Result<Pending, CallError> {
        self.next_id += 1;
        let id = self.next_id;
        let frame = wire::write(route, input, Some(id)).map_err(CallError::Encode)?;
        self.write(Message::text(frame)).await?;
        Ok(Pending(id))
    }

    /// Waits for the answer to a call that was begun.
    ///
    /// # Errors
    /// As with [`call`](Self::call).
    ///
    /// # Panics
    /// If nothing comes in time.
    #[track_caller]
    pub fn answer<O: DeserializeOwned>(
        &mut self,
        call: Pending,
    ) -> impl Future<Output = Result<O, CallError>> {
        self.answer_at(call, Location::caller())
    }

    async fn answer_at<O: DeserializeOwned>(
        &mut self,
        Pending(id): Pending,
        place: &Location<'_>,
    ) -> Result<O, CallError> {
        loop {
            if let Some(answer) = self.answers.remove(&id) {
                let payload = answer.map_err(CallError::Refused)?;
                return serde_json::from_slice(&payload).map_err(CallError::Decode);
            }
            if self.end.is_some() {
                return Err(CallError::Disconnected { sent: Sent::Unknown });
            }
            self.receive("an answer", place).await;
        }
    }

    /// Sends a message that asks for no answer. What becomes of it, [`expect_error`](Self::expect_error) says, if it
    /// fails.
    ///
    /// # Errors
    /// [`CallError::Encode`], and [`CallError::Disconnected`] where there is no connection any more.
    pub async fn send(&mut self, route: &str, input: &(impl Serialize + ?Sized)) -> Result<(), CallError> {
        let frame = wire::write(route, input, None).map_err(CallError::Encode)?;
        self.write(Message::text(frame)).await
    }

    /// Sends a text frame as it is: for what no client of ours would send.
    ///
    /// # Errors
    /// [`CallError::Disconnected`] where there is no connection any more.
    pub async fn send_text(&mut self, text: impl Into<String>) -> Result<(), CallError> {
        self.write(Message::text(text.into())).await
    }

    async fn write(&mut self, message: Message) -> Result<(), CallError> {
        let sent = self.sink.send(message).await;
        sent.map_err(|_| CallError::Disconnected { sent: Sent::Unknown })
    }

    /// The next event, which must be a `T`.
    ///
    /// # Panics
    /// If it is another, if it does not fit the type, if the connection ends, if nothing comes in time.
    #[track_caller]
    pub fn expect<T: Outgoing + DeserializeOwned>(&mut self) -> impl Future<Output = T> {
        let place = Location::caller();
        async move {
            let payload = self.event_of(T::TYPE, place).await;
            match serde_json::from_slice(&payload) {
                Ok(event) => event,
                Err(error) => panic!(
                    "{place}: no `{}`: {error}: {}",
                    T::TYPE,
                    String::from_utf8_lossy(&payload)
                ),
            }
        }
    }

    /// The failure of a message that asked for no answer, before any other event.
    ///
    /// # Panics
    /// As with [`expect`](Self::expect).
    #[track_caller]
    pub fn expect_error(&mut self) -> impl Future<Output = Unanswered> {
        let place = Location::caller();
        async move {
            let payload = self.event_of(words::ERROR, place).await;
            match serde_json::from_slice(&payload) {
                Ok(error) => error,
                Err(error) => panic!("{place}: no `{}`: {error}", words::ERROR),
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

    /// Everything that has been sent to this client by now and that the test has not seen yet: types and payloads. It
    /// asks the app by a ping, which is answered after everything sent before.
    ///
    /// # Panics
    /// If there is no answer in time, as after [`freeze`](Self::freeze).
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
            let as_value = |payload: Bytes| serde_json::from_slice(&payload).unwrap_or_default();
            let events = self.events.drain(..);
            events
                .map(|(event_type, payload)| (event_type, as_value(payload)))
                .collect()
        }
    }

    /// Nothing has been sent to this client that the test has not seen. It does not wait for what may come: for
    /// something that a task of the app's own will send, the test has to know when it has.
    ///
    /// # Panics
    /// If something has, with what it is; if the app does not say so in time.
    #[track_caller]
    pub fn expect_nothing(&mut self) -> impl Future<Output = ()> {
        let place = Location::caller();
        let events = self.events();
        async move {
            let events = events.await;
            assert!(events.is_empty(), "{place}: expected nothing, got {events:?}");
        }
    }

    /// Waits for the end of the connection: code and reason of the app's Close, or `(1006, "")` where it ends without
    /// one. What comes before it is kept.
    ///
    /// # Panics
    /// If it does not end in time.
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

    /// Closes, with 1000, and waits for the app's answer.
    ///
    /// # Panics
    /// If there is none in time.
    #[track_caller]
    pub fn close(mut self) -> impl Future<Output = ()> {
        let place = Location::caller();
        async move {
            let goodbye = CloseFrame {
                code: CloseCode::Normal,
                reason: "".into(),
            };
            // It may be gone already: then there is nobody to answer.
            drop(self.sink.send(Message::Close(Some(goodbye))).await);
            while self.end.is_none() {
                self.receive("the answer to a Close", place).await;
            }
        }
    }

    /// Tears the connection, without a Close: a cable pulled out, a process killed.
    pub fn cut(&self) {
        self.line.cut();
    }

    /// Keeps the connection and lets nothing through in either direction, until [`thaw`](Self::thaw): a train in a
    /// tunnel. The app notices by its pings, or because more and more waits for this client.
    pub fn freeze(&self) {
        self.line.freeze(true);
    }

    /// Lets through what was held up, and all that follows.
    pub fn thaw(&self) {
        self.line.freeze(false);
    }

    /// Takes what comes next.
    async fn receive(&mut self, what: &str, place: &Location<'_>) {
        let Ok(incoming) = timeout(PATIENCE, self.incoming.recv()).await else {
            panic!("{place}: expected {what}, and nothing came in {PATIENCE:?}");
        };
        match incoming {
            Some(In::Frame(Incoming::Answer(id, answer))) => drop(self.answers.insert(id, answer)),
            Some(In::Frame(Incoming::Event(event_type, payload))) => {
                self.events.push_back((event_type, payload));
            }
            Some(In::Frame(Incoming::Welcome(_))) => {}
            Some(In::Pong) => self.pongs += 1,
            Some(In::Unreadable(what)) => panic!("{place}: the app sent something unreadable: {what}"),
            Some(In::End(outage)) => self.end = Some(outage),
            None => self.end = Some(self.end.take().unwrap_or(Outage::Asked)),
        }
    }
}

impl Drop for TestClient {
    fn drop(&mut self) {
        self.reading.abort();
        self.line.cut();
    }
}

impl fmt::Debug for TestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestClient")
            .field("client_id", &self.client_id())
            .finish_non_exhaustive()
    }
}
