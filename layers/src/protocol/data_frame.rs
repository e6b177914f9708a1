use std::fmt;

use bytes::Bytes;

/// Kind of a data frame (RFC 6455, section 5.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

/// Content of one WebSocket message, and its kind. Cheap to clone if it was received.
#[derive(Clone)]
pub struct DataFrame {
    kind: Kind,
    content: Content,
}

#[derive(Clone)]
enum Content {
    /// Encoded by this crate, and usually copied into a write buffer next. Conversion to `Bytes` would cost another
    /// allocation.
    Owned(Vec<u8>),
    Shared(Bytes),
}

impl DataFrame {
    /// Creates a text frame. The text is not copied.
    pub fn text(text: impl AsRef<str> + Into<Bytes>) -> Self {
        Self {
            kind: Kind::Text,
            content: Content::Shared(text.into()),
        }
    }

    /// Creates a binary frame.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self {
            kind: Kind::Binary,
            content: Content::Shared(bytes.into()),
        }
    }

    /// Creates a text frame from bytes that are known to be UTF-8.
    pub(super) const fn utf8(text: Vec<u8>) -> Self {
        Self {
            kind: Kind::Text,
            content: Content::Owned(text),
        }
    }

    /// Creates a text frame from a constant.
    pub(super) const fn constant(text: &'static str) -> Self {
        Self {
            kind: Kind::Text,
            content: Content::Shared(Bytes::from_static(text.as_bytes())),
        }
    }

    /// Returns the kind: text or binary.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the content.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.content {
            Content::Owned(bytes) => bytes,
            Content::Shared(bytes) => bytes,
        }
    }

    /// Returns the content as text, or none for a binary frame.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self.kind {
            Kind::Text => std::str::from_utf8(self.bytes()).ok(),
            Kind::Binary => None,
        }
    }

    /// Turns the frame into its content, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self.content {
            Content::Owned(bytes) => bytes.into(),
            Content::Shared(bytes) => bytes,
        }
    }
}

impl PartialEq for DataFrame {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.bytes() == other.bytes()
    }
}

impl Eq for DataFrame {}

impl AsRef<[u8]> for DataFrame {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

impl fmt::Debug for DataFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Text => write!(f, "DataFrame::text({:?})", String::from_utf8_lossy(self.bytes())),
            Kind::Binary => write!(f, "DataFrame::binary({:?})", self.bytes()),
        }
    }
}
