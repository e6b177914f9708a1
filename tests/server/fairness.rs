//! Handlers whose awaits are always ready, beside the socket and the timer of their own connection.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{Mutex, Semaphore, mpsc};
use tower::limit::GlobalConcurrencyLimitLayer;
use zocket::{ClientId, Context, Error, Limits, NoHeaders, Outgoing, Zocket};

use crate::common::{
    Server,
    raw::{CLOSE, FIN, PING, PONG, Raw, TEXT, frame, handshake},
    serve, until,
};

#[derive(Clone, Default)]
struct Work {
    /// Stops the greedy handlers.
    stop: Arc<AtomicBool>,
    mutex: Arc<Mutex<()>>,
}

#[derive(Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Times(usize);

#[derive(Serialize, JsonSchema)]
struct Block(String);

impl Outgoing for Block {
    const TYPE: &'static str = "block";
}

impl Work {
    /// Awaits an uncontended mutex, which is always ready and costs one unit of tokio's cooperative budget.
    async fn step(&self) {
        drop(self.mutex.lock().await);
    }

    async fn steps(&self, count: usize) {
        for _ in 0..count {
            self.step().await;
        }
    }
}

async fn site(limits: Limits) -> (Zocket<Work>, Server, Work) {
    let work = Work::default();
    let zo = Zocket::builder()
        .on_connect_with(work.clone(), async |work: Work, _: NoHeaders, _: ClientId| {
            Ok(work)
        })
        .on_open(async |cx: Context<Work>| {
            cx.steps(200).await;
            Ok(())
        })
        .limits(limits)
        .build();
    let router = zo
        .router()
        .outgoing::<Block>()
        .incoming(
            "steps",
            zo.message()
                .input::<Times>()
                .handle(async |cx: Context<Work>, Times(count): Times| {
                    cx.steps(count).await;
                    Ok(count)
                }),
        )
        .incoming(
            "blocks",
            zo.message()
                .input::<Times>()
                .handle(async |cx: Context<Work>, Times(count): Times| {
                    cx.steps(count).await;
                    for _ in 0..5 {
                        cx.send(Block("x".repeat(900_000))).to([cx.client_id()]);
                    }
                    Ok(())
                }),
        )
        .incoming(
            "answer",
            zo.message()
                .input::<Times>()
                .handle(async |cx: Context<Work>, Times(count): Times| {
                    cx.steps(count).await;
                    Ok("x".repeat(900_000))
                }),
        )
        .incoming(
            "greedy.mutex",
            zo.message().concurrent().handle(async |cx: Context<Work>| {
                while !cx.stop.load(Ordering::SeqCst) {
                    cx.step().await;
                }
                Ok("stopped")
            }),
        )
        .incoming(
            "greedy.channel",
            zo.message().concurrent().handle(async |cx: Context<Work>| {
                let (sender, mut receiver) = mpsc::channel(1);
                while !cx.stop.load(Ordering::SeqCst) {
                    sender.send(()).await.map_err(Error::internal)?;
                    receiver.recv().await;
                }
                Ok("stopped")
            }),
        )
        .incoming(
            "greedy.yields",
            zo.message().concurrent().handle(async |cx: Context<Work>| {
                while !cx.stop.load(Ordering::SeqCst) {
                    tokio::task::yield_now().await;
                }
                Ok("stopped")
            }),
        )
        .incoming(
            "greedy.budget",
            zo.message().concurrent().handle(async |cx: Context<Work>| {
                while !cx.stop.load(Ordering::SeqCst) {
                    tokio::task::consume_budget().await;
                }
                Ok("stopped")
            }),
        );
    let server = serve(zo.serve(router)).await;
    (zo, server, work)
}

const GREEDY: [&str; 4] = ["greedy.mutex", "greedy.channel", "greedy.yields", "greedy.budget"];

fn call(route: &str, payload: usize, id: usize) -> Vec<u8> {
    let call = json!({ "type": route, "payload": payload, "rpcId": id });
    frame(FIN | TEXT, call.to_string().as_bytes())
}

/// Reads frames up to a ping of the server.
async fn pinged(raw: &mut Raw) {
    while raw.read_frame().await.unwrap().0 != FIN | PING {}
}

