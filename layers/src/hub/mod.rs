//! Rooms and their members: the trait [`Hub`], which performs effects, and [`LocalHub`](crate::LocalHub) within one
//! process.
//!
//! ```
//! use zocket_layers::{ClientId, Effect, Hub, LocalHub, hub::ConnectOptions};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), zocket_layers::hub::Full> {
//! let hub = LocalHub::new();
//! let ann = hub.new_client_id();
//! let mailbox = hub.connect(ann, &ConnectOptions::default());
//! hub.perform(Some(&ann), Effect::Join("lobby".into()))?;
//! assert!(hub.has(&ann, "lobby"));
//! assert_eq!(hub.size("lobby").await.value, 1);
//! hub.disconnect(&mailbox);
//! assert_eq!(hub.size("lobby").await.value, 0);
//! # Ok(()) }
//! ```
//!
//! A hub between nodes wraps a [`LocalHub`](crate::LocalHub), as [`AuditHub`](crate::AuditHub) does. It passes each effect
//! to the local hub and to the other nodes, and performs theirs on the local hub. [`Event::wire`](crate::Event::wire) and
//! [`Event::from_wire`](crate::Event::from_wire) carry events, [`Event::delivery`](crate::Event::delivery) and
//! [`Event::delivery_key`](crate::Event::delivery_key) what is not in their frames. A hub without a local one implements the trait and fills
//! [`Mailbox`]es: [`Mailbox::new`] creates one per client, and [`Mailbox::push`] adds an event to it.

pub mod local;

mod full;
mod mailbox;
mod peers;
mod performed;

use std::{fmt, future::Future, pin::Pin, sync::Arc};

pub(crate) use self::performed::SharedTicket;
pub use self::{
    full::Full,
    mailbox::{Batch, ConnectOptions, Mailbox, MailboxState},
    peers::{Peers, Respond},
    performed::{Performed, Ticket},
};
use crate::{
    client_id::ClientId,
    effect::{Effect, Target},
};

/// Rooms and their members, and delivery to them. [`LocalHub`](crate::LocalHub) is the hub within one process. An
/// engine between nodes, or a wrapper that inspects or refuses effects, implements the same trait. Handlers work with
/// any of them.
///
/// Order: each receiver receives the events of one client in the order in which they were performed. The same holds for
/// events that one task of the server performs outside of messages.
pub trait Hub: fmt::Debug + Send + Sync + 'static {
    /// Returns an id for a client that will connect to this hub, unlike any other: [`ClientId::random`], unless the ids of a
    /// hub between nodes name its node. A wrapper returns that of the inner hub.
    fn new_client_id(&self) -> ClientId;

    /// Connects a client with an id that this hub has made. Returns its mailbox, which receives the events that are sent to the client from now on.
    fn connect(&self, client: ClientId, options: &ConnectOptions) -> Arc<Mailbox>;

    /// Removes a client from its rooms and from [`Audience::Everyone`](crate::Audience::Everyone), after its connection
    /// has ended. It does not close the socket: [`Effect::Close`] requests that. The mailbox identifies the client, so
    /// that a later connection of the same id stays connected.
    fn disconnect(&self, mailbox: &Mailbox);

    /// Performs an effect of the client `from`, or of the server's own code if `from` is none. The hub accepts the
    /// effect, and delivers events later, so the cost of sending does not grow with the number of receivers. The cost
    /// of `Manage` does. `Join`, `Leave` and `Close` concern the client, and have no effect without one.
    ///
    /// A hub that waits for other nodes returns [`Performed::Pending`]. The answer to the message and `Context::flush`
    /// wait for its ticket.
    ///
    /// # Errors
    /// [`Full`] if the hub refuses the effect because of a limit. [`Full::Unsupported`] for an effect that it does not
    /// know.
    fn perform(&self, from: Option<&ClientId>, effect: Effect) -> Result<Performed, Full>;

    /// Returns true if a client is in this room.
    fn has(&self, client: &ClientId, room: &str) -> bool;

    /// Returns the rooms of a client, in no order.
    fn rooms(&self, client: &ClientId) -> Vec<Arc<str>>;

    /// Returns the clients of a target, each once, in no order.
    fn clients<'a>(&'a self, of: &'a Target) -> BoxFuture<'a, Gathered<Vec<ClientId>>>;

    /// Returns the number of clients in a room, 0 for an unknown room.
    fn size<'a>(&'a self, room: &'a str) -> BoxFuture<'a, Gathered<usize>>;

    /// Waits until everything that was performed so far has left this process, as far as the hub controls it. A wrapper
    /// calls this method of the inner hub.
    fn flush(&self) -> BoxFuture<'_, Result<(), Full>>;

    /// Returns work of the hub that has to run in the background. An app spawns the work of up to four calls on each
    /// runtime that it has connections on, with the first of them, and drops it at its own end. So the work of several
    /// calls runs at the same time, and any of it may be dropped, or no longer be polled, while the hub lives on. A wrapper returns that of
    /// the inner hub. Without the work of a [`LocalHub`](crate::LocalHub), members of large rooms are not notified.
    fn background(&self) -> Option<BoxFuture<'static, ()>>;

    /// Returns the other nodes of a hub that has some. A wrapper returns those of the inner hub: without them, a client that
    /// comes to another node leaves its session behind, until that expires.
    fn peers(&self) -> Option<&dyn Peers> {
        None
    }
}

/// Future of a [`Hub`]'s method.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Answer that is gathered from all nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gathered<T> {
    /// Combined answers of the nodes that answered.
    pub value: T,
    /// Names of the nodes that did not answer. Their clients are missing in the value.
    pub missing: Vec<String>,
}

impl<T> Gathered<T> {
    /// Creates an answer that all nodes contributed to.
    pub const fn complete(value: T) -> Self {
        Self {
            value,
            missing: Vec::new(),
        }
    }

    /// Creates an answer that lacks the clients of these nodes.
    pub fn partial(value: T, missing: impl IntoIterator<Item = String>) -> Self {
        Self {
            value,
            missing: missing.into_iter().collect(),
        }
    }

    /// Returns true if all nodes have answered.
    pub const fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }
}
