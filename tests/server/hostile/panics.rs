//! Panics in each of the app's functions.

use serde_json::Value;

use super::{common::until, site::Site};

#[tokio::test]
async fn panics_in_handlers_and_middleware_fail_only_their_message() {
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
    site.assert_unaffected().await;
}

#[tokio::test]
async fn a_panic_after_the_client_left_still_runs_on_disconnect() {
    let site = Site::new().await;
    let mut client = site.server.connect("").await;
    client.begin("panic.late", Value::Null).await;
    site.counts.begun().await;
    drop(client);
    site.wait_until_only_bystander_is_left().await;
    site.assert_unaffected().await;
}

#[tokio::test]
async fn a_panic_in_on_connect_is_only_a_500() {
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
    site.assert_unaffected().await;
}

#[tokio::test]
async fn a_panic_in_on_open_closes_the_connection_and_runs_on_disconnect() {
    let site = Site::new().await;
    let mut client = site.server.connect("panic=on_open").await;
    assert_eq!(client.closed().await, (1011, "internal-error".to_owned()));
    drop(client);
    until(|| site.counts.disconnected() == 1).await;
    site.assert_unaffected().await;
}

#[tokio::test]
async fn a_panic_in_on_disconnect_still_leaves_the_rooms() {
    let site = Site::new().await;
    let mut client = site.server.connect("panic=on_disconnect").await;
    assert!(client.call("here", Value::Null).await.is_ok());
    client.close().await;
    site.wait_until_only_bystander_is_left().await;
    site.assert_unaffected().await;
}
