//! The identity of a connection.

use std::{fmt, iter, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Identifier of a connection: a UUID from the operating system's CSPRNG, made at the handshake. It is random (version 4,
/// RFC 9562, section 5.4), or names the client's node in its first 32 bits and is random otherwise (version 8, section 5.8):
/// [`Hub::new_client_id`](crate::Hub::new_client_id).
///
/// On the wire it is a string: `"67e55044-10b1-426f-9247-bb680e5fe0c8"`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
// Clients read this in the contract.
#[schemars(description = "Identifies a connection: a random UUID.")]
pub struct ClientId(#[schemars(with = "String", extend("format" = "uuid"))] Uuid);

impl ClientId {
    /// Creates a random id.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

/// Yields this id alone, so that methods for several clients accept one: `.to(cx.client_id())`.
impl IntoIterator for ClientId {
    type Item = Self;
    type IntoIter = iter::Once<Self>;

    fn into_iter(self) -> Self::IntoIter {
        iter::once(self)
    }
}

impl From<Uuid> for ClientId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl From<ClientId> for Uuid {
    fn from(ClientId(uuid): ClientId) -> Self {
        uuid
    }
}

/// Parses a UUID in any form that the crate `uuid` accepts, such as the output of [`Display`](fmt::Display).
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
