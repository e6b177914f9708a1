//! Who a connection is.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Who a connection is: a random UUID (version 4, from the operating system's CSPRNG), made at the handshake.
///
/// It is `Copy`, and a string on the wire: `"67e55044-10b1-426f-9247-bb680e5fe0c8"`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
// For clients, who read it in the contract.
#[schemars(description = "Who a connection is: a random UUID.")]
pub struct ClientId(#[schemars(with = "String", extend("format" = "uuid"))] Uuid);

impl ClientId {
    /// A new one, unlike any other.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl From<Uuid> for ClientId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

/// Reads what [`Display`](fmt::Display) writes.
impl FromStr for ClientId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientId({})", self.0)
    }
}
