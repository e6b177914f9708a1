//! Messages between nodes. A node ignores, and counts, a version that it does not know.
//!
//! ```text
//! version (1 byte) | kind (1 byte) | node (16 bytes)
//!   kind 1, event:  chain (4) | position (8) | id (8) | delivery (1) [key (8)] | target: length (4), JSON
//!                   | forms (1) | per form: codec (1), length (4), WebSocket frame
//!   kind 2, note:   JSON
//! ```
//!
//! Numbers are big-endian. A frame is a slice of the message, and is not copied. An empty target is the room of the
//! subject. An `id` other than 0 stands in several messages, of which a node performs the first.

use std::{fmt, sync::Arc};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use uuid::Uuid;
use zocket_layers::{Codec, Delivery, Event, Form, Target};

use super::{
    note::{Note, Selection},
    numbers::Number,
};

const VERSION: u8 = 1;
const EVENT: u8 = 1;
const NOTE: u8 = 2;

/// A message of another node.
#[derive(Debug)]
pub(super) enum Received {
    Event(EventMessage),
    Note(Note),
}

/// An event on its way between nodes.
#[derive(Debug, Clone)]
pub(super) struct EventMessage {
    pub(super) number: Number,
    /// Identifies an event that a node may receive on several subjects. 0 if it can't.
    pub(super) id: u64,
    /// The receivers. None for all members of the subject's room.
    pub(super) target: Option<Arc<Target>>,
    pub(super) event: Event,
}

fn head(node: Uuid, kind: u8, capacity: usize) -> BytesMut {
    let mut message = BytesMut::with_capacity(18 + capacity);
    message.put_u8(VERSION);
    message.put_u8(kind);
    message.put_slice(node.as_bytes());
    message
}

/// Writes a note of a node.
pub(super) fn write_note(node: Uuid, note: &Note) -> Bytes {
    // A note holds only JSON, which is written into memory, so the conversion can't fail.
    let json = serde_json::to_vec(note).unwrap_or_default();
    let mut message = head(node, NOTE, json.len());
    message.put_slice(&json);
    message.freeze()
}

/// Writes an event of a node. Returns none for a target or a delivery of a kind that this version does not know.
pub(super) fn write_event(node: Uuid, sent: &EventMessage) -> Option<Bytes> {
    let target = match &sent.target {
        Some(target) => serde_json::to_vec(&Selection::of(target)?).ok()?,
        None => Vec::new(),
    };
    let wire = sent.event.wire(Form::BASE);
    let mut message = head(node, EVENT, 40 + target.len() + wire.len());
    message.put_u32(sent.number.chain);
    message.put_u64(sent.number.position);
    message.put_u64(sent.id);
    match sent.event.delivery() {
        Delivery::Reliable => message.put_u8(0),
        Delivery::Volatile => message.put_u8(1),
        Delivery::Latest => {
            message.put_u8(2);
            message.put_u64(sent.event.delivery_key()?);
        }
        _ => return None,
    }
    message.put_u32(u32::try_from(target.len()).ok()?);
    message.put_slice(&target);
    message.put_u8(1);
    message.put_u8(0);
    message.put_u32(u32::try_from(wire.len()).ok()?);
    message.put_slice(wire);
    Some(message.freeze())
}

/// Reads a message. Returns it with the node that sent it.
///
/// # Errors
/// For an unknown version or kind, and for bytes that are no message.
pub(super) fn read(mut message: Bytes) -> Result<(Uuid, Received), Unreadable> {
    let mut take = |length: usize| match message.len() < length {
        true => Err(Unreadable::Malformed("it ends too early")),
        false => Ok(message.split_to(length)),
    };
    let version = take(1)?.get_u8();
    if version != VERSION {
        return Err(Unreadable::Version(version));
    }
    let kind = take(1)?.get_u8();
    let node = Uuid::from_slice(&take(16)?).map_err(|_| Unreadable::Malformed("its node is no id"))?;
    match kind {
        NOTE => {
            let note =
                serde_json::from_slice(&message).map_err(|_| Unreadable::Malformed("its note is unknown"))?;
            Ok((node, Received::Note(note)))
        }
        EVENT => {
            let number = Number {
                chain: take(4)?.get_u32(),
                position: take(8)?.get_u64(),
            };
            let id = take(8)?.get_u64();
            let delivery = take(1)?.get_u8();
            let key = match delivery {
                2 => take(8)?.get_u64(),
                _ => 0,
            };
            let length = take(4)?.get_u32() as usize;
            let target = take(length)?;
            let target = match target.is_empty() {
                true => None,
                false => {
                    let target = serde_json::from_slice::<Selection>(&target);
                    let target = target.map_err(|_| Unreadable::Malformed("its target is unknown"))?;
                    Some(Arc::new(target.into_target()))
                }
            };
            let mut event = None;
            for _ in 0..take(1)?.get_u8() {
                let codec = take(1)?.get_u8();
                let length = take(4)?.get_u32() as usize;
                let frame = take(length)?;
                if codec == 0 {
                    event = Event::from_wire(Form::extended(Codec::Json), frame).ok();
                }
            }
            let event = event.ok_or(Unreadable::Malformed("it has no frame in a known codec"))?;
            let event = match delivery {
                0 => event,
                1 => event.volatile(),
                2 => event.latest(key),
                _ => return Err(Unreadable::Malformed("its delivery is unknown")),
            };
            let sent = EventMessage {
                number,
                id,
                target,
                event,
            };
            Ok((node, Received::Event(sent)))
        }
        _ => Err(Unreadable::Malformed("its kind is unknown")),
    }
}

