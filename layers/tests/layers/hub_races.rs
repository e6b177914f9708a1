//! Exceptions of an event while their members read, leave and enter.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as a test may")]

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use zocket_layers::{ClientId, Effect, Event, Hub, LocalHub, Target, hub::ConnectOptions};

use crate::support::{Said, pull};

const ROUNDS: u64 = 3_000;
/// Appending to several logs takes long enough for a reader to pull meanwhile.
const ROOMS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

/// Sends an event, and lets a member of the excepted room read meanwhile. It changes its rooms as soon as the send has
/// returned. Returns how often it received an event.
fn received_by_the_excepted(to: &Target, change: &Effect, undo: &Effect) -> usize {
    let hub = Arc::new(LocalHub::new());
    let client = ClientId::random();
    let mailbox = hub.connect(client, &ConnectOptions::default());
    for room in ROOMS.into_iter().chain(["quiet"]) {
        hub.perform(Some(&client), Effect::Join(room.into())).unwrap();
    }
    let start = Arc::new(Barrier::new(2));
    let has_returned = Arc::new(AtomicBool::new(false));
    let sender = {
        let (hub, start, has_returned, to) = (hub.clone(), start.clone(), has_returned.clone(), to.clone());
        thread::spawn(move || {
            for number in 0..ROUNDS {
                let (to, event) = (to.clone(), Event::of(&Said(number)).unwrap());
                start.wait();
                hub.perform(None, Effect::Emit { to, event }).unwrap();
                has_returned.store(true, Ordering::Release);
                start.wait();
            }
        })
    };
    let mut received = 0;
    for _ in 0..ROUNDS {
        start.wait();
        while !has_returned.load(Ordering::Acquire) {
            received += pull(&mailbox).len();
        }
        hub.perform(Some(&client), change.clone()).unwrap();
        received += pull(&mailbox).len();
        hub.perform(Some(&client), undo.clone()).unwrap();
        received += pull(&mailbox).len();
        has_returned.store(false, Ordering::Relaxed);
        start.wait();
    }
    sender.join().unwrap();
    received
}

fn received_by_one_who_leaves(to: &Target) -> usize {
    received_by_the_excepted(to, &Effect::Leave("quiet".into()), &Effect::Join("quiet".into()))
}

#[test]
fn a_member_of_an_excepted_room_that_leaves_after_the_send_does_not_receive_it() {
    let several = Target::rooms(ROOMS).except_rooms(["quiet"]);
    assert_eq!(received_by_one_who_leaves(&several), 0);
    let one = Target::room("a").except_rooms(["quiet"]);
    assert_eq!(received_by_one_who_leaves(&one), 0);
    let everyone = Target::everyone().except_rooms(["quiet", "nowhere"]);
    assert_eq!(received_by_one_who_leaves(&everyone), 0);
}

#[test]
fn an_excepted_member_that_is_moved_after_the_send_does_not_receive_it() {
    let several = Target::rooms(ROOMS).except_rooms(["quiet"]);
    for room in ["a", "b"] {
        let (leave, join) = (Effect::Leave(room.into()), Effect::Join(room.into()));
        assert_eq!(received_by_the_excepted(&several, &leave, &join), 0);
    }
    let manage = |action| Effect::Manage {
        clients: Target::everyone(),
        action,
    };
    let (leave, join) = (
        manage(zocket_layers::Action::Leave("quiet".into())),
        manage(zocket_layers::Action::Join("quiet".into())),
    );
    assert_eq!(received_by_the_excepted(&several, &leave, &join), 0);
}
