//! NATS that refuses connections, large messages and slow consumers.

use std::{error::Error as _, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use zocket::{
    ClientId, Code, Error, Hub, Target,
    cluster::{NatsHub, NatsOptions},
    layers::{Action, Effect},
};

use crate::{
    member::{Member, perform, said, until_size},
    nats::{Nats, Port},
    proxy::{Carries, Proxy},
    station::{PATIENCE, Station, print_recovery, until},
};

/// Returns the number of connections that the server has closed because they read too slowly.
async fn slow_consumers(monitor: u16) -> u64 {
    let mut stream = TcpStream::connect(("127.0.0.1", monitor)).await.unwrap();
    stream.write_all(b"GET /varz HTTP/1.0\r\n\r\n").await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    let (_, body) = response.split_once("\r\n\r\n").unwrap();
    let variables: serde_json::Value = serde_json::from_str(body).unwrap();
    variables["slow_consumers"].as_u64().unwrap()
}

/// Asserts that a node cannot connect, and returns the reason that the app learns, without the server's URL.
async fn refusal(nats: &Nats) -> String {
    let connects = NatsHub::connect(nats.url(), NatsOptions::default());
    let connected = timeout(Duration::from_secs(15), connects).await;
    let refused = connected.expect("it waits for ever").unwrap_err();
    let text = refused.to_string();
    let reason = text
        .strip_prefix(&format!("no connection to NATS at {}: ", nats.url()))
        .unwrap_or_else(|| panic!("{text}"));
    match refused.source() {
        Some(source) => format!("{reason}: {source}"),
        None => reason.to_owned(),
    }
}

/// Asserts that events pass between two nodes in both directions, and that nothing is lost.
async fn carry_on(a: &Station, b: &Station) {
    for (from, to) in [(a, b), (b, a)] {
        from.say().await;
        to.accounts_for(from).await;
        assert_eq!(to.lost_of(from), 0);
    }
    a.counts(2).await;
}

/// The same after a loss.
async fn carry_on_again(a: &Station, b: &Station) {
    let lost = b.lost_of(a);
    a.say().await;
    b.accounts_for(a).await;
    assert_eq!(b.lost_of(a), lost);
    a.counts(2).await;
    b.counts(2).await;
}

#[tokio::test]
async fn a_server_without_connections_left_refuses_a_node_and_serves_those_it_has() {
    let nats = Nats::start_configured("max_connections: 2").await;
    let a = Station::connect(&nats.url(), 1).await;
    let b = Station::connect(&nats.url(), 2).await;
    let reason = refusal(&nats).await;
    assert!(reason.ends_with("maximum connections exceeded"), "{reason}");
    carry_on(&a, &b).await;
    drop(b);
    a.knows(0).await;
    let began = Instant::now();
    let c = Station::connect(&nats.url(), 3).await;
    let _talk = a.talk();
    c.hears_again(&a).await;
    print_recovery("connection of NATS free again", began.elapsed());
}

#[tokio::test]
async fn a_node_whose_connection_was_taken_by_another_comes_back_when_there_is_one_again() {
    let nats = Nats::start_configured("max_connections: 2").await;
    let proxy = Proxy::to(nats.port).await;
    let a = Station::connect(&nats.url(), 1).await;
    let b = Station::connect(&proxy.url(), 2).await;
    carry_on(&a, &b).await;
    proxy.carry(Carries::NoConnection);
    a.say().await;
    assert!(until(|| !b.hub.is_connected()).await);
    let taken = async {
        loop {
            let stream = TcpStream::connect(("127.0.0.1", nats.port)).await.unwrap();
            let mut stream = BufReader::new(stream);
            // The server refuses it until it has noticed the end of the node's connection.
            drop(stream.write_all(b"CONNECT {\"verbose\":false}\r\nPING\r\n").await);
            let mut line = String::new();
            while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
                if line.ends_with("PONG\r\n") {
                    return stream;
                }
            }
        }
    };
    let other = timeout(PATIENCE, taken).await.unwrap();
    proxy.carry(Carries::Everything);
    a.knows(0).await;
    assert!(!b.hub.is_connected());
    let talks = [a.talk(), b.talk()];
    b.hears_again(&b).await;
    drop(other);
    let began = Instant::now();
    b.hears_again(&a).await;
    a.hears_again(&b).await;
    print_recovery(
        "connection of NATS free again, for a node that had one",
        began.elapsed(),
    );
    drop(talks);
    for (from, to) in [(&a, &b), (&b, &a), (&b, &b)] {
        to.accounts_for(from).await;
    }
    assert!(b.lost_of(&a) > 0 && b.lost_of(&b) == 0);
    a.counts(2).await;
}

