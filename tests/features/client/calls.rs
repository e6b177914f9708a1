//! Calls: their answers, refusals, and the time at which they are sent.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_tungstenite::tungstenite::Message;
use zocket::{
    Code,
    client::{CallError, CallOptions, Client, Sent},
};

use super::{
    begins, calling, hasty,
    servers::{Mortal, Port, fake_with},
    soon, waiting,
    world::{Posted, Said, World, site, text, visit},
};

#[tokio::test]
async fn a_call_is_answered_in_the_callers_types() {
    let (_, client) = visit().await;
    let posted: Posted = client.call_route("post", &text("hello")).await.unwrap();
    assert_eq!(posted, Posted { length: 5 });
    let () = client.call_route("nothing", &()).await.unwrap();
    let error = client
        .call_route::<String>("post", &text("hello"))
        .await
        .unwrap_err();
    assert!(matches!(error, CallError::Decode(_)), "{error}");
    let ill = HashMap::from([((1, 2), 3)]);
    let error = client.call_route::<()>("post", &ill).await.unwrap_err();
    assert!(matches!(error, CallError::Encode(_)), "{error}");
}

#[tokio::test]
async fn a_refusal_comes_with_its_code_and_its_issues() {
    let (_, client) = visit().await;
    let error = client.call_route::<Posted>("post", &text("")).await.unwrap_err();
    let refusal = error.refusal().unwrap();
    assert!(refusal.is(Code::BAD_REQUEST));
    assert_eq!(refusal.issues.len(), 1);
    assert_eq!(refusal.issues[0].path, ["text".into()]);
    assert_eq!(refusal.issues[0].code, "min_length");
    assert_eq!(refusal.issues[0].params["min"], 1);
    assert_eq!(error.issues(), refusal.issues);
    // The message has them already.
    assert_eq!(
        error.to_string(),
        "BAD_REQUEST: text: at least 1 character, got 0"
    );
    let error = client.call_route::<()>("refuse", &()).await.unwrap_err();
    assert_eq!(error.to_string(), "CONFLICT: no");
    assert!(error.issues().is_empty());
}

#[tokio::test]
async fn a_message_over_the_servers_limit_is_not_sent() {
    let (world, client) = visit().await;
    let error = client
        .call_route::<Posted>("post", &text("x".repeat(100_000)))
        .await
        .unwrap_err();
    assert!(
        matches!(error, CallError::TooLarge { limit: 100_000, bytes } if bytes > 100_000),
        "{error}"
    );
    let _: Posted = client.call_route("post", &text("x")).await.unwrap();
    assert_eq!(world.names(), ["bot"], "the connection is the same");
}

#[tokio::test]
async fn a_call_that_is_not_answered_in_time_fails() {
    let (_, client) = visit().await;
    let options = CallOptions::default().timeout(Duration::from_millis(20));
    let error = client
        .call_route_with::<()>("wait", &(), options)
        .await
        .unwrap_err();
    assert!(
        matches!(error, CallError::Timeout { sent: Sent::Unknown }),
        "{error}"
    );
}

#[tokio::test]
async fn calls_before_the_connection_is_open_wait() {
    let world = World::default();
    let port = Port::new();
    let client = hasty(port.url("name=bot")).start().unwrap();
    let mut said = client.on::<Said>();
    let impatient = CallOptions::default().wait_for_connection(false);
    let error = port.hang_up_during(async {
        waiting(&client).await;
        client
            .call_route_with::<()>("nothing", &(), impatient)
            .await
            .unwrap_err()
    });
    let error = error.await;
    assert!(
        matches!(error, CallError::Disconnected { sent: Sent::No }),
        "{error}"
    );
    let calling = calling::<Posted>(&client, "post", text("early"));
    let server = Mortal::serve(&world, &port).await;
    assert_eq!(soon(calling).await.unwrap().unwrap().length, 5);
    assert_eq!(soon(said.next()).await.unwrap().unwrap().text, "early");
    server.die().await;
}

#[tokio::test]
async fn a_call_dropped_before_sending_is_never_sent() {
    let types = Arc::new(Mutex::new(Vec::new()));
    let go = Arc::new(Semaphore::new(0));
    let gate = go.clone();
    let server = fake_with(&types, async |mut socket, _, seen: Arc<Mutex<Vec<String>>>| {
        while let Some(Ok(Message::Text(frame))) = socket.next().await {
            let frame: Value = serde_json::from_str(&frame).unwrap();
            seen.lock()
                .unwrap()
                .push(frame["type"].as_str().unwrap().to_owned());
            let answer = json!({ "type": "__rpc_res", "rpcId": frame["rpcId"] });
            socket.send(Message::text(answer.to_string())).await.unwrap();
        }
    })
    .await;
    let client = Client::builder(server.url(""))
        .headers_with(move || {
            let gate = gate.clone();
            async move {
                gate.acquire().await?.forget();
                Ok(())
            }
        })
        .start()
        .unwrap();
    let mut dropped = Box::pin(client.call_route::<()>("dropped", &()));
    assert!(begins(&mut dropped).await);
    drop(dropped);
    go.add_permits(1);
    let () = soon(client.call_route("kept", &())).await.unwrap();
    assert_eq!(*types.lock().unwrap(), ["kept"]);
}

#[tokio::test]
async fn a_call_beyond_the_limit_waits() {
    let (world, server) = site().await;
    let client = Client::builder(server.url("name=bot"))
        .max_calls(1)
        .resume(false)
        .connect()
        .await
        .unwrap();
    let mut first = Box::pin(client.call_route::<()>("wait", &()));
    assert!(begins(&mut first).await);
    let post = text("x");
    let mut second = Box::pin(client.call_route::<Posted>("post", &post));
    assert!(begins(&mut second).await);
    world.wait_for_handler().await;
    assert!(begins(&mut second).await);
    // The server handles messages in order, so only a new connection is free of the stuck handler.
    client.reconnect();
    let error = soon(first).await.unwrap_err();
    assert!(
        matches!(error, CallError::Disconnected { sent: Sent::Unknown }),
        "{error}"
    );
    assert_eq!(soon(second).await.unwrap().length, 1);
    assert_eq!(world.names().len(), 2);
}
