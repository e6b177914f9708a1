//! Joins: what anyone sends after a join was answered arrives.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};
use zocket::{Target, cluster::NatsHub};

use crate::{
    member::{Member, number},
    nats::Nats,
};

const PATIENCE: Duration = Duration::from_secs(20);
/// Members that join at the same time.
const MEMBERS: u32 = 20;
/// Rooms that each of them joins.
const ROOMS: u32 = 500;

/// Lets members join rooms of their own, one after the other. As soon as a join was answered, another node sends to the room,
/// each in turn. Returns the number of events that did not arrive.
async fn join_and_send(nodes: &[Arc<NatsHub>]) -> usize {
    let begun = Instant::now();
    let mut members = JoinSet::new();
    for index in 0..MEMBERS {
        let nodes: Vec<_> = (0..nodes.len())
            .map(|node| nodes[(index as usize + node) % nodes.len()].clone())
            .collect();
        members.spawn(async move {
            let member = Member::of(&nodes[0]);
            let senders: Vec<_> = nodes[1..].iter().map(Member::of).collect();
            for room in 0..ROOMS {
                let name = format!("room {room} of {index}");
                member.join(&name).await;
                let sender = &senders[room as usize % senders.len()];
                sender.say(Target::room(name), room).await;
            }
            member
        });
    }
    let members = members.join_all().await;
    let (mut lost, deadline) = (0, Instant::now() + PATIENCE);
    for member in members {
        let mut heard = [0; ROOMS as usize];
        let all = async {
            while heard.contains(&0) {
                let mut events = Vec::new();
                member.mailbox.pull(&mut events);
                for event in &events {
                    heard[number(event) as usize] += 1;
                }
                if events.is_empty() {
                    sleep(Duration::from_millis(1)).await;
                }
            }
        };
        // What has not arrived by then is lost.
        drop(timeout_at(deadline, all).await);
        lost += heard.iter().filter(|times| **times == 0).count();
        assert!(heard.iter().all(|times| *times <= 1), "an event arrived twice");
    }
    println!(
        "{} joins over {} nodes: {lost} events lost, {:?}",
        MEMBERS * ROOMS,
        nodes.len(),
        begun.elapsed()
    );
    lost
}

#[tokio::test]
async fn nothing_that_is_sent_after_a_join_was_answered_is_lost() {
    let nats = Nats::start().await;
    println!("NATS server {}", nats.info().await["server_id"]);
    let nodes = [nats.node().await, nats.node().await];
    assert_eq!(join_and_send(&nodes).await, 0);
}

#[tokio::test]
async fn a_join_is_answered_when_every_server_of_a_cluster_knows_it() {
    let servers = Nats::cluster(3).await;
    let mut nodes = Vec::new();
    for server in &servers {
        println!("NATS server {}", server.info().await["server_id"]);
        nodes.push(server.node().await);
    }
    // Each node is on a server of its own.
    assert_eq!(join_and_send(&nodes).await, 0);
}
