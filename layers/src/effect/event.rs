use std::{
    fmt,
    hash::Hash,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use super::delivery::{Delivery, KeyedDelivery};
use crate::{
    error::{Code, Error},
    protocol::{Codec, Form, FrameHeader, Name, RawPayload, from_json, words},
};

/// A message that the server sends without a request. Its name is part of the contract.
///
/// ```
/// use schemars::JsonSchema;
/// use serde::Serialize;
/// use zocket_layers::Outgoing;
///
/// /// A line of chat, as everyone in the room sees it.
/// #[derive(Serialize, JsonSchema)]
/// struct Said {
///     text: String,
///     from: String,
/// }
///
/// impl Outgoing for Said {
///     const TYPE: &'static str = "chat.message";
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no outgoing message",
    label = "needs `impl Outgoing for {Self} {{ const TYPE: &'static str = \"…\"; }}`, `#[derive(Serialize, JsonSchema)]`"
)]
pub trait Outgoing: Serialize + JsonSchema {
    /// Full dotted name, the `type` of the frame.
    const TYPE: &'static str;

    /// Delivery to a client that reads too slowly. By default the event waits, and at last the connection is closed.
    const DELIVERY: Delivery = Delivery::Reliable;

    /// Returns the key of an event with [`Delivery::Latest`], such as the id of the player that it is about. A newer
    /// event of this type replaces one with the same key. By default all events of the type have one key. Keys are
    /// compared by a hash of 64 bits.
    fn delivery_key(&self) -> impl Hash {}
}

/// An outgoing message: its name and its payload. It is encoded once for each codec that receivers use, at the latest
/// when the first of them needs it. All receivers share the bytes. Cheap to clone.
#[derive(Clone)]
pub struct Event(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    name: Name,
    payload: RawPayload,
    delivery: KeyedDelivery,
    weight: usize,
    footprint: usize,
    /// Whole WebSocket frames, header included. Frames of a server are not masked (RFC 6455, section 5.1), so all
    /// receivers get the same bytes.
    encodings: [OnceLock<Bytes>; Form::EVENT_ENCODINGS],
}

/// Bytes that an event counts for in a bounded queue, in addition to its frame's content.
const OVERHEAD: usize = 64;

/// Bytes that a buffer takes beside its content: its reference count, and the allocator's rounding.
const BUFFER: usize = 64;

/// Returns the bytes that a frame of this length takes at most. Its buffer grew while it was written, so a part of it may
/// be unused. The operating system provides no memory for unused pages.
const fn buffer(frame: usize) -> usize {
    const PAGE: usize = 4 << 10;
    let unused = if frame < PAGE { frame } else { PAGE };
    frame + unused + BUFFER
}

/// Refuses names that the protocol reserves. A client would mistake such an event for a frame of the protocol.
fn check_name(name: &str) -> Result<(), Error> {
    if name.starts_with(words::PREFIX) {
        let message = format!(
            "event `{name}`: expected a name that does not begin with `__`, which is reserved for the protocol"
        );
        return Err(Error::new(Code::BAD_REQUEST, message));
    }
    Ok(())
}

/// Replaces an absent payload by null, since an event always has a payload.
fn or_null(payload: RawPayload) -> RawPayload {
    match payload.bytes() {
        Some(_) => payload,
        None => RawPayload::json("null"),
    }
}

impl Event {
    /// Creates an event from a declared message, and encodes it at once as the JSON text frame
    /// `{"type":…,"payload":…}`.
    ///
    /// # Errors
    /// INTERNAL_SERVER_ERROR if the value can't be written as JSON: its `Serialize` fails, or a map has keys that JSON
    /// can't represent, or a float is NaN or infinite. The message names its place.
    pub fn of<O: Outgoing>(message: &O) -> Result<Self, Error> {
        let (wire, payload) = Codec::Json
            .event_of(O::TYPE, message)
            .map_err(|error| Error::internal(format!("event `{}` can't be encoded: {error}", O::TYPE)))?;
        let payload = RawPayload::part_of(Codec::Json, wire.clone(), payload);
        let delivery = KeyedDelivery::new(O::DELIVERY, || message.delivery_key());
        Ok(Self::encoded(O::TYPE.into(), payload, delivery, Form::BASE, wire))
    }

    /// Creates an event from an encoded payload. An absent payload becomes null. The frame is written when the first
    /// receiver needs it.
    ///
    /// # Errors
    /// BAD_REQUEST for a name that begins with `__`, which the protocol reserves.
    pub fn from_payload(name: impl Into<Name>, payload: RawPayload) -> Result<Self, Error> {
        let name = name.into();
        check_name(&name)?;
        let payload = or_null(payload);
        // The weight of its JSON frame if no character of the name is escaped. The frame itself is not written yet.
        let envelope = br#"{"type":"","payload":}"#.len();
        let frame = envelope + name.len() + payload.as_json().len();
        Ok(Self(Arc::new(Inner {
            footprint: payload.footprint() + BUFFER + Form::EVENT_ENCODINGS * buffer(frame),
            name,
            payload,
            delivery: KeyedDelivery::Reliable,
            weight: frame + OVERHEAD,
            encodings: [const { OnceLock::new() }; Form::EVENT_ENCODINGS],
        })))
    }

