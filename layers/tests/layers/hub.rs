//! The local hub's guarantees: order, delivery exactly once, membership, and bounds.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as a test may")]

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;
use zocket_layers::{
    ClientId, Close, Effect, Event, Form, Hub, Limits, LocalHub, Mailbox, Target,
    hub::{ConnectOptions, Full, MailboxState},
};

use crate::support::{Said, frames_in, notified, number, pull};

const PATIENCE: Duration = Duration::from_secs(30);

fn connect(hub: &LocalHub) -> (ClientId, Arc<Mailbox>) {
    let client = ClientId::random();
    (client, hub.connect(client, &ConnectOptions::default()))
}

fn emit(number: u64, to: Target) -> Effect {
    let event = Event::of(&Said(number)).unwrap();
    Effect::Emit { to, event }
}

fn join(hub: &LocalHub, client: ClientId, room: &str) {
    hub.perform(Some(&client), Effect::Join(room.into())).unwrap();
}

fn leave(hub: &LocalHub, client: ClientId, room: &str) {
    hub.perform(Some(&client), Effect::Leave(room.into())).unwrap();
}

#[test]
fn events_of_one_sender_arrive_in_order_across_targets() {
    let hub = LocalHub::new();
    let ((ann, _), (bob, mailbox)) = (connect(&hub), connect(&hub));
    join(&hub, bob, "a");
    join(&hub, bob, "b");
    let ways = [
        Target::rooms(["b"]),
        Target::clients(vec![bob]),
        Target::rooms(["a"]),
        Target::everyone(),
        Target::rooms(["a", "b"]),
        Target::rooms(["a"]),
    ];
    for (number, to) in (0..).zip(ways.iter().cycle().take(60)) {
        hub.perform(Some(&ann), emit(number, to.clone())).unwrap();
    }
    assert_eq!(pull(&mailbox), (0..60).collect::<Vec<_>>());
}

#[test]
fn a_member_of_several_of_the_rooms_gets_an_event_once() {
    let hub = LocalHub::new();
    let (bob, mailbox) = connect(&hub);
    for room in ["a", "b", "c"] {
        join(&hub, bob, room);
    }
    hub.perform(None, emit(1, Target::rooms(["a", "b", "a", "elsewhere", "c"])))
        .unwrap();
    assert_eq!(pull(&mailbox), [1]);
    assert!(pull(&mailbox).is_empty());
}

#[test]
fn an_event_for_two_rooms_arrives_once_after_leaving_one() {
    let hub = LocalHub::new();
    let (bob, mailbox) = connect(&hub);
    join(&hub, bob, "a");
    join(&hub, bob, "b");
    hub.perform(None, emit(1, Target::rooms(["a", "b"]))).unwrap();
    leave(&hub, bob, "a");
    hub.perform(None, emit(2, Target::rooms(["a", "b"]))).unwrap();
    assert_eq!(pull(&mailbox), [1, 2]);
    assert!(pull(&mailbox).is_empty());
}

#[test]
fn an_id_named_twice_gets_an_event_once() {
    let hub = LocalHub::new();
    let (bob, mailbox) = connect(&hub);
    hub.perform(None, emit(1, Target::clients(vec![bob, ClientId::random(), bob])))
        .unwrap();
    assert_eq!(pull(&mailbox), [1]);
}

#[test]
fn events_sent_before_leaving_a_room_still_arrive_in_order() {
    let hub = LocalHub::new();
    let (bob, mailbox) = connect(&hub);
    join(&hub, bob, "a");
    hub.perform(None, emit(1, Target::clients(vec![bob]))).unwrap();
    hub.perform(None, emit(2, Target::rooms(["a"]))).unwrap();
    hub.perform(None, emit(3, Target::clients(vec![bob]))).unwrap();
    leave(&hub, bob, "a");
    hub.perform(None, emit(4, Target::rooms(["a"]))).unwrap();
    hub.perform(None, emit(5, Target::everyone())).unwrap();
    assert_eq!(pull(&mailbox), [1, 2, 3, 5]);
}

