//! The idempotency layer: each key runs once, and its repeats receive the same answer.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as a test may")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use tokio::sync::Semaphore;
use tower::{BoxError, Layer, ServiceBuilder, ServiceExt, service_fn, util::BoxCloneSyncService};
use zocket_layers::{
    Code, Connection, Context, ContextLayer, Error, FanoutLayer, IdempotencyLayer, Message, Outcome,
    RawPayload, Reply, RescueLayer, ValidateLayer, handler_fn, idempotency::payload_member,
};

/// State that handlers share: the number of runs, and a gate that each run passes.
struct Shop {
    runs: AtomicU64,
    gate: Semaphore,
}

struct World {
    shop: Arc<Shop>,
    connection: Connection,
    service: BoxCloneSyncService<Message, Reply, BoxError>,
}

async fn order(cx: Context<Arc<Shop>>) -> Result<u64, Error> {
    let run = 1 + cx.runs.fetch_add(1, Ordering::Relaxed);
    cx.rooms().join(format!("order-{run}"))?;
    cx.gate.acquire().await.unwrap().forget();
    match run {
        13 => Err(Error::precondition_failed("the thirteenth")),
        14 => Err(Error::internal("the database password is 1234")),
        run => Ok(run),
    }
}

impl World {
    /// A shop with an open gate.
    fn open(layer: IdempotencyLayer) -> Self {
        let world = Self::closed(layer);
        world.shop.gate.add_permits(1000);
        world
    }

    fn closed(layer: IdempotencyLayer) -> Self {
        let shop = Arc::new(Shop {
            runs: AtomicU64::new(0),
            gate: Semaphore::new(0),
        });
        let connection = Connection::detached(shop.clone());
        let service = ServiceBuilder::new()
            .layer(layer)
            .layer(FanoutLayer::new())
            .layer(ValidateLayer::<()>::ignoring())
            .layer(ContextLayer::<Arc<Shop>>::new())
            .service(handler_fn(order));
        Self {
            shop,
            connection,
            service: BoxCloneSyncService::new(service),
        }
    }

    fn message(&self, payload: &'static str) -> Message {
        Message::new(self.connection.clone(), "shop.order", RawPayload::json(payload))
    }

    fn send(
        &self,
        message: Message,
    ) -> impl Future<Output = Result<Vec<u8>, Error>> + Send + 'static + use<> {
        self.service.clone().oneshot(message).map(|result| match result {
            Ok(reply) => Ok(reply.answer.as_json().to_vec()),
            Err(error) => Err(*error.downcast::<Error>().unwrap()),
        })
    }

    async fn call(&self, payload: &'static str) -> Result<Vec<u8>, Error> {
        self.send(self.message(payload)).await
    }

    fn runs(&self) -> u64 {
        self.shop.runs.load(Ordering::Relaxed)
    }

    /// Waits until a handler has started.
    async fn begun(&self, runs: u64) {
        while self.runs() < runs {
            tokio::task::yield_now().await;
        }
    }
}

fn by_key() -> IdempotencyLayer {
    IdempotencyLayer::new(payload_member("key"))
}

fn code(result: Result<Vec<u8>, Error>) -> Code {
    result.unwrap_err().code()
}

