use std::{sync::Arc, task::Context as Task};

use futures_util::task::noop_waker;
use loom::thread;

use super::{ROOM, client, event, hub_with_flusher, in_every_order, leave, member, pull, read_until, send};
use crate::{
    effect::{Effect, Target},
    hub::{ConnectOptions, Hub, MailboxState, local::LocalHub},
    limits::Limits,
};

#[test]
fn a_member_is_woken_for_events_that_are_sent_while_the_flusher_runs() {
    in_every_order(|| {
        let hub = hub_with_flusher();
        let (ann, _bob) = (member(&hub, 1), member(&hub, 2));
        send(&hub, 1);
        send(&hub, 2);
        assert_eq!(read_until(&ann, 2), (vec![1, 2], MailboxState::Open));
    });
}

#[test]
fn a_member_that_reads_while_the_flusher_runs_and_another_sends_is_woken() {
    in_every_order(|| {
        let hub = hub_with_flusher();
        let (ann, _bob) = (member(&hub, 1), member(&hub, 2));
        send(&hub, 1);
        let sender = thread::spawn(move || send(&hub, 2));
        assert_eq!(read_until(&ann, 2), (vec![1, 2], MailboxState::Open));
        sender.join().unwrap();
    });
}

#[test]
fn a_member_that_joins_while_the_flusher_runs_is_woken_for_the_next_event() {
    in_every_order(|| {
        let hub = hub_with_flusher();
        let (ann, _bob) = (member(&hub, 1), member(&hub, 2));
        send(&hub, 1);
        let carol = member(&hub, 3);
        send(&hub, 2);
        assert_eq!(read_until(&carol, 2), (vec![2], MailboxState::Open));
        assert_eq!(read_until(&ann, 2), (vec![1, 2], MailboxState::Open));
    });
}

#[test]
fn a_member_that_takes_the_place_of_one_who_leaves_is_woken() {
    in_every_order(|| {
        let hub = hub_with_flusher();
        let (_ann, _bob, carol) = (member(&hub, 1), member(&hub, 2), member(&hub, 3));
        send(&hub, 1);
        // Carol, the last, moves to the place of the first, where the flusher may have been already.
        leave(&hub, 1);
        assert_eq!(read_until(&carol, 1), (vec![1], MailboxState::Open));
    });
}

#[test]
fn a_round_that_a_dropped_run_of_the_flusher_has_begun_is_continued_by_another() {
    in_every_order(|| {
        let hub = hub_with_flusher();
        let (ann, bob) = (member(&hub, 1), member(&hub, 2));
        // It notifies one member at most, and is dropped.
        let mut dropped = hub.background().unwrap();
        let runtime = thread::spawn(move || {
            let _ = dropped.as_mut().poll(&mut Task::from_waker(&noop_waker()));
        });
        send(&hub, 1);
        for member in [ann, bob] {
            assert_eq!(read_until(&member, 1), (vec![1], MailboxState::Open));
        }
        runtime.join().unwrap();
    });
}

#[test]
fn a_run_of_the_flusher_that_is_not_polled_any_more_delays_no_member() {
    in_every_order(|| {
        let hub = hub_with_flusher();
        let (ann, bob) = (member(&hub, 1), member(&hub, 2));
        let mut idle = hub.background().unwrap();
        let runtime = thread::spawn(move || {
            let _ = idle.as_mut().poll(&mut Task::from_waker(&noop_waker()));
            idle
        });
        send(&hub, 1);
        for member in [ann, bob] {
            assert_eq!(read_until(&member, 1), (vec![1], MailboxState::Open));
        }
        drop(runtime.join().unwrap());
    });
}

#[test]
fn a_member_that_reads_while_the_room_is_full_is_not_disconnected() {
    in_every_order(|| {
        let hub = LocalHub::with_limits(&Limits::default().room_backlog(0));
        let ann = member(&hub, 1);
        send(&hub, 1);
        let sender = thread::spawn(move || {
            let (to, event) = (Target::rooms([ROOM]), event(2));
            let is_sent = hub.perform(None, Effect::Emit { to, event }).is_ok();
            (hub, is_sent)
        });
        let (mut pulled, state) = pull(&ann);
        let (hub, is_sent) = sender.join().unwrap();
        pulled.extend(pull(&ann).0);
        assert_eq!(pulled, if is_sent { vec![1, 2] } else { vec![1] });
        assert_eq!(state, MailboxState::Open);
        drop(hub);
    });
}

#[test]
fn one_who_connects_while_someone_sends_is_woken_for_what_it_reads() {
    in_every_order(|| {
        let hub = Arc::new(LocalHub::new());
        let sender = {
            let hub = hub.clone();
            thread::spawn(move || {
                let (to, event) = (Target::everyone(), event(1));
                hub.perform(None, Effect::Emit { to, event }).unwrap();
            })
        };
        let ann = hub.connect(client(1), &ConnectOptions::default());
        sender.join().unwrap();
        let is_woken = ann.is_notified();
        assert_eq!(pull(&ann).0, if is_woken { vec![1] } else { vec![] });
    });
}

#[test]
fn a_client_reads_its_own_event_before_the_answer_even_if_it_pulls_meanwhile() {
    in_every_order(|| {
        let hub = Arc::new(LocalHub::new());
        let (ann, _bob) = (member(&hub, 1), member(&hub, 2));
        // A handler that sends from another thread. The connection pulls, for another reason, while it does.
        let handler = {
            let hub = hub.clone();
            thread::spawn(move || {
                let (to, event) = (Target::rooms([ROOM]), event(1));
                hub.perform(Some(&client(1)), Effect::Emit { to, event }).unwrap();
            })
        };
        let (mut pulled, _) = pull(&ann);
        handler.join().unwrap();
        if ann.has_news() {
            pulled.extend(pull(&ann).0);
        }
        assert_eq!(pulled, [1]);
    });
}
