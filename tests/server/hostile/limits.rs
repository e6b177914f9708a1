//! The largest and smallest values of `Limits`.

use std::time::Duration;

use serde_json::{Value, json};
use zocket::Limits;

use super::site::Site;

#[tokio::test]
async fn limits_accept_the_maximum_of_their_types() {
    let site = Site::with(
        Limits::default()
            .message(usize::MAX)
            .in_flight(usize::MAX)
            .queued(usize::MAX)
            .outbound(usize::MAX)
            .room_name(usize::MAX)
            .room_backlog(usize::MAX)
            .stall(Duration::MAX)
            .ping_after(Duration::MAX)
            .pong_within(Duration::MAX)
            .close_within(Duration::MAX),
    )
    .await;
    let mut client = site.server.connect("").await;
    assert_eq!(client.call("noise", Value::Null).await, Ok(None));
    assert_eq!(client.event("noise").await, "!");
    client.close().await;
    site.assert_unaffected().await;
}

#[tokio::test]
async fn a_client_may_not_be_in_more_rooms_than_the_limit() {
    let site = Site::with(Limits::default().rooms(5).room_name(40)).await;
    let mut client = site.server.connect("").await;
    for room in ["", "b", "c"] {
        assert_eq!(client.call("join", json!({ "room": room })).await, Ok(None));
    }
    let refusal = client.call("join", json!({ "room": "d" })).await.unwrap_err();
    assert_eq!(refusal.code(), "PRECONDITION_FAILED");
    let refusal = client
        .call("join", json!({ "room": "x".repeat(41) }))
        .await
        .unwrap_err();
    assert_eq!(refusal.code(), "BAD_REQUEST");
    assert_eq!(site.hub.room_count(), 3 + 3);
    client.close().await;
    site.assert_unaffected().await;
}
