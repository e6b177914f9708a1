use std::sync::Arc;

use loom::thread;

use super::{client, event, in_every_order, member, read_until, read_while, send};
use crate::hub::{ConnectOptions, Mailbox, MailboxState, local::LocalHub};

fn mailbox() -> Arc<Mailbox> {
    Arc::new(Mailbox::new(client(1), &ConnectOptions::default()))
}

#[test]
fn an_event_that_comes_while_the_reader_polls_wakes_it() {
    in_every_order(|| {
        let mailbox = mailbox();
        let sender = {
            let mailbox = mailbox.clone();
            thread::spawn(move || {
                mailbox.push(&event(1));
                mailbox.push(&event(2));
            })
        };
        assert_eq!(read_until(&mailbox, 2), (vec![1, 2], MailboxState::Open));
        sender.join().unwrap();
    });
}

#[test]
fn an_event_to_a_small_room_that_comes_while_the_reader_pulls_wakes_it() {
    in_every_order(|| {
        let hub = LocalHub::new();
        let ann = member(&hub, 1);
        let sender = thread::spawn(move || {
            send(&hub, 1);
            send(&hub, 2);
            hub
        });
        assert_eq!(read_until(&ann, 2), (vec![1, 2], MailboxState::Open));
        drop(sender.join().unwrap());
    });
}

#[test]
fn of_two_senders_neither_is_lost() {
    in_every_order(|| {
        let mailbox = mailbox();
        let senders = [1, 2].map(|number| {
            let mailbox = mailbox.clone();
            thread::spawn(move || mailbox.push(&event(number)))
        });
        let mut numbers = read_while(&mailbox, |numbers| numbers.len() < 2).0;
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2]);
        for sender in senders {
            sender.join().unwrap();
        }
    });
}
