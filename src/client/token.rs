use std::fmt;

use serde::Deserialize;

/// The token by which a session is resumed. Whoever has it can take the session over, so it is never shown, and kept in
/// memory only.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(transparent)]
pub(super) struct Token(String);

impl Token {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns true if the token may stand in an offer.
    pub(super) fn is_valid(&self) -> bool {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        !self.0.is_empty() && self.0.bytes().all(is_allowed)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}
