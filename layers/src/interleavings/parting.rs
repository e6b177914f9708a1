use std::sync::Arc;

use loom::thread;

use super::{ROOM, client, event, hub_with_flusher, in_every_order, leave, member, pull, read_until, send};
use crate::{
    effect::{Close, Effect, Target},
    hub::{ConnectOptions, Hub, Mailbox, MailboxState, local::LocalHub},
};

#[test]
fn a_close_that_comes_with_an_event_wakes_the_reader() {
    in_every_order(|| {
        let mailbox = Arc::new(Mailbox::new(client(1), &ConnectOptions::default()));
        let close = Close::new(4000, "over");
        let sender = {
            let (mailbox, close) = (mailbox.clone(), close.clone());
            thread::spawn(move || {
                mailbox.push(&event(1));
                mailbox.close(close);
            })
        };
        assert_eq!(read_until(&mailbox, 0), (vec![1], MailboxState::Close(close)));
        sender.join().unwrap();
    });
}

#[test]
fn one_who_leaves_is_woken_for_what_was_sent_before() {
    in_every_order(|| {
        let hub = hub_with_flusher();
        let (ann, _bob) = (member(&hub, 1), member(&hub, 2));
        send(&hub, 1);
        let leaver = thread::spawn(move || leave(&hub, 1));
        assert_eq!(read_until(&ann, 1), (vec![1], MailboxState::Open));
        leaver.join().unwrap();
    });
}

#[test]
fn leaving_while_someone_sends_ends_with_the_event_or_without() {
    in_every_order(|| {
        let hub = Arc::new(LocalHub::new());
        let (ann, bob) = (member(&hub, 1), member(&hub, 2));
        let sender = {
            let hub = hub.clone();
            thread::spawn(move || send(&hub, 1))
        };
        leave(&hub, 1);
        sender.join().unwrap();
        // It was sent before ann left or after it; bob was there.
        assert!([&[][..], &[1]].contains(&&*pull(&ann).0));
        assert_eq!(pull(&bob).0, [1]);
        send(&hub, 2);
        assert_eq!((pull(&ann).0, pull(&bob).0), (vec![], vec![2]));
    });
}

#[test]
fn an_excepted_member_that_leaves_after_the_send_does_not_receive_it() {
    in_every_order(|| {
        let hub = Arc::new(LocalHub::new());
        let ann = member(&hub, 1);
        for room in ["aside", "quiet"] {
            hub.perform(Some(&client(1)), Effect::Join(room.into())).unwrap();
        }
        let sender = {
            let hub = hub.clone();
            thread::spawn(move || {
                let to = Target::rooms([ROOM, "aside"]).except_rooms(["quiet"]);
                let event = event(1);
                hub.perform(None, Effect::Emit { to, event }).unwrap();
            })
        };
        // It pulls while the event is in none, one or both of the logs.
        let (mut pulled, _) = pull(&ann);
        sender.join().unwrap();
        hub.perform(Some(&client(1)), Effect::Leave("quiet".into()))
            .unwrap();
        pulled.extend(pull(&ann).0);
        assert!(pulled.is_empty(), "{pulled:?}");
    });
}

#[test]
fn a_disconnect_while_someone_sends_and_someone_joins_leaves_nothing_behind() {
    in_every_order(|| {
        let hub = Arc::new(LocalHub::new());
        let (ann, bob) = (member(&hub, 1), member(&hub, 2));
        let sender = {
            let hub = hub.clone();
            thread::spawn(move || send(&hub, 1))
        };
        let joiner = {
            let hub = hub.clone();
            let aside = Effect::Join("aside".into());
            thread::spawn(move || hub.perform(Some(&client(1)), aside).unwrap())
        };
        hub.disconnect(&ann);
        sender.join().unwrap();
        joiner.join().unwrap();
        hub.disconnect(&bob);
        assert_eq!((hub.client_count(), hub.room_count()), (0, 0));
    });
}
