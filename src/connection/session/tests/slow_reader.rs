use zocket_layers::{Close, Effect, Event, RawPayload, Target};

use super::*;

const OUTBOUND: usize = 4 << 20;

fn event(number: usize) -> Event {
    let payload = RawPayload::of(&number).unwrap();
    Event::from_payload("event", payload).unwrap()
}

/// A session with `bytes` of queued frames, of which the socket has refused the last.
fn behind(bytes: usize) -> World {
    let limits = Limits::default().outbound(OUTBOUND).message(1_000);
    let mut world = world(Form::extended(Codec::Json), limits);
    let frame = || DataFrame::text(format!(r#"{{"type":"{}"}}"#, "x".repeat(1_000)));
    while world.session.outbound.weight() < bytes {
        world.session.outbound.push(frame());
    }
    let start = world.start;
    assert!(world.session.record_refusal(true, || start));
    world
}

impl World {
    fn send(&mut self, event: &Event) {
        self.mailbox.push(event);
        assert_eq!(self.session.send_notified(), None);
    }

    /// Writes everything that is queued. Returns the events and answers of it, without the first frames.
    fn drain(&mut self) -> Vec<Value> {
        self.session.end_refusal();
        let mut written = self.written();
        written.retain(|frame| frame["type"].as_str().unwrap().len() < 1_000);
        written
    }

    /// Returns the numbers of the events that are written, as the driver writes them: until none waits.
    fn drain_numbers(&mut self) -> Vec<u64> {
        let mut numbers = Vec::new();
        loop {
            let written = self.drain();
            numbers.extend(written.iter().map(|event| event["payload"].as_u64().unwrap()));
            if !self.session.may_release() {
                return numbers;
            }
            assert_eq!(self.session.send_notified(), None);
        }
    }
}

#[test]
fn a_peer_that_is_behind_receives_no_volatile_events_and_the_last_of_the_latest() {
    let mut world = behind(100_000);
    for number in 0..100 {
        world.send(&event(3 * number));
        world.send(&event(3 * number + 1).volatile());
        world.send(&event(3 * number + 2).latest(0));
    }
    let expected: Vec<_> = (0..100).map(|number| 3 * number).chain([299]).collect();
    assert_eq!(world.drain_numbers(), expected);
    world.send(&event(300).volatile());
    assert_eq!(world.drain_numbers(), [300], "it has caught up");
}

#[test]
fn a_peer_is_behind_only_for_bytes_that_its_socket_refused() {
    let mut world = behind(100_000);
    world.session.end_refusal();
    world.send(&event(1).volatile());
    assert_eq!(world.drain_numbers(), [1]);
    // It refuses few.
    let mut world = behind(10_000);
    world.send(&event(1).volatile());
    assert_eq!(world.drain_numbers(), [1]);
}

#[test]
fn waiting_events_are_queued_up_to_the_watermark_and_can_be_replaced_until_then() {
    let mut world = behind(100_000);
    for number in 0..2_000 {
        world.send(&event(number).latest(number as u64));
    }
    let queued = world.session.outbound.weight();
    assert!(world.session.slow_reader.waiting > 0 && queued < 110_000);
    world.drain();
    assert!(world.session.may_release());
    assert_eq!(world.session.send_notified(), None);
    assert!(world.session.outbound.weight() <= 66_000);
    assert!(!world.session.may_release());
    let start = world.start;
    world.session.record_refusal(true, || start);
    for number in 1_000..2_000 {
        world.send(&event(number + 10_000).latest(number as u64));
    }
    // Those that the newer ones have replaced are gone.
    let expected: Vec<_> = (0..1_000).chain(11_000..12_000).collect();
    assert_eq!(world.drain_numbers(), expected);
}

#[test]
fn an_answer_and_a_pong_follow_all_events_that_were_sent_before_them() {
    let mut world = behind(100_000);
    for number in 0..2_000 {
        world.send(&event(number));
    }
    let message = world.begin(message(7));
    world.send(&event(2_000).volatile());
    assert_eq!(world.session.end(&message, answer(7)), None);
    world.send(&event(2_001));
    assert!(world.receive(r#"{"type":"__ping"}"#).is_none());
    assert_eq!(world.session.send_notified(), None);
    let mut written = world.drain();
    assert_eq!(written.pop().unwrap()["type"], "__pong");
    assert_eq!(written.pop().unwrap()["payload"], 2_001);
    assert_eq!(written.pop().unwrap()["rpcId"], "7");
    assert_eq!(written.len(), 2_000);
}

#[test]
fn a_close_follows_all_events_that_were_sent_before_it() {
    let mut world = behind(100_000);
    for number in 0..2_000 {
        world.send(&event(number));
    }
    let close = Close::new(4000, "bye");
    world.mailbox.close(close.clone());
    assert_eq!(world.session.send_notified(), Some(End::ByServer(close)));
    assert_eq!(world.drain().len(), 2_000);
}

#[test]
fn what_waits_and_what_is_queued_are_bounded_together() {
    let mut world = behind(OUTBOUND / 4);
    let mut sent = 0;
    while !world.session.is_slow_reader(0) {
        world.send(&event(sent));
        sent += 1;
        assert!(sent < 100_000, "nothing bounds it");
    }
    let bytes = world.session.outbound.weight() + world.session.slow_reader.waiting;
    assert!(bytes > OUTBOUND && bytes < OUTBOUND + 2_000, "{bytes}");
    assert!(world.session.is_on_hold(0));
}

#[test]
fn a_room_whose_only_member_is_behind_refuses_no_event() {
    let limits = Limits::default().outbound(OUTBOUND).room_backlog(20_000);
    let mut world = world(Form::BASE, limits);
    world.session.outbound.push(DataFrame::binary(vec![0; 100_000]));
    let (start, client) = (world.start, world.session.client_id());
    world.session.record_refusal(true, || start);
    let hub = world.session.connection.hub().clone();
    hub.perform(Some(&client), Effect::Join("room".into())).unwrap();
    for number in 0..1_000 {
        let (to, event) = (Target::room("room"), event(number));
        hub.perform(None, Effect::Emit { to, event }).unwrap();
        assert_eq!(world.session.send_notified(), None);
    }
    assert!(!world.session.is_slow_reader(0));
}

#[test]
fn a_socket_that_accepts_nothing_is_dropped_in_time() {
    let mut world = behind(100);
    let write_within = Limits::default().write_within;
    let now = world.start + SECOND;
    assert_eq!(world.session.deadline(), world.start + write_within);
    assert!(
        !world
            .session
            .record_refusal(false, || unreachable!("nothing was written"))
    );
    assert!(world.session.record_refusal(true, || now), "a byte was written");
    assert_eq!(world.take_due(write_within), None);
    assert_eq!(world.take_due(write_within + SECOND), Some(DueAction::Unwritable));
    world.session.end_refusal();
    assert_eq!(world.take_due(write_within + SECOND), None);
}
