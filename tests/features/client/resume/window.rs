//! The time for which a server keeps the session.

use std::time::Duration;

use serde_json::json;
use zocket::client::{Client, Sent};

use super::{
    call, sent, soon,
    stage::{PARKED, Stage},
    waiting,
};

/// Lets this time pass at once. The runtime has one thread, so nothing else sees the paused clock.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// Returns a client that waits between attempts for as long as this.
fn waiting_for(stage: &Stage, backoff: Duration) -> Client {
    stage.builder().backoff(backoff, backoff).start().unwrap()
}

#[tokio::test]
async fn calls_fail_when_the_session_has_been_away_for_too_long() {
    let mut stage = Stage::new().await;
    let client = waiting_for(&stage, Duration::from_secs(3600));
    let mut visit = stage.begin_with(json!({ "parkedMs": 50 })).await;
    let unanswered = call(&client, "a");
    visit.types::<1>().await;
    drop(visit);
    waiting(&client).await;
    let queued = call(&client, "queued");
    assert_eq!(sent(soon(unanswered).await.unwrap()), Sent::Unknown);
    client.reconnect();
    let mut visit = stage.accept().await;
    assert_eq!(visit.resume_offer(), "zocket.resume");
    visit.welcome(stage.welcome(json!({}))).await;
    assert_eq!(visit.types().await, ["__ack"]);
    let frame = visit.next().await;
    assert_eq!(frame["type"], "queued");
    visit.answer(&frame).await;
    assert_eq!(soon(queued).await.unwrap().unwrap(), "queued");
}

#[tokio::test]
async fn a_handshake_that_is_under_way_holds_the_session() {
    let mut stage = Stage::new().await;
    let client = waiting_for(&stage, Duration::from_millis(1));
    let mut visit = stage.begin().await;
    let unanswered = call(&client, "a");
    visit.types::<1>().await;
    drop(visit);
    let mut visit = stage.accept().await;
    assert_eq!(visit.resume_offer(), "zocket.resume.T1.0");
    pass(PARKED).await;
    let members = json!({ "session": "T2", "resumed": true, "received": 1 });
    visit.welcome(stage.welcome(members)).await;
    visit.types::<1>().await;
    visit
        .send(json!({ "type": "__rpc_res", "rpcId": 1, "payload": "a" }))
        .await;
    assert_eq!(soon(unanswered).await.unwrap().unwrap(), "a");
    assert!(client.resumed());
    // The time begins anew with the next break.
    pass(PARKED).await;
    drop(visit);
    assert_eq!(stage.accept().await.resume_offer(), "zocket.resume.T2.1");
}

#[tokio::test]
async fn handshakes_that_fail_give_the_session_no_further_time() {
    let mut stage = Stage::new().await;
    let _client = waiting_for(&stage, Duration::from_millis(1));
    drop(stage.begin().await);
    for _ in 0..2 {
        let visit = stage.accept().await;
        assert_eq!(visit.resume_offer(), "zocket.resume.T1.0");
        pass(PARKED.mul_f64(0.6)).await;
        drop(visit);
    }
    assert_eq!(stage.accept().await.resume_offer(), "zocket.resume");
}

#[tokio::test]
async fn a_handshake_that_fails_after_that_time_ends_the_session() {
    let mut stage = Stage::new().await;
    let client = waiting_for(&stage, Duration::from_millis(1));
    let mut visit = stage.begin().await;
    let unanswered = call(&client, "a");
    visit.types::<1>().await;
    drop(visit);
    let visit = stage.accept().await;
    assert_eq!(visit.resume_offer(), "zocket.resume.T1.0");
    pass(PARKED).await;
    drop(visit);
    assert_eq!(sent(soon(unanswered).await.unwrap()), Sent::Unknown);
    assert_eq!(stage.accept().await.resume_offer(), "zocket.resume");
}

#[tokio::test]
async fn headers_that_take_longer_than_the_session_begin_a_new_one() {
    let mut stage = Stage::new().await;
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(1));
    let at_gate = gate.clone();
    let client = stage
        .builder()
        .headers_with(move || {
            let gate = at_gate.clone();
            async move {
                gate.acquire().await?.forget();
                Ok(())
            }
        })
        .start()
        .unwrap();
    let mut visit = stage.begin_with(json!({ "parkedMs": 50 })).await;
    let unanswered = call(&client, "a");
    visit.types::<1>().await;
    drop(visit);
    assert_eq!(sent(soon(unanswered).await.unwrap()), Sent::Unknown);
    gate.add_permits(1);
    assert_eq!(stage.accept().await.resume_offer(), "zocket.resume");
}
