//! Panics, wherever the app's code runs.

use serde_json::Value;

use super::{common::until, site::Site};

#[tokio::test]
async fn panics_in_handlers_and_middleware_cost_their_message_alone() {
    let site = Site::new().await;
    let mut client = site.server.connect("").await;
    for _ in 0..20 {
        for route in ["panic.handler", "panic.middleware"] {
            let refusal = client.call(route, Value::Null).await.unwrap_err();
            assert_eq!(refusal.code(), "INTERNAL_SERVER_ERROR");
        }
    }
    assert!(client.call("here", Value::Null).await.is_ok());
    client.close().await;
    site.survived().await;
}

#[tokio::test]
async fn a_panic_after_its_client_has_gone_still_lets_the_client_go() {
    let site = Site::new().await;
    let mut client = site.server.connect("").await;
    client.begin("panic.late", Value::Null).await;
    site.counts.begun().await;
    drop(client);
    site.bystander_is_alone().await;
    site.survived().await;
}

#[tokio::test]
async fn a_panic_in_on_connect_is_a_500_and_nothing_more() {
    let site = Site::new().await;
    let (status, body) = site
        .server
        .try_connect("panic=on_connect", &[])
        .await
        .err()
        .expect("it panics");
    assert_eq!(status, 500);
    assert!(!body.to_string().contains("as asked for"), "{body}");
    assert_eq!(site.zo.connections(), 1);
    site.survived().await;
}

#[tokio::test]
async fn a_panic_in_on_open_closes_its_connection_and_is_followed_by_on_disconnect() {
    let site = Site::new().await;
    let mut client = site.server.connect("panic=on_open").await;
    assert_eq!(client.closed().await, (1011, "internal-error".to_owned()));
    drop(client);
    until(|| site.counts.disconnected() == 1).await;
    site.survived().await;
}

#[tokio::test]
async fn a_panic_in_on_disconnect_leaves_nobody_in_a_room() {
    let site = Site::new().await;
    let mut client = site.server.connect("panic=on_disconnect").await;
    assert!(client.call("here", Value::Null).await.is_ok());
    client.close().await;
    site.bystander_is_alone().await;
    site.survived().await;
}