    /// Creates an event from bytes that another node encoded: a whole WebSocket frame in this form, as
    /// [`wire`](Self::wire) returns it. The bytes are kept, not copied. The event is reliable: [`latest`](Self::latest) and
    /// [`volatile`](Self::volatile) change that.
    ///
    /// # Errors
    /// PARSE_ERROR if the bytes are not one whole frame of the form's kind, or its content is not an event. BAD_REQUEST
    /// for a name that begins with `__`.
    pub fn from_wire(form: Form, wire: Bytes) -> Result<Self, Error> {
        let refuse = |message: String| Error::new(Code::PARSE_ERROR, message);
        let header = FrameHeader::of(&wire)
            .filter(|header| header.kind() == form.codec.kind())
            .ok_or_else(|| {
                let (kind, got) = (form.codec.kind(), wire.len());
                refuse(format!(
                    "expected one whole {kind:?} frame, got {got} other bytes"
                ))
            })?;
        let head = form
            .codec
            .read_head(&wire[header.len()..])
            .map_err(|malformed| malformed.error)?;
        if head.rpc_id.is_some() {
            return Err(refuse("expected an event, got a frame with an rpcId".to_owned()));
        }
        check_name(&head.route)?;
        let payload = head.payload.map_or(RawPayload::absent(), |part| {
            let part = part.start + header.len()..part.end + header.len();
            RawPayload::part_of(form.codec, wire.clone(), part)
        });
        let delivery = KeyedDelivery::Reliable;
        Ok(Self::encoded(head.route, or_null(payload), delivery, form, wire))
    }

    fn encoded(name: Name, payload: RawPayload, delivery: KeyedDelivery, form: Form, wire: Bytes) -> Self {
        let header = FrameHeader::of(&wire).map_or(0, |header| header.len());
        let weight = wire.len() - header + OVERHEAD;
        // The payload is a part of the frame.
        let footprint = Form::EVENT_ENCODINGS * buffer(wire.len());
        let mut encodings = [const { OnceLock::new() }; Form::EVENT_ENCODINGS];
        encodings[form.event_encoding()] = OnceLock::from(wire);
        Self(Arc::new(Inner {
            name,
            payload,
            delivery,
            weight,
            footprint,
            encodings,
        }))
    }

    /// Returns the event's name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.0.name
    }

    /// Returns the payload, in the codec that the event was created with.
    #[must_use]
    pub fn payload(&self) -> &RawPayload {
        &self.0.payload
    }

    /// Parses the payload as an `E`, as a client does. None if the event has another name.
    ///
    /// # Errors
    /// If the payload does not fit `E`.
    pub fn payload_as<E: Outgoing + DeserializeOwned>(&self) -> Result<Option<E>, serde_json::Error> {
        if self.0.name != E::TYPE {
            return Ok(None);
        }
        from_json(self.0.payload.as_json()).map(Some)
    }

    /// Returns the whole WebSocket frame in this form, header and content, as it is written to a socket. Encodes it on
    /// the first call.
    #[must_use]
    pub fn wire(&self, form: Form) -> &Bytes {
        self.0.encodings[form.event_encoding()]
            .get_or_init(|| form.codec.event(&self.0.name, &self.0.payload))
    }

    /// Returns the content of the frame in this form, without the WebSocket header.
    #[must_use]
    pub fn frame(&self, form: Form) -> &[u8] {
        let wire = self.wire(form);
        &wire[FrameHeader::of(wire).map_or(0, |header| header.len())..]
    }

    /// Returns the bytes that this event counts for in a bounded queue: the content of its frame, plus 64.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.0.weight
    }

    pub(super) fn keyed_delivery(&self) -> KeyedDelivery {
        self.0.delivery
    }

    /// Sets the delivery. Clones of the event keep theirs.
    pub(super) fn with_keyed_delivery(mut self, delivery: KeyedDelivery) -> Self {
        Arc::make_mut(&mut self.0).delivery = delivery;
        self
    }

    /// Returns the memory that the event takes at most, in bytes, with all of its encodings.
    pub(crate) fn footprint(&self) -> usize {
        size_of::<Inner>() + BUFFER + self.0.footprint
    }
}

