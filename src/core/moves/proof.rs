use ring::hmac::{HMAC_SHA256, Key, sign, verify};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zocket_layers::ClientId;

use crate::core::resume_slot::Secret;

/// Shows that a client has the secret of a token, and which headers it has, without showing either: HMAC-SHA-256 with the
/// secret as the key.
#[derive(Serialize, Deserialize)]
pub(super) struct Proof {
    token: Vec<u8>,
    headers: Vec<u8>,
}

/// The question that a proof belongs to. Another question needs another proof.
pub(super) struct Statement<'a> {
    /// The node of the session.
    pub(super) owner: &'a str,
    /// The node that asks.
    pub(super) asker: &'a str,
    pub(super) client: ClientId,
    pub(super) n: u64,
    pub(super) nonce: Uuid,
}

impl Statement<'_> {
    /// Returns the signed text. `purpose` makes the proofs of a question differ.
    fn text(&self, purpose: &str, last: u64) -> String {
        let Self {
            owner,
            asker,
            client,
            n,
            nonce,
        } = self;
        // None of them has a space.
        format!("zocket-move-1 {purpose} {owner} {asker} {client} {n} {nonce} {last}")
    }

    pub(super) fn prove(&self, secret: Secret, fingerprint: u64) -> Proof {
        let key = Key::new(HMAC_SHA256, secret.key());
        let sign = |text: String| sign(&key, text.as_bytes()).as_ref().to_vec();
        Proof {
            token: sign(self.text("token", 0)),
            headers: sign(self.text("headers", fingerprint)),
        }
    }

    /// Returns true if the proof was made with this secret. Takes the same time wherever it differs.
    pub(super) fn has_token(&self, proof: &Proof, secret: Secret) -> bool {
        let key = Key::new(HMAC_SHA256, secret.key());
        verify(&key, self.text("token", 0).as_bytes(), &proof.token).is_ok()
    }

    /// Returns true if the proof was made with this secret, for a client with these headers.
    pub(super) fn has_headers(&self, proof: &Proof, secret: Secret, fingerprint: u64) -> bool {
        let key = Key::new(HMAC_SHA256, secret.key());
        let text = self.text("headers", fingerprint);
        verify(&key, text.as_bytes(), &proof.headers).is_ok()
    }
}

/// Without the bytes, which are of no use in a log.
impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proof")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_valid_for_one_question_one_secret_and_the_same_headers() {
        let [secret, other] = [(); 2].map(|()| Secret::random());
        let (client, nonce) = (ClientId::random(), Uuid::new_v4());
        let statement = Statement {
            owner: "a",
            asker: "b",
            client,
            n: 3,
            nonce,
        };
        let proof = statement.prove(secret, 7);
        assert!(statement.has_token(&proof, secret) && statement.has_headers(&proof, secret, 7));
        assert!(!statement.has_token(&proof, other) && !statement.has_headers(&proof, other, 7));
        assert!(!statement.has_headers(&proof, secret, 8));
        let others = [
            Statement {
                owner: "b",
                ..statement
            },
            Statement {
                asker: "a",
                ..statement
            },
            Statement {
                client: ClientId::random(),
                ..statement
            },
            Statement { n: 4, ..statement },
            Statement {
                nonce: Uuid::new_v4(),
                ..statement
            },
        ];
        for other in others {
            assert!(!other.has_token(&proof, secret) && !other.has_headers(&proof, secret, 7));
        }
        let json = serde_json::to_string(&proof).unwrap();
        let read: Proof = serde_json::from_str(&json).unwrap();
        assert!(statement.has_token(&read, secret));
        let swapped = Proof {
            token: read.headers,
            headers: read.token,
        };
        assert!(!statement.has_token(&swapped, secret) && !statement.has_headers(&swapped, secret, 7));
        let empty = Proof {
            token: Vec::new(),
            headers: Vec::new(),
        };
        assert!(!statement.has_token(&empty, secret));
    }
}
