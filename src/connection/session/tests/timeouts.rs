//! Deadlines: silence, readiness, the closing handshake.

use super::*;

#[test]
fn a_silent_peer_is_pinged_and_then_disconnected() {
    let mut world = world(Form::BASE, Limits::default());
    let limits = Limits::default();
    assert_eq!(world.session.deadline(), world.start + limits.ping_after);
    assert_eq!(world.take_due(limits.ping_after - SECOND), None);
    assert_eq!(world.take_due(limits.ping_after), Some(DueAction::Ping));
    let end = limits.ping_after + limits.pong_within;
    assert_eq!(world.session.deadline(), world.start + end);
    assert_eq!(world.take_due(end - SECOND), None);
    assert_eq!(world.take_due(end), Some(DueAction::Gone));
}

#[test]
fn a_deadline_that_is_noticed_late_gives_the_peer_more_time_once() {
    let mut world = world(Form::BASE, Limits::default());
    let limits = Limits::default();
    assert_eq!(world.take_due(limits.ping_after), Some(DueAction::Ping));
    // The process was stopped: its peer may have answered, or may have had to.
    let awake = limits.ping_after + limits.pong_within + limits.pong_within / 4 + SECOND;
    assert_eq!(world.take_due(awake), Some(DueAction::Ping));
    assert_eq!(world.session.deadline(), world.start + awake + limits.pong_within);
    assert_eq!(world.take_due(awake + limits.pong_within - SECOND), None);
    // A process that always is late drops its peers, too.
    let late = awake + 10 * limits.pong_within;
    assert_eq!(world.take_due(late), Some(DueAction::Gone));
}

#[test]
fn a_peer_that_was_heard_is_given_more_time_again() {
    let mut world = world(Form::BASE, Limits::default());
    let (limits, mut now) = (Limits::default(), Duration::ZERO);
    for _ in 0..3 {
        now += limits.ping_after;
        assert_eq!(world.take_due(now), Some(DueAction::Ping));
        now += 100 * limits.pong_within;
        assert_eq!(world.take_due(now), Some(DueAction::Ping));
        world.session.record_activity(world.start + now);
    }
}

#[test]
fn a_deadline_that_is_noticed_a_little_late_counts() {
    let mut world = world(Form::BASE, Limits::default());
    let limits = Limits::default();
    assert_eq!(world.take_due(limits.ping_after), Some(DueAction::Ping));
    let late = limits.ping_after + limits.pong_within + limits.pong_within / 4;
    assert_eq!(world.take_due(late), Some(DueAction::Gone));
}

#[test]
fn received_bytes_extend_the_silence_deadline() {
    let mut world = world(Form::BASE, Limits::default());
    let ping_after = Limits::default().ping_after;
    assert_eq!(world.take_due(ping_after), Some(DueAction::Ping));
    world.session.record_activity(world.start + ping_after + SECOND);
    assert_eq!(world.session.deadline(), world.start + 2 * ping_after + SECOND);
    assert_eq!(world.take_due(2 * ping_after), None);
}

#[test]
fn a_message_that_waits_too_long_for_readiness_closes_with_3001() {
    let mut world = world(Form::BASE, Limits::default());
    let stall = Limits::default().stall;
    let since = world.start + SECOND;
    world.session.begin_wait(|| since);
    world.session.begin_wait(|| unreachable!("it waits already"));
    world.session.record_activity(world.start + stall);
    assert_eq!(world.session.deadline(), since + stall);
    assert_eq!(world.take_due(stall), None);
    assert_eq!(world.take_due(stall + SECOND), Some(DueAction::Stalled));
    world.session.end_wait();
    assert_eq!(world.take_due(stall + SECOND), None);
}

#[test]
fn a_close_waits_for_messages_that_are_queued_or_hold_a_turn() {
    let mut world = world(Form::BASE, Limits::default());
    assert!(world.session.may_close());
    let mut frame = world.receive(message(1)).unwrap();
    let first = world.session.begin(&mut frame);
    world.session.stays_in_flight(first.clone());
    assert!(world.receive(message(2)).is_none());
    assert!(!world.session.may_close());
    frame.into_message().unwrap().parts().give_up_turn();
    assert!(!world.session.may_close(), "one is queued");
    world.session.take_queued();
    assert!(world.session.may_close(), "anything may overtake the first");
}

#[test]
fn a_close_is_answered_in_time_and_ends_the_wait_for_silence() {
    let mut world = world(Form::BASE, Limits::default());
    let (now, close_within) = (world.start + SECOND, Limits::default().close_within);
    let connection = world.session.connection.clone();
    world.session.stop_reading(now);
    assert!(connection.is_closed());
    assert_eq!(world.session.deadline(), now + close_within);
    assert_eq!(world.take_due(close_within), None);
    let due = world.take_due(close_within + SECOND);
    assert_eq!(due, Some(DueAction::AnswerClose));
}

#[test]
fn infinite_durations_never_expire() {
    let limits = Limits::default().ping_after(Duration::MAX).stall(Duration::MAX);
    let mut world = world(Form::BASE, limits);
    let start = world.start;
    world.session.begin_wait(|| start);
    assert_eq!(world.take_due(365 * 24 * 60 * 60 * SECOND), None);
}