/// Writes the event as its JSON frame.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({})", String::from_utf8_lossy(self.frame(Form::BASE)))
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name && self.0.payload == other.0.payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Kind;

    #[derive(Serialize, JsonSchema)]
    struct Said {
        text: String,
    }

    impl Outgoing for Said {
        const TYPE: &'static str = "chat.message";
    }

    fn said() -> Event {
        Event::of(&Said { text: "hi".into() }).unwrap()
    }

    const FRAME: &[u8] = br#"{"type":"chat.message","payload":{"text":"hi"}}"#;

    #[test]
    fn every_constructor_encodes_the_same_event() {
        let said = said();
        let from_payload = Event::from_payload("chat.message", RawPayload::json(r#"{"text":"hi"}"#)).unwrap();
        let from_wire = Event::from_wire(Form::BASE, said.wire(Form::BASE).clone()).unwrap();
        for event in [&said, &from_payload, &from_wire] {
            assert_eq!(event, &said);
            assert_eq!(event.name(), &"chat.message");
            assert_eq!(event.frame(Form::BASE), FRAME);
            assert_eq!(event.wire(Form::BASE), said.wire(Form::extended(Codec::Json)));
            assert_eq!(event.weight(), FRAME.len() + 64);
        }
    }

    #[test]
    fn a_payload_is_parsed_by_the_events_name() {
        #[derive(Debug, PartialEq, Serialize, serde::Deserialize, JsonSchema)]
        struct Counted(u128);
        impl Outgoing for Counted {
            const TYPE: &'static str = "counted";
        }
        let counted = Event::of(&Counted(u128::MAX)).unwrap();
        assert_eq!(counted.payload_as().unwrap(), Some(Counted(u128::MAX)));
        let wire = Event::from_wire(Form::BASE, counted.wire(Form::BASE).clone()).unwrap();
        assert_eq!(wire.payload_as().unwrap(), Some(Counted(u128::MAX)));
        let other = Event::from_payload("counted.twice", RawPayload::json("1")).unwrap();
        assert_eq!(other.payload_as::<Counted>().unwrap(), None);
        let unfit = Event::from_payload("counted", RawPayload::absent()).unwrap();
        assert!(unfit.payload_as::<Counted>().is_err(), "it is null");
    }

    #[test]
    fn a_payload_is_encoded_when_the_first_receiver_needs_it() {
        let event = Event::from_payload("a", RawPayload::json("1")).unwrap();
        assert!(event.0.encodings[0].get().is_none());
        let wire = event.wire(Form::BASE).as_ptr();
        assert_eq!(event.clone().wire(Form::BASE).as_ptr(), wire);
    }

    #[test]
    fn bytes_that_are_not_an_event_are_refused() {
        let wire = said().wire(Form::BASE).clone();
        let framed =
            |kind, text: &str| Bytes::from([&FrameHeader::new(kind, text.len()), text.as_bytes()].concat());
        for bytes in [
            wire.slice(1..),
            wire.slice(..wire.len() - 1),
            framed(Kind::Text, "[]"),
            framed(Kind::Binary, r#"{"type":"a","payload":1}"#),
            framed(Kind::Text, r#"{"type":"a","payload":1,"rpcId":1}"#),
            framed(Kind::Text, r#"{"type":"__welcome","payload":{}}"#),
        ] {
            assert!(Event::from_wire(Form::BASE, bytes.clone()).is_err(), "{bytes:?}");
        }
        assert!(Event::from_payload("__rpc_res", RawPayload::json("1")).is_err());
    }

    #[test]
    fn a_float_that_json_lacks_is_an_error_that_names_its_field() {
        #[derive(Serialize, JsonSchema)]
        struct Measured {
            readings: Vec<Option<f64>>,
        }
        impl Outgoing for Measured {
            const TYPE: &'static str = "measured";
        }
        let readings = |readings: &[Option<f64>]| {
            let readings = readings.to_vec();
            Measured { readings }
        };
        assert!(Event::of(&readings(&[None, Some(1.5)])).is_ok());
        for float in [f64::NAN, f64::INFINITY] {
            let measured = readings(&[None, Some(float)]);
            let expected = format!("readings[1]: expected a finite number, got {float}");
            for error in [
                Event::of(&measured).unwrap_err(),
                RawPayload::of(&measured).unwrap_err(),
            ] {
                assert_eq!(error.code(), Code::INTERNAL_SERVER_ERROR);
                let detail = std::error::Error::source(&error).map(ToString::to_string);
                assert!(
                    detail.is_some_and(|detail| detail.contains(&expected)),
                    "{error:?}"
                );
            }
        }
    }

    #[test]
    fn a_null_payload_stays_null() {
        let null = Event::from_payload("a", RawPayload::absent()).unwrap();
        assert_eq!(null.frame(Form::BASE), br#"{"type":"a","payload":null}"#);
        let wire = null.wire(Form::BASE).clone();
        assert_eq!(Event::from_wire(Form::BASE, wire).unwrap(), null);
    }
}
