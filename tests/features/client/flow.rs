//! Calls beyond the number that the server accepts unanswered.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_tungstenite::tungstenite::Message;
use zocket::client::{CallError, CallOptions, Client, Sent};

use super::{
    begins,
    common::{Server, until},
    hasty,
    servers::{ServerSide, fake_welcoming},
    soon,
    world::{World, site},
};

/// A server that answers the oldest call for each permit.
#[derive(Clone)]
struct Gated {
    /// Types of the messages that the server has received.
    received: Arc<Mutex<Vec<String>>>,
    answers: Arc<Semaphore>,
}

impl Gated {
    /// Starts a server that accepts two unanswered calls.
    async fn serve() -> (Server, Self) {
        Self::serve_within(json!({ "message": 1 << 20, "calls": 2 })).await
    }

    async fn serve_within(limits: Value) -> (Server, Self) {
        let this = Self {
            received: Arc::default(),
            answers: Arc::new(Semaphore::new(0)),
        };
        let welcome = json!({ "limits": limits });
        let server = fake_welcoming(welcome, &this, |socket, _, this: Self| this.behave(socket)).await;
        (server, this)
    }

    async fn behave(self, socket: ServerSide) {
        let (mut sink, mut stream) = socket.split();
        let (ids, mut unanswered) = tokio::sync::mpsc::channel(64);
        let reading = async {
            while let Some(Ok(Message::Text(frame))) = stream.next().await {
                let frame: Value = serde_json::from_str(&frame).unwrap();
                let route = frame["type"].as_str().unwrap().to_owned();
                if route == "__ping" {
                    continue;
                }
                self.received.lock().unwrap().push(route);
                if frame.get("rpcId").is_some() {
                    ids.send(frame["rpcId"].clone()).await.unwrap();
                }
            }
        };
        let answering = async {
            while let Some(id) = unanswered.recv().await {
                self.answers.acquire().await.unwrap().forget();
                let answer = json!({ "type": "__rpc_res", "rpcId": id });
                sink.send(Message::text(answer.to_string())).await.unwrap();
            }
        };
        tokio::select! {
            () = reading => {}
            () = answering => {}
        }
    }

    fn received(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }

    /// Waits until the server has received this number of messages.
    async fn wait_for(&self, messages: usize) {
        until(|| self.received().len() >= messages).await;
    }
}

/// Returns once the driver has written all that it sends now, and the server has read it.
async fn settle(client: &Client, server: &Gated) {
    let before = server.received().len();
    client.send_route("marker", &()).await.unwrap();
    server.wait_for(before + 1).await;
}

#[tokio::test]
async fn calls_beyond_the_servers_limit_are_held_back_in_order() {
    let (server, at) = Gated::serve().await;
    let client = hasty(server.url("")).connect().await.unwrap();
    let routes = ["a", "b", "c", "d", "e"];
    let mut calls: Vec<_> = routes
        .iter()
        .map(|route| Box::pin(client.call_route::<()>(route, &())))
        .collect();
    for call in &mut calls {
        assert!(begins(call).await);
    }
    at.wait_for(2).await;
    for (answered, call) in calls.into_iter().enumerate() {
        // Each answer makes room for exactly one call.
        at.wait_for((answered + 2).min(routes.len())).await;
        assert_eq!(at.received(), routes[..(answered + 2).min(routes.len())]);
        at.answers.add_permits(1);
        soon(call).await.unwrap();
    }
}

