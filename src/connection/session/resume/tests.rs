//! Acknowledgements, breaks and windows of a session, without a socket.

#![allow(clippy::unwrap_used, reason = "what fails here is a test")]

use std::{sync::Arc, time::Duration};

use zocket_layers::{Close, Codec, DataFrame, Form, Limits};

use super::{
    super::{
        DueAction, End,
        tests::{SECOND, World, answer, message, types, world},
    },
    ACK_AFTER,
};
use crate::core::{Admission, AppLimits, Caller, ResumeOffer, ResumeSlot, Sessions};

const FORM: Form = Form::extended(Codec::Json);

/// A session whose client offered to resume it.
fn resumable(limits: Limits) -> World {
    let mut world = world(FORM, limits);
    let driver = world.session.waker().clone();
    let sessions = Arc::new(Sessions::new(&AppLimits::default()));
    let client = world.session.client_id();
    let slot = Arc::new(ResumeSlot::new(client, FORM, Caller::default(), driver, sessions));
    world.session = world.session.with_resume(slot, None);
    world.session.welcome(None, None);
    world
}

/// Returns the offer of a client that has the frames up to number `n`.
fn offer(world: &World, n: u64) -> ResumeOffer {
    let token = world.session.slot().unwrap().offer();
    ResumeOffer::parse(&format!("{token}.{n}")).unwrap()
}