#[tokio::test]
async fn a_repeated_key_replays_the_answer_without_running_the_handler() {
    let world = World::open(by_key());
    assert_eq!(world.call(r#"{"key":"k"}"#).await.unwrap(), b"1");
    assert_eq!(world.call(r#"{"key":"k"}"#).await.unwrap(), b"1");
    assert_eq!(world.runs(), 1);
    // The effects were performed once, too.
    let hub = world.connection.hub();
    assert_eq!(hub.rooms(&world.connection.client_id()), ["order-1".into()]);
}

#[tokio::test]
async fn other_keys_other_routes_and_missing_keys_run_the_handler() {
    let world = World::open(by_key());
    for payload in [r#"{"key":"a"}"#, r#"{"key":"b"}"#] {
        world.call(payload).await.unwrap();
    }
    for payload in ["{}", "{}", r#"{"key":""}"#, r#"{"key":7}"#, "[]", "null"] {
        world.call(payload).await.unwrap();
    }
    assert_eq!(world.runs(), 8);
    let mut message = world.message(r#"{"key":"a"}"#);
    message.parts_mut().set_route("shop.return");
    assert_eq!(world.send(message).await.unwrap(), b"9");
}

#[tokio::test]
async fn keys_are_scoped_to_the_client_unless_a_scope_is_given() {
    let world = World::open(by_key());
    let other = |world: &World| {
        let connection = Connection::detached(world.shop.clone());
        Message::new(connection, "shop.order", RawPayload::json(r#"{"key":"k"}"#))
    };
    world.call(r#"{"key":"k"}"#).await.unwrap();
    assert_eq!(world.send(other(&world)).await.unwrap(), b"2");

    let world = World::open(by_key().scope(|_| "the account".to_owned()));
    world.call(r#"{"key":"k"}"#).await.unwrap();
    assert_eq!(world.send(other(&world)).await.unwrap(), b"1");
}

#[tokio::test]
async fn the_same_key_with_another_payload_is_a_conflict_and_changes_nothing() {
    let world = World::open(by_key());
    world.call(r#"{"key":"k","item":"tea"}"#).await.unwrap();
    let refusal = world.call(r#"{"key":"k","item":"coffee"}"#).await.unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "CONFLICT: idempotency key: expected the payload of its first message, got another one"
    );
    assert_eq!(world.call(r#"{"key":"k","item":"tea"}"#).await.unwrap(), b"1");
    assert_eq!(world.runs(), 1);
}

#[tokio::test]
async fn a_repeated_message_waits_for_the_answer_in_flight() {
    let world = World::closed(by_key());
    let first = tokio::spawn(world.send(world.message(r#"{"key":"k"}"#)));
    world.begun(1).await;
    let mut again = [0; 3].map(|_| Box::pin(world.send(world.message(r#"{"key":"k"}"#))));
    assert!(again[0].as_mut().now_or_never().is_none());
    assert_eq!(code(world.call(r#"{"key":"k","other":1}"#).await), Code::CONFLICT);
    world.shop.gate.add_permits(1);
    for again in again {
        assert_eq!(again.await.unwrap(), b"1");
    }
    assert_eq!(first.await.unwrap().unwrap(), b"1");
    assert_eq!(world.runs(), 1);
}

#[tokio::test]
async fn a_refusal_reaches_the_waiting_repeats_and_is_not_stored() {
    let world = World::closed(by_key());
    for (runs, told) in [(13, Code::PRECONDITION_FAILED), (14, Code::INTERNAL_SERVER_ERROR)] {
        world.shop.runs.store(runs - 1, Ordering::Relaxed);
        let first = tokio::spawn(world.send(world.message(r#"{"key":"k"}"#)));
        world.begun(runs).await;
        let mut again = Box::pin(world.send(world.message(r#"{"key":"k"}"#)));
        assert!(again.as_mut().now_or_never().is_none());
        world.shop.gate.add_permits(1);
        assert_eq!(code(again.await), told);
        assert_eq!(code(first.await.unwrap()), told);
    }
    world.shop.gate.add_permits(1);
    assert_eq!(world.call(r#"{"key":"k"}"#).await.unwrap(), b"15");
}

/// An error that panics where the log or a client would see it.
#[derive(Debug)]
struct Explosive {
    source: bool,
}

impl std::fmt::Display for Explosive {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("its text is not ready")
    }
}

impl std::error::Error for Explosive {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        if self.source {
            panic!("its source is not ready")
        }
        None
    }
}

#[tokio::test]
async fn an_error_that_panics_itself_fails_the_first_message_and_each_repeat() {
    for source in [false, true] {
        let gate = Arc::new(Semaphore::new(0));
        let service = {
            let gate = gate.clone();
            ServiceBuilder::new()
                .layer(RescueLayer::new())
                .layer(by_key())
                .service(service_fn(move |_: Message| {
                    let gate = gate.clone();
                    async move {
                        gate.acquire().await.unwrap().forget();
                        Err::<Reply, _>(BoxError::from(Explosive { source }))
                    }
                }))
        };
        let connection = Connection::detached(());
        let mut messages = [0; 3].map(|_| {
            let message = Message::new(
                connection.clone(),
                "shop.order",
                RawPayload::json(r#"{"key":"k"}"#),
            );
            Box::pin(service.clone().oneshot(message))
        });
        for message in &mut messages {
            assert!(message.as_mut().now_or_never().is_none());
        }
        gate.add_permits(1);
        for message in messages {
            let Outcome::Refused(refusal) = message.await.unwrap() else {
                panic!("not refused")
            };
            assert_eq!(refusal.code(), Code::INTERNAL_SERVER_ERROR);
            assert!(refusal.message().starts_with("internal error "), "{refusal}");
        }
    }
}

#[tokio::test]
async fn dropping_the_first_message_frees_its_key_and_wakes_the_repeats() {
    let world = World::closed(by_key());
    let mut first = Box::pin(world.send(world.message(r#"{"key":"k"}"#)));
    assert!(first.as_mut().now_or_never().is_none());
    let mut again = Box::pin(world.send(world.message(r#"{"key":"k"}"#)));
    assert!(again.as_mut().now_or_never().is_none());
    drop(first);
    assert_eq!(code(again.await), Code::CONFLICT);
    world.shop.gate.add_permits(1);
    assert_eq!(world.call(r#"{"key":"k"}"#).await.unwrap(), b"2");
}

#[tokio::test(start_paused = true)]
async fn an_answer_expires_after_its_ttl() {
    let world = World::open(by_key().remember_for(Duration::from_secs(60)));
    world.call(r#"{"key":"k"}"#).await.unwrap();
    tokio::time::advance(Duration::from_secs(59)).await;
    assert_eq!(world.call(r#"{"key":"k"}"#).await.unwrap(), b"1");
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(world.call(r#"{"key":"k"}"#).await.unwrap(), b"2");
}

#[tokio::test]
async fn a_full_store_evicts_the_oldest_answer() {
    let by_bytes = by_key().max_bytes(2 * (256 + "shop.order".len() + 2));
    for layer in [by_key().max_count(2), by_bytes] {
        let world = World::open(layer);
        for payload in [r#"{"key":"a"}"#, r#"{"key":"b"}"#, r#"{"key":"c"}"#] {
            world.call(payload).await.unwrap();
        }
        assert_eq!(world.call(r#"{"key":"b"}"#).await.unwrap(), b"2");
        assert_eq!(world.call(r#"{"key":"c"}"#).await.unwrap(), b"3");
        assert_eq!(world.call(r#"{"key":"a"}"#).await.unwrap(), b"4");
    }
}

#[tokio::test]
async fn a_key_that_is_too_long_or_missing_where_one_is_required_is_a_bad_request() {
    let world = World::open(IdempotencyLayer::new(|_| Some("x".repeat(256))));
    let refusal = world.call("{}").await.unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "BAD_REQUEST: idempotency key: expected at most 255 bytes, got 256"
    );
    let world = World::open(by_key().required());
    assert_eq!(code(world.call("{}").await), Code::BAD_REQUEST);
    assert_eq!(world.runs(), 0);
}

#[tokio::test]
async fn an_absent_answer_is_replayed_as_absent() {
    let layer = by_key();
    let service = layer.layer(tower::service_fn(async |_: Message| {
        Ok::<_, BoxError>(Reply::empty())
    }));
    let connection = Connection::detached(());
    for _ in 0..2 {
        let payload = RawPayload::json(r#"{"key":"k"}"#);
        let message = Message::new(connection.clone(), "shop.order", payload);
        let reply = service.clone().oneshot(message).await.unwrap();
        assert_eq!(reply.answer, RawPayload::absent());
    }
}
