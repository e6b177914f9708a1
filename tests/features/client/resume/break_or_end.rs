//! Ends of connections, and what they mean for the session.

use serde_json::json;
use zocket::client::{CallError, Client, Outage, Sent, Status};

use super::{
    call, sent, soon,
    stage::{Stage, Visit},
    status,
};

/// Returns a client with a session and one unanswered call, which the server has acknowledged if `acknowledged`.
async fn calling(
    stage: &mut Stage,
    acknowledged: bool,
) -> (Client, Visit, tokio::task::JoinHandle<Result<String, CallError>>) {
    let client = stage.builder().reconnect_on(4001..=4001).start().unwrap();
    let mut visit = stage.begin().await;
    let unanswered = call(&client, "a");
    assert_eq!(visit.types().await, ["a"]);
    if acknowledged {
        visit.acknowledge(1).await;
    }
    (client, visit, unanswered)
}

#[tokio::test]
async fn a_session_outlives_breaks() {
    for (code, reason) in [
        (1000, ""),
        (1000, "idle for too long"),
        (1001, ""),
        (1005, ""),
        (1011, ""),
        (1012, "Service Restart"),
        (3501, "replaced"),
    ] {
        let mut stage = Stage::new().await;
        let (client, visit, unanswered) = calling(&mut stage, true).await;
        visit.close(code, reason).await;
        let mut visit = stage.resume("zocket.resume.T1.0", 1).await;
        visit
            .send(json!({ "type": "__rpc_res", "rpcId": 1, "payload": "a" }))
            .await;
        assert_eq!(soon(unanswered).await.unwrap().unwrap(), "a", "{code} {reason}");
        assert!(client.resumed());
    }
}

#[tokio::test]
async fn a_session_ends_with_the_servers_close_which_tells_what_has_not_begun() {
    for (code, reason) in [
        (1001, "going-away"),
        (1008, "OVERLOADED"),
        (1009, "message-too-large"),
        (1012, "restarting"),
        (3001, "stalled"),
        (3002, "slow-reader"),
        (4001, ""),
    ] {
        for (acknowledged, expected) in [(true, Sent::Unknown), (false, Sent::No)] {
            let mut stage = Stage::new().await;
            let (_client, visit, unanswered) = calling(&mut stage, acknowledged).await;
            visit.close(code, reason).await;
            assert_eq!(sent(soon(unanswered).await.unwrap()), expected, "{code} {reason}");
            assert_eq!(
                stage.accept().await.resume_offer(),
                "zocket.resume",
                "{code} {reason}"
            );
        }
    }
}

#[tokio::test]
async fn a_final_close_ends_the_session_and_the_client() {
    for (code, reason) in [(1008, "FORBIDDEN"), (3500, "no"), (4000, "kicked")] {
        let mut stage = Stage::new().await;
        let (client, visit, unanswered) = calling(&mut stage, true).await;
        visit.close(code, reason).await;
        assert_eq!(sent(soon(unanswered).await.unwrap()), Sent::Unknown);
        let closed = status(&client, Status::is_closed).await;
        assert!(
            matches!(closed, Status::Closed(Outage::Closed { code: c, .. }) if c == code),
            "{closed:?}"
        );
    }
}

#[tokio::test]
async fn a_client_without_a_session_does_not_come_back_when_it_was_replaced() {
    let mut stage = Stage::new().await;
    let client = stage.builder().resume(false).start().unwrap();
    let mut visit = stage.accept().await;
    visit.welcome(stage.welcome(json!({}))).await;
    visit.close(3501, "replaced").await;
    status(&client, Status::is_closed).await;
}

