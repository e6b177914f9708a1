//! Handshakes that take their time: the session goes on, moves on, or ends meanwhile.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio::sync::Semaphore;
use zocket::{AppLimits, Context, Limits, Reason, UpgradeService, Zocket};

use super::{
    app::{Headers, Tick, User, World, serve},
    peer::{Broken, Peer, dial, read},
};

/// An app whose `on_resume` waits for a permit. It announces each call by a permit of the other semaphore.
fn start() -> (
    World,
    Zocket<User>,
    UpgradeService,
    Arc<Semaphore>,
    Arc<Semaphore>,
) {
    let world = World::new();
    let (asked, gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (ask, wait) = (asked.clone(), gate.clone());
    let on_resume = move |_: Headers, _: http::request::Parts, _: Context<User>| {
        let (ask, wait) = (ask.clone(), wait.clone());
        async move {
            ask.add_permits(1);
            wait.acquire().await.unwrap().forget();
            Ok(true)
        }
    };
    let limits = AppLimits::default().connect_within(Duration::from_secs(60));
    let zo = world
        .builder(Limits::default())
        .app_limits(limits)
        .on_resume(on_resume)
        .build();
    let service = serve(&zo);
    (world, zo, service, asked, gate)
}

#[tokio::test]
async fn a_record_that_moves_on_meanwhile_closes_the_new_socket_with_3004() {
    let (world, zo, service, asked, gate) = start();
    let mut ann = Peer::connected(&service, "").await;
    for n in 0..2 {
        zo.emitter().send(Tick(n)).to_room("lobby").unwrap();
    }
    ann.ping().await;
    let offer = format!("zocket.v1.json, zocket.resume.{}.0", ann.token.clone().unwrap());
    let dialling = {
        let service = service.clone();
        tokio::spawn(async move { dial(&service, "", &offer, &[], usize::MAX).await.unwrap().0 })
    };
    asked.acquire().await.unwrap().forget();
    ann.write(&json!({"type": "__ack", "payload": 2})).await;
    ann.ping().await;
    gate.add_permits(1);
    let mut late = dialling.await.unwrap();
    let closed = Broken::Closed(3004, "not-resumable".to_owned());
    assert_eq!(read(&mut late).await, Err(closed), "before a welcome");
    // The session and its socket do not notice.
    ann.call("add", json!(1), 1).await;
    assert_eq!(ann.next().await["rpcId"], 1);
    assert_eq!((world.connected(), world.departed().len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_handshake_in_progress_holds_a_session_whose_window_ends() {
    let (world, _, service, asked, gate) = start();
    let mut ann = Peer::connected(&service, "").await;
    ann.ping().await;
    ann.cut();
    tokio::time::sleep(Duration::from_secs(29)).await;
    let resuming = tokio::spawn(async move { (ann.connect().await, ann) });
    asked.acquire().await.unwrap().forget();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.departed(), []);
    gate.add_permits(1);
    let (is_resumed, mut ann) = resuming.await.unwrap();
    assert!(is_resumed);
    ann.call("add", json!(1), 1).await;
    assert_eq!(ann.next().await["rpcId"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_takes_too_long_finds_no_session() {
    let (world, _, service, asked, gate) = start();
    let mut ann = Peer::connected(&service, "").await;
    ann.ping().await;
    ann.cut();
    tokio::time::sleep(Duration::from_secs(29)).await;
    let offer = ann.offer();
    let dialling = {
        let service = service.clone();
        tokio::spawn(async move { dial(&service, "", &offer, &[], usize::MAX).await.unwrap().0 })
    };
    asked.acquire().await.unwrap().forget();
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(world.departed(), [(String::new(), Reason::Expired)]);
    gate.add_permits(1);
    let mut late = dialling.await.unwrap();
    let closed = Broken::Closed(3004, "not-resumable".to_owned());
    assert_eq!(read(&mut late).await, Err(closed));
    assert!(!ann.connect().await, "it is a new client by now");
}

#[tokio::test]
async fn of_two_handshakes_the_one_that_began_last_wins() {
    let (world, _, service, asked, gate) = start();
    let mut ann = Peer::connected(&service, "").await;
    ann.ping().await;
    let mut dialling = Vec::new();
    for _ in 0..2 {
        let (service, offer) = (service.clone(), ann.offer());
        dialling.push(tokio::spawn(async move {
            dial(&service, "", &offer, &[], usize::MAX).await.unwrap().0
        }));
        asked.acquire().await.unwrap().forget();
    }
    gate.add_permits(2);
    let (mut first, mut second) = (
        dialling.remove(0).await.unwrap(),
        dialling.remove(0).await.unwrap(),
    );
    assert_eq!(read(&mut second).await.unwrap()["payload"]["resumed"], true);
    let replaced = Err(Broken::Closed(3501, "replaced".to_owned()));
    let welcome_or_close = read(&mut first).await;
    assert!(
        welcome_or_close == replaced || read(&mut first).await == replaced,
        "{welcome_or_close:?}"
    );
    assert_eq!((world.connected(), world.departed().len()), (1, 0));
}

#[tokio::test]
async fn a_shutdown_meanwhile_refuses_the_handshake() {
    let (world, zo, service, asked, gate) = start();
    let mut ann = Peer::connected(&service, "").await;
    ann.ping().await;
    ann.close(1001, "").await;
    let resuming = tokio::spawn(async move { ann.try_connect(usize::MAX).await });
    asked.acquire().await.unwrap().forget();
    let shutdown = tokio::spawn({
        let zo = zo.clone();
        async move { zo.shutdown(Duration::from_secs(60)).await }
    });
    world.until_departed(1).await;
    gate.add_permits(1);
    assert!(resuming.await.unwrap().is_err());
    assert_eq!(shutdown.await.unwrap(), 0);
    assert_eq!(
        (world.connected(), world.departed()[0].1.clone()),
        (1, Reason::Shutdown)
    );
}
