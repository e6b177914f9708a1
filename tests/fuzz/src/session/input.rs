//! Steps of sessions and their clients, decoded from the fuzzer's bytes.

use std::time::Duration;

use arbitrary::Arbitrary;

#[derive(Debug, Arbitrary)]
pub(super) struct Input {
    /// True if the server keeps few bytes that are not acknowledged.
    pub(super) has_small_record: bool,
    pub(super) steps: Vec<Step>,
}

/// A step. Connections and sessions are numbered in the order in which they began. A larger number begins again.
#[derive(Debug, Arbitrary)]
pub(super) enum Step {
    Connect {
        offer: Offer,
        cut: Option<Cut>,
    },
    Send {
        on: u8,
        messages: Vec<Message>,
    },
    Ack {
        on: u8,
        ack: Ack,
    },
    Close {
        on: u8,
        close: Close,
    },
    Violate {
        on: u8,
        violation: Violation,
    },
    Cut {
        on: u8,
    },
    Freeze {
        on: u8,
    },
    Thaw {
        on: u8,
    },
    Wait(Time),
    /// Lets all handlers go on that wait.
    OpenGate,
    /// The server sends events to the room that every client is in.
    Emit {
        count: u8,
    },
    /// The app closes a session.
    Kick {
        session: u8,
        code: u8,
    },
}

#[derive(Debug, Clone, Copy, Arbitrary)]
pub(super) enum Offer {
    /// The base protocol.
    Nothing,
    Codec,
    Resume,
    Session {
        session: u8,
        token: Token,
        n: N,
    },
}

#[derive(Debug, Clone, Copy, Arbitrary)]
pub(super) enum Token {
    Last,
    /// One of those before the last.
    Older(u8),
    Changed(u8),
}

/// Number of the last frame that a client says it has.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(super) enum N {
    Last,
    Older(u8),
    Beyond(u8),
}

/// Position at which a connection is cut, in bytes.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(super) enum Cut {
    ToApp(u16),
    ToClient(u16),
}

impl Cut {
    /// Bytes of a handshake, about. Cuts before the end of it are of no use.
    const REQUEST: u64 = 150;
    const RESPONSE: u64 = 100;

    /// Returns the position towards the app, and towards the client.
    pub(super) fn positions(self) -> (Option<u64>, Option<u64>) {
        match self {
            Self::ToApp(at) => (Some(Self::REQUEST + u64::from(at) % 2_048), None),
            Self::ToClient(at) => (None, Some(Self::RESPONSE + u64::from(at) % 4_096)),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub(super) enum Message {
    Add,
    AddWithoutId,
    Emit(u8),
    Gate,
    Fail,
    FailWithoutId,
    Unknown,
    Malformed,
    MalformedWithId,
    Void,
    Ping,
    Pong,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
pub(super) enum Ack {
    Last,
    Older(u8),
    /// A number that was never sent.
    Beyond(u8),
    NoNumber,
    Fraction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub(super) enum Close {
    Bye,
    Normal,
    GoingAway,
    NoCode,
    App,
}

impl Close {
    pub(super) const fn code(self) -> Option<(u16, &'static str)> {
        match self {
            Self::Bye => Some((1000, "bye")),
            Self::Normal => Some((1000, "")),
            Self::GoingAway => Some((1001, "")),
            Self::NoCode => None,
            Self::App => Some((4_321, "done")),
        }
    }

    /// Returns true if a session outlives the Close.
    pub(super) const fn is_break(self) -> bool {
        matches!(self, Self::Normal | Self::GoingAway | Self::NoCode)
    }
}

/// A violation of RFC 6455.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(super) enum Violation {
    Unmasked,
    ReservedBit,
    ReservedOpcode,
    NotUtf8,
    HalfCode,
    LongPing,
}

impl Violation {
    pub(super) fn bytes(self) -> Vec<u8> {
        let payload: &[u8] = match self {
            Self::Unmasked => return vec![0x81, 0],
            Self::ReservedBit => return vec![0xc1, 0x80, 0, 0, 0, 0],
            Self::ReservedOpcode => return vec![0x83, 0x80, 0, 0, 0, 0],
            Self::LongPing => return [&[0x89, 0xfe, 0, 126, 0, 0, 0, 0][..], &[0; 126]].concat(),
            Self::NotUtf8 => return crate::socket::frame(1, b"\xff\xfe"),
            Self::HalfCode => b"\x03",
        };
        crate::socket::frame(8, payload)
    }

    /// Returns the code of the server's Close.
    pub(super) const fn code(self) -> u16 {
        match self {
            Self::NotUtf8 => 1007,
            _ => 1002,
        }
    }
}

#[derive(Debug, Clone, Copy, Arbitrary)]
pub(super) enum Time {
    Millis(u8),
    Seconds(u8),
}

impl Time {
    pub(super) fn duration(self) -> Duration {
        match self {
            Self::Millis(millis) => Duration::from_millis(u64::from(millis) * 8),
            Self::Seconds(seconds) => Duration::from_secs(u64::from(seconds) % 64),
        }
    }
}
