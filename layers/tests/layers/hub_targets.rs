//! Exceptions of targets, and actions on other clients.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as a test may")]

use std::sync::Arc;

use zocket_layers::{
    Action, ClientId, Close, Effect, Event, Form, Hub, Limits, LocalHub, Mailbox, Target,
    hub::{ConnectOptions, Full, MailboxState},
};

use crate::support::{Said, pull};

/// Clients of a hub, each with the rooms to join.
struct World<const N: usize> {
    hub: LocalHub,
    ids: [ClientId; N],
    mailboxes: [Arc<Mailbox>; N],
}

impl<const N: usize> World<N> {
    fn new(rooms: [&[&str]; N]) -> Self {
        let hub = LocalHub::new();
        let ids = rooms.map(|_| ClientId::random());
        let mailboxes = ids.map(|id| hub.connect(id, &ConnectOptions::default()));
        let world = Self { hub, ids, mailboxes };
        for (id, rooms) in ids.into_iter().zip(rooms) {
            for room in rooms {
                world.act(id, Effect::Join((*room).into()));
            }
        }
        world
    }

    fn act(&self, id: ClientId, effect: Effect) {
        self.hub.perform(Some(&id), effect).unwrap();
    }

    fn emit(&self, number: u64, to: Target) {
        let event = Event::of(&Said(number)).unwrap();
        self.hub.perform(None, Effect::Emit { to, event }).unwrap();
    }

    fn manage(&self, clients: Target, action: Action) -> Result<(), Full> {
        self.hub
            .perform(None, Effect::Manage { clients, action })
            .map(drop)
    }

    /// Takes the events that each client has received since the last call.
    fn got(&self) -> [Vec<u64>; N] {
        std::array::from_fn(|client| pull(&self.mailboxes[client]))
    }

    fn is_in(&self, room: &str) -> [bool; N] {
        self.ids.map(|id| self.hub.has(&id, room))
    }
}

#[test]
fn except_clients_excludes_them_from_every_audience() {
    let world = World::new([&["a", "b"], &["a"], &["b"]]);
    let out = || [world.ids[0], ClientId::random()];
    world.emit(1, Target::room("a").except(out()));
    world.emit(2, Target::rooms(["a", "b"]).except(out()));
    world.emit(3, Target::everyone().except(out()));
    world.emit(4, Target::clients(world.ids).except(out()));
    assert_eq!(world.got(), [vec![], vec![1, 2, 3, 4], vec![2, 3, 4]]);
}

#[test]
fn except_rooms_excludes_their_members_from_every_audience() {
    let world = World::new([&["a", "mute"], &["a", "b"], &["b", "quiet"]]);
    let out = || ["mute", "quiet", "nowhere"];
    world.emit(1, Target::room("a").except_rooms(out()));
    world.emit(2, Target::rooms(["a", "b"]).except_rooms(out()));
    world.emit(3, Target::everyone().except_rooms(out()));
    world.emit(4, Target::clients(world.ids).except_rooms(out()));
    assert_eq!(world.got(), [vec![], vec![1, 2, 3, 4], vec![]]);
}

#[test]
fn membership_counts_at_the_time_of_sending() {
    let world = World::new([&["a", "mute"], &["a"]]);
    let [leaves, enters] = world.ids;
    world.emit(1, Target::room("a").except_rooms(["mute"]));
    world.act(leaves, Effect::Leave("mute".into()));
    world.act(enters, Effect::Join("mute".into()));
    world.emit(2, Target::room("a").except_rooms(["mute"]));
    world.emit(3, Target::room("a"));
    assert_eq!(world.got(), [vec![2, 3], vec![1, 3]]);
}

#[test]
fn membership_at_the_time_of_sending_counts_after_leaving_the_audience() {
    let world = World::new([&["a", "mute"], &["a"]]);
    let [leaves, goes] = world.ids;
    world.emit(1, Target::room("a").except_rooms(["mute"]));
    world.act(leaves, Effect::Leave("a".into()));
    world.act(leaves, Effect::Leave("mute".into()));
    world.act(goes, Effect::Leave("a".into()));
    world.act(goes, Effect::Join("mute".into()));
    assert_eq!(world.got(), [vec![], vec![1]]);
}

