//! Clients that may come back to a session, and clients that may not.

use serde_json::json;
use zocket::{ClientId, Context, Error, Limits, NoHeaders, Reason, UpgradeService, Zocket};

use super::{
    app::{Headers, User, World, serve, start},
    peer::{Failed, Peer, dial, read},
};

/// Asserts that a client with this offer gets a new session, and that Ann's goes on undisturbed.
async fn is_stranger(service: &UpgradeService, ann: &mut Peer, offer: &str) {
    let offers = format!("zocket.v1.json, {offer}");
    let (mut socket, _) = dial(service, "name=ann", &offers, &[], usize::MAX).await.unwrap();
    let welcome = read(&mut socket).await.unwrap();
    assert_eq!(welcome["payload"]["resumed"], false, "{offer}");
    assert_ne!(welcome["payload"]["clientId"], ann.welcome["clientId"]);
    let n = ann.sent + 1;
    ann.call("add", json!(n), n).await;
    assert_eq!(ann.next().await["rpcId"], n, "{offer}");
}

#[tokio::test]
async fn guessed_truncated_and_malformed_tokens_are_those_of_strangers() {
    let (_, _, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "name=ann").await;
    ann.ping().await;
    let token = ann.token.clone().unwrap();
    let (client, secret) = token.split_at(32);
    let other: String = secret.chars().rev().collect();
    let elsewhere = ClientId::random().to_string().replace('-', "");
    for offer in [
        format!("zocket.resume.{client}{other}.0"),
        format!("zocket.resume.{elsewhere}{secret}.0"),
        format!("zocket.resume.{}.0", &token[..63]),
        format!("zocket.resume.{client}.0"),
        format!("zocket.resume.{}.0", token.to_uppercase()),
        format!("zocket.resume.{token}"),
        format!("zocket.resume.{token}."),
        format!("zocket.resume.{token}.x"),
        format!("zocket.resume.{token}.-1"),
        // More than was sent.
        format!("zocket.resume.{token}.1000"),
        format!("zocket.resume.{token}.18446744073709551615"),
        // The first of several counts.
        format!("zocket.resume, zocket.resume.{token}.0"),
    ] {
        is_stranger(&service, &mut ann, &offer).await;
    }
}

#[tokio::test]
async fn a_token_without_a_codec_is_ignored() {
    let (_, _, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "name=ann").await;
    ann.ping().await;
    let offer = format!("zocket.resume.{}.0", ann.token.clone().unwrap());
    let refused = std::panic::AssertUnwindSafe(dial(&service, "name=ann", &offer, &[], usize::MAX));
    let dialled = futures_util::FutureExt::catch_unwind(refused).await;
    assert!(
        dialled.is_err() || dialled.unwrap().is_err(),
        "no subprotocol is echoed"
    );
    ann.call("add", json!(1), 1).await;
    assert_eq!(ann.next().await["rpcId"], 1);
}

#[tokio::test]
async fn a_token_that_was_replaced_opens_nothing() {
    let (_, _, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "name=ann").await;
    ann.ping().await;
    let old = ann.token.clone().unwrap();
    ann.cut();
    assert!(ann.connect().await);
    // The acknowledgement after the welcome has proven the new one.
    ann.ping().await;
    is_stranger(&service, &mut ann, &format!("zocket.resume.{old}.0")).await;
}

#[tokio::test]
async fn a_token_is_valid_until_its_successor_is_proven() {
    let (world, _, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "").await;
    ann.ping().await;
    let first = ann.token.clone();
    ann.acknowledges = false;
    let mut offered = None;
    // The welcomes are lost, so the client comes with the old token again.
    for _ in 0..3 {
        ann.cut();
        ann.token = first.clone();
        assert!(ann.connect().await);
        assert_ne!(ann.token, first);
        assert_eq!(
            *offered.get_or_insert(ann.token.clone()),
            ann.token,
            "the same is offered"
        );
    }
    // Coming with the offered one proves it.
    ann.cut();
    assert!(ann.connect().await);
    let second = std::mem::replace(&mut ann.token, first);
    assert_ne!(offered, Some(second));
    ann.cut();
    assert!(!ann.connect().await);
    assert_eq!(world.connected(), 2);
}

#[tokio::test]
async fn another_user_with_the_token_gets_a_session_of_its_own() {
    let (world, _, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "name=ann").await;
    ann.ping().await;
    let mut eve = Peer::new(&service, "name=eve");
    eve.token = ann.token.clone();
    assert!(!eve.connect().await);
    assert_eq!(world.connected(), 2);
    ann.call("add", json!(1), 1).await;
    assert_eq!(ann.next().await["rpcId"], 1, "the old session is left alone");
    ann.cut();
    assert!(ann.connect().await);
}

#[tokio::test]
async fn undeclared_headers_may_differ() {
    let (_, _, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "name=ann").await;
    ann.ping().await;
    ann.query = "name=ann&other=1".to_owned();
    ann.fields = vec![("cookie", "a=1".to_owned()), ("user-agent", "another".to_owned())];
    ann.cut();
    assert!(ann.connect().await);
}

/// An app whose `on_connect` takes the request.
fn with_request() -> UpgradeService {
    let zo = Zocket::builder()
        .any_origin()
        .on_connect(async |_: NoHeaders, _: ClientId, _: http::request::Parts| Ok(()))
        .build();
    zo.serve(zo.router())
}

