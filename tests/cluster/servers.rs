//! NATS clusters that lose a server.

use tokio::time::Instant;

use crate::{
    nats::Nats,
    station::{Station, print_recovery},
};

/// Core NATS has no leader: every server of a cluster has routes to all others. The server that is lost here is the one that
/// the nodes talk to, which is also the one that the others found the cluster by.
#[tokio::test]
async fn a_cluster_that_loses_the_server_of_the_nodes_carries_events_again_and_counts_what_was_lost() {
    let mut servers = Nats::cluster(3).await;
    // Two nodes are on the server that fails, and one is on another.
    let a = Station::connect(&servers[0].url(), 1).await;
    let b = Station::connect(&servers[0].url(), 2).await;
    let c = Station::connect(&servers[1].url(), 3).await;
    let all = [&a, &b, &c];
    let talks = all.map(Station::talk);
    for station in all {
        station.knows(2).await;
        for other in all {
            station.hears_again(other).await;
        }
    }
    let began = Instant::now();
    drop(servers.remove(0));
    for (from, to) in [(&a, &b), (&b, &a), (&c, &a), (&a, &c)] {
        to.hears_again(from).await;
    }
    print_recovery("server of a NATS cluster lost", began.elapsed());
    drop(talks);
    for station in all {
        station.counts(3).await;
        for other in all {
            station.accounts_for(other).await;
        }
        assert_eq!(station.lost_of(station), 0);
    }
    assert!(a.hub.is_connected() && b.hub.is_connected());
}

/// The server of the receiver stays: an event passes over the route from the sender's server to it.
#[tokio::test]
async fn nodes_on_the_servers_that_stay_lose_nothing() {
    let mut servers = Nats::cluster(3).await;
    let b = Station::connect(&servers[1].url(), 1).await;
    let c = Station::connect(&servers[2].url(), 2).await;
    let talks = [b.talk(), c.talk()];
    c.hears_again(&b).await;
    drop(servers.remove(0));
    for _ in 0..100 {
        b.hears_again(&c).await;
        c.hears_again(&b).await;
    }
    drop(talks);
    for (from, to) in [(&b, &c), (&c, &b)] {
        to.accounts_for(from).await;
        assert_eq!(to.lost_of(from), 0);
    }
}
