use std::fmt;

use bytes::Bytes;

/// The kind of a data frame (RFC 6455, section 5.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

/// The content of one WebSocket message, and its kind. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct DataFrame {
    kind: Kind,
    bytes: Bytes,
}

impl DataFrame {
    /// A text frame. The text is not copied.
    pub fn text(text: impl AsRef<str> + Into<Bytes>) -> Self {
        Self::utf8(text.into())
    }

    /// A binary frame.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self {
            kind: Kind::Binary,
            bytes: bytes.into(),
        }
    }

    /// A text frame of bytes that are known to be UTF-8.
    pub(crate) const fn utf8(bytes: Bytes) -> Self {
        Self {
            kind: Kind::Text,
            bytes,
        }
    }

    /// Text or binary.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The content.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The content as text: none for a binary frame.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self.kind {
            Kind::Text => std::str::from_utf8(&self.bytes).ok(),
            Kind::Binary => None,
        }
    }

    /// The content, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

impl AsRef<[u8]> for DataFrame {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for DataFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Text => write!(f, "DataFrame::text({:?})", String::from_utf8_lossy(&self.bytes)),
            Kind::Binary => write!(f, "DataFrame::binary({:?})", self.bytes),
        }
    }
}