#[test]
fn a_new_member_receives_its_own_events_but_no_earlier_ones() {
    let hub = LocalHub::new();
    let ((ann, _), (bob, mailbox)) = (connect(&hub), connect(&hub));
    join(&hub, ann, "a");
    hub.perform(Some(&ann), emit(1, Target::rooms(["a"]))).unwrap();
    join(&hub, bob, "a");
    hub.perform(Some(&bob), emit(2, Target::rooms(["a"]))).unwrap();
    assert_eq!(pull(&mailbox), [2]);
}

#[tokio::test]
async fn unknown_rooms_and_clients_are_no_ops() {
    let hub = LocalHub::new();
    let (bob, mailbox) = connect(&hub);
    leave(&hub, bob, "nowhere");
    hub.perform(Some(&bob), emit(1, Target::rooms(["nowhere"])))
        .unwrap();
    hub.perform(Some(&bob), emit(2, Target::rooms([""; 0]))).unwrap();
    hub.perform(None, emit(3, Target::clients(vec![ClientId::random()])))
        .unwrap();
    join(&hub, ClientId::random(), "a");
    assert_eq!((pull(&mailbox), hub.room_count()), (vec![], 0));
    assert_eq!(
        (
            hub.size("a").await.value,
            hub.clients(&Target::room("a")).await.value
        ),
        (0, vec![])
    );
}

#[test]
fn a_sender_needs_no_membership() {
    let hub = LocalHub::new();
    let ((ann, own), (bob, mailbox)) = (connect(&hub), connect(&hub));
    join(&hub, bob, "a");
    hub.perform(Some(&ann), emit(1, Target::rooms(["a"]))).unwrap();
    assert_eq!((pull(&own), pull(&mailbox)), (vec![], vec![1]));
}

#[test]
fn no_room_name_addresses_every_client() {
    let hub = LocalHub::new();
    let (bob, mailbox) = connect(&hub);
    for name in ["", "*", "everyone"] {
        hub.perform(None, emit(1, Target::rooms([name]))).unwrap();
    }
    assert!(!hub.has(&bob, "everyone"));
    assert!(pull(&mailbox).is_empty());
}

#[tokio::test]
async fn disconnecting_leaves_all_rooms_and_removes_empty_ones() {
    let hub = LocalHub::new();
    let ((ann, anns), (bob, bobs)) = (connect(&hub), connect(&hub));
    for room in ["a", "b", "c"] {
        join(&hub, ann, room);
    }
    join(&hub, bob, "a");
    hub.disconnect(&anns);
    assert_eq!((hub.client_count(), hub.room_count()), (1, 1));
    assert_eq!(hub.clients(&Target::room("a")).await.value, [bob]);
    join(&hub, ann, "late");
    hub.perform(None, emit(1, Target::everyone())).unwrap();
    assert_eq!((hub.rooms(&ann).len(), pull(&anns)), (0, vec![]));
    hub.disconnect(&bobs);
    hub.disconnect(&bobs);
    assert_eq!((hub.client_count(), hub.room_count()), (0, 0));
}

#[test]
fn dropping_the_hub_releases_its_mailboxes() {
    let hub = LocalHub::new();
    let (bob, mailbox) = connect(&hub);
    join(&hub, bob, "a");
    let mailbox = {
        let weak = Arc::downgrade(&mailbox);
        drop((mailbox, hub));
        weak
    };
    assert!(mailbox.upgrade().is_none());
}

