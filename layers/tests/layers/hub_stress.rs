//! The hub under concurrent senders, readers, joiners and leavers.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as a test may")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::timeout};
use zocket_layers::{Action, ClientId, Effect, Event, Hub, LocalHub, Target, hub::ConnectOptions};

use crate::support::{Said, notified, pull};

/// Members of the large room: more than one slice of the flusher.
const MEMBERS: usize = 300;
/// Members of the small room: few enough for senders to notify them.
const SMALL: usize = 8;
const SENDERS: u64 = 4;
const ROUNDS: u64 = 150;
const BURST: u64 = 12;

/// xorshift64
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

#[derive(Default)]
struct Progress {
    received: AtomicUsize,
    more: Notify,
}

/// Sends one event to a random target. Returns the stable members that must receive it.
fn send(
    hub: &LocalHub,
    from: ClientId,
    number: u64,
    random: &mut Random,
    members: &[ClientId],
) -> Vec<usize> {
    let rooms = |names: &[&str]| Target::rooms(names.iter().copied());
    // A random member joins or leaves another room before the send, with unread entries.
    let restless = &members[random.below(MEMBERS as u64) as usize];
    let aside = match random.below(2) {
        0 => Effect::Join("aside".into()),
        _ => Effect::Leave("aside".into()),
    };
    hub.perform(Some(restless), aside).unwrap();
    let (to, receivers) = match random.below(11) {
        0 | 1 => (rooms(&["big"]), (0..MEMBERS).collect()),
        2 => (rooms(&["small"]), (0..SMALL).collect()),
        3 => (rooms(&["small", "big", "small"]), (0..MEMBERS).collect()),
        4 => (Target::everyone(), (0..MEMBERS).collect()),
        5 => (rooms(&["churn", "small"]), (0..SMALL).collect()),
        6 => (
            rooms(&["big", "churn"]).except_rooms(["small", "nowhere"]),
            (SMALL..MEMBERS).collect(),
        ),
        7 => (
            Target::everyone()
                .except_rooms(["small"])
                .except([members[SMALL]]),
            (SMALL + 1..MEMBERS).collect(),
        ),
        8 => (Target::room("big").except([members[0]]), (1..MEMBERS).collect()),
        _ => {
            let one = random.below(MEMBERS as u64) as usize;
            (Target::clients(vec![members[one], members[one]]), vec![one])
        }
    };
    let event = Event::of(&Said(number)).unwrap();
    hub.perform(Some(&from), Effect::Emit { to, event }).unwrap();
    receivers
}

