//! `on_open` of a session that goes on.

use std::sync::{Arc, Mutex};

use serde_json::json;
use zocket::client::{Client, Opened};

use super::{
    call, soon,
    stage::{Stage, ack},
    status,
};

type Runs = Arc<Mutex<Vec<Opened>>>;

/// Returns a client whose `on_open` calls `first`, and `then` when that was answered.
fn opening(stage: &Stage) -> (Client, Runs) {
    let runs = Runs::default();
    let noting = runs.clone();
    let client = stage
        .builder()
        .on_open(move |client, opened| {
            noting.lock().unwrap().push(opened);
            async move {
                let _ = client.call_route::<String>("first", &()).await;
                let _ = client.call_route::<String>("then", &()).await;
            }
        })
        .start()
        .unwrap();
    (client, runs)
}

fn resumed(runs: &Runs) -> Vec<bool> {
    runs.lock().unwrap().iter().map(|opened| opened.resumed).collect()
}

#[tokio::test]
async fn what_the_server_lacks_precedes_on_open_and_that_precedes_waiting_calls() {
    let mut stage = Stage::new().await;
    let (client, runs) = opening(&stage);
    let mut visit = stage.begin().await;
    for route in ["first", "then"] {
        let frame = visit.next().await;
        assert_eq!(frame["type"], route);
        visit.answer(&frame).await;
    }
    let again = call(&client, "again");
    visit.types::<1>().await;
    drop(visit);
    status(&client, |status| !status.is_open()).await;
    let waiting = call(&client, "waiting");
    let mut visit = stage.resume("zocket.resume.T1.2", 2).await;
    assert_eq!(visit.next().await, ack(2));
    for route in ["again", "first", "then", "waiting"] {
        let frame = visit.next().await;
        assert_eq!(frame["type"], route);
        visit.answer(&frame).await;
    }
    soon(again).await.unwrap().unwrap();
    soon(waiting).await.unwrap().unwrap();
    assert_eq!(resumed(&runs), [false, true]);
    let ids: Vec<_> = runs
        .lock()
        .unwrap()
        .iter()
        .map(|opened| opened.client_id)
        .collect();
    assert_eq!(ids, [stage.client_id; 2]);
}

#[tokio::test]
async fn on_open_goes_on_over_a_break_and_runs_for_one_connection_at_a_time() {
    let mut stage = Stage::new().await;
    let (_client, runs) = opening(&stage);
    let mut visit = stage.begin().await;
    assert_eq!(visit.types().await, ["first"]);
    drop(visit);
    let mut visit = stage.resume("zocket.resume.T1.0", 0).await;
    assert_eq!(visit.next().await, ack(0));
    for (route, began) in [("first", 1), ("then", 1), ("first", 2), ("then", 2)] {
        let frame = visit.next().await;
        assert_eq!(frame["type"], route);
        assert_eq!(resumed(&runs).len(), began);
        visit.answer(&frame).await;
    }
    assert_eq!(resumed(&runs), [false, true]);
}

#[tokio::test]
async fn on_open_learns_of_the_session_that_was_lost() {
    let mut stage = Stage::new().await;
    let (client, runs) = opening(&stage);
    let mut visit = stage.begin().await;
    for _ in ["first", "then"] {
        let frame = visit.next().await;
        visit.answer(&frame).await;
    }
    let calls = [call(&client, "a"), call(&client, "b")];
    visit.types::<2>().await;
    let lost = stage.client_id;
    stage.client_id = zocket::ClientId::random();
    drop(visit);
    let mut visit = stage.accept().await;
    assert_eq!(visit.resume_offer(), "zocket.resume.T1.2");
    visit.welcome(stage.welcome(json!({ "session": "T9" }))).await;
    assert_eq!(visit.types().await, ["__ack", "first"]);
    for call in calls {
        soon(call).await.unwrap().unwrap_err();
    }
    let runs = runs.lock().unwrap().clone();
    assert_eq!(runs.len(), 2);
    assert!(runs[0].lost.is_none());
    let told = runs[1].lost.as_ref().unwrap();
    assert_eq!((told.client_id, told.calls), (lost, 2));
    assert_eq!((runs[1].client_id, runs[1].resumed), (stage.client_id, false));
    assert!(!client.resumed());
}
