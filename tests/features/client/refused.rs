//! Refused handshakes: final outcomes and retries.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use zocket::client::{CallError, Outage, Status};

use super::{
    common::{self, until},
    hasty,
    servers::{drain, refusing},
    soon, waiting,
    world::{Headers, Said, site},
};

#[tokio::test]
async fn a_refused_handshake_is_final_and_returns_the_reason() {
    let (world, server) = site().await;
    let client = hasty(server.url("name=stranger")).start().unwrap();
    let mut said = client.on::<Said>();
    let outage = soon(client.ready()).await.unwrap_err();
    let Outage::Refused { status, refusal } = &outage else {
        panic!("{outage}");
    };
    assert_eq!(
        (*status, refusal.to_string().as_str()),
        (401, "UNAUTHORIZED: who are you?")
    );
    assert!(client.status().is_closed());
    assert!(soon(said.next()).await.is_none());
    let error = client.call_route::<()>("nothing", &()).await.unwrap_err();
    assert!(matches!(error, CallError::Closed), "{error}");
    assert_eq!(world.names().len(), 1, "it does not try again");

    let outage = soon(hasty(server.url("name=")).connect()).await.unwrap_err();
    let Outage::Refused { status: 400, refusal } = &outage else {
        panic!("{outage}");
    };
    assert_eq!(refusal.issues[0].path, ["name".into()]);
}

#[tokio::test]
async fn refused_headers_show_their_issues() {
    let (_, server) = site().await;
    let outage = soon(hasty(server.url("name=")).connect()).await.unwrap_err();
    let [issue] = outage.issues() else {
        panic!("{outage}")
    };
    assert_eq!((&*issue.path, &*issue.code), (&["name".into()][..], "min_length"));
    assert_eq!(
        outage.to_string(),
        "the server refused the handshake (400): BAD_REQUEST: Invalid headers: name: at least 1 character, got 0"
    );
    let stranger = soon(hasty(server.url("name=stranger")).connect())
        .await
        .unwrap_err();
    assert!(stranger.issues().is_empty(), "{stranger}");
}

#[tokio::test]
async fn a_401_is_final_only_after_an_attempt_with_new_headers() {
    let (world, server) = site().await;
    let made = Arc::new(AtomicU32::new(0));
    let names = ["stranger", "bot", "stranger", "stranger"];
    let headers = move || {
        let name = names[made.fetch_add(1, Ordering::SeqCst) as usize].to_owned();
        async move { Ok(Headers { name }) }
    };
    let client = hasty(server.url("")).headers_with(headers).start().unwrap();
    soon(client.ready()).await.unwrap();
    assert_eq!(world.names(), names[..2]);
    client.reconnect();
    let Some(Status::Closed(outage)) = soon(client.statuses().wait_for(Status::is_closed)).await else {
        panic!("{client:?}");
    };
    assert!(matches!(outage, Outage::Refused { status: 401, .. }), "{outage}");
    assert_eq!(world.names(), names, "a connection permits another attempt");
}

#[tokio::test]
async fn retry_after_delays_the_next_attempt() {
    let (_, server) = site().await;
    let client = hasty(server.url("name=eager")).start().unwrap();
    let waiting = waiting(&client).await;
    let Status::Waiting { delay, outage, .. } = waiting else {
        unreachable!("it was waited for");
    };
    // Seven seconds, and the first wait of its own on top.
    let wait = Duration::from_secs(7) + Duration::from_millis(1);
    assert!(
        (wait..=wait + Duration::from_millis(1)).contains(&delay),
        "{delay:?}"
    );
    assert!(matches!(outage, Outage::Refused { status: 429, .. }), "{outage}");
}

#[tokio::test]
async fn a_server_error_is_retried() {
    let (server, count) = refusing("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 5\r\n\r\noops!").await;
    let outage = soon(hasty(server.url("")).connect()).await.unwrap_err();
    assert_eq!(
        outage.to_string(),
        "the server refused the handshake (502): INTERNAL_SERVER_ERROR: oops!"
    );
    let client = hasty(server.url("")).start().unwrap();
    until(|| count.load(Ordering::SeqCst) >= 4).await;
    assert!(!client.status().is_closed());
}

#[tokio::test]
async fn an_unknown_subprotocol_is_final() {
    let (server, _) = refusing("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
    let outage = soon(hasty(server.url("")).start().unwrap().ready())
        .await
        .unwrap_err();
    assert!(matches!(outage, Outage::Refused { status: 200, .. }), "{outage}");

    let plain = common::listen(|listener| async move {
        let (stream, _) = listener.accept().await.unwrap();
        let socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        drain(socket).await;
    })
    .await;
    let outage = soon(hasty(plain.url("")).start().unwrap().ready())
        .await
        .unwrap_err();
    assert!(matches!(outage, Outage::Incompatible(_)), "{outage}");
}

#[tokio::test]
async fn a_server_that_never_sends_a_welcome_times_out() {
    let silent = common::listen(|listener| async move {
        let (stream, _) = listener.accept().await.unwrap();
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let builder = hasty(silent.url("")).connect_timeout(Duration::from_millis(20));
    let outage = soon(builder.connect()).await.unwrap_err();
    assert!(matches!(outage, Outage::Timeout), "{outage}");
}