/// Connects, joins, reads, leaves and disconnects, until the test is over.
async fn churn(hub: Arc<LocalHub>, seed: u64, over: Arc<AtomicBool>) {
    let mut random = Random(seed);
    while !over.load(Ordering::Relaxed) {
        let client = ClientId::random();
        let mailbox = hub.connect(client, &ConnectOptions::default());
        let mut got = Vec::new();
        // These joins race with the disconnect.
        let racing = tokio::spawn({
            let hub = hub.clone();
            async move {
                for room in ["churn", "big", "late"] {
                    hub.perform(Some(&client), Effect::Join(room.into())).unwrap();
                    tokio::task::yield_now().await;
                }
            }
        });
        for _ in 0..random.below(20) {
            let room = ["big", "small", "churn"][random.below(3) as usize];
            let effect = if random.below(3) == 0 {
                Effect::Leave(room.into())
            } else {
                Effect::Join(room.into())
            };
            hub.perform(Some(&client), effect).unwrap();
            tokio::task::yield_now().await;
            got.extend(pull(&mailbox));
        }
        hub.disconnect(&mailbox);
        racing.await.unwrap();
        assert!(hub.rooms(&client).is_empty());
        for sender in 0..SENDERS {
            let of_one = got.iter().filter(|number| *number % SENDERS == sender);
            assert!(
                of_one.is_sorted_by(|a, b| a < b),
                "out of order, or twice: {got:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn permanent_members_receive_every_event_once_in_sender_order_without_leaks() {
    let hub = Arc::new(LocalHub::new());
    let flusher = tokio::spawn(hub.background().unwrap());
    let progress = Arc::new(Progress::default());

    let mut mailboxes = Vec::new();
    for i in 0..MEMBERS {
        let client = ClientId::random();
        mailboxes.push(hub.connect(client, &ConnectOptions::default()));
        hub.perform(Some(&client), Effect::Join("big".into())).unwrap();
        if i < SMALL {
            hub.perform(Some(&client), Effect::Join("small".into())).unwrap();
        }
    }
    let members = mailboxes
        .iter()
        .map(|mailbox| mailbox.client_id())
        .collect::<Arc<[_]>>();
    let got = (0..MEMBERS)
        .map(|_| Arc::new(Mutex::new(Vec::new())))
        .collect::<Vec<_>>();
    let readers = mailboxes.iter().zip(&got).map(|(mailbox, got)| {
        let (mailbox, got, progress) = (mailbox.clone(), got.clone(), progress.clone());
        tokio::spawn(async move {
            loop {
                notified(&mailbox).await;
                let pulled = pull(&mailbox);
                let count = pulled.len();
                got.lock().extend(pulled);
                progress.received.fetch_add(count, Ordering::SeqCst);
                progress.more.notify_one();
            }
        })
    });
    let readers = readers.collect::<Vec<_>>();
    let over = Arc::new(AtomicBool::new(false));
    let churners = (1..=3).map(|seed| tokio::spawn(churn(hub.clone(), seed * 7_919, over.clone())));
    let churners = churners.collect::<Vec<_>>();

    let mut expected = vec![vec![Vec::new(); SENDERS as usize]; MEMBERS];
    let mut total = 0;
    for round in 0..ROUNDS {
        // Each sender has a thread. An event's number contains its sender.
        let senders = (0..SENDERS).map(|sender| {
            let (hub, members) = (hub.clone(), members.clone());
            tokio::task::spawn_blocking(move || {
                let mut random = Random((round + 1) * 104_729 + sender);
                (0..BURST)
                    .map(|i| {
                        let number = (round * BURST + i) * SENDERS + sender;
                        let from = members[sender as usize];
                        (number, send(&hub, from, number, &mut random, &members))
                    })
                    .collect::<Vec<_>>()
            })
        });
        for (sender, sent) in senders.collect::<Vec<_>>().into_iter().enumerate() {
            for (number, receivers) in sent.await.unwrap() {
                total += receivers.len();
                for receiver in receivers {
                    expected[receiver][sender].push(number);
                }
            }
        }
        // No event follows, so a member without a notification now would never get one.
        let all = async {
            while progress.received.load(Ordering::SeqCst) < total {
                progress.more.notified().await;
            }
        };
        let received = timeout(Duration::from_secs(60), all).await;
        let missing = total.saturating_sub(progress.received.load(Ordering::SeqCst));
        assert!(
            received.is_ok(),
            "round {round}: {missing} of {total} undelivered"
        );
    }

    over.store(true, Ordering::Relaxed);
    for churner in churners {
        churner.await.unwrap();
    }
    for (got, expected) in got.iter().zip(&expected) {
        let got = got.lock();
        for (sender, expected) in (0..).zip(expected) {
            let of_one = got.iter().copied().filter(|number| number % SENDERS == sender);
            assert_eq!(&of_one.collect::<Vec<_>>(), expected);
        }
    }
    let clear = Effect::Manage {
        clients: Target::room("aside"),
        action: Action::Leave("aside".into()),
    };
    hub.perform(None, clear).unwrap();
    assert_eq!((hub.client_count(), hub.room_count()), (MEMBERS, 2));
    for mailbox in &mailboxes {
        hub.disconnect(mailbox);
    }
    assert_eq!((hub.client_count(), hub.room_count()), (0, 0));
    readers.iter().for_each(|reader| reader.abort());
    flusher.abort();
}