#[tokio::test]
async fn a_dead_peer_is_given_up_whatever_its_handlers_used_of_the_budget() {
    let limits = Limits::default()
        .ping_after(Duration::from_millis(100))
        .pong_within(Duration::from_millis(100));
    // The number of calls, and the steps of each.
    for (calls, steps) in [(50, 3), (1, 127), (1, 128), (1, 129), (40, 150), (64, 2), (0, 0)] {
        let (zo, server, _) = site(limits.clone()).await;
        let mut raw = server.dial().await;
        let mut bytes = handshake("").into_bytes();
        for id in 0..calls {
            bytes.extend(call("steps", steps, id));
        }
        raw.write(&bytes).await;
        raw.read_http().await;
        pinged(&mut raw).await;
        until(|| zo.connections() == 0).await;
    }
}

#[tokio::test]
async fn a_message_that_waits_is_closed_whatever_handlers_used_of_the_budget() {
    let limits = Limits::default().stall(Duration::from_millis(100));
    let zo = Zocket::builder()
        .limits(limits)
        .layer(GlobalConcurrencyLimitLayer::new(1))
        .concurrency(8)
        .build();
    let router = zo.router().incoming(
        "steps",
        zo.message().handle(async |_: Context<()>| {
            let gate = Semaphore::new(1);
            for _ in 0..200 {
                drop(gate.acquire().await.map_err(Error::internal)?);
            }
            std::future::pending::<()>().await;
            Ok(())
        }),
    );
    let server = serve(zo.serve(router)).await;
    let mut client = server.connect("").await;
    client.begin("steps", Value::Null).await;
    client.begin("steps", Value::Null).await;
    assert_eq!(client.closed().await, (3001, "stalled".to_owned()));
}

#[tokio::test]
async fn only_bytes_that_the_socket_refuses_make_a_slow_reader() {
    for steps in [0, 100, 127, 128, 150, 260] {
        let (_, server, _) = site(Limits::default()).await;
        let mut client = server.connect("").await;
        for _ in 0..3 {
            let id = client.begin("blocks", json!(steps)).await;
            for _ in 0..5 {
                client.event("block").await;
            }
            assert_eq!(client.next().await["rpcId"], id);
        }
        let mut ids = Vec::new();
        for _ in 0..10 {
            ids.push(client.begin("answer", json!(steps)).await);
        }
        for id in ids {
            assert_eq!(client.next().await["rpcId"], id);
        }
    }
}

#[tokio::test]
async fn quick_calls_pass_a_greedy_handler() {
    for greedy in GREEDY {
        let (_, server, work) = site(Limits::default()).await;
        let mut client = server.connect("").await;
        let busy = client.begin(greedy, Value::Null).await;
        // A call that needs several shares passes, too.
        for steps in [0, 1, 100, 1_000] {
            let answer = client.call("steps", json!(steps)).await;
            assert_eq!(answer, Ok(Some(json!(steps))), "{greedy}");
        }
        work.stop.store(true, Ordering::SeqCst);
        assert_eq!(client.answer(&busy).await, Ok(Some(json!("stopped"))));
    }
}

#[tokio::test]
async fn quick_calls_pass_sixty_greedy_handlers() {
    let (_, server, work) = site(Limits::default()).await;
    let mut client = server.connect("").await;
    let mut busy = Vec::new();
    for number in 0..60 {
        busy.push(client.begin(GREEDY[number % 4], Value::Null).await);
    }
    assert_eq!(client.call("steps", json!(1_000)).await, Ok(Some(json!(1_000))));
    // Another client is not delayed, either.
    let mut other = server.connect("").await;
    assert_eq!(other.call("steps", json!(5)).await, Ok(Some(json!(5))));
    work.stop.store(true, Ordering::SeqCst);
    for id in &busy {
        assert_eq!(client.answer(id).await, Ok(Some(json!("stopped"))));
    }
}

#[tokio::test]
async fn control_frames_pass_a_greedy_handler() {
    for greedy in GREEDY {
        let limits = Limits::default().ping_after(Duration::from_millis(50));
        let (zo, server, work) = site(limits).await;
        let mut raw = server.raw().await;
        raw.write(&call(greedy, 0, 1)).await;
        // The server's own ping is sent on time, so it is read before anything else.
        pinged(&mut raw).await;
        raw.write(&frame(FIN | PING, b"well?")).await;
        loop {
            let (first, payload) = raw.read_frame().await.unwrap();
            if first == FIN | PONG {
                assert_eq!(payload, b"well?");
                break;
            }
        }
        // The Close does not wait for a message that anything may overtake.
        raw.write(&frame(FIN | CLOSE, &1000_u16.to_be_bytes())).await;
        assert_eq!(raw.closed().await.0, 1000, "{greedy}");
        assert_eq!(zo.connections(), 1, "the handler is still running");
        work.stop.store(true, Ordering::SeqCst);
        until(|| zo.connections() == 0).await;
    }
}

