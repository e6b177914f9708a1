use std::fmt;

use super::Origins;

/// The app's choice of the pages that may connect.
#[derive(Debug, Clone, Default)]
pub(crate) enum OriginChoice {
    #[default]
    Unchosen,
    Any,
    Only(Origins),
}

/// Credential that a browser sends by itself, with WebSockets that pages of any site open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AmbientCredential {
    /// `on_connect` declares this connect header.
    Header(&'static str),
    /// `on_connect` takes the request's parts, with all of its fields.
    Request,
}

impl AmbientCredential {
    /// Returns the first credential among the connect headers that an app declares.
    pub(crate) fn among(headers: &[String]) -> Option<Self> {
        let is_declared = |name: &&str| headers.iter().any(|header| header.eq_ignore_ascii_case(name));
        ["cookie", "authorization"]
            .into_iter()
            .find(is_declared)
            .map(Self::Header)
    }
}

/// Error of an app whose `on_connect` can read a cookie, and which has not chosen the pages that may connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnchosenOrigins {
    pub(super) credential: AmbientCredential,
}

impl OriginChoice {
    /// Checks that an app with this credential has made its choice.
    pub(crate) fn check(&self, credential: Option<AmbientCredential>) -> Result<(), UnchosenOrigins> {
        match (self, credential) {
            (Self::Unchosen, Some(credential)) => Err(UnchosenOrigins { credential }),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for UnchosenOrigins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.credential {
            AmbientCredential::Header(name) => write!(f, "`on_connect` reads the header `{name}`"),
            AmbientCredential::Request => {
                f.write_str("`on_connect` takes the request's parts, with its cookies")
            }
        }?;
        f.write_str(
            ", which a browser also sends when a page of another site opens the WebSocket: expected \
             `.origins(Origins::same())` or `.origins(Origins::list([\"https://…\"])?)` on the builder, or \
             `.any_origin()` if no browser's credential identifies a user",
        )
    }
}

impl std::error::Error for UnchosenOrigins {}
