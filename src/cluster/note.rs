//! Notes: the messages between nodes that are no events.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use zocket_layers::{Action, Audience, ClientId, Close, Target};

use super::sizes::RoomSizes;

/// Message between nodes that is no event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Note {
    /// The node is there. It asks the others to say so, too, if it does not know them yet.
    Alive {
        asks: bool,
        /// Number of its last `Sizes`.
        sizes: u64,
        /// None outside of the beat.
        beat: Option<Beat>,
    },
    /// Asks one node to repeat its last numbers, since some were lost before its beat with this number.
    AskLast { before: u64 },
    /// The node ends.
    Gone,
    /// The last number of the subject's sequence.
    Last { chain: u32, position: u64 },
    /// Asks every node for a `Settled` with this number.
    Settle {
        barrier: u64,
        /// Subjects that the node has subscribed to, as far as they fit.
        #[serde(default)]
        subjects: Vec<String>,
    },
    /// Everything that this node sends from now on reaches the subscriptions that were made before the `Settle`.
    Settled {
        barrier: u64,
        /// For each of the subjects, the chain and the position of the last event that this node has sent before. The task
        /// that sends writes them.
        #[serde(default)]
        last: Vec<(String, u32, u64)>,
    },
    /// Performs an action on the clients of every node.
    Manage { clients: Selection, action: Managed },
    /// Asks every node for its clients among these.
    Find { query: u64, clients: Selection },
    /// A part of the node's clients. In the queue, it is all of them: the task that sends splits them.
    Found {
        query: u64,
        part: usize,
        of: usize,
        clients: Vec<ClientId>,
    },
    /// Numbers of the node's clients in rooms where they have changed.
    Sizes { number: u64, rooms: RoomSizes },
    /// Asks one node for `AllSizes`.
    AskSizes,
    /// A part of the numbers of the node's clients in all rooms, as they were after the `Sizes` of this number.
    AllSizes {
        number: u64,
        part: usize,
        of: usize,
        rooms: RoomSizes,
    },
    /// Asks one node a question of the app: [`Peers::ask`](zocket_layers::hub::Peers::ask).
    Ask { query: u64, question: String },
    /// None if no app of the node has answered.
    Told { query: u64, answer: Option<String> },
}

impl Note {
    /// Returns the bytes of the lists of clients and rooms in queries, their answers and actions. The lists of other notes are
    /// bounded.
    pub(super) fn footprint(&self) -> usize {
        match self {
            Self::Found { clients, .. } => size_of_val(&**clients),
            Self::Find { clients, .. } | Self::Manage { clients, .. } => clients.footprint(),
            _ => 0,
        }
    }
}

/// A regular sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Beat {
    /// Number among the node's beats, from 1.
    pub(super) number: u64,
    /// The node repeats all last numbers between this beat and the next one, for those that have lost some before the beat with
    /// this number. 0 if it does not.
    pub(super) repeats: u64,
}

/// A [`Target`], as it is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Selection {
    #[serde(flatten)]
    audience: Selected,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    except: Vec<ClientId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    except_rooms: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Selected {
    Clients(Vec<ClientId>),
    Rooms(Vec<String>),
    Everyone(()),
}

/// An [`Action`], as it is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Managed {
    Join(String),
    Leave(String),
    Disconnect { code: u16, reason: String },
}

impl Selection {
    fn footprint(&self) -> usize {
        let (clients, rooms) = match &self.audience {
            Selected::Clients(clients) => (&**clients, &[][..]),
            Selected::Rooms(rooms) => (&[][..], &**rooms),
            Selected::Everyone(()) => (&[][..], &[][..]),
        };
        let rooms = rooms.iter().chain(&self.except_rooms);
        size_of_val(clients)
            + size_of_val(&*self.except)
            + rooms.map(|room| size_of_val(room) + room.len()).sum::<usize>()
    }

    /// Returns none for a target of a kind that this version does not know.
    pub(super) fn of(target: &Target) -> Option<Self> {
        let audience = match &target.audience {
            Audience::Clients(clients) => Selected::Clients(clients.clone()),
            Audience::Rooms(rooms) => Selected::Rooms(rooms.iter().map(ToString::to_string).collect()),
            Audience::Everyone => Selected::Everyone(()),
            _ => return None,
        };
        let except = target.except.as_deref().cloned().unwrap_or_default();
        Some(Self {
            audience,
            except: except.clients,
            except_rooms: except.rooms.iter().map(ToString::to_string).collect(),
        })
    }

    pub(super) fn into_target(self) -> Target {
        let target = match self.audience {
            Selected::Clients(clients) => Target::clients(clients),
            Selected::Rooms(rooms) => Target::rooms(rooms),
            Selected::Everyone(()) => Target::everyone(),
        };
        let target = match self.except.is_empty() {
            true => target,
            false => target.except(self.except),
        };
        match self.except_rooms.is_empty() {
            true => target,
            false => target.except_rooms(self.except_rooms),
        }
    }
}

impl Managed {
    /// Returns none for an action of a kind that this version does not know.
    pub(super) fn of(action: &Action) -> Option<Self> {
        Some(match action {
            Action::Join(room) => Self::Join(room.to_string()),
            Action::Leave(room) => Self::Leave(room.to_string()),
            Action::Disconnect(Close { code, reason }) => Self::Disconnect {
                code: *code,
                reason: reason.to_string(),
            },
            _ => return None,
        })
    }

    /// Returns the bytes of the action's text, as it is sent.
    pub(super) fn weight(&self) -> usize {
        let (Self::Join(text) | Self::Leave(text) | Self::Disconnect { reason: text, .. }) = self;
        json_length(text)
    }

    pub(super) fn into_action(self) -> Action {
        match self {
            Self::Join(room) => Action::Join(room.into()),
            Self::Leave(room) => Action::Leave(room.into()),
            Self::Disconnect { code, reason } => Action::Disconnect(Close::new(code, Cow::Owned(reason))),
        }
    }
}

/// Bytes of a client in a list, with quotes and a comma.
pub(super) const CLIENT: usize = 39;

/// Returns the bytes of a room in a list, with quotes and a comma.
pub(super) fn room_weight(room: &str) -> usize {
    3 + json_length(room)
}

/// Returns the bytes of a target, as it is sent.
pub(super) fn weight(target: &Target) -> usize {
    let (clients, rooms) = match &target.audience {
        Audience::Clients(clients) => (clients.len(), &[][..]),
        Audience::Rooms(rooms) => (0, &**rooms),
        _ => (0, &[][..]),
    };
    let except = target.except.as_deref();
    let clients = clients + except.map_or(0, |except| except.clients.len());
    let rooms = rooms
        .iter()
        .chain(except.into_iter().flat_map(|except| &except.rooms));
    clients * CLIENT + rooms.map(|room| room_weight(room)).sum::<usize>()
}

/// Returns the bytes of a text in JSON, without the quotes.
pub(super) fn json_length(text: &str) -> usize {
    let length = |byte| match byte {
        b'"' | b'\\' => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(length).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weight_of_a_target_covers_its_lists() {
        let clients = || (0..1_000).map(|_| ClientId::random());
        let rooms = || (0..1_000).map(|room| format!("\"\\\u{1}ä{room}"));
        for target in [
            Target::clients(clients()),
            Target::rooms(rooms()),
            Target::everyone().except(clients()),
            Target::rooms(rooms()).except(clients()).except_rooms(rooms()),
        ] {
            let json = serde_json::to_string(&Selection::of(&target).unwrap()).unwrap();
            assert!(weight(&target).abs_diff(json.len()) < 100, "{}", json.len());
        }
    }
}
