//! Offers, numbers and acknowledgements.

use serde_json::json;
use zocket::client::Status;

use super::{
    soon,
    stage::{Stage, ack, said},
    status,
    world::Said,
};

#[tokio::test]
async fn the_offer_names_the_token_and_the_last_frame_that_arrived() {
    let mut stage = Stage::new().await;
    let client = stage.builder().start().unwrap();
    let mut events = client.on::<Said>();
    let mut visit = stage.accept().await;
    assert_eq!(visit.resume_offer(), "zocket.resume");
    visit.welcome(stage.welcome(json!({}))).await;
    assert_eq!(visit.next().await, ack(0));
    // Every frame but the welcome, pings, pongs and acknowledgements has a number.
    for counted in [
        &said("1").to_string(),
        r#"{"type":"__later"}"#,
        r#"{"type":"__rpc_res","rpcId":77}"#,
        r#"{"type":"__error","payload":{"code":"NOT_FOUND","message":""}}"#,
        "no frame",
    ] {
        visit.write(counted).await;
    }
    for uncounted in ["__welcome", "__ping", "__pong"] {
        visit.send(json!({ "type": uncounted })).await;
    }
    visit.acknowledge(0).await;
    visit.send(said("2")).await;
    for text in ["1", "2"] {
        assert_eq!(soon(events.next()).await.unwrap().unwrap().text, text);
    }
    drop(visit);
    let mut visit = stage.resume("zocket.resume.T1.6", 0).await;
    assert_eq!(visit.next().await, ack(6));
    visit.send(said("3")).await;
    assert_eq!(soon(events.next()).await.unwrap().unwrap().text, "3");
    assert!(client.resumed());
    assert_eq!(client.client_id(), Some(stage.client_id));
    drop(visit);
    let visit = stage.accept().await;
    assert_eq!(visit.resume_offer(), "zocket.resume.T2.7");
}

#[tokio::test]
async fn a_session_is_offered_only_if_both_sides_can_resume() {
    let mut stage = Stage::new().await;
    let client = stage.builder().resume(false).start().unwrap();
    let mut visit = stage.accept().await;
    assert_eq!(visit.resume_offer(), "");
    visit.welcome(stage.welcome(json!({}))).await;
    soon(client.ready()).await.unwrap();
    drop(visit);
    assert_eq!(stage.accept().await.resume_offer(), "");
    drop(client);

    let mut stage = Stage::new().await;
    let client = stage.builder().start().unwrap();
    for lacking in [
        json!({ "features": ["flow"] }),
        json!({ "session": null }),
        json!({ "session": "not a token" }),
    ] {
        let mut visit = stage.accept().await;
        assert_eq!(visit.resume_offer(), "zocket.resume", "{lacking}");
        visit.welcome(stage.welcome(lacking)).await;
        soon(client.ready()).await.unwrap();
        drop(visit);
        status(&client, |status| !status.is_open()).await;
    }
}

#[tokio::test]
async fn a_token_is_never_shown() {
    let mut stage = Stage::new().await;
    let client = stage.builder().start().unwrap();
    let _visit = stage.begin_with(json!({ "session": "secret" })).await;
    let open = status(&client, Status::is_open).await;
    assert!(!format!("{open:?}{client:?}").contains("secret"), "{open:?}");
}

#[tokio::test]
async fn frames_are_acknowledged_after_the_time_that_the_welcome_names() {
    let mut stage = Stage::new().await;
    let _client = stage.builder().start().unwrap();
    let mut visit = stage.begin_with(json!({ "ackMs": 20 })).await;
    for number in [2, 4] {
        visit.send(said("a")).await;
        visit.send(said("b")).await;
        // The two may arrive apart.
        while visit.next().await != ack(number) {}
    }
}

#[tokio::test]
async fn frames_are_acknowledged_at_once_past_a_quarter_of_the_record() {
    let mut stage = Stage::new().await;
    let _client = stage.builder().start().unwrap();
    let limits = json!({ "message": 1 << 20, "record": 4_000 });
    let mut visit = stage.begin_with(json!({ "limits": limits })).await;
    visit.send(said(&"x".repeat(500))).await;
    visit.send(said(&"x".repeat(500))).await;
    assert_eq!(visit.next().await, ack(2));
}
