//! Bounds for all sessions of an app together.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use http::Request;
use serde_json::json;
use tower::{Layer, util::MapRequestLayer};
use zocket::{
    AppLimits, Limits, Reason, Zocket,
    address::{AddressLimitLayer, ClientAddr},
    layers::Quota,
};

use super::{
    app::{Text, User, World, serve},
    peer::{Failed, Peer, Service},
};

/// Returns a world and its app, with limits for all of its sessions.
fn start(app_limits: AppLimits) -> (World, Zocket<User>, zocket::UpgradeService) {
    let world = World::new();
    let zo = world.builder(Limits::default()).app_limits(app_limits).build();
    let service = serve(&zo);
    (world, zo, service)
}

/// Connects, and leaves the session parked.
async fn parked(service: &impl Service, name: &str) -> Peer {
    let mut peer = Peer::connected(service, &format!("name={name}")).await;
    peer.ping().await;
    peer.close(1001, "").await;
    peer
}

#[tokio::test]
async fn the_oldest_parked_session_ends_when_they_are_too_many() {
    let (world, zo, service) = start(AppLimits::default().parked(3));
    let mut peers = Vec::new();
    for name in ["a", "b", "c", "d"] {
        peers.push(parked(&service, name).await);
    }
    world.until_departed(1).await;
    assert_eq!(world.departed(), [("a".to_owned(), Reason::Expired)]);
    assert!(!peers[0].connect().await);
    // Those that came back make room.
    for peer in &mut peers[1..] {
        assert!(peer.connect().await);
    }
    for name in ["e", "f", "g"] {
        peers.push(parked(&service, name).await);
    }
    assert_eq!((world.departed().len(), zo.connections()), (1, 7));
}

#[tokio::test]
async fn the_address_with_the_most_parked_sessions_loses_one() {
    let (world, _, service) = start(AppLimits::default().parked(4));
    let from = |last: u8| {
        let address = ClientAddr(Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))));
        let layer = MapRequestLayer::new(move |mut request: Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(address);
            request
        });
        layer.layer(service.clone())
    };
    let mut first = parked(&from(1), "first").await;
    let mut crowd = Vec::new();
    for n in 0..10 {
        crowd.push(parked(&from(2), &format!("crowd-{n}")).await);
    }
    let departed: Vec<_> = (0..7).map(|n| (format!("crowd-{n}"), Reason::Expired)).collect();
    world.until_departed(7).await;
    assert_eq!(world.departed(), departed);
    assert!(first.connect().await);
    assert!(crowd[9].connect().await);
}

#[tokio::test]
async fn parked_sessions_are_bounded_in_bytes_together() {
    let (world, zo, service) = start(AppLimits::default().parked_bytes(100_000));
    let _peers = [parked(&service, "a").await, parked(&service, "b").await];
    let text = "x".repeat(10_000);
    for n in 1..=4 {
        zo.emitter().send(Text(text.clone())).to_room("lobby").unwrap();
        assert_eq!(world.departed(), [], "{n} texts");
        tokio::task::yield_now().await;
    }
    zo.emitter().send(Text(text)).to_room("lobby").unwrap();
    world.until_departed(1).await;
    assert_eq!(world.departed(), [("a".to_owned(), Reason::Expired)]);
}

#[tokio::test]
async fn the_largest_record_is_given_up_when_all_are_too_large_together() {
    let (world, zo, service) = start(AppLimits::default().records(100_000));
    let (mut ann, mut bob) = (
        Peer::connected(&service, "name=ann").await,
        Peer::connected(&service, "name=bob").await,
    );
    ann.call("text", json!(60_000), 1).await;
    bob.call("text", json!(30_000), 1).await;
    for peer in [&mut ann, &mut bob] {
        assert_eq!(peer.next().await["rpcId"], 1);
    }
    // Both are within the bound, together with this.
    bob.call("text", json!(20_000), 2).await;
    assert_eq!(bob.next().await["rpcId"], 2);
    bob.ping().await;
    ann.ping().await;
    // Nobody acknowledges what came.
    for peer in [&mut ann, &mut bob] {
        peer.acknowledges = false;
        peer.cut();
    }
    assert!(bob.connect().await);
    assert!(!ann.connect().await, "hers was the largest");
    assert_eq!(world.departed(), [("ann".to_owned(), Reason::Expired)]);
    assert_eq!(zo.connections(), 2);
}

