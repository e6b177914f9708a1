//! Tokens, by which a client is recognized.

use std::{fmt, sync::Arc};

use uuid::Uuid;
use zocket_layers::ClientId;

/// The secret part of a token: 128 random bits, as bytes, so that a session's two take little memory. It has no `Debug`, so
/// that it reaches no log.
#[derive(Clone, Copy)]
pub(in crate::core) struct Secret([u8; 16]);

impl Secret {
    /// Creates a secret from the operating system's CSPRNG.
    pub(in crate::core) fn random() -> Self {
        // A UUID has six constant bits. Those of the second one are elsewhere.
        let (bits, more) = (Uuid::new_v4().as_u128(), Uuid::new_v4().as_u128());
        Self((bits ^ more.rotate_left(32)).to_be_bytes())
    }

    /// Compares two secrets in constant time: no instruction depends on the bits that differ.
    pub(in crate::core) const fn equals(self, other: Self) -> bool {
        self.bits() ^ other.bits() == 0
    }

    /// Returns the key of the proofs by which a node shows another one that its client has the secret.
    #[cfg(feature = "nats")]
    pub(in crate::core) const fn key(&self) -> &[u8] {
        &self.0
    }

    const fn bits(self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    fn parse(digits: &str) -> Option<Self> {
        let is_secret = digits.len() == DIGITS && has_digits_only(digits);
        let bits = is_secret.then(|| u128::from_str_radix(digits, 16).ok())??;
        Some(Self(bits.to_be_bytes()))
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.equals(*other)
    }
}

impl Eq for Secret {}

/// Hexadecimal digits of 128 bits.
const DIGITS: usize = 32;

/// Returns true for hexadecimal digits as tokens have them.
fn has_digits_only(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Longest name of a node.
const MAX_NODE: usize = 64;

/// Returns true for a name of a node, as tokens have it.
fn is_node(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=MAX_NODE).contains(&name.len()) && name.bytes().all(is_allowed)
}

/// Returns the token of a client: its id, then the secret, in hexadecimal digits, then `-` and the node of the session, if
/// its app has several.
pub(super) fn token(client: ClientId, secret: Secret, node: Option<&str>) -> String {
    let mut token = format!("{}{:032x}", client.to_string().replace('-', ""), secret.bits());
    if let Some(node) = node {
        token.push('-');
        token.push_str(node);
    }
    token
}

/// An offer of a client to resume its session.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ResumeOffer {
    pub(crate) client: ClientId,
    pub(in crate::core) secret: Secret,
    /// Node of the session.
    pub(crate) node: Option<Arc<str>>,
    /// Number of the last frame that the client has.
    pub(in crate::core) n: u64,
}

impl ResumeOffer {
    /// Parses `<token>.<n>`.
    pub(crate) fn parse(offer: &str) -> Option<Self> {
        let (token, n) = offer.split_once('.')?;
        let (client, token) = token.split_at_checked(DIGITS)?;
        let (secret, node) = match token.split_once('-') {
            Some((secret, node)) => (secret, Some(node)),
            None => (token, None),
        };
        if !node.is_none_or(is_node) {
            return None;
        }
        let is_number = !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit());
        Some(Self {
            client: client.parse().ok().filter(|_| has_digits_only(client))?,
            secret: Secret::parse(secret)?,
            node: node.map(Arc::from),
            n: is_number.then(|| n.parse().ok())??,
        })
    }
}

/// Without the secret.
impl fmt::Debug for ResumeOffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResumeOffer")
            .field("client", &self.client)
            .field("node", &self.node)
            .field("n", &self.n)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written() {
        let (client, secret) = (ClientId::random(), Secret::random());
        for node in [None, Some("n-1"), Some("0123456789abcdef0123456789abcdef")] {
            let token = token(client, secret, node);
            let digits = token.split('-').next().unwrap();
            assert!(digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            let offer = ResumeOffer::parse(&format!("{token}.17")).unwrap();
            assert!(offer.secret.equals(secret) && !offer.secret.equals(Secret::random()));
            assert_eq!((offer.client, offer.n, offer.node.as_deref()), (client, 17, node));
            assert!(!format!("{offer:?}").contains(&digits[32..]));
        }
    }

    #[test]
    fn a_malformed_offer_is_none() {
        let client = ClientId::from(Uuid::from_u128(0xabcd << 96));
        let token = token(client, Secret::random(), None);
        for offer in [
            String::new(),
            token.clone(),
            format!("{token}."),
            format!("{token}.-1"),
            format!("{token}.+1"),
            format!("{token}.1.1"),
            format!("{token}.99999999999999999999"),
            format!("{}.1", &token[..63]),
            format!("{token}0.1"),
            format!("{}.1", token.to_uppercase()),
            format!("{}{}.1", token[..32].to_uppercase(), &token[32..]),
            format!("{}é.1", &token[..62]),
            format!("{token}-.1"),
            format!("{token}-é.1"),
            format!("{token}-a b.1"),
            format!("{token}-{}.1", "a".repeat(65)),
            format!("{}-a.1", &token[..63]),
        ] {
            assert!(ResumeOffer::parse(&offer).is_none(), "{offer}");
        }
    }
}