fn ack(n: impl std::fmt::Display) -> String {
    format!(r#"{{"type":"__ack","payload":{n}}}"#)
}

const BREAKS: [End; 2] = [End::Gone, End::Silent];

#[test]
fn received_messages_are_acknowledged_after_the_interval() {
    let mut world = resumable(Limits::default());
    for id in 1..=2 {
        let message = world.begin(message(id));
        world.session.end(&message, answer(id));
        let starts = world.session.record_activity(world.start);
        assert_eq!(starts, id == 1, "the first one starts the interval");
    }
    world.written();
    assert_eq!(world.session.deadline(), world.start + ACK_AFTER);
    assert_eq!(world.take_due(ACK_AFTER - Duration::from_millis(1)), None);
    assert_eq!(world.take_due(ACK_AFTER), Some(DueAction::Acknowledge));
    world.session.acknowledge();
    let written = world.written();
    assert_eq!(
        (types(&written), written[0]["payload"].as_u64()),
        (vec!["__ack"], Some(2))
    );
    assert_eq!(world.take_due(ACK_AFTER), None);
    world.session.acknowledge();
    assert_eq!(world.written().len(), 0, "the client knows it");
}

#[test]
fn protocol_frames_are_neither_counted_nor_acknowledged() {
    let mut world = resumable(Limits::default());
    for kind in ["__ping", "__pong", "__welcome"] {
        assert!(world.receive(format!(r#"{{"type":"{kind}"}}"#)).is_none());
    }
    assert!(world.receive(ack(0)).is_none());
    assert!(!world.session.record_activity(world.start));
    assert_eq!(world.session.received(), 0);
    assert!(world.receive(r#"{"type":"__void"}"#).is_none());
    assert!(
        world.receive("no message").is_some(),
        "it is refused by the pipeline"
    );
    assert_eq!(world.session.received(), 2);
}

#[test]
fn a_message_whose_id_is_in_flight_is_counted() {
    let mut world = resumable(Limits::default());
    let first = world.begin(message(1));
    world.session.stays_in_flight(first);
    assert!(world.receive(message(1)).is_none());
    assert_eq!(world.session.received(), 2);
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_is_a_violation() {
    for payload in ["1", "-1", "0.5", "\"0\"", "null", "1e300", "[]"] {
        let mut world = resumable(Limits::default());
        assert!(world.receive(ack(0)).is_none());
        assert_eq!(world.session.violation(), None);
        assert!(world.receive(ack(payload)).is_none());
        let close = Close::new(1008, "bad-ack");
        assert_eq!(world.session.violation(), Some(close), "{payload}");
    }
}

#[test]
fn a_break_parks_a_session_whose_token_is_proven() {
    for end in BREAKS {
        let mut world = resumable(Limits::default());
        assert!(!world.session.survives(&end), "the client may not have the token");
        world.receive(r#"{"type":"__pong"}"#);
        assert!(!world.session.survives(&end), "a pong proves nothing");
        world.receive(ack(0));
        assert!(world.session.survives(&end));
    }
}

#[test]
fn coming_with_the_token_does_not_prove_it_before_the_socket_is_there() {
    let world = resumable(Limits::default());
    let slot = world.session.slot().unwrap().clone();
    let Admission::Arrival(arrival) = slot.admit(&offer(&world, 0), FORM) else {
        panic!("the token is valid");
    };
    assert!(!world.session.survives(&End::Gone));
    drop(arrival);
    let arrival = offer(&world, 0);
    slot.accept_offer(&arrival);
    assert!(world.session.survives(&End::Gone));
}

#[test]
fn ends_are_breaks_or_not() {
    let mut world = resumable(Limits::default());
    world.receive(ack(0));
    let by_peer = |code, reason| End::ByPeer(Close::new(code, reason));
    for end in [
        by_peer(1001, ""),
        by_peer(1005, ""),
        by_peer(1000, ""),
        by_peer(1000, "x"),
    ] {
        assert!(world.session.survives(&end), "{end:?}");
    }
    for end in [
        by_peer(1000, "bye"),
        by_peer(1002, ""),
        by_peer(4000, ""),
        End::ByServer(Close::new(1001, "")),
        End::SlowReader,
        End::Stalled,
        End::Shutdown(Close::new(1001, "")),
        End::Expired,
        End::Replaced,
    ] {
        assert!(!world.session.survives(&end), "{end:?}");
    }
    world.session.stop_reading(world.start);
    assert!(!world.session.survives(&End::Gone), "the client has left");
}

#[test]
fn a_session_that_can_not_be_resumed_survives_nothing() {
    let world = world(FORM, Limits::default());
    assert!(BREAKS.iter().all(|end| !world.session.survives(end)));
    let mut world = resumable(Limits::default());
    world.receive(ack(0));
    world.session.fail("gone".into());
    assert!(!world.session.survives(&End::Gone), "its pipeline has failed");
}

#[test]
fn a_parked_session_expires_and_nothing_else_is_due() {
    let limits = Limits::default();
    let mut world = resumable(limits.clone());
    world.begin(message(1));
    world.session.record_activity(world.start);
    world.session.park(world.start + SECOND);
    assert!(world.session.is_parked());
    assert_eq!(
        world.session.deadline(),
        world.start + SECOND + limits.resume_within
    );
    assert_eq!(world.take_due(limits.resume_within), None, "no ping, and no ack");
    assert_eq!(
        world.take_due(SECOND + limits.resume_within),
        Some(DueAction::Expired)
    );
    assert!(!world.session.holds(world.start));
    let slot = world.session.slot().unwrap();
    assert!(matches!(
        slot.admit(&offer(&world, 0), FORM),
        Admission::NotResumable(obstacle) if obstacle.word() == "ended"
    ));
}

#[test]
fn a_handshake_in_progress_holds_the_session_once() {
    let limits = Limits::default();
    let mut world = resumable(limits.clone());
    world.receive(ack(0));
    world.session.park(world.start);
    let slot = world.session.slot().unwrap().clone();
    let Admission::Arrival(arrival) = slot.admit(&offer(&world, 0), FORM) else {
        panic!("the token is valid");
    };
    let end = world.start + limits.resume_within;
    assert_eq!(world.take_due(limits.resume_within), Some(DueAction::Expired));
    assert!(world.session.holds(end));
    assert_eq!(world.session.deadline(), end + 5 * SECOND);
    assert_eq!(world.take_due(limits.resume_within), None);
    assert!(!world.session.holds(end + 5 * SECOND));
    drop(arrival);
}

#[test]
fn a_resumed_session_sends_what_the_client_lacks() {
    let mut world = resumable(Limits::default());
    for number in 0..3 {
        world.push_event(number);
        world.session.send_notified();
        world.written_and_kept();
    }
    world.receive(ack(1));
    world.session.park(world.start);
    world.push_event(3);
    world.session.send_notified();
    let now = world.start + SECOND;
    assert!(world.session.outbound().can_resume(2) && !world.session.outbound().can_resume(0));
    world
        .session
        .resume(2, DataFrame::text(r#"{"type":"__welcome"}"#), now);
    assert!(!world.session.is_parked());
    world.session.send_notified();
    let written = world.written_and_kept();
    assert_eq!(types(&written), ["__welcome", "event", "event"]);
    assert_eq!(
        (&written[1]["payload"], &written[2]["payload"]),
        (&2.into(), &3.into())
    );
    assert_eq!(world.session.deadline(), now + Limits::default().ping_after);
}

#[test]
fn a_welcome_proves_nothing_until_the_next_message() {
    let mut world = resumable(Limits::default());
    let slot = world.session.slot().unwrap().clone();
    let first = offer(&world, 0);
    world.receive(ack(0));
    world.session.resume(0, DataFrame::text("{}"), world.start);
    let second = offer(&world, 0);
    let is_valid = |offer: &ResumeOffer| !matches!(slot.admit(offer, FORM), Admission::Stranger);
    assert!(is_valid(&first) && is_valid(&second));
    assert_eq!(offer(&world, 0), second, "the same is offered until it is proven");
    world.receive(ack(0));
    assert!(!is_valid(&first) && is_valid(&second));
}

#[test]
fn a_stranger_and_the_obstacles_of_a_client_are_told_apart() {
    let mut world = resumable(Limits::default());
    world.push_event(1);
    world.session.send_notified();
    world.written_and_kept();
    let slot = world.session.slot().unwrap().clone();
    let admits = |offer: &ResumeOffer, form| match slot.admit(offer, form) {
        Admission::Stranger => "stranger",
        Admission::NotResumable(obstacle) => obstacle.word(),
        Admission::Arrival(_) => "arrival",
    };
    assert_eq!(admits(&offer(&world, 0), FORM), "arrival");
    assert_eq!(admits(&offer(&world, 2), FORM), "stranger");
    assert_eq!(admits(&offer(&world, 1), Form::BASE), "codec");
    world.receive(ack(1));
    assert_eq!(admits(&offer(&world, 0), FORM), "record");
    assert_eq!(admits(&offer(&world, 1), FORM), "arrival");
    world.push_event(2);
    world.session.send_notified();
    for _ in 0..3 {
        assert_eq!(admits(&offer(&world, 1), FORM), "arrival");
        slot.accept_offer(&offer(&world, 1));
        world.session.resume(1, DataFrame::text("{}"), world.start);
        offer(&world, 1);
        world.receive(ack(1));
    }
    assert_eq!(admits(&offer(&world, 1), FORM), "progress");
    slot.request_end();
    assert_eq!(admits(&offer(&world, 1), FORM), "ended");
    let elsewhere = resumable(Limits::default());
    assert_eq!(admits(&offer(&elsewhere, 0), FORM), "stranger");
}