#[tokio::test]
async fn changed_credentials_begin_a_new_session_where_on_connect_can_read_them() {
    for (name, changed) in [
        ("cookie", "user=eve"),
        ("authorization", "Bearer eve"),
        ("x-other", "eve"),
    ] {
        let service = with_request();
        let mut ann = Peer::new(&service, "");
        ann.fields = vec![(name, "ann".to_owned())];
        assert!(!ann.connect().await);
        ann.ping().await;
        ann.cut();
        assert!(ann.connect().await, "{name} is the same");
        ann.ping().await;
        ann.cut();
        ann.fields = vec![(name, changed.to_owned())];
        assert_eq!(ann.connect().await, name == "x-other");
    }
}

/// An app whose `on_resume` returns what the header `name` says.
fn with_on_resume(world: &World) -> (Zocket<User>, UpgradeService) {
    let on_resume = async |headers: Headers, request: http::request::Parts, cx: Context<User>| {
        assert_eq!(cx.name, "ann");
        assert_eq!(request.uri.path(), "/");
        match &*headers.name {
            "yes" => Ok(true),
            "no" => Ok(false),
            "panic" => panic!("on_resume panics"),
            _ => Err(Error::forbidden("you were banned")),
        }
    };
    let zo = world.builder(Limits::default()).on_resume(on_resume).build();
    let service = serve(&zo);
    (zo, service)
}

#[tokio::test]
async fn on_resume_may_let_a_client_come_back_with_other_headers() {
    let world = World::new();
    let (_, service) = with_on_resume(&world);
    let mut ann = Peer::connected(&service, "name=ann").await;
    ann.ping().await;
    ann.cut();
    ann.query = "name=yes".to_owned();
    assert!(ann.connect().await);
    ann.call("gate", json!(null), 1).await;
    world.open_gate();
    ann.next().await;
    ann.next().await;
    assert_eq!(ann.next().await["payload"], "ann", "the context is the session's");
    assert_eq!(world.connected(), 1);
}

#[tokio::test]
async fn on_resume_may_begin_a_new_session_and_leave_the_old_one_alone() {
    let world = World::new();
    let (_, service) = with_on_resume(&world);
    let mut ann = Peer::connected(&service, "name=ann").await;
    ann.ping().await;
    let mut other = Peer::new(&service, "name=no");
    other.token = ann.token.clone();
    assert!(!other.connect().await);
    assert_eq!((world.connected(), world.departed().len()), (2, 0));
    ann.call("add", json!(1), 1).await;
    assert_eq!(ann.next().await["rpcId"], 1);
}

#[tokio::test]
async fn on_resume_may_refuse_the_client_and_end_the_session() {
    let world = World::new();
    let (_, service) = with_on_resume(&world);
    let mut ann = Peer::connected(&service, "name=ann").await;
    ann.ping().await;
    ann.cut();
    ann.query = "name=banned".to_owned();
    assert_eq!(ann.try_connect(usize::MAX).await, Err(Failed::Refused(403)));
    world.until_departed(1).await;
    assert_eq!(world.departed()[0], ("ann".to_owned(), Reason::Expired));
    assert_eq!(world.connected(), 1);
}

#[tokio::test]
async fn a_panic_of_on_resume_refuses_the_handshake_only() {
    let world = World::new();
    let (_, service) = with_on_resume(&world);
    let mut ann = Peer::connected(&service, "name=ann").await;
    ann.ping().await;
    ann.cut();
    ann.query = "name=panic".to_owned();
    assert_eq!(ann.try_connect(usize::MAX).await, Err(Failed::Refused(500)));
    ann.query = "name=yes".to_owned();
    assert!(ann.connect().await);
}

#[tokio::test]
async fn three_resumes_without_progress_are_the_last() {
    let (world, zo, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "").await;
    ann.ping().await;
    zo.emitter().send(super::app::Tick(1)).to_room("lobby").unwrap();
    for _ in 0..3 {
        ann.cut();
        assert!(ann.connect().await);
    }
    ann.cut();
    assert!(
        !ann.connect().await,
        "the event may be what breaks the connections"
    );
    assert_eq!(world.departed()[0].1, Reason::Expired);
    assert_eq!(ann.welcome["ended"], 0, "the session has received no message");
}

#[tokio::test]
async fn a_resume_while_no_frame_waits_is_none_of_the_three() {
    let (world, zo, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "").await;
    ann.ping().await;
    ann.cut();
    assert!(ann.connect().await);
    ann.ping().await;
    zo.emitter().send(super::app::Tick(1)).to_room("lobby").unwrap();
    for resume in 1..=3 {
        ann.cut();
        assert!(ann.connect().await, "resume {resume}");
    }
    ann.cut();
    assert!(!ann.connect().await);
    assert_eq!(world.departed()[0].1, Reason::Expired);
}

#[tokio::test]
async fn an_event_that_a_parked_session_receives_waits_for_all_three() {
    let (world, zo, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "").await;
    ann.ping().await;
    ann.close(1001, "").await;
    zo.emitter().send(super::app::Tick(1)).to_room("lobby").unwrap();
    for resume in 1..=3 {
        assert!(ann.connect().await, "resume {resume}");
        ann.cut();
    }
    assert!(!ann.connect().await);
    assert_eq!(world.departed()[0].1, Reason::Expired);
}

#[tokio::test]
async fn resumes_with_progress_or_without_a_frame_that_waits_go_on() {
    let (_, zo, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "").await;
    ann.ping().await;
    for n in 0..10 {
        ann.cut();
        assert!(ann.connect().await);
        ann.ping().await;
        if n % 2 == 0 {
            zo.emitter().send(super::app::Tick(n)).to_room("lobby").unwrap();
            assert_eq!(ann.next().await["payload"], n);
        }
    }
    for _ in 0..10 {
        ann.cut();
        assert!(ann.connect().await);
    }
}
