//! Numbers that no session of the client can have.

use serde_json::{Value, json};
use zocket::client::Sent;

use super::{
    call, sent, soon,
    stage::{Stage, ack},
    waiting,
};

#[tokio::test]
async fn an_impossible_number_in_a_welcome_ends_the_session() {
    for received in [json!(4), json!(1), json!(-1), json!(1.5), json!("1"), Value::Null] {
        let mut stage = Stage::new().await;
        let client = stage.builder().start().unwrap();
        let mut visit = stage.begin().await;
        let calls = [call(&client, "a"), call(&client, "b")];
        visit.types::<2>().await;
        client.send_route("c", &()).await.unwrap();
        visit.types::<1>().await;
        visit.acknowledge(2).await;
        visit
            .send(json!({ "type": "__rpc_res", "rpcId": 1, "payload": "a" }))
            .await;
        let [first, second] = calls;
        assert_eq!(soon(first).await.unwrap().unwrap(), "a");
        drop(visit);
        let mut visit = stage.accept().await;
        assert_eq!(visit.resume_offer(), "zocket.resume.T1.1");
        let members = json!({ "session": "T2", "resumed": true, "received": received.clone() });
        visit.welcome(stage.welcome(members)).await;
        assert_eq!(visit.closed().await, (1000, "bye".to_owned()), "{received}");
        drop(visit);
        assert_eq!(sent(soon(second).await.unwrap()), Sent::Unknown);
        assert_eq!(stage.accept().await.resume_offer(), "zocket.resume");
    }
}

#[tokio::test]
async fn an_impossible_acknowledgement_ends_the_session() {
    for number in [json!(2), json!(1.5), json!(-1), Value::Null] {
        let mut stage = Stage::new().await;
        let client = stage.builder().start().unwrap();
        let mut visit = stage.begin().await;
        let unanswered = call(&client, "a");
        visit.types::<1>().await;
        visit.acknowledge(number.clone()).await;
        assert_eq!(visit.closed().await, (1000, "bye".to_owned()), "{number}");
        drop(visit);
        assert_eq!(sent(soon(unanswered).await.unwrap()), Sent::Unknown);
        assert_eq!(stage.accept().await.resume_offer(), "zocket.resume");
    }
}

#[tokio::test]
async fn a_session_that_the_client_does_not_have_can_not_go_on() {
    let mut stage = Stage::new().await;
    let client = stage.builder().start().unwrap();
    let mut visit = stage.accept().await;
    visit.welcome(stage.welcome(json!({ "resumed": true }))).await;
    assert_eq!(visit.closed().await, (1000, "bye".to_owned()));
    drop(visit);
    waiting(&client).await;
    stage.begin().await;
}

#[tokio::test]
async fn a_lower_acknowledgement_is_ignored() {
    let mut stage = Stage::new().await;
    let client = stage.builder().start().unwrap();
    let mut visit = stage.begin().await;
    let calls = [call(&client, "a"), call(&client, "b")];
    let frames = [visit.next().await, visit.next().await];
    for number in [2, 1, 0] {
        visit.acknowledge(number).await;
    }
    for (frame, call) in frames.iter().zip(calls) {
        visit.answer(frame).await;
        soon(call).await.unwrap().unwrap();
    }
    drop(visit);
    let mut visit = stage.resume("zocket.resume.T1.2", 2).await;
    assert_eq!(visit.next().await, ack(2));
}
