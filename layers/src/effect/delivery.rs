//! Delivery of events to clients that read too slowly.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};

/// Delivery of an event to a client that reads too slowly. A client that keeps up receives every event.
///
/// A client is behind while its socket accepts nothing and more than 64 KiB wait for it, or a quarter of
/// [`Limits::outbound`](crate::Limits::outbound) if that is less. The order is that of the promises: each delivery
/// promises more than the one before it.
///
/// ```
/// use std::hash::Hash;
///
/// use schemars::JsonSchema;
/// use serde::Serialize;
/// use zocket_layers::{Delivery, Outgoing};
///
/// /// A member's cursor. Only its newest position is of use.
/// #[derive(Serialize, JsonSchema)]
/// struct Cursor {
///     member: u32,
///     x: f64,
///     y: f64,
/// }
///
/// impl Outgoing for Cursor {
///     const TYPE: &'static str = "board.cursor";
///     const DELIVERY: Delivery = Delivery::Latest;
///
///     fn delivery_key(&self) -> impl Hash {
///         self.member
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Delivery {
    /// The event is dropped while the client is behind.
    Volatile,
    /// The event replaces the one with the same name and the same [key](crate::Outgoing::delivery_key) that waits for the
    /// client. It is delivered in the order in which it was sent, so behind everything that waits.
    Latest,
    /// The event waits. If more than [`Limits::outbound`](crate::Limits::outbound) bytes wait, the connection is closed
    /// with 3002 `slow-reader`.
    #[default]
    Reliable,
}

impl Delivery {
    /// Returns true for the default delivery.
    #[must_use]
    pub const fn is_reliable(&self) -> bool {
        matches!(self, Self::Reliable)
    }

    /// Returns the name that a contract has for it: `volatile`, `latest` or `reliable`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Volatile => "volatile",
            Self::Latest => "latest",
            Self::Reliable => "reliable",
        }
    }
}

/// Delivery of one event, with its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum KeyedDelivery {
    Volatile,
    Latest(u64),
    #[default]
    Reliable,
}

impl KeyedDelivery {
    /// Creates a delivery. `key` is called for [`Delivery::Latest`] only.
    pub(super) fn new<K: Hash>(delivery: Delivery, key: impl FnOnce() -> K) -> Self {
        match delivery {
            Delivery::Reliable => Self::Reliable,
            Delivery::Volatile => Self::Volatile,
            Delivery::Latest => {
                // Nodes with the same program compute the same hash.
                let mut hasher = DefaultHasher::new();
                key().hash(&mut hasher);
                Self::Latest(hasher.finish())
            }
        }
    }
}
