//! Tokens, by which a client is recognized.

use std::fmt;

use uuid::Uuid;
use zocket_layers::ClientId;

/// The secret part of a token: 128 random bits, as bytes, so that a session's two take little memory. It has no `Debug`, so
/// that it reaches no log.
#[derive(Clone, Copy)]
pub(in crate::core) struct Secret([u8; 16]);

impl Secret {
    /// Creates a secret from the operating system's CSPRNG.
    pub(super) fn random() -> Self {
        // A UUID has six constant bits. Those of the second one are elsewhere.
        let (bits, more) = (Uuid::new_v4().as_u128(), Uuid::new_v4().as_u128());
        Self((bits ^ more.rotate_left(32)).to_be_bytes())
    }

    /// Compares two secrets in constant time: no instruction depends on the bits that differ.
    pub(in crate::core) const fn equals(self, other: Self) -> bool {
        self.bits() ^ other.bits() == 0
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

/// Returns the token of a client: its id, then the secret, in hexadecimal digits.
pub(super) fn token(client: ClientId, secret: Secret) -> String {
    format!("{}{:032x}", client.to_string().replace('-', ""), secret.bits())
}

/// An offer of a client to resume its session.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ResumeOffer {
    pub(crate) client: ClientId,
    pub(in crate::core) secret: Secret,
    /// Number of the last frame that the client has.
    pub(super) n: u64,
}

impl ResumeOffer {
    /// Parses `<token>.<n>`.
    pub(crate) fn parse(offer: &str) -> Option<Self> {
        let (token, n) = offer.split_once('.')?;
        let (client, secret) = token.split_at_checked(DIGITS)?;
        let is_number = !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit());
        Some(Self {
            client: client.parse().ok().filter(|_| has_digits_only(client))?,
            secret: Secret::parse(secret)?,
            n: is_number.then(|| n.parse().ok())??,
        })
    }
}

/// Without the secret.
impl fmt::Debug for ResumeOffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResumeOffer")
            .field("client", &self.client)
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
        let token = token(client, secret);
        assert!(token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let offer = ResumeOffer::parse(&format!("{token}.17")).unwrap();
        assert!(offer.secret.equals(secret) && !offer.secret.equals(Secret::random()));
        assert_eq!((offer.client, offer.n), (client, 17));
        assert!(!format!("{offer:?}").contains(&token[32..]));
    }

    #[test]
    fn a_malformed_offer_is_none() {
        let client = ClientId::from(Uuid::from_u128(0xabcd << 96));
        let token = token(client, Secret::random());
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
        ] {
            assert!(ResumeOffer::parse(&offer).is_none(), "{offer}");
        }
    }
}