/// Reason why a message of another node is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    Version(u8),
    Malformed(&'static str),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "expected version {VERSION}, got {version}"),
            Self::Malformed(reason) => write!(f, "malformed: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use zocket_layers::{ClientId, RawPayload};

    use super::{
        super::note::{Beat, Managed},
        *,
    };

    fn event() -> Event {
        Event::from_payload("said", RawPayload::json(r#"{"text":"hi"}"#)).unwrap()
    }

    #[test]
    fn an_event_arrives_as_it_was_sent() {
        let (node, ann) = (Uuid::new_v4(), ClientId::random());
        let number = Number {
            chain: 3,
            position: 9,
        };
        let targets = [
            None,
            Some(Target::everyone()),
            Some(
                Target::rooms(["a", "ä", ""])
                    .except([ann])
                    .except_rooms(["muted"]),
            ),
            Some(Target::clients([ann]).except_rooms(["x"])),
        ];
        for target in targets {
            for event in [event(), event().volatile(), event().latest(7)] {
                let sent = EventMessage {
                    number,
                    id: 5,
                    target: target.clone().map(Arc::new),
                    event: event.clone(),
                };
                let (from, received) = read(write_event(node, &sent).unwrap()).unwrap();
                let Received::Event(received) = received else {
                    panic!("{received:?}")
                };
                assert_eq!((from, received.number, received.id), (node, number, 5));
                assert_eq!(received.event, event);
                assert_eq!(received.target, sent.target);
                assert_eq!(received.event.delivery(), event.delivery());
                assert_eq!(received.event.delivery_key(), event.delivery_key());
            }
        }
    }

    #[test]
    fn every_note_arrives_as_it_was_sent() {
        let ann = ClientId::random();
        let clients = Selection::of(&Target::room("lobby").except([ann])).unwrap();
        let notes = [
            Note::Alive {
                asks: true,
                sizes: 7,
                beat: None,
            },
            Note::Alive {
                asks: false,
                sizes: 7,
                beat: Some(Beat {
                    number: 9,
                    repeats: 8,
                }),
            },
            Note::AskLast { before: 8 },
            Note::Gone,
            Note::Last {
                chain: 1,
                position: 2,
            },
            Note::Settle {
                barrier: 3,
                subjects: vec!["app.room.a".into()],
            },
            Note::Settled {
                barrier: 3,
                last: vec![("app.room.a".into(), 1, 2)],
            },
            Note::Manage {
                clients: clients.clone(),
                action: Managed::Disconnect {
                    code: 4000,
                    reason: "x".into(),
                },
            },
            Note::Find { query: 1, clients },
            Note::Found {
                query: 1,
                part: 2,
                of: 3,
                clients: vec![ann],
            },
            Note::Sizes {
                number: 8,
                rooms: vec![("lobby".into(), 4), ("ä".into(), 0)],
            },
            Note::AskSizes,
            Note::AllSizes {
                number: 8,
                part: 0,
                of: 1,
                rooms: vec![("lobby".into(), 4)],
            },
            Note::Ask {
                query: 3,
                question: r#"{"a":"b"}"#.into(),
            },
            Note::Told {
                query: 3,
                answer: None,
            },
            Note::Told {
                query: 3,
                answer: Some("\"".into()),
            },
        ];
        for note in notes {
            let node = Uuid::new_v4();
            let (from, received) = read(write_note(node, &note)).unwrap();
            assert!(matches!(received, Received::Note(received) if received == note && from == node));
        }
    }

    #[test]
    fn truncated_and_foreign_messages_are_refused() {
        let sent = EventMessage {
            number: Number::default(),
            id: 0,
            target: Some(Target::room("lobby").into()),
            event: event().latest(7),
        };
        let message = write_event(Uuid::new_v4(), &sent).unwrap();
        for length in 0..message.len() {
            assert!(read(message.slice(..length)).is_err(), "{length}");
        }
        let mut other = BytesMut::from(&*message);
        other[0] = 2;
        assert_eq!(read(other.freeze()).unwrap_err(), Unreadable::Version(2));
        let mut huge = BytesMut::from(&message[..18 + 20]);
        huge.put_u8(0);
        huge.put_u32(u32::MAX);
        assert!(read(huge.freeze()).is_err());
    }

    /// Messages with some bytes replaced. What can be read can also be written for every client.
    #[test]
    fn no_message_with_faults_does_harm() {
        let sent = EventMessage {
            number: Number::default(),
            id: 0,
            target: Some(
                Target::rooms(["lobby", "attic"])
                    .except([ClientId::random()])
                    .into(),
            ),
            event: event().latest(7),
        };
        let sizes = Note::AllSizes {
            number: 1,
            part: 0,
            of: 1,
            rooms: vec![("lobby".into(), 3)],
        };
        let node = Uuid::new_v4();
        let messages = [write_event(node, &sent).unwrap(), write_note(node, &sizes)];
        let (mut random, mut read_well) = (7_u64, 0);
        let mut next = |below: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) as usize % below
        };
        for turn in 0..50_000 {
            let mut message = BytesMut::from(&*messages[turn % 2]);
            for _ in 0..=next(3) {
                let at = next(message.len());
                message[at] = next(256) as u8;
            }
            if let Ok((_, Received::Event(read))) = read(message.freeze()) {
                read_well += 1;
                for form in [Form::BASE, Form::extended(Codec::Json)] {
                    assert!(!read.event.wire(form).is_empty());
                }
            }
        }
        assert!(read_well > 1_000, "{read_well}");
    }
}