#[tokio::test]
async fn a_record_that_was_given_up_serves_again_after_an_acknowledgement() {
    let (world, _, service) = start(AppLimits::default().records(50_000));
    let mut ann = Peer::connected(&service, "name=ann").await;
    ann.call("text", json!(60_000), 1).await;
    assert_eq!(ann.next().await["rpcId"], 1);
    ann.acknowledge().await;
    ann.call("text", json!(10_000), 2).await;
    assert_eq!(ann.next().await["rpcId"], 2);
    ann.ping().await;
    ann.cut();
    assert!(ann.connect().await);
    assert_eq!(world.departed(), []);
}

#[tokio::test]
async fn a_parked_session_whose_record_is_given_up_ends() {
    let (world, _, service) = start(AppLimits::default().records(50_000));
    let mut ann = Peer::connected(&service, "name=ann").await;
    ann.call("text", json!(40_000), 1).await;
    assert_eq!(ann.next().await["rpcId"], 1);
    ann.close(1001, "").await;
    let mut bob = Peer::connected(&service, "name=bob").await;
    bob.call("text", json!(30_000), 1).await;
    assert_eq!(bob.next().await["rpcId"], 1);
    world.until_departed(1).await;
    assert_eq!(world.departed(), [("ann".to_owned(), Reason::Expired)]);
    bob.cut();
    assert!(bob.connect().await);
}

#[tokio::test]
async fn a_full_app_lets_its_clients_come_back() {
    let (_, _, service) = start(AppLimits::default().connections(1));
    let mut ann = parked(&service, "ann").await;
    let mut bob = Peer::new(&service, "name=bob");
    assert!(bob.try_connect(usize::MAX).await.is_err());
    assert!(ann.connect().await);
}

/// Returns a service whose addresses may have one connection each, or one handshake, and that has its clients come from
/// the address in `x-address`.
fn limited(world: &World, layer: AddressLimitLayer) -> impl Service {
    let (_, service) = world.start(Limits::default());
    let layer = layer.peer(|extensions| extensions.get::<IpAddr>().copied());
    let from = MapRequestLayer::new(|mut request: Request<hyper::body::Incoming>| {
        let address = request.headers()["x-address"].to_str().unwrap();
        let address: IpAddr = address.parse().unwrap();
        request.extensions_mut().insert(address);
        request
    });
    from.layer(layer.layer(service))
}

/// Returns a client at this address.
fn at(service: &impl Service, address: &str) -> Peer {
    let mut peer = Peer::new(service, "");
    peer.fields = vec![("x-address", address.to_owned())];
    peer
}

#[tokio::test]
async fn a_client_that_comes_back_uses_the_place_of_its_session() {
    let world = World::new();
    let service = limited(&world, AddressLimitLayer::new().connections(1));
    let mut ann = at(&service, "192.0.2.1");
    assert!(!ann.connect().await);
    ann.ping().await;
    assert_eq!(
        at(&service, "192.0.2.1").try_connect(usize::MAX).await,
        Err(Failed::Refused(429))
    );
    // The server does not know of the break.
    let _old = ann.socket.take();
    assert!(ann.connect().await);
    ann.ping().await;
    // The place moves to the new address, also to one that is full.
    let mut bob = at(&service, "192.0.2.2");
    assert!(!bob.connect().await);
    ann.cut();
    ann.fields = vec![("x-address", "192.0.2.2".to_owned())];
    assert!(ann.connect().await);
    ann.ping().await;
    assert!(
        !at(&service, "192.0.2.1").connect().await,
        "its old place is free"
    );
    bob.close(1000, "bye").await;
    world.until_departed(1).await;
    assert_eq!(
        at(&service, "192.0.2.2").try_connect(usize::MAX).await,
        Err(Failed::Refused(429)),
        "Ann is there"
    );
}

#[tokio::test]
async fn a_quota_of_handshakes_lets_clients_come_back() {
    let world = World::new();
    let once = Quota::new(1, Duration::from_secs(3_600));
    let service = limited(&world, AddressLimitLayer::new().handshakes(once));
    let mut ann = at(&service, "192.0.2.1");
    assert!(!ann.connect().await);
    ann.ping().await;
    for _ in 0..3 {
        ann.cut();
        assert!(ann.connect().await);
        ann.ping().await;
    }
    ann.token = ann.token.map(|token| token.chars().rev().collect());
    assert_eq!(ann.try_connect(usize::MAX).await, Err(Failed::Refused(429)));
}
