//! The rules that every run keeps.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tokio::time::Instant;
use uuid::Uuid;
use zocket::{ClientId, Hub, Target, cluster::Recipients};

use super::{
    model::{Client, Sent, Stay, TRAVEL},
    run::Run,
    steps::ROOMS,
};

/// Checks that events to members of the sender's own node are there at once.
pub fn local_delivery(run: &mut Run) {
    let now = Instant::now();
    for index in 0..run.clients.len() {
        let client = &mut run.clients[index];
        if client.is_over || client.pauses_until > now {
            continue;
        }
        let is_closed = client.pull();
        for number in std::mem::take(&mut client.due) {
            let is_there = is_closed || client.got.contains(&number);
            assert!(is_there, "event {number} did not reach a member of its own node");
        }
        if is_closed {
            run.end(index);
        }
    }
}

pub async fn all(run: &Run) {
    for client in &run.clients {
        only_what_was_meant_for_it(run, client);
        in_order(run, client);
    }
    for client in run.clients.iter().filter(|client| !client.is_over) {
        arrived_or_counted(run, client);
    }
    not_counted_twice(run);
    same_view(run).await;
}

/// Checks that an event came once, and only to its receivers.
fn only_what_was_meant_for_it(run: &Run, client: &Client) {
    let once: BTreeSet<_> = client.got.iter().collect();
    assert_eq!(
        once.len(),
        client.got.len(),
        "an event came twice: {:?}",
        client.got
    );
    for number in &client.got {
        let sent = &run.sent[*number];
        assert!(!sent.is_refused, "event {number} was refused, and has arrived");
        assert_ne!(
            sent.except,
            Some(client.id),
            "event {number} excepts its receiver"
        );
        let is_to = sent.is_to_everyone
            || sent.clients.contains(&client.id)
            || sent.rooms.iter().any(|room| client.may_be_in(*room, sent.at));
        assert!(is_to, "event {number} came to someone else");
    }
}

/// Checks the order of each sender's events to a room and to everyone. If the engine keeps the order of subjects, it holds
/// for all events of a sender.
fn in_order(run: &Run, client: &Client) {
    let mut last = BTreeMap::new();
    for number in &client.got {
        let sent = &run.sent[*number];
        let is_ordered = run.settings.is_strict() || sent.node == client.node;
        let of = match (&*sent.rooms, sent.is_to_everyone) {
            _ if is_ordered => None,
            ([room], _) => Some(*room),
            (_, true) => Some(usize::MAX),
            _ => continue,
        };
        let before = last.insert((sent.node, of), *number);
        assert!(before < Some(*number), "event {number} came after {before:?}");
    }
}

/// Way by which an event reaches a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Everyone,
    Room(usize),
    Clients,
}

impl Way {
    const ALL: [Self; 6] = [
        Self::Everyone,
        Self::Room(0),
        Self::Room(1),
        Self::Room(2),
        Self::Room(3),
        Self::Clients,
    ];

    const fn room(self) -> Option<usize> {
        match self {
            Self::Room(room) => Some(room),
            Self::Everyone | Self::Clients => None,
        }
    }

    fn recipients(self) -> Recipients {
        match self {
            Self::Everyone => Recipients::Everyone,
            Self::Room(room) => Recipients::Room(ROOMS[room].into()),
            Self::Clients => Recipients::Clients,
        }
    }

    /// Returns its subject at a node.
    fn subject(self, node: Uuid) -> String {
        match self {
            Self::Everyone => "zocket.everyone".to_owned(),
            Self::Room(0) => "zocket.room.lobby".to_owned(),
            Self::Room(1) => "zocket.room.attic".to_owned(),
            Self::Room(2) => "zocket.room.cellar".to_owned(),
            Self::Room(_) => "zocket.room.a=2eb=20c".to_owned(),
            Self::Clients => format!("zocket.clients.{}", &node.simple().to_string()[..8]),
        }
    }
}

/// Returns the ways by which an event must reach a client.
fn ways_of(client: &Client, sent: &Sent) -> Vec<Way> {
    let may_be_excepted = |room| client.may_be_in(room, sent.at);
    if sent.is_refused || sent.except == Some(client.id) || sent.except_room.is_some_and(may_be_excepted) {
        return Vec::new();
    }
    if sent.is_to_everyone && client.since < sent.at {
        return vec![Way::Everyone];
    }
    if sent.clients.contains(&client.id) {
        return vec![Way::Clients];
    }
    let rooms: BTreeSet<_> = sent.rooms.iter().copied().collect();
    let rooms = rooms
        .into_iter()
        .filter(|room| client.lasting_stay(*room, sent.at).is_some());
    rooms.map(Way::Room).collect()
}