#[tokio::test]
async fn calls_are_held_back_while_the_unanswered_ones_have_the_bytes_of_a_message() {
    let (server, at) = Gated::serve_within(json!({ "message": 200, "calls": 9 })).await;
    let client = hasty(server.url("")).connect().await.unwrap();
    // Two frames have less than 200 bytes, and three have more.
    let payload = "x".repeat(40);
    let mut calls = [0; 4].map(|_| Box::pin(client.call_route::<()>("post", &payload)));
    for call in &mut calls {
        assert!(begins(call).await);
    }
    at.wait_for(3).await;
    let [first, second, third, fourth] = calls;
    at.answers.add_permits(1);
    soon(first).await.unwrap();
    at.wait_for(4).await;
    at.answers.add_permits(3);
    for call in [second, third, fourth] {
        soon(call).await.unwrap();
    }
    let large = "x".repeat(150);
    let mut first = Box::pin(client.call_route::<()>("post", &large));
    let mut second = Box::pin(client.call_route::<()>("post", &large));
    let impatient = CallOptions::default().timeout(Duration::from_millis(20));
    assert!(begins(&mut first).await && begins(&mut second).await);
    at.wait_for(6).await;
    let error = client
        .call_route_with::<()>("held", &(), impatient)
        .await
        .unwrap_err();
    assert!(matches!(error, CallError::Timeout { sent: Sent::No }), "{error}");
    at.answers.add_permits(2);
    soon(first).await.unwrap();
    soon(second).await.unwrap();
    assert_eq!(at.received(), ["post"; 6]);
}

#[tokio::test]
async fn a_held_back_call_that_times_out_was_not_sent_and_lets_the_message_behind_it_pass() {
    let (server, at) = Gated::serve().await;
    let client = hasty(server.url("")).connect().await.unwrap();
    let impatient = CallOptions::default().timeout(Duration::from_millis(20));
    let mut sent = [
        client.call_route::<()>("a", &()),
        client.call_route::<()>("b", &()),
    ]
    .map(Box::pin);
    for call in &mut sent {
        assert!(begins(call).await);
    }
    at.wait_for(2).await;
    let mut held = Box::pin(client.call_route_with::<()>("held", &(), impatient));
    assert!(begins(&mut held).await);
    let mut behind = Box::pin(client.send_route("behind", &()));
    assert!(begins(&mut behind).await);
    let error = soon(held).await.unwrap_err();
    assert!(matches!(error, CallError::Timeout { sent: Sent::No }), "{error}");
    soon(behind).await.unwrap();
    at.wait_for(3).await;
    at.answers.add_permits(2);
    for call in sent {
        soon(call).await.unwrap();
    }
    settle(&client, &at).await;
    assert_eq!(at.received(), ["a", "b", "behind", "marker"]);
}

#[tokio::test]
async fn a_call_that_was_given_up_counts_until_it_is_answered() {
    let (server, at) = Gated::serve().await;
    let client = hasty(server.url("")).connect().await.unwrap();
    let impatient = CallOptions::default().timeout(Duration::from_millis(20));
    for route in ["a", "b"] {
        let error = client
            .call_route_with::<()>(route, &(), impatient)
            .await
            .unwrap_err();
        assert!(
            matches!(error, CallError::Timeout { sent: Sent::Unknown }),
            "{error}"
        );
    }
    let mut held = Box::pin(client.call_route::<()>("c", &()));
    assert!(begins(&mut held).await);
    client.reconnect();
    let error = soon(held).await.unwrap_err();
    assert!(
        matches!(error, CallError::Disconnected { sent: Sent::No }),
        "{error}"
    );
    soon(client.ready()).await.unwrap();
    assert_eq!(at.received(), ["a", "b"]);
}

#[tokio::test]
async fn the_calls_of_on_open_go_out_before_those_that_are_held_back() {
    let (server, at) = Gated::serve().await;
    at.answers.add_permits(10);
    let client = hasty(server.url(""))
        .on_open(async |client, _| {
            for route in ["first", "second", "third"] {
                client.call_route::<()>(route, &()).await.unwrap();
            }
        })
        .start()
        .unwrap();
    let calls: Vec<_> = (0..4)
        .map(|_| super::calling::<()>(&client, "other", ()))
        .collect();
    for call in calls {
        soon(call).await.unwrap().unwrap();
    }
    let expected = ["first", "second", "third", "other", "other", "other", "other"];
    assert_eq!(at.received(), expected);
}

#[tokio::test]
async fn a_server_of_this_crate_serves_a_client_that_offers_flow() {
    let (_, server): (World, _) = site().await;
    let client = hasty(server.url("name=bot")).connect().await.unwrap();
    let calls: Vec<_> = (0..200)
        .map(|_| super::calling::<()>(&client, "nothing", ()))
        .collect();
    for call in calls {
        soon(call).await.unwrap().unwrap();
    }
}
