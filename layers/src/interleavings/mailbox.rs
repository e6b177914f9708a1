use std::{future::poll_fn, sync::Arc, task::Poll};

use loom::thread;

use super::{block_on, client, event, in_every_order, member, pull, read_until, read_while, send};
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
fn an_event_that_comes_while_a_reader_that_is_behind_absorbs_wakes_it() {
    in_every_order(|| {
        let hub = LocalHub::new();
        let ann = member(&hub, 1);
        let sender = thread::spawn(move || {
            send(&hub, 1);
            send(&hub, 2);
            hub
        });
        let mut numbers = Vec::new();
        block_on(poll_fn(|cx| {
            if ann.poll_notified(cx).is_pending() {
                return Poll::Pending;
            }
            assert_eq!(ann.absorb(0, &mut drop), MailboxState::Open);
            if ann.is_notified() {
                return Poll::Pending;
            }
            numbers.extend(pull(&ann).0);
            if numbers.len() < 2 {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        }));
        assert_eq!(numbers, [1, 2]);
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
