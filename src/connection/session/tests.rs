//! The session by itself: no socket, no runtime, no waiting. The test passes the time in.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as a test may")]

mod slow_reader;
mod timeouts;

use std::time::Duration;

use serde_json::{Value, json};
use zocket_layers::{
    Codec, Declared, Form, Hub, Limits, LocalHub, hub::ConnectOptions, protocol::FrameHeader,
};

use super::*;

/// A session, its mailbox, and the time at which it started.
pub(super) struct World {
    pub(super) session: Session,
    mailbox: Arc<Mailbox>,
    pub(super) start: Instant,
}

pub(super) fn world(form: Form, limits: Limits) -> World {
    world_with(form, Some(Codec::Json), limits)
}

fn world_with(form: Form, codec: Option<Codec>, limits: Limits) -> World {
    let (limits, client) = (Arc::new(limits), ClientId::random());
    let hub = Arc::new(LocalHub::with_limits(&limits));
    let mailbox = hub.connect(client, &ConnectOptions::new(limits.clone(), form));
    let connection = Connection::new(
        client,
        form,
        Arc::new(()),
        hub,
        Declared::default(),
        limits.clone(),
    );
    let options = SessionOptions {
        codec,
        concurrency: 1,
        has_flow: false,
    };
    let start = Instant::now();
    let session = Session::new(connection, mailbox.clone(), options, limits, start);
    World {
        session,
        mailbox,
        start,
    }
}

pub(super) fn message(id: u32) -> String {
    format!(r#"{{"type":"a","rpcId":{id}}}"#)
}

impl World {
    pub(super) fn receive(&mut self, text: impl Into<String>) -> Option<Frame> {
        let frame = self.session.text_frame(text.into());
        self.session.receive(frame, true)
    }

    /// Receives a message, and begins it.
    pub(super) fn begin(&mut self, text: impl Into<String>) -> InFlightMessage {
        let mut frame = self.receive(text).expect("nothing stands before it");
        self.session.begin(&mut frame)
    }

    pub(super) fn push_event(&self, number: u32) {
        let payload = zocket_layers::RawPayload::of(&number).unwrap();
        self.mailbox
            .push(&zocket_layers::Event::from_payload("event", payload).unwrap());
    }

    /// Takes the frames to be written, as JSON.
    pub(super) fn written(&mut self) -> Vec<Value> {
        let frames = self.written_and_kept();
        assert!(self.session.outbound.is_empty() && self.session.outbound.weight() == 0);
        frames
    }

    /// Takes the frames to be written, of which a record keeps some.
    pub(super) fn written_and_kept(&mut self) -> Vec<Value> {
        let mut bytes = Vec::new();
        let outbound = self.session.outbound();
        for piece in outbound.pieces() {
            let (header, rest) = piece.header_and_rest();
            bytes.extend(header.as_deref().into_iter().flatten());
            bytes.extend(rest);
        }
        outbound.advance(bytes.len());
        frames(&bytes)
    }

    pub(super) fn take_due(&mut self, after: Duration) -> Option<DueAction> {
        self.session.take_due(self.start + after)
    }
}

type Handled = Result<FrameResponse, BoxError>;

pub(super) fn answer(id: u32) -> Handled {
    let rpc_id = zocket_layers::RpcId::string(&id.to_string()).unwrap();
    let payload = zocket_layers::RawPayload::of(&id).unwrap();
    Ok(FrameResponse::One(Codec::Json.answer(payload, &rpc_id)))
}

fn frames(mut bytes: &[u8]) -> Vec<Value> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (length, header) = match bytes[1] {
            126 => (usize::from(u16::from_be_bytes([bytes[2], bytes[3]])), 4),
            length => (usize::from(length), 2),
        };
        let (frame, rest) = bytes.split_at(header + length);
        assert!(FrameHeader::of(frame).is_some());
        frames.push(serde_json::from_slice(&frame[header..]).unwrap());
        bytes = rest;
    }
    frames
}

pub(super) fn types(frames: &[Value]) -> Vec<&str> {
    frames
        .iter()
        .map(|frame| frame["type"].as_str().unwrap())
        .collect()
}

