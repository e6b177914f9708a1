//! Closing and dropping a client.

use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use tokio_tungstenite::tungstenite::Message;
use zocket::client::{CallError, Client, Outage, Status};

use super::{
    calling,
    servers::fake_with,
    soon,
    world::{Said, connect, site},
};

#[tokio::test]
async fn close_is_final_and_sends_a_close_frame() {
    let (world, server) = site().await;
    let client = connect(&server).await;
    let mut said = client.on::<Said>();
    let pending = calling::<()>(&client, "wait", ());
    world.wait_for_handler().await;
    soon(client.close()).await;
    let error = soon(pending).await.unwrap().unwrap_err();
    assert!(matches!(error, CallError::Closed), "{error}");
    assert!(soon(said.next()).await.is_none());
    assert!(matches!(client.status(), Status::Closed(Outage::ClosedLocally)));
    client.reconnect();
    let error = client.call_route::<()>("nothing", &()).await.unwrap_err();
    assert!(matches!(error, CallError::Closed), "{error}");
    assert_eq!(world.names().len(), 1);
    // This connection has no stuck handler, so the server notices its end.
    let client = connect(&server).await;
    soon(client.close()).await;
    world.wait_for_disconnect().await;
}

#[tokio::test]
async fn dropping_the_last_handle_closes_the_connection() {
    let closes = Arc::new(Mutex::new(Vec::new()));
    let server = fake_with(&closes, async |mut socket, _, seen: Arc<Mutex<Vec<u16>>>| {
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Close(Some(close)) = message {
                seen.lock().unwrap().push(u16::from(close.code));
            }
        }
    })
    .await;
    let client = Client::builder(server.url("")).connect().await.unwrap();
    let (mut said, mut statuses) = (client.on::<Said>(), client.statuses());
    drop(client.clone());
    assert!(client.status().is_open());
    drop(client);
    assert!(soon(said.next()).await.is_none());
    soon(statuses.wait_for(Status::is_closed)).await.unwrap();
    assert_eq!(*closes.lock().unwrap(), [1000]);
}