/// Checks that an event after the answer to a join arrives if the engine is in order, and is counted as lost otherwise.
fn arrived_or_counted(run: &Run, client: &Client) {
    let mut missed: BTreeMap<(usize, Way), Vec<usize>> = BTreeMap::new();
    let got: BTreeSet<_> = client.got.iter().copied().collect();
    for (number, sent) in run.sent.iter().enumerate() {
        if sent.node == client.node || got.contains(&number) {
            continue;
        }
        for way in ways_of(client, sent) {
            assert!(
                !must_arrive(run, client, sent, way.room()),
                "event {number} of {} did not arrive, and nothing was in its way",
                sent.node
            );
            missed.entry((sent.node, way)).or_default().push(number);
        }
    }
    for ((node, way), numbers) in missed {
        let countable = numbers
            .iter()
            .filter(|number| is_countable(run, client, **number, way));
        let (countable, counted) = (countable.count() as u64, counted(run, client.node, node, way));
        assert!(
            countable <= counted,
            "{countable} events of {node} to {way:?} are missing, and {counted} were counted: {numbers:?}"
        );
    }
}

/// Returns true if nothing was in the way of an event.
fn must_arrive(run: &Run, client: &Client, sent: &Sent, room: Option<usize>) -> bool {
    let (from, to) = (&run.nodes[sent.node], &run.nodes[client.node]);
    if from.ended.is_some_and(|ended| ended < sent.at + TRAVEL) {
        return false;
    }
    let is_quiet = |begun, ended| run.net.servers().is_quiet([from.conn, to.conn], begun, ended);
    let is_known = knows(run, client, sent, room, false);
    let joined = room.and_then(|room| client.lasting_stay(room, sent.at));
    let joined = joined.map_or(client.since, |stay| {
        stay.answer.lock().unwrap().as_ref().unwrap().at
    });
    let is_old = joined + TRAVEL <= sent.at;
    let begun = match (is_known, is_old) {
        (true, _) => sent.at - TRAVEL / 3,
        (false, true) => sent.at - TRAVEL,
        (false, false) => return false,
    };
    is_quiet(begun, sent.at + TRAVEL)
}

/// Returns true if the client's join was answered while the node knew the sender. If it was the room's first, the sender has
/// told its last number.
fn knows(run: &Run, client: &Client, sent: &Sent, room: Option<usize>, is_first: bool) -> bool {
    let (from, to) = (&run.nodes[sent.node], &run.nodes[client.node]);
    let Some(stay) = room.and_then(|room| client.lasting_stay(room, sent.at)) else {
        return false;
    };
    let answer = stay.answer.lock().unwrap();
    let Some(answer) = answer.as_ref() else {
        return false;
    };
    let begun = stay.from - TRAVEL / 3;
    let is_quiet = run.net.servers().is_quiet([from.conn, to.conn], begun, answer.at);
    // A later join shares the barrier of the first one, which may have begun before the node knew the sender.
    let others = run.clients.iter().filter(|other| other.node == client.node);
    let mut earlier = others.flat_map(|other| &other.stays).filter(|other| {
        let is_other = !Arc::ptr_eq(&other.answer, &stay.answer);
        is_other && Some(other.room) == room && other.from <= stay.from
    });
    let knew = |other: &Stay| {
        let answer = other.answer.lock().unwrap();
        answer
            .as_ref()
            .is_some_and(|answer| answer.known.contains(&from.id))
    };
    let is_settled = !is_first || answer.has_waited && earlier.all(knew);
    is_quiet && from.began < begun && answer.known.contains(&from.id) && is_settled
}

/// Returns true if the loss of an event shows by the numbers around it.
fn is_countable(run: &Run, client: &Client, number: usize, way: Way) -> bool {
    let node = run.sent[number].node;
    // Numbers count from the subscription on.
    let stay = way
        .room()
        .and_then(|room| client.lasting_stay(room, run.sent[number].at));
    let since = stay.map_or(client.since, |stay| stay.from);
    // Events to several rooms may have come by the subject of another one.
    let is_same = |sent: &Sent| match way {
        Way::Room(room) => sent.is_to(room) && sent.rooms.iter().all(|other| *other == room),
        Way::Everyone => sent.is_to_everyone,
        Way::Clients => !sent.clients.is_empty(),
    };
    let own = client.got.iter().filter(|got| run.sent[**got].at >= since);
    // All clients of a node have one subject.
    let others = run.clients.iter().filter(|other| other.node == client.node);
    let others = others
        .flat_map(|other| &other.got)
        .filter(|_| way == Way::Clients);
    let mut around = own
        .chain(others)
        .filter(|got| run.sent[**got].node == node && is_same(&run.sent[**got]));
    let is_known = knows(run, client, &run.sent[number], way.room(), true);
    let is_after_another = is_known || around.clone().any(|got| *got < number);
    // Events that found no place are counted a little later. A node that ends takes their number along.
    let skips = run.settings.max_queued_bytes < 1 << 20;
    let is_announced = run.nodes[node].hub.is_some() || !skips && around.any(|got| *got > number);
    is_after_another && is_announced
}

