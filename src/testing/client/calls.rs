//! Calls and messages of a test's client.

use std::{fmt, future::Future, marker::PhantomData, panic::Location};

use serde::{Serialize, de::DeserializeOwned};
use tokio_tungstenite::tungstenite::Message;
use zocket_layers::{Incoming, internal::read_json};

use super::TestClient;
use crate::client::{CallError, Sent, wire};

/// A call that was sent and whose answer was not awaited yet: see [`TestClient::begin`].
#[must_use = "`answer(..)` returns the answer"]
pub struct Pending<O = ()> {
    id: u64,
    answer: PhantomData<fn() -> O>,
}

impl<O> Pending<O> {
    const fn new(id: u64) -> Self {
        Self {
            id,
            answer: PhantomData,
        }
    }
}

impl<O> fmt::Debug for Pending<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl TestClient {
    /// Calls the route of a message and waits for the answer. Events that arrive meanwhile are kept.
    ///
    /// # Errors
    /// [`CallError::Refused`], [`CallError::Encode`] and [`CallError::Decode`]. [`CallError::Disconnected`] if the
    /// connection ends first.
    ///
    /// # Panics
    /// If no answer arrives in time.
    #[track_caller]
    pub fn call<'client, M>(
        &'client mut self,
        message: &M,
    ) -> impl Future<Output = Result<M::Answer, CallError>> + use<'client, M>
    where
        M: Incoming<Answer: DeserializeOwned> + Serialize + ?Sized,
    {
        let place = Location::caller();
        let id = self.next_id();
        let frame = wire::write(M::TYPE, message, Some(id));
        async move {
            let call = self.begin_with(id, frame).await?;
            self.answer_at(call, place).await
        }
    }

    /// Sends a call without waiting. The test can do something else before it awaits the [`answer`](Self::answer).
    ///
    /// # Errors
    /// [`CallError::Encode`], and [`CallError::Disconnected`] if there is no connection any more.
    pub fn begin<'client, M>(
        &'client mut self,
        message: &M,
    ) -> impl Future<Output = Result<Pending<M::Answer>, CallError>> + use<'client, M>
    where
        M: Incoming + Serialize + ?Sized,
    {
        let id = self.next_id();
        self.begin_with(id, wire::write(M::TYPE, message, Some(id)))
    }

    /// Waits for the answer to a call that [`begin`](Self::begin) or [`begin_route`](Self::begin_route) sent. After a cut,
    /// [`resume`](Self::resume) comes first.
    ///
    /// # Errors
    /// As with [`call`](Self::call).
    ///
    /// # Panics
    /// If no answer arrives in time.
    #[track_caller]
    pub fn answer<O: DeserializeOwned>(
        &mut self,
        call: Pending<O>,
    ) -> impl Future<Output = Result<O, CallError>> {
        self.answer_at(call, Location::caller())
    }

    /// Sends a message and requests no answer. If it fails, [`expect_error`](Self::expect_error) returns the failure.
    ///
    /// # Errors
    /// [`CallError::Encode`], and [`CallError::Disconnected`] if there is no connection any more.
    pub fn send<'client, M>(
        &'client mut self,
        message: &M,
    ) -> impl Future<Output = Result<(), CallError>> + use<'client, M>
    where
        M: Incoming + Serialize + ?Sized,
    {
        self.send_frame(wire::write(M::TYPE, message, None))
    }

    /// Calls a route by its name, where no type stands for its messages. Otherwise it behaves as [`call`](Self::call).
    /// The output type `()` fits a procedure that answers nothing.
    ///
    /// # Errors
    /// As with [`call`](Self::call).
    ///
    /// # Panics
    /// If no answer arrives in time.
    #[track_caller]
    pub fn call_route<O: DeserializeOwned>(
        &mut self,
        route: &str,
        input: &(impl Serialize + ?Sized),
    ) -> impl Future<Output = Result<O, CallError>> {
        let place = Location::caller();
        async move {
            let call = self.begin_route(route, input).await?;
            self.answer_at(call, place).await
        }
    }

    /// Sends a call to a route by its name, without waiting. `O` is the type of the answer.
    ///
    /// # Errors
    /// As with [`begin`](Self::begin).
    pub async fn begin_route<O>(
        &mut self,
        route: &str,
        input: &(impl Serialize + ?Sized),
    ) -> Result<Pending<O>, CallError> {
        let id = self.next_id();
        self.begin_with(id, wire::write(route, input, Some(id))).await
    }

    /// Sends a message to a route by its name, as [`send`](Self::send) does, and requests no answer.
    ///
    /// # Errors
    /// As with [`send`](Self::send).
    pub async fn send_route(
        &mut self,
        route: &str,
        input: &(impl Serialize + ?Sized),
    ) -> Result<(), CallError> {
        self.send_frame(wire::write(route, input, None)).await
    }

    const fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    async fn begin_with<O>(
        &self,
        id: u64,
        frame: Result<String, serde_json::Error>,
    ) -> Result<Pending<O>, CallError> {
        self.send_frame(frame).await?;
        Ok(Pending::new(id))
    }

    async fn send_frame(&self, frame: Result<String, serde_json::Error>) -> Result<(), CallError> {
        let frame = frame.map_err(CallError::Encode)?;
        self.write(Message::text(frame)).await
    }

    async fn answer_at<O: DeserializeOwned>(
        &mut self,
        Pending { id, .. }: Pending<O>,
        place: &Location<'_>,
    ) -> Result<O, CallError> {
        loop {
            if let Some(answer) = self.answers.remove(&id) {
                let payload = answer.map_err(CallError::Refused)?;
                return read_json(&payload).map_err(CallError::Decode);
            }
            if self.end.is_some() || id <= self.lost_id {
                return Err(CallError::Disconnected { sent: Sent::Unknown });
            }
            self.receive("an answer", place).await;
        }
    }
}
