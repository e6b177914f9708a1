//! A server whose process was stopped for a time, as by a debugger or a pause of its machine. Its clients had no chance to
//! be heard.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{advance, sleep};
use zocket::{Limits, Zocket};

use crate::common::connect_in_memory;

const HOUR: Duration = Duration::from_secs(3_600);
const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_peer_has_one_more_chance_to_answer_a_ping() {
    let limits = Limits::default();
    let zo = Zocket::builder().build();
    let echo = zo.message().handle(async |_: zocket::Context| Ok(1));
    let service = zo.serve(zo.router().incoming("echo", echo));
    let mut client = connect_in_memory(&service, "").await.unwrap();
    let silent = connect_in_memory(&service, "").await.unwrap();
    // Neither reads, so neither answers the ping.
    sleep(limits.ping_after + SECOND).await;
    advance(HOUR).await;
    sleep(limits.pong_within - SECOND).await;
    assert_eq!(zo.connections(), 2);
    assert_eq!(client.call("echo", Value::Null).await.unwrap(), Some(json!(1)));
    sleep(2 * SECOND).await;
    assert_eq!(zo.connections(), 1, "the other one is gone");
    drop(silent);
}