/// Returns the number of events of a node that another one has counted as lost.
fn counted(run: &Run, at: usize, of: usize, way: Way) -> u64 {
    let (losses, node) = (run.nodes[at].losses.lock().unwrap(), run.nodes[of].id);
    let recipients = way.recipients();
    let lost = losses
        .iter()
        .filter(|(_, loss)| loss.node == node && loss.recipients == recipients);
    lost.map(|(_, loss)| loss.events).sum()
}

/// Checks that no more was counted as lost than did not arrive.
fn not_counted_twice(run: &Run) {
    for (at, here) in run.nodes.iter().enumerate() {
        for (of, there) in run.nodes.iter().enumerate() {
            for way in Way::ALL {
                let on_it = |sent: &Sent| match way {
                    _ if sent.is_refused || sent.node != of => 0,
                    Way::Room(room) => sent.is_to(room).into(),
                    Way::Everyone => sent.is_to_everyone.into(),
                    // At most a message for each.
                    Way::Clients => sent
                        .clients
                        .iter()
                        .filter(|client| is_of(client, here.id))
                        .count(),
                };
                let sent = run.sent.iter().map(on_it).sum::<usize>() as u64;
                let key = (here.conn, way.subject(here.id).into(), *there.id.as_bytes());
                let delivered = run.net.servers().delivered.get(&key).copied().unwrap_or(0);
                let lost = counted(run, at, of, way);
                assert!(
                    delivered + lost <= sent,
                    "node {at}: {delivered} of {sent} events of {of} to {way:?} came, and {lost} count as lost"
                );
            }
        }
    }
}

/// Returns true if a client's id names this node.
fn is_of(client: &ClientId, node: Uuid) -> bool {
    Uuid::from(*client).as_bytes()[..4] == node.as_bytes()[..4]
}

/// Checks that interest equals membership, and that every node gives the same answers.
async fn same_view(run: &Run) {
    let here: Vec<_> = run.clients.iter().filter(|client| !client.is_over).collect();
    let present: Vec<_> = run.places.iter().map(|place| place.unwrap()).collect();
    for place in &present {
        let node = &run.nodes[*place];
        let hub = node.hub.as_ref().unwrap();
        let mut interest: BTreeSet<String> = ["zocket.everyone".to_owned(), "zocket.nodes".to_owned()].into();
        interest.insert(format!("zocket.node.{}", node.id.simple()));
        interest.insert(Way::Clients.subject(node.id));
        for client in here.iter().filter(|client| client.node == *place) {
            assert!(is_of(&client.id, node.id));
            let rooms = (0..ROOMS.len()).filter(|room| hub.has(&client.id, ROOMS[*room]));
            interest.extend(rooms.map(|room| Way::Room(room).subject(node.id)));
        }
        let subscribed = run.net.servers().subscriptions(node.conn);
        let subscribed: BTreeSet<_> = subscribed.iter().map(ToString::to_string).collect();
        assert_eq!(
            subscribed, interest,
            "the subscriptions of node {place}, and its rooms and clients"
        );
        let mut others: Vec<_> = present
            .iter()
            .filter(|other| *other != place)
            .map(|other| run.nodes[*other].id)
            .collect();
        let mut known = hub.other_nodes();
        others.sort();
        known.sort();
        assert_eq!(known, others, "the other nodes that node {place} knows");
        let everyone = hub.clients(&Target::everyone()).await;
        assert!(everyone.is_complete(), "{:?} are missing", everyone.missing);
        let all = here.iter().map(|client| client.id);
        assert_eq!(
            everyone.value.into_iter().collect::<BTreeSet<_>>(),
            all.collect(),
            "clients"
        );
        for name in ROOMS {
            let is_in =
                |client: &&&Client| run.nodes[client.node].hub.as_ref().unwrap().has(&client.id, name);
            let members: BTreeSet<ClientId> = here.iter().filter(is_in).map(|client| client.id).collect();
            let found = hub.clients(&Target::room(name)).await;
            assert_eq!(
                found.value.into_iter().collect::<BTreeSet<_>>(),
                members,
                "members of {name} from node {place}"
            );
            let size = hub.size(name).await;
            assert_eq!(
                (size.value, size.is_complete()),
                (members.len(), true),
                "size of {name}"
            );
        }
    }
}
