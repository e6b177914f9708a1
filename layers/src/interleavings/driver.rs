//! One task, as the connection's driver is: its mailbox, its socket and its turns wake it.

use std::{
    future::poll_fn,
    sync::{Arc, atomic::Ordering},
    task::{Context as Task, Poll},
};

use loom::thread;

use self::io_wake_flag::IoWakeFlag;
use super::{block_on, client, event, in_every_order, pull};
use crate::{
    connection::turns::{Turn, Turns},
    hub::{ConnectOptions, Mailbox},
    sync,
};

/// The driver's own file.
#[path = "../../../src/connection/io_wake_flag.rs"]
mod io_wake_flag;

/// A socket that holds up to one byte. It wakes whoever found it empty.
#[derive(Default)]
struct Socket {
    readable: sync::AtomicBool,
    reader: sync::AtomicWaker,
}

impl Socket {
    fn receive(&self) {
        self.readable.store(true, Ordering::Release);
        self.reader.wake();
    }

    fn poll_read(&self, cx: &mut Task<'_>) -> Poll<()> {
        self.reader.register(cx.waker());
        if self.readable.swap(false, Ordering::AcqRel) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

struct Connection {
    mailbox: Arc<Mailbox>,
    socket: Arc<Socket>,
    io_wake_flag: IoWakeFlag,
    events: Vec<u64>,
    bytes: usize,
}

impl Connection {
    fn new() -> Self {
        let mailbox = Arc::new(Mailbox::new(client(1), &ConnectOptions::default()));
        let io_wake_flag = IoWakeFlag::new(mailbox.reader().clone());
        Self {
            mailbox,
            socket: Arc::default(),
            io_wake_flag,
            events: Vec::new(),
            bytes: 0,
        }
    }

    /// One round, in the order of `Driver::poll`. It reads one byte at most: then other connections have a turn.
    fn poll(&mut self, cx: &mut Task<'_>) {
        let _ = self.mailbox.poll_notified(cx);
        let may_read = self.io_wake_flag.take();
        if self.mailbox.is_notified() {
            self.events.extend(pull(&self.mailbox).0);
        }
        let stream = &mut Task::from_waker(self.io_wake_flag.waker());
        if may_read && self.socket.poll_read(stream).is_ready() {
            self.bytes += 1;
            self.io_wake_flag.set();
            cx.waker().wake_by_ref();
        }
    }

    fn run_until(&mut self, is_done: impl Fn(&Self) -> bool) {
        block_on(poll_fn(|cx| {
            self.poll(cx);
            if is_done(self) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }));
    }
}

#[test]
fn an_event_and_a_byte_that_come_together_are_both_read() {
    in_every_order(|| {
        let mut connection = Connection::new();
        let (mailbox, socket) = (connection.mailbox.clone(), connection.socket.clone());
        let sender = thread::spawn(move || mailbox.push(&event(1)));
        let peer = thread::spawn(move || socket.receive());
        connection.run_until(|connection| connection.bytes == 1 && connection.events == [1]);
        sender.join().unwrap();
        peer.join().unwrap();
    });
}

#[test]
fn a_byte_that_comes_while_the_driver_pulls_is_read() {
    in_every_order(|| {
        let mut connection = Connection::new();
        // Its first round finds an empty socket, which wakes it from now on.
        connection.run_until(|_| true);
        let (mailbox, socket) = (connection.mailbox.clone(), connection.socket.clone());
        let others = thread::spawn(move || {
            mailbox.push(&event(1));
            socket.receive();
        });
        connection.run_until(|connection| connection.bytes == 1 && connection.events == [1]);
        others.join().unwrap();
    });
}

#[test]
fn a_turn_that_is_given_up_wakes_the_driver() {
    in_every_order(|| {
        let mailbox = Mailbox::new(client(1), &ConnectOptions::default());
        let turns = Arc::new(Turns::default());
        turns.set_driver(mailbox.reader().clone());
        let messages = [1, 2].map(|turn| {
            let turns = turns.clone();
            thread::spawn(move || turns.give_up(Turn::new(turn).unwrap()))
        });
        let mut taken = Vec::new();
        block_on(poll_fn(|cx| {
            let _ = mailbox.poll_notified(cx);
            taken.extend(turns.take_given_up().into_iter().map(Turn::get));
            if taken.len() < 2 {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        }));
        taken.sort_unstable();
        assert_eq!(taken, [1, 2]);
        for message in messages {
            message.join().unwrap();
        }
    });
}