#[tokio::test]
async fn a_server_without_descriptors_left_refuses_a_node_in_time_and_serves_those_it_has() {
    const DESCRIPTORS: usize = 32;
    let nats = Nats::start_with_descriptors(DESCRIPTORS).await;
    let a = Station::connect(&nats.url(), 1).await;
    let b = Station::connect(&nats.url(), 2).await;
    let mut others = Vec::new();
    let connect = || TcpStream::connect(("127.0.0.1", nats.port));
    let served = async {
        while nats.descriptors() < DESCRIPTORS {
            others.push(connect().await.unwrap());
            sleep(Duration::from_millis(5)).await;
        }
        // The server reads a file now and then. These wait for the descriptors that it has for that.
        for _ in 0..8 {
            others.push(connect().await.unwrap());
        }
    };
    timeout(PATIENCE, served)
        .await
        .expect("the server has too many descriptors");
    let reason = refusal(&nats).await;
    assert_eq!(reason, "timed out");
    carry_on(&a, &b).await;
    drop(others);
    let began = Instant::now();
    let c = Station::connect(&nats.url(), 3).await;
    let _talk = a.talk();
    c.hears_again(&a).await;
    print_recovery("descriptors of NATS free again", began.elapsed());
}

#[tokio::test]
async fn an_event_beyond_the_limit_of_the_server_is_refused_and_the_next_one_arrives() {
    let nats = Nats::start_configured("max_payload: 8KB").await;
    let a = Station::connect(&nats.url(), 1).await;
    let b = Station::connect(&nats.url(), 2).await;
    let refused = a.try_say(8_000).unwrap_err();
    assert_eq!(refused.code(), Code::PAYLOAD_TOO_LARGE);
    a.try_say(7_000).unwrap();
    carry_on(&a, &b).await;
}

#[tokio::test]
async fn an_event_reaches_each_client_of_a_list_of_any_length() {
    let nats = Nats::start().await;
    let (a, b) = (nats.node().await, nats.node().await);
    let ann = Member::of(&a);
    let others: Vec<_> = (0..50).map(|_| Member::of(&b)).collect();
    let ids: Vec<_> = (0..40_000)
        .map(|_| ClientId::random())
        .chain(others.iter().map(|other| other.id))
        .chain([ann.id])
        .collect();
    others[0].join("lobby").await;
    ann.say(Target::clients(ids.iter().chain(&ids).copied()), 1).await;
    ann.say(Target::room("lobby"), 2).await;
    assert_eq!(others[0].hear(2).await, [1, 2]);
    for other in others.iter().skip(1).chain([&ann]) {
        assert_eq!(other.hear(1).await, [1]);
    }
    // The exceptions are one message, as the event is.
    let (to, event) = (Target::everyone().except(ids.clone()), said(3));
    let refused = Error::from(a.perform(None, Effect::Emit { to, event }).unwrap_err());
    assert_eq!(refused.code(), Code::PAYLOAD_TOO_LARGE);
    let (clients, action) = (Target::clients(ids), Action::Join("attic".into()));
    perform(&a, None, Effect::Manage { clients, action }).await;
    until_size(&a, "attic", 51).await;
}

/// NATS's client drops what a node does not take in time, and with it the numbers that would show the loss.
#[tokio::test]
async fn what_the_client_of_nats_drops_is_counted() {
    let nats = Nats::start().await;
    let a = Station::connect(&nats.url(), 1).await;
    let small = async_nats::ConnectOptions::new().subscription_capacity(2);
    let b = Station::connect_with(&nats.url(), 2, NatsOptions::default().connection(small)).await;
    a.say().await;
    b.accounts_for(&a).await;
    let began = Instant::now();
    for _ in 0..5_000 {
        a.try_say(0).unwrap();
    }
    b.accounts_for(&a).await;
    print_recovery("messages dropped by NATS's client", began.elapsed());
    assert!(b.lost_of(&a) > 0);
    carry_on_again(&a, &b).await;
}

/// The server closes the connection of a node that reads too slowly.
#[tokio::test]
async fn a_slow_consumer_is_disconnected_and_comes_back_with_its_losses_counted() {
    let held = Port::free();
    let monitor = held.number();
    let options = "max_pending: 64KB, max_payload: 64KB, write_deadline: \"200ms\"";
    let configuration = format!("{options}, http: 127.0.0.1:{monitor}");
    let nats = Nats::start_configured(&configuration).await;
    let proxy = Proxy::to(nats.port).await;
    let a = Station::connect(&nats.url(), 1).await;
    let slow = Station::connect(&proxy.url(), 2).await;
    for (from, to) in [(&a, &slow), (&slow, &a)] {
        from.say().await;
        to.accounts_for(from).await;
    }
    proxy.carry(Carries::Nothing);
    let overflows = async {
        while slow_consumers(monitor).await == 0 {
            // The server slows down the senders of a slow consumer, too, so that too much may wait here.
            for _ in 0..20 {
                drop(a.try_say(30_000));
            }
            drop(a.hub.flush().await);
        }
    };
    timeout(PATIENCE, overflows).await.expect("nobody is slow");
    let began = Instant::now();
    proxy.carry(Carries::Everything);
    let talk = a.talk();
    slow.hears_again(&a).await;
    print_recovery("slow consumer reads again", began.elapsed());
    drop(talk);
    assert!(until(|| slow.lost_of(&a) > 0).await);
    slow.accounts_for(&a).await;
    slow.say().await;
    a.accounts_for(&slow).await;
    a.counts(2).await;
}
