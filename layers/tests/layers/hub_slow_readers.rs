//! Readers that are behind: what waits for them, and that the others pay nothing for it.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as a test may")]

use std::sync::Arc;

use zocket_layers::{
    ClientId, Effect, Event, Form, Hub, Limits, LocalHub, Mailbox, RawPayload, Target,
    hub::{Batch, ConnectOptions, MailboxState},
};

use crate::support::{Said, frames_in, number, pull};

const BACKLOG: usize = 20_000;

fn connect(hub: &LocalHub, rooms: &[&str]) -> (ClientId, Arc<Mailbox>) {
    connect_with(hub, rooms, Limits::default())
}

fn connect_with(hub: &LocalHub, rooms: &[&str], limits: Limits) -> (ClientId, Arc<Mailbox>) {
    let client = ClientId::random();
    let mailbox = hub.connect(client, &ConnectOptions::new(Arc::new(limits), Form::BASE));
    for room in rooms {
        hub.perform(Some(&client), Effect::Join((*room).into())).unwrap();
    }
    (client, mailbox)
}

fn said(number: u64) -> Event {
    Event::of(&Said(number)).unwrap()
}

fn send(hub: &LocalHub, to: Target, event: Event) {
    hub.perform(None, Effect::Emit { to, event }).unwrap();
}

/// Absorbs what is unread, and releases nothing.
fn absorb(mailbox: &Mailbox) -> MailboxState {
    mailbox.absorb(0, &mut |_| panic!("nothing is to be released"))
}

/// Pulls everything, event by event.
fn numbers(mailbox: &Mailbox) -> Vec<u64> {
    let mut events = Vec::new();
    assert_eq!(mailbox.pull(&mut events), MailboxState::Open);
    events.iter().map(number).collect()
}

#[test]
fn of_thirty_thousand_unread_events_a_handful_waits_in_order_in_a_few_kilobytes() {
    let hub = LocalHub::new();
    let (_, mailbox) = connect(&hub, &["a", "b"]);
    let mut most = 0;
    for number in 0..30_000 {
        let event = match number {
            100 | 20_000 => said(number),
            _ if number % 2 == 0 => said(number).latest(number % 8),
            _ => said(number).volatile(),
        };
        let room = if number % 3 == 0 { "a" } else { "b" };
        send(&hub, Target::room(room), event);
        if number % 50 == 0 {
            assert_eq!(absorb(&mailbox), MailboxState::Open);
            most = most.max(mailbox.waiting());
        }
    }
    absorb(&mailbox);
    most = most.max(mailbox.waiting());
    assert_eq!(numbers(&mailbox), [100, 20_000, 29_992, 29_994, 29_996, 29_998]);
    assert!(most < 5_000, "{most} bytes");
    assert_eq!(mailbox.waiting(), 0);
}

