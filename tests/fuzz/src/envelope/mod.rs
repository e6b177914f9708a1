//! A client's message, from its bytes to the answer: compared with a model on top of `serde_json`.

mod broken;
mod model;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
use zocket::{
    ClientId, Code, Event, Hub, Limits, LocalHub, Message, RawPayload,
    layers::{
        Codec, Connection, DataFrame, Declared, DecodeLayer, Form, Frame, Kind, Outcome, Reply,
        protocol::{FrameHeader, words},
    },
};

pub use self::model::{Read, read};

/// Reads the bytes as a frame, in each way that the server has, and compares the results with the model's.
pub fn run(data: &[u8]) {
    let expected = read(data);
    compare_heads(data, &expected);
    for form in [Form::BASE, Form::extended(Codec::Json)] {
        compare_answers(data, &expected, form);
    }
    compare_event(data, &expected);
    if let Read::Message { rpc_id, .. } = &expected {
        broken::check(data, rpc_id.as_deref());
    }
}

fn show(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}

fn compare_heads(data: &[u8], expected: &Read<'_>) {
    let mut reads = vec![Codec::Json.read_head(data)];
    reads.extend(
        std::str::from_utf8(data)
            .ok()
            .map(|text| Codec::Json.read_text_head(text)),
    );
    for read in reads {
        match (read, expected) {
            (Ok(head), Read::Message { route, rpc_id, .. }) => {
                assert_eq!(&**head.route(), route, "the type of {}", show(data));
                let id = head.rpc_id().map(|id| id.as_json());
                assert_eq!(id, rpc_id.as_deref(), "the id of {}", show(data));
                let _ = head.protocol_frame();
                compare_ack(data, &head, expected);
            }
            (Err(malformed), Read::Malformed { rpc_id }) => {
                assert_eq!(malformed.error.code(), Code::PARSE_ERROR, "{}", show(data));
                let id = malformed.rpc_id.as_ref().map(|id| id.as_json());
                match rpc_id {
                    Some(rpc_id) => assert_eq!(id, rpc_id.as_deref(), "the id of {}", show(data)),
                    None => assert!(id.is_none_or(model::is_id), "{id:?} is an id: {}", show(data)),
                }
            }
            (Ok(head), _) => panic!("expected a refusal, got {head:?}: {}", show(data)),
            (Err(malformed), _) => panic!("expected a message, got {malformed:?}: {}", show(data)),
        }
    }
}

/// An acknowledgement is a whole number.
fn compare_ack(data: &[u8], head: &zocket::layers::protocol::Head, expected: &Read<'_>) {
    let Read::Message { payload, .. } = expected else {
        return;
    };
    let number = Codec::Json.read_ack(data, head);
    let text = payload.unwrap_or("null");
    match text.parse::<u64>() {
        Ok(whole) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            assert_eq!(number, Some(whole), "{text}")
        }
        _ => {
            let float = text
                .parse::<f64>()
                .ok()
                .filter(|_| !text.starts_with(['"', '[', '{']));
            let is_whole = float.is_some_and(|float| float >= 0.0 && float.fract() == 0.0);
            assert!(number.is_none() || is_whole, "{number:?} was read from {text}");
        }
    }
}

/// Returns the server's answer to a frame, if every handler answers with the payload of the message.
fn answer(frame: Frame) -> Option<DataFrame> {
    let echo = service_fn(async |message: Message| {
        let (_, (), payload): (_, _, RawPayload) = message.into_parts();
        Ok::<_, BoxError>(Outcome::Reply(Reply::with_payload(payload)))
    });
    let stack = ServiceBuilder::new().layer(DecodeLayer::json()).service(echo);
    let answered = stack.oneshot(frame).now_or_never();
    answered.expect("nothing waits").unwrap().into_frame()
}

