//! Middleware that repeats a message: retry and hedge.

use std::{future::Ready, time::Duration};

use tokio::time::Instant;
use tower::{
    ServiceBuilder, hedge,
    layer::layer_fn,
    retry::{Policy, RetryLayer},
};
use zocket::{Code, Reply};

use super::{
    position::{At, Position, serve, serve_atomic},
    site::{Script, Step, ask, connect, passed},
};

cells! {
    a_retry_returns_the_second_attempt_and_performs_only_its_held_effects,
    a_retry_keeps_passing_effects_of_failed_attempts,
    a_retry_returns_the_error_of_the_last_attempt,
    a_hedge_returns_the_first_answer_and_performs_only_its_effects,
}

/// Retries once after any error.
#[derive(Clone)]
struct OnceMore(bool);

impl<R: Clone, E> Policy<R, Reply, E> for OnceMore {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut R, result: &mut Result<Reply, E>) -> Option<Ready<()>> {
        (result.is_err() && std::mem::take(&mut self.0)).then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &R) -> Option<R> {
        Some(request.clone())
    }
}

async fn a_retry_returns_the_second_attempt_and_performs_only_its_held_effects<P: Position>() {
    let script = Script::new([Step::Fail(Code::CONFLICT)]);
    let app = serve_atomic::<P, _, _>(&script, RetryLayer::new(OnceMore(true)));
    let mut client = connect(&app).await;
    assert_eq!(ask(&mut client, "word").await, Ok("word".to_owned()));
    assert_eq!(client.event("begun").await, 2);
    client.expect_nothing().await;
}

async fn a_retry_keeps_passing_effects_of_failed_attempts<P: Position>() {
    let script = Script::new([Step::Fail(Code::CONFLICT)]);
    let app = serve::<P, _, _>(&script, RetryLayer::new(OnceMore(true)));
    let mut client = connect(&app).await;
    assert_eq!(ask(&mut client, "word").await, Ok("word".to_owned()));
    assert_eq!(client.event("begun").await, 1);
    assert_eq!(client.event("begun").await, 2);
    client.expect_nothing().await;
}

async fn a_retry_returns_the_error_of_the_last_attempt<P: Position>() {
    let script = Script::new([Step::Fail(Code::CONFLICT), Step::Fail(Code::FORBIDDEN)]);
    let app = serve_atomic::<P, _, _>(&script, RetryLayer::new(OnceMore(true)));
    let mut client = connect(&app).await;
    assert_eq!(ask(&mut client, "word").await, Err("FORBIDDEN".to_owned()));
    assert_eq!(script.begun(), 2);
    client.expect_nothing().await;
}

/// Sends a second attempt when the first one is slower than earlier messages.
#[derive(Clone)]
struct Always;

impl<R: Clone> hedge::Policy<R> for Always {
    fn clone_request(&self, request: &R) -> Option<R> {
        Some(request.clone())
    }

    fn can_retry(&self, _: &R) -> bool {
        true
    }
}

/// `Hedge` is not `Clone`, so a buffer wraps it, and all connections share its latency histogram.
async fn a_hedge_returns_the_first_answer_and_performs_only_its_effects<P: Position>() {
    let script = Script::new([Step::Wait]);
    let hedge = layer_fn(|inner: P::Inner| {
        let minute = Duration::from_secs(60);
        hedge::Hedge::new_with_mock_latencies::<At<P>>(inner, Always, 10, 0.9, minute, &[100; 10])
    });
    let layer = ServiceBuilder::new().buffer::<At<P>>(16).layer(hedge);
    let app = serve_atomic::<P, _, _>(&script, layer.into_inner());
    let mut client = connect(&app).await;
    let start = Instant::now();
    assert_eq!(ask(&mut client, "word").await, Ok("word".to_owned()));
    assert_eq!(passed(start, 0), 100);
    assert_eq!(script.begun(), 2);
    assert_eq!(client.event("begun").await, 2);
    // The losing attempt was dropped.
    assert_eq!(script.waiting(), 0);
    client.expect_nothing().await;
}
