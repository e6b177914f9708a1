//! Rooms and their members: the [`Hub`] that effects go to, and [`LocalHub`](crate::LocalHub) within one process.
//!
//! ```
//! use zocket_layers::{ClientId, Effect, Hub, LocalHub, hub::ConnectOptions};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), zocket_layers::hub::Full> {
//! let hub = LocalHub::new();
//! let ann = ClientId::random();
//! let mailbox = hub.connect(ann, &ConnectOptions::default());
//! hub.perform(Some(&ann), Effect::Join("lobby".into()))?;
//! assert!(hub.has(&ann, "lobby"));
//! assert_eq!(hub.size("lobby").await.value, 1);
//! hub.disconnect(&mailbox);
//! assert_eq!(hub.size("lobby").await.value, 0);
//! # Ok(()) }
//! ```
//!
//! A hub of your own implements the trait and fills [`Mailbox`]es: [`Mailbox::new`] makes one per client, and
//! [`Mailbox::push`] puts an event into it.

pub mod local;

mod full;
mod mailbox;
mod performed;

use std::{fmt, future::Future, pin::Pin, sync::Arc};

pub(crate) use self::performed::SharedTicket;
pub use self::{
    full::Full,
    mailbox::{Batch, ConnectOptions, Mailbox, MailboxState},
    performed::{Performed, Ticket},
};
use crate::{
    client_id::ClientId,
    effect::{Effect, Target},
};

/// Rooms, their members, and the way to them. [`LocalHub`](crate::LocalHub) is the hub within one process; an engine
/// between nodes, or a wrapper that inspects and vetoes, implements the same trait, and no handler can tell.
///
/// Order: each receiver sees what one client (or the server's own code, from one task) performs in the order in which
/// it was performed.
pub trait Hub: fmt::Debug + Send + Sync + 'static {
    /// Lets a client in. Events that are sent to it from now on are in the mailbox.
    fn connect(&self, client: ClientId, options: &ConnectOptions) -> Arc<Mailbox>;

    /// Lets a client go: out of its rooms, and no longer part of everyone.
    fn disconnect(&self, mailbox: &Mailbox);

    /// Performs an effect, `from` a client or the server's own code. The hub takes the effect, and delivers in its own
    /// time: the cost of sending does not grow with the number of receivers (that of `Manage` does). `Join`, `Leave`
    /// and `Close` are about the client; from nobody they are no-ops.
    ///
    /// A hub that has to ask other nodes returns [`Performed::Pending`]. The answer to the message waits for its
    /// ticket, and so does `Context::flush`.
    ///
    /// # Errors
    /// [`Full`] when a limit keeps the hub from taking the effect; [`Full::Unsupported`] for an effect that it does not
    /// know.
    fn perform(&self, from: Option<&ClientId>, effect: Effect) -> Result<Performed, Full>;

    /// Returns true for a client in this room.
    fn has(&self, client: &ClientId, room: &str) -> bool;

    /// The rooms of a client, in no order.
    fn rooms(&self, client: &ClientId) -> Vec<Arc<str>>;

    /// The clients of a target, in no order.
    fn clients<'a>(&'a self, of: &'a Target) -> BoxFuture<'a, Gathered<Vec<ClientId>>>;

    /// The number of clients in a room.
    fn size<'a>(&'a self, room: &'a str) -> BoxFuture<'a, Gathered<usize>>;

    /// Resolves when everything performed so far is out of this process's hands, as far as the hub controls it. A wrapper
    /// passes it on.
    fn flush(&self) -> BoxFuture<'_, Result<(), Full>>;

    /// Work that has to run beside the hub. An app spawns it once, with its first connection. A wrapper passes it on:
    /// without that of a [`LocalHub`](crate::LocalHub), members of large rooms are not notified.
    fn background(&self) -> Option<BoxFuture<'static, ()>>;
}

/// The future of a [`Hub`]'s method.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An answer that is gathered from all nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gathered<T> {
    /// The sum of the answers that came.
    pub value: T,
    /// True if a node did not answer, so that its clients are missing.
    pub is_partial: bool,
}

impl<T> Gathered<T> {
    /// An answer that all nodes contributed to.
    pub const fn complete(value: T) -> Self {
        Self {
            value,
            is_partial: false,
        }
    }

    /// An answer that lacks the clients of some node.
    pub const fn partial(value: T) -> Self {
        Self {
            value,
            is_partial: true,
        }
    }
}
