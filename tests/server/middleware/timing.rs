//! Middleware that depends on time: timeout, rate limit, spawn-ready.

use std::time::Duration;

use tokio::time::Instant;
use tower::{ServiceBuilder, timeout::TimeoutLayer};

use super::{
    position::{At, Position, serve},
    site::{Script, Step, answer, ask, begin, connect, passed, settle},
};

const SECOND: Duration = Duration::from_secs(1);

cells! {
    a_timeout_refuses_its_message_and_the_next_one_is_handled,
    a_rate_limit_delays_messages_without_refusing_any,
    spawn_ready_waits_for_a_permit_in_a_task,
}

async fn a_timeout_refuses_its_message_and_the_next_one_is_handled<P: Position>() {
    let script = Script::new([Step::Wait]);
    let app = serve::<P, _, _>(&script, TimeoutLayer::new(SECOND));
    let mut client = connect(&app).await;
    let start = Instant::now();
    assert_eq!(ask(&mut client, "slow").await, Err("TIMEOUT".to_owned()));
    let refused_after = passed(start, 0);
    assert_eq!(refused_after, 1000);
    assert_eq!(ask(&mut client, "quick").await, Ok("quick".to_owned()));
    assert_eq!(passed(start, 0), refused_after);
}

/// `RateLimit` is not `Clone`, so a buffer wraps it, whose clones share one instance.
async fn a_rate_limit_delays_messages_without_refusing_any<P: Position>() {
    let script = Script::new([]);
    let layer = ServiceBuilder::new().buffer::<At<P>>(16).rate_limit(2, SECOND);
    let app = serve::<P, _, _>(&script, layer.into_inner());
    let (mut ann, mut bob) = (connect(&app).await, connect(&app).await);
    let start = Instant::now();
    for client in [&mut ann, &mut bob] {
        assert_eq!(ask(client, "now").await, Ok("now".to_owned()));
    }
    assert_eq!(passed(start, 0), 0);
    let third = begin(&mut ann, "part.it", "later").await;
    settle().await;
    assert_eq!(script.begun(), 2);
    assert_eq!(answer(&mut ann, &third).await, Ok("later".to_owned()));
    assert_eq!(passed(start, 0), 1000);
}

/// `SpawnReady` is not `Clone` either. The buffer's task already drives the inner readiness, which is all that it would
/// do.
async fn spawn_ready_waits_for_a_permit_in_a_task<P: Position>() {
    let script = Script::new([Step::Wait]);
    let layer = ServiceBuilder::new()
        .buffer::<At<P>>(16)
        .layer(tower::spawn_ready::SpawnReadyLayer::new())
        .concurrency_limit(1);
    let app = serve::<P, _, _>(&script, layer.into_inner());
    let (mut ann, mut bob) = (connect(&app).await, connect(&app).await);
    let first = begin(&mut ann, "part.it", "first").await;
    settle().await;
    let second = begin(&mut bob, "part.it", "second").await;
    settle().await;
    assert_eq!(script.begun(), 1);
    script.release_one();
    assert_eq!(answer(&mut ann, &first).await, Ok("first".to_owned()));
    assert_eq!(answer(&mut bob, &second).await, Ok("second".to_owned()));
}