pub(super) const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_first_message_starts_at_once_and_the_next_waits_for_its_turn() {
    let mut world = world(Form::BASE, Limits::default());
    let first = world.begin(message(1));
    world.session.stays_in_flight(first.clone());
    assert!(world.receive(message(2)).is_none());
    assert!(!world.session.may_begin());
    assert_eq!(world.session.end_in_flight(&first, answer(1)), None);
    assert!(world.session.may_begin());
    let next = world.session.take_queued().unwrap();
    assert_eq!(next.rpc_id().unwrap().as_json(), "2");
}

#[test]
fn releasing_the_turn_lets_the_next_message_start() {
    let mut world = world(Form::BASE, Limits::default());
    let mut frame = world.receive(message(1)).unwrap();
    let first = world.session.begin(&mut frame);
    world.session.stays_in_flight(first);
    assert!(world.receive(message(2)).is_none());
    assert!(!world.session.may_begin());
    frame.into_message().unwrap().parts().give_up_turn();
    assert!(world.session.may_begin());
}

#[test]
fn a_full_queue_reads_on_a_little_for_the_control_frames_behind_it() {
    let limits = Limits::default().queued(2);
    let mut world = world(Form::extended(Codec::Json), limits);
    let mut read = 0;
    while world.session.has_room() {
        let frame = world.session.text_frame(message(read));
        world.session.receive(frame, false);
        read += 1;
    }
    // 64 KiB at about 280 bytes for each.
    assert!((200..300).contains(&read), "{read}");
    while world.session.take_queued().is_some() {}
    assert!(world.session.has_room());
}

