//! Steps of a hub and its clients, decoded from the fuzzer's bytes.

use arbitrary::Arbitrary;

#[derive(Debug, Arbitrary)]
pub(super) struct Input {
    pub(super) hub: Size,
    pub(super) steps: Vec<Step>,
}

/// Number of clients that only make rooms large, and bytes that a room keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub(super) enum Size {
    Small,
    /// With rooms so large that the flusher notifies their members.
    Crowded,
    /// With rooms that keep little, so that members which read nothing are lost.
    Tight,
}

#[derive(Debug, Arbitrary)]
pub(super) enum Step {
    Connect(Client),
    Disconnect(Client),
    /// A new connection takes the id, before the old one is disconnected.
    Replace(Client),
    Join(Client, Room),
    Leave(Client, Room),
    Close(Client, u8),
    Send {
        from: Option<Client>,
        to: Selection,
        event: Event,
    },
    Manage {
        clients: Selection,
        action: Action,
    },
    /// A reader that keeps up, event by event.
    Pull(Client),
    /// A reader that keeps up, in batches.
    PullBatches(Client),
    /// A reader that is behind.
    Absorb(Client, u16),
    Mute(Client),
}

#[derive(Debug, Clone, Copy, Arbitrary)]
pub(super) enum Action {
    Join(Room),
    Leave(Room),
    Disconnect(u8),
}

/// A client of a few.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(super) struct Client(u8);

impl Client {
    /// Number of clients.
    pub(super) const COUNT: usize = 5;

    pub(super) fn of(index: usize) -> Self {
        Self(u8::try_from(index).expect("a small index"))
    }

    pub(super) fn index(self) -> usize {
        usize::from(self.0) % Self::COUNT
    }
}

/// A room of a few.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(super) struct Room(u8);

impl Room {
    pub(super) const NAMES: [&'static str; 4] = ["red", "green", "blue", "white"];

    pub(super) fn name(self) -> &'static str {
        Self::NAMES[usize::from(self.0) % Self::NAMES.len()]
    }
}

#[derive(Debug, Arbitrary)]
pub(super) struct Selection {
    pub(super) audience: Audience,
    pub(super) except: Vec<Client>,
    pub(super) except_rooms: Vec<Room>,
}

#[derive(Debug, Arbitrary)]
pub(super) enum Audience {
    Clients(Vec<Client>),
    Rooms(Vec<Room>),
    Everyone,
}

/// An event. Its number is that of its step.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(super) struct Event {
    pub(super) is_other: bool,
    pub(super) delivery: Delivery,
    pub(super) size: EventSize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub(super) enum Delivery {
    Reliable,
    Latest(u8),
    Volatile,
}

/// Size of an event, which decides whether it is joined with others.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(super) enum EventSize {
    Small,
    Medium,
    Large,
}

impl EventSize {
    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::Small => 0,
            Self::Medium => 300,
            Self::Large => 2_000,
        }
    }
}
