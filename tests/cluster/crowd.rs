//! A node with many clients that is killed.

use std::process::Stdio;

use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::ChildStdout,
    time::{Instant, timeout},
};

use crate::{
    nats::Nats,
    nodes::{Descriptors, Node, PATIENCE, many_descriptors, permitted, program, until_size},
    station::print_recovery,
};

const CLIENTS: usize = 1_000;

async fn expect(lines: &mut Lines<BufReader<ChildStdout>>, expected: &str) -> String {
    let line = timeout(PATIENCE, lines.next_line()).await;
    let line = line.unwrap_or_else(|_| panic!("the clients do not print `{expected}` in time"));
    let line = line.unwrap().expect("the clients have ended");
    assert!(line.starts_with(expected), "expected `{expected}`, got `{line}`");
    line
}

#[tokio::test]
async fn a_thousand_clients_of_a_killed_node_come_back_on_another() {
    let number = permitted(CLIENTS, Descriptors::Many);
    let nats = Nats::start().await;
    let (a, b) = (Node::start(&nats).await, Node::start(&nats).await);
    let mut clients = many_descriptors(&program("cluster_clients"))
        .args([number.to_string(), a.addr.to_string(), b.addr.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("cargo builds the example `cluster_clients` before the tests run");
    let mut lines = BufReader::new(clients.stdout.take().unwrap()).lines();
    expect(&mut lines, "connected").await;
    let sender = b.client().await;
    until_size(&sender, number + 1).await;
    clients.stdin.take().unwrap().write_all(b"\n").await.unwrap();
    expect(&mut lines, "switched").await;
    let killed = Instant::now();
    drop(a);
    println!("{}", expect(&mut lines, "recovery: ").await);
    // No ghost of the killed node stays in the room, and nobody is missing.
    until_size(&sender, number + 1).await;
    print_recovery("node killed, until sizes are right again", killed.elapsed());
    expect(&mut lines, "listening").await;
    let say = json!({ "number": 7 });
    sender.call_route::<()>("say", &say).await.unwrap();
    expect(&mut lines, "heard").await;
}
