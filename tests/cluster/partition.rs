//! Nodes that are cut off from NATS, and come back.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{
    join,
    task::JoinSet,
    time::{Instant, interval, sleep},
};
use zocket::Target;

use crate::{
    member::{Member, number},
    nats::Nats,
    proxy::{Carries, Proxy},
    station::{LOBBY, Station, print_recovery, until},
};

/// Three nodes, of which the last one has a proxy in between.
struct Nodes {
    _nats: Nats,
    proxy: Proxy,
    a: Station,
    b: Station,
    cut: Station,
}

impl Nodes {
    async fn start() -> Self {
        let nats = Nats::start().await;
        let proxy = Proxy::to(nats.port).await;
        let a = Station::connect(&nats.url(), 1).await;
        let b = Station::connect(&nats.url(), 2).await;
        let cut = Station::connect(&proxy.url(), 3).await;
        let nodes = Self {
            _nats: nats,
            proxy,
            a,
            b,
            cut,
        };
        for station in nodes.all() {
            station.knows(2).await;
        }
        nodes
    }

    fn all(&self) -> [&Station; 3] {
        [&self.a, &self.b, &self.cut]
    }

    /// Waits until each hears the others. Returns the time of the last.
    async fn hear_again(&self) -> Duration {
        let began = Instant::now();
        for (from, to) in [(&self.a, &self.cut), (&self.cut, &self.a), (&self.cut, &self.b)] {
            to.hears_again(from).await;
        }
        began.elapsed()
    }

    /// Waits until all agree on the members, and have accounted for every event.
    async fn agree(&self, members: usize) {
        for station in self.all() {
            station.knows(2).await;
            station.counts(members).await;
            for other in self.all() {
                station.accounts_for(other).await;
            }
            assert_eq!(station.lost_of(station), 0);
        }
        // Nothing is lost between those that were not cut off.
        assert_eq!(self.a.lost_of(&self.b) + self.b.lost_of(&self.a), 0);
    }
}

/// Events to two rooms at once, which are sent twice, to a member of both.
struct Pairs {
    said: Arc<AtomicU32>,
    talk: JoinSet<()>,
    listener: Member,
}

impl Pairs {
    async fn start(from: &Station, to: &Station) -> Self {
        let (speaker, listener) = (Member::of(&from.hub), Member::of(&to.hub));
        listener.join("x").await;
        listener.join("y").await;
        let (said, mut talk) = (Arc::<AtomicU32>::default(), JoinSet::new());
        let counter = said.clone();
        talk.spawn(async move {
            let mut tick = interval(Duration::from_millis(5));
            loop {
                tick.tick().await;
                let number = counter.fetch_add(1, Ordering::AcqRel);
                speaker.say(Target::rooms(["x", "y"]), number).await;
            }
        });
        Self { said, talk, listener }
    }

    /// Waits for an event that was sent after this call. Asserts that none has come twice.
    async fn arrive_once(mut self) {
        let (next, mut heard) = (self.said.load(Ordering::Acquire), HashSet::new());
        let arrived = until(|| {
            let mut events = Vec::new();
            self.listener.mailbox.pull(&mut events);
            for number in events.iter().map(number) {
                assert!(heard.insert(number), "{number} arrived twice");
            }
            heard.iter().any(|number| *number > next)
        });
        assert!(arrived.await);
        self.talk.shutdown().await;
    }
}

/// Asserts that the promise of a join holds again as soon as the node is connected.
async fn joins_after_the_return(cut: &Station, other: &Station) {
    let (member, speaker) = (Member::of(&cut.hub), Member::of(&other.hub));
    for number in 0..20 {
        let room = format!("room {number}");
        member.join(&room).await;
        speaker.say(Target::room(room), number).await;
    }
    assert_eq!(member.hear(20).await, (0..20).collect::<Vec<_>>());
}

/// Cuts a node off until the others have noticed, and it has noticed itself. Members come and go meanwhile.
async fn cut_off_for_longer_than_the_lease(by: Carries, name: &str) {
    let nodes = Nodes::start().await;
    let (a, cut) = (&nodes.a, &nodes.cut);
    let talks = nodes.all().map(Station::talk);
    nodes.hear_again().await;
    let pairs = Pairs::start(cut, a).await;
    let leaves = Member::of(&cut.hub);
    leaves.join(LOBBY).await;
    a.counts(4).await;

    nodes.proxy.carry(by);
    let began = Instant::now();
    assert!(
        until(|| !cut.hub.is_connected()).await,
        "it does not notice that it is cut off"
    );
    let noticed = began.elapsed();
    a.knows(1).await;
    // Members that are cut off hear each other.
    for _ in 0..100 {
        cut.hears_again(cut).await;
    }
    // More than NATS's client keeps, so that some are lost.
    for _ in 0..50 {
        for _ in 0..100 {
            cut.try_say(0).unwrap();
        }
        cut.hears_again(cut).await;
    }
    leaves.leave(LOBBY).await;
    let members = [(); 2].map(|()| Member::of(&cut.hub));
    for member in &members {
        member.join(LOBBY).await;
    }
    a.counts(2).await;

    nodes.proxy.carry(Carries::Everything);
    let joins = async {
        assert!(until(|| cut.hub.is_connected()).await);
        joins_after_the_return(cut, a).await;
    };
    let (took, ()) = join!(nodes.hear_again(), joins);
    pairs.arrive_once().await;
    print_recovery(
        &format!("{name} ended, noticed after {} ms", noticed.as_millis()),
        took,
    );
    drop(talks);
    nodes.agree(5).await;
    assert!(cut.lost_of(a) > 0 && a.lost_of(cut) > 0);
}

#[tokio::test]
async fn a_node_that_a_partition_cuts_off_comes_back_without_ghosts_and_duplicates() {
    cut_off_for_longer_than_the_lease(Carries::Nothing, "partition").await;
}

#[tokio::test]
async fn a_node_whose_connections_are_refused_comes_back_without_ghosts_and_duplicates() {
    cut_off_for_longer_than_the_lease(Carries::NoConnection, "refusal of connections").await;
}

/// The connection survives: what was on its way arrives late.
#[tokio::test]
async fn a_short_partition_loses_nothing() {
    let nodes = Nodes::start().await;
    let talks = nodes.all().map(Station::talk);
    nodes.hear_again().await;
    nodes.proxy.carry(Carries::Nothing);
    // The time of the partition itself.
    sleep(Duration::from_secs(2)).await;
    nodes.proxy.carry(Carries::Everything);
    print_recovery("partition of 2 s ended", nodes.hear_again().await);
    drop(talks);
    nodes.agree(3).await;
    for station in nodes.all() {
        for other in nodes.all() {
            assert_eq!(station.lost_of(other), 0);
        }
    }
}

/// The last events before a silence are lost. Nothing follows that would show it but the numbers that are said again.
#[tokio::test]
async fn what_a_node_has_missed_is_counted_even_if_nothing_follows() {
    let nodes = Nodes::start().await;
    for station in nodes.all() {
        station.say().await;
    }
    for station in nodes.all() {
        for other in nodes.all() {
            station.accounts_for(other).await;
        }
    }
    nodes.proxy.carry(Carries::NoConnection);
    assert!(until(|| !nodes.cut.hub.is_connected()).await);
    for _ in 0..10 {
        for station in nodes.all() {
            station.say().await;
        }
    }
    nodes.a.knows(1).await;
    nodes.proxy.carry(Carries::Everything);
    nodes.agree(3).await;
    assert_eq!(nodes.cut.lost_of(&nodes.a), 10);
}