#[test]
fn a_close_follows_earlier_events_and_the_first_close_wins() {
    let hub = LocalHub::new();
    let (bob, mailbox) = connect(&hub);
    hub.perform(Some(&bob), emit(1, Target::clients(vec![bob])))
        .unwrap();
    hub.perform(Some(&bob), Effect::Close(Close::new(4000, "first")))
        .unwrap();
    hub.perform(Some(&bob), Effect::Close(Close::new(4001, "second")))
        .unwrap();
    let mut events = Vec::new();
    assert_eq!(
        mailbox.pull(&mut events),
        MailboxState::Close(Close::new(4000, "first"))
    );
    assert_eq!(events.iter().map(number).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_client_is_in_no_more_rooms_than_its_limit() {
    let hub = LocalHub::new();
    let client = ClientId::random();
    let limits = Arc::new(Limits::default().rooms(2));
    let _mailbox = hub.connect(client, &ConnectOptions::new(limits.clone(), Form::BASE));
    join(&hub, client, "a");
    join(&hub, client, "b");
    join(&hub, client, "b");
    let third = Effect::Join("c".into());
    assert_eq!(
        hub.perform(Some(&client), third.clone()).unwrap_err(),
        Full::Rooms { limit: 2 }
    );
    assert_eq!(hub.room_count(), 2);
    leave(&hub, client, "a");
    hub.perform(Some(&client), third).unwrap();
}

#[test]
fn an_unread_mailbox_overflows() {
    let hub = LocalHub::new();
    let client = ClientId::random();
    let limits = Arc::new(Limits::default().outbound(1_000));
    let mailbox = hub.connect(client, &ConnectOptions::new(limits.clone(), Form::BASE));
    for number in 0..100 {
        hub.perform(None, emit(number, Target::clients(vec![client])))
            .unwrap();
    }
    let mut events = Vec::new();
    assert_eq!(mailbox.pull(&mut events), MailboxState::Overflowed);
    assert!(events.is_empty());
}

#[test]
fn a_room_with_a_full_backlog_refuses_until_it_is_read() {
    let hub = LocalHub::with_limits(&Limits::default().room_backlog(1_000));
    let (bob, mailbox) = connect(&hub);
    join(&hub, bob, "a");
    let refused = (0..100).find(|number| hub.perform(None, emit(*number, Target::rooms(["a"]))).is_err());
    let refused = refused.unwrap();
    assert_eq!(
        hub.perform(None, emit(refused, Target::rooms(["a"])))
            .unwrap_err(),
        Full::Backlog { limit: 1_000 }
    );
    assert_eq!(pull(&mailbox), (0..refused).collect::<Vec<_>>());
    hub.perform(None, emit(refused, Target::rooms(["a"]))).unwrap();
    assert_eq!(pull(&mailbox), [refused]);
}

#[test]
fn a_full_room_does_not_block_the_other_rooms_of_an_event() {
    let hub = LocalHub::with_limits(&Limits::default().room_backlog(0));
    let ((stuck, _unread), (bob, mailbox)) = (connect(&hub), connect(&hub));
    join(&hub, stuck, "a");
    join(&hub, bob, "b");
    hub.perform(None, emit(1, Target::rooms(["a"]))).unwrap();
    assert!(hub.perform(None, emit(2, Target::rooms(["a", "b"]))).is_err());
    assert_eq!(pull(&mailbox), [2]);
}

#[test]
fn an_unlimited_backlog_does_not_overflow() {
    let hub = LocalHub::with_limits(&Limits::default().room_backlog(usize::MAX));
    let (bob, mailbox) = connect(&hub);
    join(&hub, bob, "a");
    for number in 0..3 {
        hub.perform(None, emit(number, Target::rooms(["a"]))).unwrap();
    }
    assert_eq!(pull(&mailbox), [0, 1, 2]);
}

#[tokio::test]
async fn members_at_one_position_share_a_batch_and_later_readers_get_the_rest() {
    let hub = LocalHub::new();
    let clients = [connect(&hub), connect(&hub), connect(&hub)];
    for (client, _) in &clients {
        join(&hub, *client, "a");
    }
    let wires = |(_, mailbox): &(ClientId, Arc<Mailbox>)| {
        let (mut wires, mut weights) = (Vec::new(), 0);
        mailbox.pull_batches(&mut |batch| {
            assert_eq!(batch.frames, frames_in(&batch.wire));
            wires.push(batch.wire);
            weights += batch.weight;
        });
        (wires, weights)
    };
    let [ann, bob, cy] = &clients;
    for number in 0..3 {
        hub.perform(None, emit(number, Target::rooms(["a"]))).unwrap();
    }
    let weight = Event::of(&Said(0)).unwrap().weight();
    let (ann_read, bob_read) = (wires(ann), wires(bob));
    assert_eq!((ann_read.0.len(), ann_read.1), (1, 3 * weight));
    assert_eq!(ann_read.0[0].as_ptr(), bob_read.0[0].as_ptr());

    for number in 3..5 {
        hub.perform(None, emit(number, Target::rooms(["a"]))).unwrap();
    }
    let (cy_read, weights) = wires(cy);
    assert_eq!(cy_read[0].as_ptr(), ann_read.0[0].as_ptr());
    assert_eq!((cy_read.len(), weights), (2, 5 * weight));
    assert_eq!(cy_read[1].as_ptr(), wires(ann).0[0].as_ptr());
    assert_eq!(wires(cy), (vec![], 0));
}

#[tokio::test]
async fn entries_with_exceptions_split_batches() {
    let hub = LocalHub::new();
    let (ann, ann_mailbox) = connect(&hub);
    let (bob, bob_mailbox) = connect(&hub);
    for client in [ann, bob] {
        join(&hub, client, "a");
    }
    for number in 0..2 {
        hub.perform(None, emit(number, Target::rooms(["a"]))).unwrap();
    }
    hub.perform(None, emit(2, Target::rooms(["a"]).except([ann])))
        .unwrap();
    for number in 3..5 {
        hub.perform(None, emit(number, Target::rooms(["a"]))).unwrap();
    }
    assert_eq!(pull(&ann_mailbox), [0, 1, 3, 4]);
    assert_eq!(pull(&bob_mailbox), [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn ten_thousand_members_receive_every_event_in_order() {
    let hub = LocalHub::new();
    let flusher = tokio::spawn(hub.background().unwrap());
    let clients = (0..10_000).map(|_| connect(&hub)).collect::<Vec<_>>();
    for (client, _) in &clients {
        join(&hub, *client, "big");
    }
    for number in 0..20 {
        hub.perform(None, emit(number, Target::rooms(["big"]))).unwrap();
    }
    for (_, mailbox) in &clients {
        let mut got = Vec::new();
        while got.len() < 20 {
            timeout(PATIENCE, notified(mailbox)).await.unwrap();
            got.extend(pull(mailbox));
        }
        assert_eq!(got, (0..20).collect::<Vec<_>>());
    }
    for (_, mailbox) in &clients {
        hub.disconnect(mailbox);
    }
    assert_eq!((hub.client_count(), hub.room_count()), (0, 0));
    drop((hub, clients));
    timeout(PATIENCE, flusher).await.unwrap().unwrap();
}

#[tokio::test]
async fn one_event_beyond_the_backlog_closes_no_member_of_a_large_room() {
    let hub = LocalHub::with_limits(&Limits::default().room_backlog(10));
    let flusher = tokio::spawn(hub.background().unwrap());
    let clients = (0..20).map(|_| connect(&hub)).collect::<Vec<_>>();
    for (client, _) in &clients {
        join(&hub, *client, "big");
    }
    hub.perform(None, emit(1, Target::rooms(["big"]))).unwrap();
    for (_, mailbox) in &clients {
        timeout(PATIENCE, notified(mailbox)).await.unwrap();
        let mut events = Vec::new();
        assert_eq!(mailbox.pull(&mut events), MailboxState::Open);
        assert_eq!(events.len(), 1);
    }
    flusher.abort();
}

#[tokio::test]
async fn a_large_room_member_that_never_reads_overflows_alone() {
    let hub = LocalHub::with_limits(&Limits::default().room_backlog(1_000));
    let flusher = tokio::spawn(hub.background().unwrap());
    let (stuck, unread) = connect(&hub);
    join(&hub, stuck, "big");
    let clients = (0..20).map(|_| connect(&hub)).collect::<Vec<_>>();
    for (client, _) in &clients {
        join(&hub, *client, "big");
    }
    for number in 0..100 {
        hub.perform(None, emit(number, Target::rooms(["big"]))).unwrap();
        for (_, mailbox) in &clients {
            timeout(PATIENCE, notified(mailbox)).await.unwrap();
            assert_eq!(pull(mailbox), [number]);
        }
    }
    assert_eq!(unread.pull(&mut Vec::new()), MailboxState::Overflowed);
    flusher.abort();
}
