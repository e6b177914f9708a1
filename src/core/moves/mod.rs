//! Clients that come to another node than that of their session: the new node asks the old one to end it.
//!
//! Nothing that travels between nodes shows a token, or lets anyone else end a session: the new node asks for a *challenge*,
//! and then proves with it that its client has the token. A challenge is used once.

mod ask;
mod proof;
mod respond;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zocket_layers::ClientId;

use self::proof::Proof;
pub(crate) use self::{
    ask::{FormerSession, end_elsewhere},
    respond::Moves,
};

/// A question of a client's new node to the node that its token names. A node that has no such session, or takes the client
/// for another one, has no answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Question {
    /// Asks for a challenge.
    Challenge { client: ClientId },
    /// Asks the node to end a session.
    Move {
        client: ClientId,
        /// Number of the last frame that the client has.
        n: u64,
        /// The challenge.
        nonce: Uuid,
        proof: Proof,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Challenge {
        nonce: Uuid,
    },
    /// The session has ended. It has received the client's frames up to this number, if that is known.
    Moved {
        received: Option<u64>,
    },
    /// The server had closed the session while its client was away, in this way.
    Closed {
        code: u16,
        reason: String,
    },
}
