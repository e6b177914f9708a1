//! A server of this crate, whose connections break.

use std::time::Duration;

use zocket::{
    Limits, Reason,
    client::{Client, Sent},
};

use super::{
    app::{Site, Task, Tick, tick, url},
    call,
    cutter::Cutter,
    hasty, sent, soon, status,
};

fn task(number: u64) -> Task {
    Task {
        number,
        padding: String::new(),
    }
}

/// Returns a client whose session the server would park.
async fn proven(cutter: &Cutter) -> Client {
    let client = hasty(url(cutter.addr())).connect().await.unwrap();
    let _: u64 = client.call_route("run", &task(1)).await.unwrap();
    client
}

#[tokio::test]
async fn a_handler_goes_on_and_its_answer_waits() {
    let site = Site::default();
    let (zo, server) = site.serve(Limits::default()).await;
    let cutter = Cutter::new(server.addr).await;
    let client = proven(&cutter).await;
    let mut ticks = client.on::<Tick>();
    let id = client.client_id();
    let waiting = call(&client, "wait");
    site.until_waiting().await;
    cutter.cut();
    status(&client, |status| !status.is_open()).await;
    site.open_gate();
    tick(&zo, 1);
    assert_eq!(soon(waiting).await.unwrap().unwrap(), "opened");
    assert_eq!(soon(ticks.next()).await.unwrap().unwrap().0, 1);
    assert!(client.resumed());
    assert_eq!(client.client_id(), id);
    assert_eq!(site.connected(), 1);
    soon(client.close()).await;
    site.until_departed(1).await;
    assert!(
        matches!(site.departed()[..], [Reason::ClosedByPeer { .. }]),
        "{:?}",
        site.departed()
    );
}

#[tokio::test]
async fn reconnect_resumes_on_the_server() {
    let site = Site::default();
    let (_zo, server) = site.serve(Limits::default()).await;
    let cutter = Cutter::new(server.addr).await;
    let client = proven(&cutter).await;
    let waiting = call(&client, "wait");
    site.until_waiting().await;
    for _ in 0..3 {
        client.reconnect();
        status(&client, |status| !status.is_open()).await;
        soon(client.ready()).await.unwrap();
        assert!(client.resumed());
    }
    site.open_gate();
    assert_eq!(soon(waiting).await.unwrap().unwrap(), "opened");
    assert_eq!(site.connected(), 1);
}

#[tokio::test]
async fn a_session_that_the_server_no_longer_has_is_lost() {
    let site = Site::default();
    let limits = Limits::default().resume_within(Duration::from_millis(100));
    let (_zo, server) = site.serve(limits).await;
    let cutter = Cutter::new(server.addr).await;
    let client = hasty(url(cutter.addr()))
        .backoff(Duration::from_secs(3600), Duration::from_secs(3600))
        .connect()
        .await
        .unwrap();
    let _: u64 = client.call_route("run", &task(1)).await.unwrap();
    let id = client.client_id();
    let waiting = call(&client, "wait");
    site.until_waiting().await;
    cutter.cut();
    assert_eq!(sent(soon(waiting).await.unwrap()), Sent::Unknown);
    // `on_disconnect` runs after the handlers.
    site.open_gate();
    site.until_departed(1).await;
    client.reconnect();
    soon(client.ready()).await.unwrap();
    assert!(!client.resumed());
    assert_ne!(client.client_id(), id);
    assert_eq!(site.connected(), 2);
}
