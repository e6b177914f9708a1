//! New sockets of a session whose old socket lives, and several of them at once.

use std::time::Duration;

use serde_json::{Value, json};
use zocket::Limits;

use super::{
    app::{Tick, start},
    peer::{Broken, Peer, dial, read},
};
use crate::common::until;

#[tokio::test]
async fn the_older_socket_is_closed_with_3501() {
    let (world, zo, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "").await;
    ann.ping().await;
    let mut old = ann.socket.take().unwrap();
    assert!(ann.connect().await);
    assert_eq!(
        read(&mut old).await,
        Err(Broken::Closed(3501, "replaced".to_owned()))
    );
    zo.emitter().send(Tick(1)).to_room("lobby").unwrap();
    assert_eq!(ann.next().await["payload"], 1);
    assert_eq!((world.departed().len(), zo.connections()), (0, 1));
}

#[tokio::test]
async fn messages_on_the_older_socket_do_not_run_after_the_takeover() {
    let (world, _, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "").await;
    ann.ping().await;
    let mut old = ann.socket.take().unwrap();
    assert!(ann.connect().await);
    let message = json!({"type": "add", "payload": 9});
    let text = tokio_tungstenite::tungstenite::Message::text(message.to_string());
    let _ = futures_util::SinkExt::send(&mut old, text).await;
    assert_eq!(
        read(&mut old).await,
        Err(Broken::Closed(3501, "replaced".to_owned()))
    );
    ann.call("add", json!(1), 1).await;
    assert_eq!(ann.next().await["rpcId"], 1);
    assert_eq!(world.added(), [1]);
    ann.cut();
    assert!(ann.connect().await);
    assert_eq!(ann.welcome["received"], 1);
}