#[tokio::test]
async fn control_frames_pass_a_greedy_on_open() {
    let work = Work::default();
    let zo = Zocket::builder()
        .on_connect_with(work.clone(), async |work: Work, _: NoHeaders, _: ClientId| {
            Ok(work)
        })
        .on_open(async |cx: Context<Work>| {
            while !cx.stop.load(Ordering::SeqCst) {
                cx.step().await;
            }
            Ok(())
        })
        .build();
    let server = serve(zo.serve(zo.router())).await;
    let mut raw = server.raw().await;
    raw.write(&frame(FIN | PING, b"well?")).await;
    assert_eq!(raw.read_frame().await.unwrap(), (FIN | PONG, b"well?".to_vec()));
    raw.write(&frame(FIN | CLOSE, &1000_u16.to_be_bytes())).await;
    assert_eq!(raw.closed().await.0, 1000);
    work.stop.store(true, Ordering::SeqCst);
    until(|| zo.connections() == 0).await;
}

/// Time from a frame until its answer, over several rounds.
struct Lateness(Vec<Duration>);

impl Lateness {
    fn median(&mut self) -> Duration {
        self.0.sort_unstable();
        self.0[self.0.len() / 2]
    }
}

impl std::fmt::Display for Lateness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (least, middle, most) = (self.0[0], self.0[self.0.len() / 2], self.0[self.0.len() - 1]);
        write!(f, "median {middle:.1?} ({least:.1?} to {most:.1?})")
    }
}

/// Measures a ping, a quick call and a Close on connections, whose first message is `first`.
async fn measure(server: &Server, first: Option<&str>) -> [Lateness; 3] {
    const CONNECTIONS: usize = 10;
    const ROUNDS: usize = 5;
    let mut lateness = [(); 3].map(|()| Lateness(Vec::new()));
    for _ in 0..CONNECTIONS {
        let mut raw = server.raw().await;
        if let Some(route) = first {
            raw.write(&call(route, 0, 0)).await;
        }
        let asked = [
            (FIN | PING, frame(FIN | PING, b"well?")),
            (FIN | TEXT, call("steps", 1, 1)),
        ];
        for _ in 0..ROUNDS {
            for ((kind, bytes), lateness) in asked.iter().zip(&mut lateness) {
                let answer = if *kind == FIN | PING { FIN | PONG } else { *kind };
                let sent = Instant::now();
                raw.write(bytes).await;
                while raw.read_frame().await.unwrap().0 != answer {}
                lateness.0.push(sent.elapsed());
            }
        }
        let sent = Instant::now();
        raw.write(&frame(FIN | CLOSE, &1000_u16.to_be_bytes())).await;
        assert_eq!(raw.closed().await.0, 1000);
        lateness[2].0.push(sent.elapsed());
    }
    lateness
}

/// Prints the figures: `cargo test --release --all-features --test server lateness -- --nocapture`.
#[tokio::test]
async fn a_greedy_handler_adds_little_to_the_lateness_of_pings_calls_and_closes() {
    let mut alone = {
        let (_zo, server, _work) = site(Limits::default()).await;
        measure(&server, None).await
    };
    for greedy in GREEDY {
        let (_zo, server, work) = site(Limits::default()).await;
        let beside = measure(&server, Some(greedy)).await;
        work.stop.store(true, Ordering::SeqCst);
        for ((asked, mut beside), alone) in ["ping", "call", "close"].into_iter().zip(beside).zip(&mut alone)
        {
            let (median, alone_median) = (beside.median(), alone.median());
            eprintln!("{asked} beside {greedy}: {beside}; alone: {alone}");
            // Handlers that never end stay in closed connections, so up to ten of them share the thread.
            assert!(
                median < alone_median + Duration::from_millis(250),
                "{asked} beside {greedy}: {beside}"
            );
        }
    }
}