#[test]
fn entries_resolved_early_arrive_in_order_and_once() {
    let world = World::new([&["a", "b"]]);
    let [ann] = world.ids;
    world.emit(1, Target::room("b"));
    world.emit(2, Target::rooms(["a", "b"]).except_rooms(["mute"]));
    world.emit(3, Target::clients([ann]));
    world.act(ann, Effect::Join("mute".into()));
    world.emit(4, Target::room("a"));
    world.act(ann, Effect::Leave("b".into()));
    world.emit(5, Target::everyone().except_rooms(["mute"]));
    world.emit(6, Target::everyone());
    assert_eq!(world.got(), [vec![1, 2, 3, 4, 6]]);
    assert!(world.got()[0].is_empty());
}

#[tokio::test]
async fn an_audience_can_be_listed() {
    let world = World::new([&["a", "b"], &["a"], &[]]);
    let [ann, bob, cy] = world.ids;
    let list = async |target: Target| {
        let mut ids = world.hub.clients(&target).await.value;
        ids.sort_by_key(|id| world.ids.iter().position(|other| other == id));
        ids
    };
    assert_eq!(list(Target::everyone()).await, [ann, bob, cy]);
    assert_eq!(list(Target::rooms(["a", "b", "nowhere"])).await, [ann, bob]);
    assert_eq!(list(Target::everyone().except_rooms(["b"])).await, [bob, cy]);
    assert_eq!(list(Target::room("a").except([bob])).await, [ann]);
    assert_eq!(list(Target::clients([cy, ClientId::random(), cy])).await, [cy]);
}

#[test]
fn other_clients_are_moved_into_and_out_of_rooms() {
    let world = World::new([&["a"], &["a"], &[]]);
    let [ann, ..] = world.ids;
    let others = || Target::everyone().except([ann]);
    world.manage(others(), Action::Join("b".into())).unwrap();
    assert_eq!(world.is_in("b"), [false, true, true]);
    world.emit(1, Target::room("b"));
    world
        .manage(Target::rooms(["a", "b"]), Action::Leave("a".into()))
        .unwrap();
    assert_eq!(world.is_in("a"), [false, false, false]);
    world.emit(2, Target::room("a"));
    assert_eq!(world.got(), [vec![], vec![1], vec![1]]);
}

#[test]
fn a_client_at_its_room_limit_does_not_block_other_joins() {
    let hub = LocalHub::new();
    let limits = Arc::new(Limits::default().rooms(1));
    let [full, free] = [ClientId::random(), ClientId::random()];
    let mailboxes = [full, free].map(|id| hub.connect(id, &ConnectOptions::new(limits.clone(), Form::BASE)));
    hub.perform(Some(&full), Effect::Join("a".into())).unwrap();
    let everyone = Effect::Manage {
        clients: Target::clients([full, free]),
        action: Action::Join("b".into()),
    };
    assert_eq!(hub.perform(None, everyone).unwrap_err(), Full::Rooms { limit: 1 });
    assert!(!hub.has(&full, "b") && hub.has(&free, "b"));
    drop(mailboxes);
}

#[test]
fn a_disconnect_follows_the_events_sent_before_it() {
    let world = World::new([&["a"], &["a"], &[]]);
    world.emit(1, Target::room("a"));
    let close = Close::new(4001, "closing");
    let [_, bob, _] = world.ids;
    let members = Target::room("a").except([bob]);
    world.manage(members, Action::Disconnect(close.clone())).unwrap();
    let mut events = Vec::new();
    assert_eq!(world.mailboxes[0].pull(&mut events), MailboxState::Close(close));
    assert_eq!(events.len(), 1);
    for other in &world.mailboxes[1..] {
        assert_eq!(other.pull(&mut events), MailboxState::Open);
    }
}

#[tokio::test]
async fn a_later_connection_of_an_id_stays_connected_when_the_earlier_one_disconnects() {
    let world = World::new([&["a"]]);
    let ([id], [earlier]) = (world.ids, &world.mailboxes);
    let later = world.hub.connect(id, &ConnectOptions::default());
    world.act(id, Effect::Join("b".into()));
    world.hub.disconnect(earlier);
    for audience in [Target::everyone(), Target::room("b")] {
        assert_eq!(world.hub.clients(&audience).await.value, [id]);
        world.emit(1, audience);
        assert!(later.is_notified());
        assert_eq!(pull(&later), [1]);
    }
    assert_eq!(world.hub.size("a").await.value, 0);
}
