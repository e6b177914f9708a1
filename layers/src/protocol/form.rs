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
    /// Codec of frames in both directions.
    pub codec: Codec,
    /// Protocol level that was negotiated with the client.
    pub level: Level,
}

/// Protocol level: the set of frames that a client understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Level {
    /// The base protocol.
    #[default]
    Base,
    /// The extended protocol. Clients negotiate it as a subprotocol.
    Extended,
}

impl Form {
    /// Number of different encodings of an event. Events have the same bytes at both levels.
    pub(crate) const EVENT_ENCODINGS: usize = Codec::ALL.len();

    /// The base protocol in JSON, for clients that negotiate nothing.
    pub const BASE: Self = Self {
        codec: Codec::Json,
        level: Level::Base,
    };

    /// Returns the form of the extended protocol in this codec.
    #[must_use]
    pub const fn extended(codec: Codec) -> Self {
        Self {
            codec,
            level: Level::Extended,
        }
    }

    /// Returns true for the extended protocol.
    #[must_use]
    pub const fn is_extended(self) -> bool {
        matches!(self.level, Level::Extended)
    }

    /// Returns the index of this form's encoding of events.
    pub(crate) const fn event_encoding(self) -> usize {
        match self.codec {
            Codec::Json => 0,
        }
    }
}
