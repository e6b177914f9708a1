//! Calls of a client that comes to another node.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use zocket::client::{CallError, Client, Opened, Sent};

use super::app::{Node, Notes};
use crate::{
    common::{PATIENCE, until},
    nats::Nats,
};

/// A balancer of TCP connections, which forwards to one node at a time.
struct Balancer {
    addr: SocketAddr,
    state: watch::Sender<State>,
    /// Bytes of clients that are held back.
    held: Arc<AtomicUsize>,
}

#[derive(Clone, Copy)]
struct State {
    node: SocketAddr,
    /// While true, nothing of the clients reaches the node.
    is_stuck: bool,
}

impl Balancer {
    async fn start(node: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (state, states) = watch::channel(State {
            node,
            is_stuck: false,
        });
        let held = Arc::<AtomicUsize>::default();
        let holds = held.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, states.clone(), holds.clone()));
            }
        });
        Self { addr, state, held }
    }

    /// Holds back what clients send.
    fn stick(&self) {
        self.state.send_modify(|state| state.is_stuck = true);
    }

    /// Cuts all connections, and forwards to another node from now on.
    fn switch(&self, node: SocketAddr) {
        self.state.send_modify(|state| {
            *state = State {
                node,
                is_stuck: false,
            }
        });
    }
}

/// Forwards a connection until the balancer switches to another node.
async fn forward(mut client: TcpStream, mut states: watch::Receiver<State>, held: Arc<AtomicUsize>) {
    let node = states.borrow_and_update().node;
    let mut far = TcpStream::connect(node).await.unwrap();
    let (mut from_client, mut to_client) = client.split();
    let (mut from_node, mut to_node) = far.split();
    let mut stuck = states.clone();
    let up = async {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = from_client.read(&mut bytes).await {
            if stuck.borrow().is_stuck {
                held.fetch_add(count, Ordering::Relaxed);
            }
            if stuck.wait_for(|state| !state.is_stuck).await.is_err()
                || to_node.write_all(&bytes[..count]).await.is_err()
            {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        _ = states.wait_for(|state| state.node != node) => {}
        () = up => {}
        _ = copy(&mut from_node, &mut to_client) => {}
    }
}

#[tokio::test]
async fn calls_that_the_old_node_has_not_received_have_not_run() {
    let (nats, notes) = (Nats::start().await, Notes::default());
    let a = Node::start(&nats, &notes, "a").await;
    let b = Node::start(&nats, &notes, "b").await;
    let balancer = Balancer::start(a.server.addr).await;
    let opened = Arc::<Mutex<Vec<Opened>>>::default();
    let opens = opened.clone();
    let client = Client::builder(format!("ws://{}/", balancer.addr))
        .headers(&json!({"name": "ann"}))
        .unwrap()
        .backoff(Duration::from_millis(50), Duration::from_millis(100))
        .on_open(move |client: Client, opened: Opened| {
            let opens = opens.clone();
            async move {
                opens.lock().push(opened);
                client.call_route::<()>("join", &json!(null)).await.unwrap();
            }
        })
        .connect()
        .await
        .unwrap();
    assert_eq!(
        client.call_route::<usize>("members", &json!(null)).await.unwrap(),
        1
    );
    let call = || {
        let client = client.clone();
        tokio::spawn(async move { client.call_route::<()>("hold", &json!(null)).await })
    };
    let received = call();
    until(|| notes.all().contains(&"ann runs on a".to_owned())).await;
    balancer.stick();
    let held_back = call();
    // It has been sent: an acknowledgement is shorter.
    until(|| balancer.held.load(Ordering::Relaxed) > r#"{"type":"hold","payload":null}"#.len() + 10).await;
    balancer.switch(b.server.addr);
    let sent = |ended: Result<(), CallError>| match ended {
        Err(CallError::Disconnected { sent }) => sent,
        other => panic!("{other:?}"),
    };
    let (received, held_back) = (
        timeout(PATIENCE, received).await.unwrap().unwrap(),
        timeout(PATIENCE, held_back).await.unwrap().unwrap(),
    );
    assert_eq!((sent(received), sent(held_back)), (Sent::Unknown, Sent::No));
    assert_eq!(
        client.call_route::<usize>("members", &json!(null)).await.unwrap(),
        1,
        "the client is in the room once"
    );
    let opened = opened.lock().clone();
    let [first, second] = &*opened else {
        panic!("{opened:?}")
    };
    assert!(!first.resumed && !second.resumed);
    let lost = second.lost.as_ref().unwrap();
    assert_eq!((lost.client_id, lost.calls), (first.client_id, 1));
    assert_eq!(
        notes.all(),
        [
            "ann came to a",
            "ann runs on a",
            "ann left a: moved",
            "ann came to b"
        ]
    );
}