#[tokio::test]
async fn a_handshake_that_fails_says_nothing_about_the_session() {
    let mut stage = Stage::new().await;
    let (_client, visit, unanswered) = calling(&mut stage, true).await;
    drop(visit);
    stage
        .refuse("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n")
        .await;
    drop(stage.accept().await);
    for (code, reason) in [(3004, "not-resumable"), (1005, ""), (3501, "replaced")] {
        let visit = stage.accept().await;
        assert_eq!(visit.resume_offer(), "zocket.resume.T1.0");
        visit.close(code, reason).await;
    }
    let mut visit = stage.resume("zocket.resume.T1.0", 1).await;
    visit
        .send(json!({ "type": "__rpc_res", "rpcId": 1, "payload": "a" }))
        .await;
    assert_eq!(soon(unanswered).await.unwrap().unwrap(), "a");
}

#[tokio::test]
async fn a_session_that_was_closed_while_it_was_parked_has_ended() {
    for (code, reason) in [(3002, "slow-reader"), (4001, "")] {
        let mut stage = Stage::new().await;
        let (_client, visit, unanswered) = calling(&mut stage, false).await;
        drop(visit);
        let visit = stage.accept().await;
        assert_eq!(visit.resume_offer(), "zocket.resume.T1.0");
        visit.close(code, reason).await;
        // The acknowledgement that the server sends before a Close did not reach this client.
        assert_eq!(sent(soon(unanswered).await.unwrap()), Sent::Unknown);
        assert_eq!(stage.accept().await.resume_offer(), "zocket.resume");
    }
}

#[tokio::test]
async fn a_refusal_for_good_ends_the_session_and_the_client() {
    let mut stage = Stage::new().await;
    let (client, visit, unanswered) = calling(&mut stage, true).await;
    drop(visit);
    stage
        .refuse("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
        .await;
    assert_eq!(sent(soon(unanswered).await.unwrap()), Sent::Unknown);
    status(&client, Status::is_closed).await;
}

#[tokio::test]
async fn a_401_that_is_met_while_resuming_keeps_the_session_for_the_attempt_with_new_headers() {
    let refusal = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n";
    let mut stage = Stage::new().await;
    let client = stage.builder().headers_with(async || Ok(())).start().unwrap();
    let mut visit = stage.begin().await;
    let unanswered = call(&client, "a");
    visit.types::<1>().await;
    drop(visit);
    stage.refuse(refusal).await;
    let visit = stage.resume("zocket.resume.T1.0", 1).await;
    drop(visit);
    for _ in 0..2 {
        stage.refuse(refusal).await;
    }
    assert_eq!(sent(soon(unanswered).await.unwrap()), Sent::Unknown);
    status(&client, Status::is_closed).await;
}

#[tokio::test]
async fn silence_is_a_break() {
    let mut stage = Stage::new().await;
    let ping = std::time::Duration::from_millis(20);
    let _client = stage.builder().ping(ping, ping).start().unwrap();
    let _silent = stage.begin().await;
    assert_eq!(stage.accept().await.resume_offer(), "zocket.resume.T1.0");
}

#[tokio::test]
async fn close_says_goodbye_and_reconnect_does_not() {
    let mut stage = Stage::new().await;
    let (client, mut visit, unanswered) = calling(&mut stage, true).await;
    client.reconnect();
    assert_eq!(visit.closed().await, (1005, String::new()));
    let mut visit = stage.resume("zocket.resume.T1.0", 1).await;
    assert_eq!(visit.types().await, ["__ack"]);
    let closing = tokio::spawn(async move { client.close().await });
    assert_eq!(visit.closed().await, (1000, "bye".to_owned()));
    drop(visit);
    soon(closing).await.unwrap();
    let error = soon(unanswered).await.unwrap().unwrap_err();
    assert!(matches!(error, CallError::Closed), "{error}");
}

#[tokio::test]
async fn a_client_can_be_closed_while_it_is_away() {
    let mut stage = Stage::new().await;
    let (client, visit, unanswered) = calling(&mut stage, true).await;
    drop(visit);
    let _unfinished = stage.accept().await;
    soon(client.close()).await;
    let error = soon(unanswered).await.unwrap().unwrap_err();
    assert!(matches!(error, CallError::Closed), "{error}");
}