fn compare_answers(data: &[u8], expected: &Read<'_>, form: Form) {
    let hub: Arc<dyn Hub> = Arc::new(LocalHub::new());
    let connection = Connection::new(
        ClientId::random(),
        form,
        Arc::new(()),
        hub,
        Declared::default(),
        Arc::new(Limits::default()),
    );
    let bytes = || Bytes::copy_from_slice(data);
    let mut frames = vec![
        Frame::unread(connection.clone(), DataFrame::binary(bytes())),
        Frame::read_binary(connection.clone(), bytes()),
    ];
    if let Ok(text) = std::str::from_utf8(data) {
        frames.push(Frame::new(connection.clone(), text.to_owned()));
        frames.push(Frame::read_text(connection, text.to_owned()));
    }
    for frame in frames {
        let answer = answer(frame);
        let got = answer.as_ref().map(|frame| {
            assert_eq!(frame.kind(), Kind::Text);
            frame.as_text().expect("an answer is text")
        });
        match expected {
            Read::Message { rpc_id: None, .. } => assert_eq!(got, None, "{}", show(data)),
            Read::Message {
                rpc_id: Some(id),
                payload,
                ..
            } => {
                let payload = payload.map_or(String::new(), |payload| format!(r#","payload":{payload}"#));
                let expected = format!(r#"{{"type":"__rpc_res"{payload},"rpcId":{id}}}"#);
                assert_eq!(got, Some(expected.as_str()), "{}", show(data));
            }
            Read::Malformed { rpc_id } => check_refusal(got, rpc_id.as_ref(), form, data),
        }
    }
}

/// Checks the refusal of a malformed frame. `rpc_id` is none if the model can't tell the id.
fn check_refusal(got: Option<&str>, rpc_id: Option<&Option<String>>, form: Form, data: &[u8]) {
    let Some(got) = got else {
        assert!(!form.is_extended(), "no refusal: {}", show(data));
        assert!(rpc_id.is_none_or(Option::is_none), "no refusal: {}", show(data));
        return;
    };
    let got: Refusal<'_> = serde_json::from_str(got).unwrap();
    let error = match got.r#type {
        words::REFUSAL => {
            let id = got.rpc_id.map(RawValue::get).expect("it has an id");
            match rpc_id {
                Some(expected) => assert_eq!(Some(id), expected.as_deref(), "{}", show(data)),
                None => assert!(model::is_id(id), "{id} is an id: {}", show(data)),
            }
            got.error
        }
        words::ERROR => {
            assert!(
                form.is_extended() && rpc_id.is_none_or(Option::is_none),
                "{}",
                show(data)
            );
            got.payload
        }
        other => panic!("expected a refusal, got {other}: {}", show(data)),
    };
    let error = error.expect("it has an error");
    assert!(error.get("type").is_none(), "the type can't be read: {error}");
    assert_eq!(error["code"], "PARSE_ERROR", "{}", show(data));
}

#[derive(Deserialize)]
struct Refusal<'a> {
    r#type: &'a str,
    #[serde(borrow, rename = "rpcId")]
    rpc_id: Option<&'a RawValue>,
    error: Option<Value>,
    payload: Option<Value>,
}

/// Another node may send the bytes as an event.
fn compare_event(data: &[u8], expected: &Read<'_>) {
    let header = FrameHeader::new(Kind::Text, data.len());
    let wire = Bytes::from([&header[..], data].concat());
    let read = Event::from_wire(Form::BASE, wire.clone());
    let is_event =
        matches!(expected, Read::Message { route, rpc_id: None, .. } if !route.starts_with(words::PREFIX));
    assert_eq!(read.is_ok(), is_event, "{}", show(data));
    if let (Ok(event), Read::Message { route, payload, .. }) = (read, expected) {
        assert_eq!(&**event.name(), route);
        assert_eq!(event.payload().as_json(), payload.unwrap_or("null").as_bytes());
        assert_eq!(event.wire(Form::BASE), &wire);
    }
}
