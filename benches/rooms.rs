//! The cost of sending, joining and leaving, for the caller: `cargo bench --bench rooms`. Delivery is the receivers'
//! work, so it is not included.

use std::sync::Arc;

use divan::Bencher;
use schemars::JsonSchema;
use serde::Serialize;
use zocket::{
    ClientId, Event, Hub, Limits, LocalHub, Outgoing,
    layers::{Effect, Form, Mailbox, Target, hub::ConnectOptions},
};

fn main() {
    divan::main();
}

#[derive(Serialize, JsonSchema)]
struct Said(&'static str);

impl Outgoing for Said {
    const TYPE: &'static str = "said";
}

/// Returns a hub with one room of `members` members, and `others` rooms with one member each.
fn hub(members: usize, others: usize) -> (LocalHub, Vec<Arc<Mailbox>>) {
    let limits = Limits::default().rooms(usize::MAX).room_backlog(usize::MAX >> 2);
    let hub = LocalHub::with_limits(&limits);
    let options = ConnectOptions::new(Arc::new(limits), Form::BASE);
    let mailboxes: Vec<_> = (0..members)
        .map(|_| hub.connect(ClientId::random(), &options))
        .collect();
    for mailbox in &mailboxes {
        hub.perform(Some(&mailbox.client_id()), Effect::Join("room".into()))
            .expect("there is no limit");
    }
    let owner = hub.connect(ClientId::random(), &options);
    for other in 0..others {
        let join = Effect::Join(format!("room-{other}").into());
        hub.perform(Some(&owner.client_id()), join)
            .expect("there is no limit");
    }
    (hub, mailboxes)
}

fn to_room() -> Effect {
    let event = Event::of(&Said("hello")).expect("it is JSON");
    Effect::Emit {
        to: Target::room("room"),
        event,
    }
}

#[divan::bench(args = [10, 100, 1_000, 10_000])]
fn send_by_members(bencher: Bencher<'_, '_>, members: usize) {
    let (hub, mailboxes) = hub(members, 0);
    let sender = mailboxes[0].client_id();
    bencher
        .with_inputs(to_room)
        .bench_local_values(|effect| hub.perform(Some(&sender), effect));
}

#[divan::bench(args = [10, 100_000])]
fn send_by_rooms(bencher: Bencher<'_, '_>, rooms: usize) {
    let (hub, mailboxes) = hub(10, rooms);
    let sender = mailboxes[0].client_id();
    bencher
        .with_inputs(to_room)
        .bench_local_values(|effect| hub.perform(Some(&sender), effect));
}

#[divan::bench(args = [10, 10_000])]
fn join_and_leave(bencher: Bencher<'_, '_>, members: usize) {
    let (hub, _mailboxes) = hub(members, 0);
    let options = ConnectOptions::default();
    let client = hub.connect(ClientId::random(), &options).client_id();
    bencher.bench_local(|| {
        hub.perform(Some(&client), Effect::Join("room".into()))
            .expect("there is no limit");
        hub.perform(Some(&client), Effect::Leave("room".into()))
    });
}
