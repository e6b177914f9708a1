use std::{borrow::Cow, fmt, future::Future, ops::Deref, sync::Arc};

use super::rooms::Rooms;
use crate::{
    client_id::ClientId,
    connection::{Clients, Connection, Emitter, SendBy, Sending},
    effect::{Close, Effect, Outgoing, Target},
    error::Error,
    message::{BindEffects, MessageState, Parts},
};

/// What a handler or a middleware knows beside its input: the client, its rooms, ways to send, and by `Deref`
/// the app's own value `C`. Cheap to clone; a clone may go into a task of its own.
///
/// Its own methods are [`client_id`](Self::client_id), [`rooms`](Self::rooms), [`send`](Self::send),
/// [`clients`](Self::clients), [`emitter`](Self::emitter), [`flush`](Self::flush), [`close`](Self::close) and [`closed`](Self::closed).
/// Methods of `C` with these names are reached by `(*cx).send()`; fields are not hidden by methods.
/// [`Context::value`] and [`Context::narrow`] are functions, so that they hide nothing.
pub struct Context<C = ()> {
    value: Arc<C>,
    state: MessageState,
}

impl<C> Context<C> {
    /// The context of a message: effects go where the message's go.
    #[must_use]
    pub fn of_message(parts: &Parts, value: Arc<C>) -> Self {
        Self {
            value,
            state: parts.state.clone(),
        }
    }

    /// A context outside of any message, as `on_open` and `on_disconnect` have it: effects are performed as
    /// they are noted.
    #[must_use]
    pub fn of_connection(connection: &Connection, value: Arc<C>) -> Self {
        Self {
            value,
            state: MessageState::passing(connection.clone()),
        }
    }

    /// Who sent this message.
    #[must_use]
    pub fn client_id(&self) -> ClientId {
        self.connection().client_id()
    }

    /// The client's rooms.
    #[must_use]
    pub fn rooms(&self) -> Rooms<'_> {
        Rooms { state: &self.state }
    }

    /// Encodes an event; what is called on the result says who gets it:
    /// `cx.send(Said { .. }).to_room("lobby")`.
    ///
    /// An event that can't go out makes the message fail at its end, unless [`flush`](Self::flush) reports it
    /// first: INTERNAL_SERVER_ERROR where no router declares it or it can't be encoded, PAYLOAD_TOO_LARGE,
    /// OVERLOADED where the hub could not take it.
    pub fn send<O: Outgoing>(&self, event: O) -> Sending<ByMessage<'_>> {
        Sending::new(self.by_message(), self.connection().emitter().encode(&event))
    }

    /// Other clients, to do something to: `cx.clients(Target::room("lobby")).except([cx.client_id()]).leave("lobby")`.
    /// What can't be done makes the message fail at its end, as with [`send`](Self::send).
    pub fn clients(&self, clients: impl Into<Target>) -> Clients<ByMessage<'_>> {
        Clients::new(self.by_message(), self.connection().emitter(), clients.into())
    }

    fn by_message(&self) -> ByMessage<'_> {
        ByMessage { state: &self.state }
    }

    /// Sends independently of this message, its success and its order.
    #[must_use]
    pub fn emitter(&self) -> &Emitter {
        self.connection().emitter()
    }

    /// Waits until the hub has taken everything that was sent so far, and every join is in effect. Under `.atomic()`,
    /// where effects wait for the handler's success, there is nothing to wait for.
    ///
    /// # Errors
    /// The first failure since the last flush, as [`send`](Self::send) lists them.
    pub async fn flush(&self) -> Result<(), Error> {
        let performed = self.performed().await;
        let flushed = self.connection().hub().flush().await;
        self.state.take_failure().map_or(Ok(()), Err)?;
        performed?;
        flushed.map_err(Into::into)
    }

    /// Waits until every effect that the hub has taken is in effect.
    ///
    /// # Errors
    /// The first of them that could not be put into effect.
    #[doc(hidden)]
    pub async fn performed(&self) -> Result<(), Error> {
        let mut performed = Ok(());
        while let Some(ticket) = self.state.first_pending() {
            performed = performed.and(ticket.clone().await);
            self.state.forget_pending(&ticket);
        }
        performed.map_err(Into::into)
    }

    /// Closes this client's connection, after what was sent before. Codes 4000 to 4999 are the app's own;
    /// 3000 to 3499 mean "reconnect", 3500 to 3999 "do not".
    pub fn close(&self, code: u16, reason: impl Into<Cow<'static, str>>) {
        self.state.note_or_fail(Effect::Close(Close::new(code, reason)));
    }

    /// Resolves when the client has gone. A handler runs to its end all the same.
    pub fn closed(&self) -> impl Future<Output = ()> + Send + 'static {
        self.connection().closed()
    }

    /// The app's own value, to keep.
    #[must_use]
    pub fn value(cx: &Self) -> &Arc<C> {
        &cx.value
    }

    /// The same context around another value: what a middleware hands on.
    #[must_use]
    pub fn narrow<D>(cx: Self, value: D) -> Context<D> {
        Context {
            value: Arc::new(value),
            state: cx.state,
        }
    }

    fn connection(&self) -> &Connection {
        self.state.connection()
    }
}

impl<C> Clone for Context<C> {
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            state: self.state.clone(),
        }
    }
}

impl<C> Deref for Context<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.value
    }
}

impl<C> BindEffects for Context<C> {
    fn bind(&mut self, parts: &Parts) {
        // As a rule the context was made for this very message.
        if !self.state.is(&parts.state) {
            self.state = parts.state.clone();
        }
    }
}

impl<C: fmt::Debug> fmt::Debug for Context<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("client_id", &self.client_id())
            .field("value", &self.value)
            .finish_non_exhaustive()
    }
}

/// From inside a message: what can't be sent is told by [`Context::flush`], else it fails the message.
#[derive(Debug)]
pub struct ByMessage<'a> {
    state: &'a MessageState,
}

impl SendBy for ByMessage<'_> {
    type Output = ();

    fn send_by(self, emission: Result<Effect, Error>) {
        match emission {
            Ok(effect) => self.state.note_or_fail(effect),
            Err(error) => self.state.fail(error),
        }
    }
}