#[tokio::test]
async fn a_frame_of_the_older_socket_proves_no_token() {
    let (_, _, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "").await;
    ann.ping().await;
    let first = ann.token.clone();
    let mut old = ann.socket.take().unwrap();
    ann.acknowledges = false;
    assert!(ann.connect().await);
    let ack = tokio_tungstenite::tungstenite::Message::text(r#"{"type":"__ack","payload":0}"#);
    let _ = futures_util::SinkExt::send(&mut old, ack).await;
    assert!(read(&mut old).await.is_err());
    ann.cut();
    ann.token = first;
    assert!(ann.connect().await, "the token before is still valid");
}

// Paused, so that a wait ends once nothing more can happen.
#[tokio::test(start_paused = true)]
async fn of_two_attempts_at_once_one_has_the_session() {
    for _ in 0..20 {
        let (world, zo, service) = start(Limits::default());
        let mut ann = Peer::connected(&service, "").await;
        ann.ping().await;
        let offer = ann.offer();
        ann.cut();
        let attempt = async || {
            let (mut socket, _) = dial(&service, "", &offer, &[], usize::MAX).await.unwrap();
            let first = read(&mut socket).await;
            let second = match &first {
                Ok(welcome) if welcome["payload"]["resumed"] == true => {
                    tokio::time::timeout(Duration::from_millis(100), read(&mut socket))
                        .await
                        .ok()
                }
                _ => None,
            };
            (socket, first, second)
        };
        let (one, two) = tokio::join!(attempt(), attempt());
        let replaced = Err(Broken::Closed(3501, "replaced".to_owned()));
        let losers = [&one, &two]
            .into_iter()
            .filter(|(_, first, second)| *first == replaced || *second == Some(replaced.clone()));
        assert_eq!(losers.count(), 1, "{:?} {:?}", (&one.1, &one.2), (&two.1, &two.2));
        assert_eq!(
            (world.connected(), world.departed().len(), zo.connections()),
            (1, 0, 1)
        );
    }
}

#[tokio::test]
async fn a_handshake_that_is_not_completed_takes_nothing_over() {
    let (world, _, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "").await;
    ann.ping().await;
    let offer = ann.offer();
    for cut in [0, 10, 100, 200] {
        // A part of the request is lost.
        assert!(dial(&service, "", &offer, &[], cut).await.is_err());
        ann.call("add", json!(cut), cut as u64 + 1).await;
        assert_eq!(ann.next().await["payload"], cut);
    }
    assert_eq!(world.connected(), 1);
}

#[tokio::test]
async fn a_resume_does_not_wait_for_a_handler() {
    let (world, _, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "").await;
    ann.call("gate", json!(null), 1).await;
    assert_eq!(ann.next().await["payload"], 0);
    for _ in 0..2 {
        ann.cut();
        assert!(ann.connect().await);
        ann.ping().await;
    }
    world.open_gate();
    assert_eq!(ann.next().await["payload"], 1);
    assert_eq!(ann.next().await["rpcId"], 1);
}

#[tokio::test]
async fn a_session_that_is_resumed_during_on_open_goes_on() {
    let (world, zo, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "name=waits").await;
    let mut old = ann.socket.take().unwrap();
    assert!(ann.connect().await, "the server does not know of a break yet");
    assert_eq!(
        read(&mut old).await,
        Err(Broken::Closed(3501, "replaced".to_owned()))
    );
    ann.call("add", json!(1), 1).await;
    world.open_gate();
    assert_eq!(ann.next().await["rpcId"], 1);
    until(|| zo.connections() == 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_was_begun_is_completed_on_the_older_socket() {
    let (_, zo, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "").await;
    ann.ping().await;
    // More than the pipe takes, so that a frame is written in part.
    let text = "x".repeat(200_000);
    zo.emitter()
        .send(super::app::Text(text.clone()))
        .to_room("lobby")
        .unwrap();
    let mut old = ann.socket.take().unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(ann.connect().await);
    assert_eq!(
        read(&mut old).await.unwrap()["payload"],
        Value::from(text.clone())
    );
    assert_eq!(
        read(&mut old).await,
        Err(Broken::Closed(3501, "replaced".to_owned()))
    );
    assert_eq!(
        ann.next().await["payload"],
        Value::from(text),
        "it comes over the new one too"
    );
}

#[tokio::test]
async fn random_cuts_lose_and_repeat_nothing() {
    let mut resumes = 0;
    for seed in 1..=300 {
        resumes += random_cuts(seed).await;
    }
    assert!(resumes > 2_000, "{resumes}");
}

/// Calls and events of one session whose connections are cut at random bytes. Returns the number of resumes.
async fn random_cuts(seed: u64) -> u64 {
    const CALLS: u64 = 30;
    let mut random = Random(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
    let (world, zo, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "name=ann").await;
    ann.ping().await;
    let (mut ticks, mut answers, mut sent, mut emitted) = (Vec::new(), Vec::new(), 0, 0);
    let mut old = None;
    // Resumes in a row from the same number. After three of them the session would end.
    let (mut resumed_from, mut fruitless, mut resumes) = (0, 0, 0);
    while answers.len() < CALLS as usize || (ticks.len() as u64) < emitted {
        if sent < CALLS && random.below(2) == 0 {
            sent += 1;
            ann.call("add", json!(sent), sent).await;
        }
        if emitted < CALLS && random.below(2) == 0 {
            emitted += 1;
            zo.emitter().send(Tick(emitted)).to_room("lobby").unwrap();
        }
        if random.below(4) == 0 {
            ann.acknowledge().await;
        }
        let broken = match random.below(10) {
            _ if fruitless == 2 => false,
            0 => {
                // The server may still believe in it.
                old = ann.socket.take();
                true
            }
            1 => {
                ann.cut_after(random.below(200) as usize);
                false
            }
            _ => false,
        };
        let awaits = (answers.len() as u64) < sent || (ticks.len() as u64) < emitted;
        let is_broken = broken
            || match awaits {
                true => match ann.try_next().await {
                    Ok(frame) if frame["type"] == "tick" => {
                        ticks.push(frame["payload"].as_u64().unwrap());
                        false
                    }
                    Ok(frame) => {
                        assert_eq!(frame["type"], "__rpc_res", "seed {seed}: {frame}");
                        answers.push(frame["rpcId"].as_u64().unwrap());
                        false
                    }
                    Err(Broken::Gone) => true,
                    Err(closed) => panic!("seed {seed}: {closed:?}"),
                },
                false => false,
            };
        if is_broken {
            // A third of the handshakes is cut, too: in the request, in the answer, or in the welcome.
            let cut = match random.below(3) {
                0 if fruitless < 2 => 200 + random.below(900) as usize,
                _ => usize::MAX,
            };
            fruitless = if ann.received == resumed_from {
                fruitless
            } else {
                0
            };
            match ann.try_connect(cut).await {
                Ok(is_resumed) => {
                    assert!(is_resumed, "seed {seed}");
                    resumes += 1;
                    (resumed_from, fruitless) = (ann.received, fruitless + 1);
                }
                Err(_) => ann.socket = None,
            }
        }
    }
    drop(old);
    assert!(answers.iter().copied().eq(1..=CALLS), "seed {seed}: {answers:?}");
    assert!(ticks.iter().copied().eq(1..=emitted), "seed {seed}: {ticks:?}");
    assert!(
        world.added().iter().copied().eq(1..=CALLS),
        "seed {seed}: {:?}",
        world.added()
    );
    assert_eq!((world.connected(), world.departed().len()), (1, 0), "seed {seed}");
    // The last socket may be broken.
    assert!(ann.connect().await, "seed {seed}");
    ann.ping().await;
    ann.close(1000, "bye").await;
    world.until_departed(1).await;
    resumes
}

/// A small generator of numbers (xorshift), so that a seed repeats a run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