#[test]
fn a_queue_is_bounded_in_bytes_too() {
    let limits = Limits::default().message(100_000);
    let mut world = world(Form::BASE, limits);
    let large = || format!(r#"{{"type":"{}"}}"#, "x".repeat(100_000));
    for has_room in [true, false] {
        let frame = world.session.text_frame(large());
        world.session.receive(frame, false);
        assert_eq!(world.session.has_room(), has_room);
    }
}

#[test]
fn a_message_whose_id_is_in_flight_does_not_run() {
    for (form, told) in [(Form::BASE, &[][..]), (Form::extended(Codec::Json), &["__error"])] {
        let mut world = world(form, Limits::default());
        let first = world.begin(message(1));
        world.session.stays_in_flight(first.clone());
        assert!(world.receive(message(1)).is_none());
        assert!(world.session.is_queue_empty());
        assert_eq!(types(&world.written()), told);
        world.session.end_in_flight(&first, answer(1));
        assert!(world.receive(message(1)).is_some(), "the id is free again");
    }
}

#[test]
fn a_message_whose_id_is_queued_does_not_run() {
    let mut world = world(Form::BASE, Limits::default());
    for _ in 0..2 {
        let frame = world.session.text_frame(message(1));
        world.session.receive(frame, false);
    }
    world.session.take_queued().unwrap();
    assert!(world.session.is_queue_empty());
}

#[test]
fn events_that_a_message_sent_come_before_its_answer() {
    let mut world = world(Form::BASE, Limits::default());
    let message = world.begin(message(1));
    world.push_event(7);
    world.session.end(&message, answer(1));
    let written = world.written();
    assert_eq!(types(&written), ["event", "__rpc_res"]);
    assert_eq!(written[0]["payload"], 7);
}

#[test]
fn a_pong_follows_the_events_sent_before_it() {
    let mut world = world(Form::extended(Codec::Json), Limits::default());
    world.push_event(1);
    assert!(world.receive(r#"{"type":"__ping"}"#).is_none());
    assert_eq!(world.session.send_notified(), None);
    assert_eq!(types(&world.written()), ["event", "__pong"]);
}

#[test]
fn a_ping_is_an_ordinary_message_in_the_base_protocol() {
    let mut world = world(Form::BASE, Limits::default());
    assert!(world.receive(r#"{"type":"__ping"}"#).is_some());
}

#[test]
fn a_service_error_fails_only_its_message() {
    let mut world = world(Form::BASE, Limits::default());
    let message = world.begin(message(1));
    world.session.end(&message, Err("broken".into()));
    let written = world.written();
    assert_eq!(written[0]["error"]["code"], "INTERNAL_SERVER_ERROR");
    assert_eq!(written[0]["rpcId"], 1);
    assert!(!world.session.is_finished());
}

#[test]
fn a_failed_pipeline_refuses_queued_messages_and_ends_the_session() {
    let mut world = world(Form::BASE, Limits::default());
    let first = world.begin(message(1));
    world.session.stays_in_flight(first.clone());
    assert!(world.receive(message(2)).is_none());
    world.session.fail("gone".into());
    assert!(!world.session.has_room());
    assert!(!world.session.is_finished(), "a message is in flight");
    assert_eq!(world.written()[0]["rpcId"], 2);
    world.session.end_in_flight(&first, answer(1));
    assert!(world.session.is_finished());
}

#[test]
fn a_failed_pipeline_reports_queued_messages_without_an_id_under_the_extended_protocol() {
    for (form, expected) in [
        (Form::extended(Codec::Json), vec!["__error", "__rpc_err"]),
        (Form::BASE, vec!["__rpc_err"]),
    ] {
        let mut world = world(form, Limits::default());
        let first = world.begin(message(1));
        world.session.stays_in_flight(first);
        assert!(world.receive(r#"{"type":"typing"}"#).is_none());
        assert!(world.receive(message(2)).is_none());
        world.session.fail("gone".into());
        let written = world.written();
        let types: Vec<_> = written
            .iter()
            .map(|frame| frame["type"].as_str().unwrap())
            .collect();
        assert_eq!(types, expected);
        if types.len() == 2 {
            let payload = &written[0]["payload"];
            assert_eq!(
                (&payload["type"], &payload["code"]),
                (&json!("typing"), &json!("INTERNAL_SERVER_ERROR"))
            );
        }
    }
}

#[test]
fn a_stack_without_a_codec_receives_raw_frames() {
    let mut world = world_with(Form::BASE, None, Limits::default());
    let text = message(1);
    let first = world.receive(text.clone()).unwrap();
    assert!(first.head().is_none() && first.rpc_id().is_none());
    assert_eq!(first.into_data(), DataFrame::text(text.clone()));
    // The rule about repeated ids does not apply.
    for _ in 0..2 {
        let message = world.begin(text.clone());
        world.session.stays_in_flight(message);
        world.session.options.concurrency += 1;
    }
    let binary = world.session.binary_frame(vec![0xff]);
    assert_eq!(binary.into_data(), DataFrame::binary(vec![0xff]));
}

#[test]
fn a_response_without_a_codec_is_limited_in_size() {
    let limits = Limits::default().message(10);
    let mut world = world_with(Form::BASE, None, limits);
    let message = world.begin("x");
    let large = DataFrame::binary(vec![0; 11]);
    world.session.end(&message, Ok(large.into()));
    assert!(world.session.outbound().is_empty());
    let message = world.begin("x");
    let small = DataFrame::binary(vec![0; 10]);
    world.session.end(&message, Ok(small.into()));
    assert!(!world.session.outbound().is_empty());
}

#[test]
fn a_slow_reader_is_paused_and_then_closed_with_3002() {
    let limits = Limits::default().outbound(10_000).message(1_000);
    let mut world = world(Form::BASE, limits);
    let mut answers = 0;
    while !world.session.is_on_hold(0) {
        let message = world.begin(message(1));
        world.session.end(&message, answer(1));
        answers += 1;
    }
    assert!(!world.session.is_slow_reader(0));
    assert!(world.session.is_slow_reader(5_000), "control frames count too");
    assert_eq!(world.written().len(), answers);
    assert!(!world.session.is_on_hold(0));
}

#[test]
fn an_overflowed_mailbox_and_a_close_end_the_session() {
    let limits = Limits::default().outbound(100);
    let mut world = world(Form::BASE, limits.clone());
    for number in 0..10 {
        world.push_event(number);
    }
    assert_eq!(world.session.send_notified(), Some(End::SlowReader));

    let mut world = self::world(Form::BASE, limits);
    world.push_event(1);
    let close = zocket_layers::Close::new(4000, "bye");
    world.mailbox.close(close.clone());
    assert_eq!(world.session.send_notified(), Some(End::ByServer(close)));
    assert_eq!(
        world.written()[0]["payload"],
        json!(1),
        "what was sent before goes out first"
    );
}