#[test]
fn no_room_keeps_anything_for_a_reader_that_absorbs_even_if_it_is_alone() {
    for members in [1, 2, 20] {
        let hub = LocalHub::with_limits(&Limits::default().room_backlog(BACKLOG));
        let mailboxes: Vec<_> = (0..members).map(|_| connect(&hub, &["a"]).1).collect();
        for number in 0..1_000 {
            // No send is refused: `send` would panic.
            send(&hub, Target::room("a"), said(number));
            for mailbox in &mailboxes {
                assert_eq!(absorb(mailbox), MailboxState::Open);
            }
        }
        for mailbox in &mailboxes {
            assert_eq!(numbers(mailbox), (0..1_000).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_reader_that_absorbs_too_much_overflows_alone_and_no_send_is_refused() {
    let latest = |number| said(number).latest(number);
    for event in [said, latest] {
        let hub = LocalHub::with_limits(&Limits::default().room_backlog(BACKLOG));
        let limits = Limits::default().outbound(100_000).message(1_000);
        let (_, stalled) = connect_with(&hub, &["a"], limits);
        let mut sent = 0;
        let most = loop {
            let before = stalled.waiting();
            send(&hub, Target::room("a"), event(sent));
            sent += 1;
            if absorb(&stalled) == MailboxState::Overflowed {
                break before;
            }
            assert!(stalled.waiting() <= 100_000);
        };
        assert!(most > 90_000, "{most}");
        assert_eq!(stalled.waiting(), 0);
        for number in 0..1_000 {
            send(&hub, Target::room("a"), event(number));
        }
        assert_eq!(stalled.pull(&mut Vec::new()), MailboxState::Overflowed);
    }
}

#[test]
fn one_event_of_any_size_waits() {
    let hub = LocalHub::new();
    let (_, mailbox) = connect_with(&hub, &["a"], Limits::default().outbound(0).message(0));
    let text = format!("\"{}\"", "x".repeat(10_000));
    let event = Event::from_payload("said", RawPayload::json(text)).unwrap();
    send(&hub, Target::room("a"), event);
    assert_eq!(absorb(&mailbox), MailboxState::Open);
    send(&hub, Target::room("a"), said(1));
    assert_eq!(absorb(&mailbox), MailboxState::Overflowed);
}

#[test]
fn waiting_events_are_released_in_order_up_to_a_weight_and_stay_replaceable() {
    let hub = LocalHub::new();
    let (bob, mailbox) = connect(&hub, &["a"]);
    for number in 0..10 {
        send(&hub, Target::clients(vec![bob]), said(number).latest(number % 5));
    }
    let weight = said(5).weight();
    let release = |bytes| {
        let mut batches: Vec<Batch> = Vec::new();
        assert_eq!(
            mailbox.absorb(bytes, &mut |batch| batches.push(batch)),
            MailboxState::Open
        );
        assert!(batches.iter().all(|batch| frames_in(&batch.wire) == 1));
        batches.len()
    };
    assert_eq!(release(0), 0);
    assert_eq!(release(1), 1);
    assert_eq!(release(weight + 1), 2);
    // 8 and 9 wait. A newer 8 takes its place at the end.
    send(&hub, Target::room("a"), said(13).latest(3));
    absorb(&mailbox);
    assert_eq!(numbers(&mailbox), [9, 13]);
}

#[test]
fn unread_events_follow_those_that_wait_and_other_readers_share_batches() {
    let hub = LocalHub::new();
    let (_, slow) = connect(&hub, &["a", "b"]);
    let (_, quick) = connect(&hub, &["a"]);
    for number in 0..3 {
        send(&hub, Target::room("a"), said(number));
    }
    absorb(&slow);
    for number in 3..6 {
        send(&hub, Target::room("a"), said(number).volatile());
    }
    let mut batches = 0;
    quick.pull_batches(&mut |batch| {
        batches += 1;
        assert_eq!(batch.frames, 6);
    });
    assert_eq!(batches, 1);
    // The reader has caught up, so volatile events are as good as others.
    assert_eq!(pull(&slow), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn exceptions_and_copies_are_resolved_when_events_are_absorbed() {
    let hub = LocalHub::new();
    let (bob, mailbox) = connect(&hub, &["a", "b"]);
    send(&hub, Target::rooms(["a", "b"]), said(0));
    absorb(&mailbox);
    send(&hub, Target::room("a").except_rooms(["b"]), said(1));
    send(&hub, Target::rooms(["a", "b"]), said(2).latest(1));
    hub.perform(Some(&bob), Effect::Leave("b".into())).unwrap();
    send(&hub, Target::room("a").except_rooms(["b"]), said(3));
    absorb(&mailbox);
    send(&hub, Target::room("a").except([bob]), said(4).latest(1));
    hub.perform(Some(&bob), Effect::Leave("a".into())).unwrap();
    send(&hub, Target::everyone(), said(5));
    absorb(&mailbox);
    assert_eq!(numbers(&mailbox), [0, 2, 3, 5]);
}

#[test]
fn a_muted_mailbox_keeps_nothing_waiting() {
    let hub = LocalHub::new();
    let (_, mailbox) = connect(&hub, &["a"]);
    send(&hub, Target::room("a"), said(1));
    absorb(&mailbox);
    mailbox.mute();
    send(&hub, Target::room("a"), said(2));
    assert_eq!((absorb(&mailbox), mailbox.waiting()), (MailboxState::Open, 0));
}
