use std::{borrow::Cow, fmt, future::Future, ops::Deref, sync::Arc};

use super::rooms::Rooms;
use crate::{
    client_id::ClientId,
    connection::{Clients, Connection, Emitter, SendBy, Sending},
    effect::{Close, Effect, Outgoing, Target},
    error::Error,
    message::{BindEffects, MessageState, Parts},
};

/// Data of a handler or a middleware beside its input: the client, its rooms, methods to send, and by `Deref` the app's
/// own value `C`. Cheap to clone. A clone may be moved into a spawned task.
///
/// Its own methods are [`client_id`](Self::client_id), [`rooms`](Self::rooms), [`send`](Self::send),
/// [`clients`](Self::clients), [`emitter`](Self::emitter), [`flush`](Self::flush), [`close`](Self::close) and
/// [`closed`](Self::closed). They hide methods of `C` with the same names, which are called as `(*cx).send()`. They do
/// not hide fields. [`Context::value`] and [`Context::narrow`] are functions, so that they hide nothing.
pub struct Context<C = ()> {
    value: Arc<C>,
    state: MessageState,
}

impl<C> Context<C> {
    /// Creates the context of a message. Its effects are recorded as effects of that message.
    #[must_use]
    pub fn of_message(parts: &Parts, value: Arc<C>) -> Self {
        Self {
            value,
            state: parts.state.clone(),
        }
    }

    /// Creates a context outside of any message, as `on_open` and `on_disconnect` receive it. Effects are passed to the
    /// hub as they are recorded.
    #[must_use]
    pub fn of_connection(connection: &Connection, value: Arc<C>) -> Self {
        Self {
            value,
            state: MessageState::passing(connection.clone()),
        }
    }

    /// Returns the id of the client that sent this message.
    #[must_use]
    pub fn client_id(&self) -> ClientId {
        self.connection().client_id()
    }

    /// Returns a handle to join, leave and list the client's rooms.
    #[must_use]
    pub fn rooms(&self) -> Rooms<'_> {
        Rooms { state: &self.state }
    }

    /// Encodes an event. The method called on the result selects its receivers:
    /// `cx.send(Said { .. }).to_room("lobby")`.
    ///
    /// An event that can't be sent makes the message fail at its end, unless [`flush`](Self::flush) reports it first.
    /// The code is INTERNAL_SERVER_ERROR if no router declares the event or it can't be encoded, PAYLOAD_TOO_LARGE if
    /// it is too large, and OVERLOADED if the hub has no capacity for it.
    pub fn send<O: Outgoing>(&self, event: O) -> Sending<ByMessage<'_>> {
        Sending::new(self.by_message(), self.connection().emitter().encode(&event))
    }

    /// Selects clients for an action: `cx.clients(Target::room("lobby")).except([cx.client_id()]).leave("lobby")`. An
    /// action that fails makes the message fail at its end, as with [`send`](Self::send).
    pub fn clients(&self, clients: impl Into<Target>) -> Clients<ByMessage<'_>> {
        Clients::new(self.by_message(), self.connection().emitter(), clients.into())
    }

    fn by_message(&self) -> ByMessage<'_> {
        ByMessage { state: &self.state }
    }

    /// Returns the emitter, which sends independently of this message, its success and its order.
    #[must_use]
    pub fn emitter(&self) -> &Emitter {
        self.connection().emitter()
    }

    /// Waits until the hub has accepted all effects so far, and none is pending. Under `.atomic()`, effects are held
    /// until the handler succeeds, so there are none to wait for.
    ///
    /// # Errors
    /// The first failure since the last flush. [`send`](Self::send) lists the codes.
    pub async fn flush(&self) -> Result<(), Error> {
        let performed = self.performed().await;
        let flushed = self.connection().hub().flush().await;
        performed?;
        flushed.map_err(Into::into)
    }

    /// Waits until every pending effect that the hub accepted has resolved.
    ///
    /// # Errors
    /// The failure of an effect that was refused at once, or else the first failure among the pending ones.
    pub(crate) async fn performed(&self) -> Result<(), Error> {
        let mut performed = Ok(());
        while let Some(ticket) = self.state.first_pending() {
            performed = performed.and(ticket.clone().await);
            self.state.forget_pending(&ticket);
        }
        self.state.take_failure().map_or(Ok(()), Err)?;
        performed.map_err(Into::into)
    }

    /// Closes this client's connection, after everything that was sent before. Codes 4000 to 4999 belong to the app
    /// (RFC 6455, section 7.4.2). Zocket's clients reconnect after 3000 to 3499, and do not after 3500 to 3999.
    pub fn close(&self, code: u16, reason: impl Into<Cow<'static, str>>) {
        self.state.record_or_fail(Effect::Close(Close::new(code, reason)));
    }

    /// Resolves when the client's session has ended: its connection was closed, or was lost and the client has not come
    /// back in time. The handler still runs to its end, for at most [`Limits::linger`](field@crate::Limits::linger).
    pub fn closed(&self) -> impl Future<Output = ()> + Send + 'static {
        self.connection().closed()
    }

    /// Returns the `Arc` of the app's own value. A clone of it keeps the value after the handler has ended, without the
    /// rest of the context.
    #[must_use]
    pub fn value(cx: &Self) -> &Arc<C> {
        &cx.value
    }

    /// Replaces the app's value. A middleware passes the new context on.
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
        // Usually the context was made for this message, and the write is spared.
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

/// Sender of effects within a message. A failure is reported by [`Context::flush`], or else makes the message fail.
#[derive(Debug)]
pub struct ByMessage<'a> {
    state: &'a MessageState,
}

impl SendBy for ByMessage<'_> {
    type Output = ();

    fn send_by(self, emission: Result<Effect, Error>) {
        match emission {
            Ok(effect) => self.state.record_or_fail(effect),
            Err(error) => self.state.fail(error),
        }
    }
}
