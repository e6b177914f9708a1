//! Middleware that limits concurrency: concurrency limits, load shed, buffer.

use std::task::{Context as Task, Poll};

use tower::{
    BoxError, Service, ServiceBuilder,
    layer::layer_fn,
    limit::{ConcurrencyLimitLayer, GlobalConcurrencyLimitLayer},
};
use zocket::{Error, Reply};

use super::{
    position::{At, Position, WholeApp, serve},
    site::{Script, Step, answer, ask, begin, connect, settle},
};

cells! {
    a_concurrency_limit_applies_to_the_app_or_to_each_route,
    a_global_concurrency_limit_applies_to_everything_inside_the_layer,
    load_shed_refuses_at_once_beyond_the_limit,
    a_full_buffer_delays_messages_without_refusing_any,
    a_buffer_whose_service_has_failed_refuses,
}

/// The limit only affects messages of several connections, since those of one connection run in order.
async fn a_concurrency_limit_applies_to_the_app_or_to_each_route<P: Position>() {
    let script = Script::new([Step::Wait]);
    let app = serve::<P, _, _>(&script, ConcurrencyLimitLayer::new(1));
    let (mut ann, mut bob, mut cat) = (connect(&app).await, connect(&app).await, connect(&app).await);
    let first = begin(&mut ann, "part.it", "first").await;
    settle().await;
    let same = begin(&mut bob, "part.it", "same").await;
    let other = begin(&mut cat, "part.also", "other").await;
    settle().await;
    assert_eq!(script.begun(), if P::IS_WHOLE_APP { 1 } else { 2 });
    script.release_one();
    assert_eq!(answer(&mut ann, &first).await, Ok("first".to_owned()));
    assert_eq!(answer(&mut bob, &same).await, Ok("same".to_owned()));
    assert_eq!(answer(&mut cat, &other).await, Ok("other".to_owned()));
}

async fn a_global_concurrency_limit_applies_to_everything_inside_the_layer<P: Position>() {
    let script = Script::new([Step::Wait]);
    let app = serve::<P, _, _>(&script, GlobalConcurrencyLimitLayer::new(1));
    let (mut ann, mut bob, mut cat) = (connect(&app).await, connect(&app).await, connect(&app).await);
    let first = begin(&mut ann, "part.it", "first").await;
    settle().await;
    let other = begin(&mut bob, "part.also", "other").await;
    let apart = begin(&mut cat, "apart", "apart").await;
    settle().await;
    assert_eq!(script.begun(), if P::IS_WHOLE_APP { 1 } else { 2 });
    script.release_one();
    assert_eq!(answer(&mut ann, &first).await, Ok("first".to_owned()));
    assert_eq!(answer(&mut bob, &other).await, Ok("other".to_owned()));
    assert_eq!(answer(&mut cat, &apart).await, Ok("apart".to_owned()));
}

async fn load_shed_refuses_at_once_beyond_the_limit<P: Position>() {
    let script = Script::new([Step::Wait]);
    let layer = ServiceBuilder::new().load_shed().concurrency_limit(1);
    let app = serve::<P, _, _>(&script, layer.into_inner());
    let (mut ann, mut bob) = (connect(&app).await, connect(&app).await);
    let first = begin(&mut ann, "part.it", "first").await;
    settle().await;
    assert_eq!(ask(&mut bob, "second").await, Err("OVERLOADED".to_owned()));
    script.release_one();
    assert_eq!(answer(&mut ann, &first).await, Ok("first".to_owned()));
    assert_eq!(ask(&mut bob, "third").await, Ok("third".to_owned()));
}

async fn a_full_buffer_delays_messages_without_refusing_any<P: Position>() {
    let script = Script::new([Step::Wait]);
    let layer = ServiceBuilder::new().buffer::<At<P>>(1).concurrency_limit(1);
    let app = serve::<P, _, _>(&script, layer.into_inner());
    let mut clients = Vec::new();
    for word in [
        "in hand",
        "in the buffer's task",
        "in the buffer",
        "before it",
        "before it, too",
    ] {
        let mut client = connect(&app).await;
        let id = begin(&mut client, "part.it", word).await;
        settle().await;
        clients.push((client, id, word));
    }
    assert_eq!(script.begun(), 1);
    script.release_one();
    for (mut client, id, word) in clients {
        assert_eq!(answer(&mut client, &id).await, Ok(word.to_owned()));
    }
}

/// `poll_ready` fails, which is permanent in tower's contract.
struct Broken;

impl<R> Service<R> for Broken {
    type Response = Reply;
    type Error = BoxError;
    type Future = std::future::Pending<Result<Reply, BoxError>>;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Err("out of order".into()))
    }

    fn call(&mut self, _: R) -> Self::Future {
        std::future::pending()
    }
}

/// Around the whole app, the failure ends the connection, too.
async fn a_buffer_whose_service_has_failed_refuses<P: Position>() {
    let script = Script::new([]);
    let layer = ServiceBuilder::new()
        .buffer::<At<P>>(1)
        .layer(layer_fn(|_: P::Inner| Broken));
    let app = serve::<P, _, _>(&script, layer.into_inner());
    let mut client = connect(&app).await;
    for _ in 0..2 {
        assert_eq!(ask(&mut client, "word").await, Err("OVERLOADED".to_owned()));
    }
    if P::IS_WHOLE_APP {
        assert_eq!(client.closed().await, (1011, "unavailable".to_owned()));
    } else {
        let apart = begin(&mut client, "apart", "apart").await;
        assert_eq!(answer(&mut client, &apart).await, Ok("apart".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn an_invalid_message_holds_no_permit_of_a_shared_limit() {
    let script = Script::new([]);
    let app = serve::<WholeApp, _, _>(&script, GlobalConcurrencyLimitLayer::new(1));
    let (mut ann, mut bob) = (connect(&app).await, connect(&app).await);
    ann.send_text("no message").await;
    settle().await;
    assert_eq!(ask(&mut bob, "hello").await, Ok("hello".to_owned()));
}

/// In the opposite order, tower's filter would keep its permit until the connection's next message.
#[tokio::test(start_paused = true)]
async fn a_shared_limit_around_a_filter_is_released_after_a_refusal() {
    let script = Script::new([]);
    let refuse = |_: At<WholeApp>| Err::<At<WholeApp>, _>(Error::forbidden("no"));
    let layer = ServiceBuilder::new()
        .layer(GlobalConcurrencyLimitLayer::new(1))
        .filter(refuse);
    let app = serve::<WholeApp, _, _>(&script, layer.into_inner());
    let (mut ann, mut bob) = (connect(&app).await, connect(&app).await);
    for client in [&mut ann, &mut bob] {
        assert_eq!(ask(client, "word").await, Err("FORBIDDEN".to_owned()));
    }
}
