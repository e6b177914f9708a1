/// Encoding of frames and payloads on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Codec {
    /// JSON text, RFC 8259.
    #[default]
    Json,
}

impl Codec {
    /// All codecs, the preferred one first.
    pub const ALL: [Self; 1] = [Self::Json];
}

/// Encoding of frames for one client: codec and protocol level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Form {
    /// The codec of frames in both directions.
    pub codec: Codec,
    /// The frames that the client understands.
    pub level: Level,
}

/// The frames that a client understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Level {
    /// The base protocol.
    #[default]
    Base,
    /// The extended protocol, which was negotiated.
    Extended,
}

impl Form {
    /// Different encodings of an event. Events have the same bytes at both levels.
    pub(crate) const EVENT_ENCODINGS: usize = Codec::ALL.len();

    /// The base protocol in JSON, for clients that negotiate nothing.
    pub const BASE: Self = Self {
        codec: Codec::Json,
        level: Level::Base,
    };

    /// The extended protocol in this codec.
    #[must_use]
    pub const fn extended(codec: Codec) -> Self {
        Self {
            codec,
            level: Level::Extended,
        }
    }

    /// Returns true at the extended level.
    #[must_use]
    pub const fn is_extended(self) -> bool {
        matches!(self.level, Level::Extended)
    }

    /// Index of this form's encoding of events.
    pub(crate) const fn event_encoding(self) -> usize {
        match self.codec {
            Codec::Json => 0,
        }
    }
}
