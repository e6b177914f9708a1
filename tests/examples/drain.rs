//! A server that is shut down by signals, and its load: programs that `tests/examples/signals.rs` runs as processes.
//!
//! `drain serve` serves so many calls that wait for a line on its input, and `drain impatient` gives up silent clients
//! after seconds. `drain load` opens so many clients with a call each, and others that do not read before it has a line
//! on its input, and reports how their connections end.

#![allow(clippy::unwrap_used, reason = "what fails here is a test")]

use std::{
    env,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader, stdin},
    join,
    net::{TcpSocket, TcpStream},
    select,
    sync::{Semaphore, oneshot},
    task::JoinSet,
};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};
use zocket::{ClientId, Context, Error, Limits, Outgoing, Shutdown, Zocket, server};

const STUCK: usize = 20;
/// Bytes of each event for the clients that never read, and the number of events. Together they are more than the
/// kernel's buffers hold (Linux: 4 MiB for sending).
const FILLER: usize = 900 << 10;
const FILLERS: usize = 14;

#[derive(Deserialize, JsonSchema, Validate)]
struct Headers {
    /// Anything makes `on_connect` wait as the calls do.
    #[garde(skip)]
    wait: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Filler(String);

impl Outgoing for Filler {
    const TYPE: &'static str = "filler";
}

/// Calls that have begun, and the gate that they wait for.
#[derive(Clone)]
struct Work {
    calls: usize,
    begun: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
}

async fn connect(work: Work, headers: Headers, _: ClientId) -> Result<Work, Error> {
    if headers.wait.is_some() {
        tracing::info!("on_connect waits");
        drop(work.gate.acquire().await.unwrap());
    }
    Ok(work)
}

async fn call(cx: Context<Work>) -> Result<(), Error> {
    if cx.begun.fetch_add(1, Ordering::Relaxed) + 1 == cx.calls {
        tracing::info!("all calls have begun");
    }
    drop(cx.gate.acquire().await.unwrap());
    Ok(())
}

async fn flood(cx: Context<Work>) -> Result<(), Error> {
    for _ in 0..FILLERS {
        cx.send(Filler("x".repeat(FILLER))).to_room("stuck");
    }
    Ok(())
}

/// Waits for a line on the input.
async fn line() {
    let mut lines = BufReader::new(stdin()).lines();
    lines.next_line().await.unwrap();
}

const GRACE: Shutdown = Shutdown::within(Duration::from_secs(15));

/// Installs the handlers of both signals. Returns the future of the first signal: SIGTERM, or SIGHUP for a restart.
#[cfg(unix)]
fn signalled() -> impl Future<Output = Shutdown> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate()).unwrap();
    let mut hang_up = signal(SignalKind::hangup()).unwrap();
    async move {
        select! {
            _ = terminate.recv() => GRACE,
            _ = hang_up.recv() => GRACE.restart(),
        }
    }
}

#[cfg(not(unix))]
async fn signalled() -> Shutdown {
    tokio::signal::ctrl_c().await.unwrap();
    GRACE
}

/// Limits of a server that gives up clients after seconds.
fn impatient() -> Limits {
    Limits::default()
        .ping_after(Duration::from_millis(300))
        .pong_within(Duration::from_secs(5))
        .resume_within(Duration::from_secs(5))
}

async fn serve(limits: Limits, calls: usize) {
    let work = Work {
        calls,
        begun: Arc::default(),
        gate: Arc::new(Semaphore::new(0)),
    };
    let limits = limits.outbound(64 << 20).room_backlog(64 << 20);
    let zo = Zocket::builder()
        .on_connect_with(work.clone(), connect)
        .limits(limits)
        .build();
    let join = zo
        .message()
        .handle(async |cx: Context<Work>| cx.rooms().join("stuck"));
    let router = zo
        .router()
        .outgoing::<Filler>()
        .incoming("work", zo.message().handle(call))
        .incoming("flood", zo.message().handle(flood))
        .incoming("stay", join);
    let signalled = signalled();
    let listener = server::listen("127.0.0.1:0").await.unwrap();
    tracing::info!("listening on {}", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let service = zo.serve(router);
    let serving = tokio::spawn(server::serve_until(listener, service, async {
        drop(stopped.await)
    }));
    tokio::spawn(async move {
        line().await;
        work.gate.add_permits(calls + 1);
    });

    let shutdown = signalled.await;
    // Once the listener refuses connections, the app refuses handshakes, too: the test relies on it.
    let (cut, ()) = join!(zo.shutdown(shutdown), async { stop.send(()).unwrap() });
    serving.await.unwrap();
    tracing::info!("stopped, {cut} were cut");
}

async fn open(addr: SocketAddr, receive_buffer: Option<u32>) -> WebSocketStream<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    if let Some(bytes) = receive_buffer {
        socket.set_recv_buffer_size(bytes).unwrap();
    }
    let stream = socket.connect(addr).await.unwrap();
    client_async("ws://localhost/", stream).await.unwrap().0
}

async fn begin(client: &mut WebSocketStream<TcpStream>, route: &str) {
    let call = format!(r#"{{"type":"{route}","rpcId":1}}"#);
    client.send(Message::text(call)).await.unwrap();
}

/// Waits for the answer of the only call. Returns false if something else arrives.
async fn is_answered(client: &mut WebSocketStream<TcpStream>) -> bool {
    match client.next().await {
        Some(Ok(Message::Text(text))) => {
            let frame: Value = serde_json::from_str(&text).unwrap();
            frame["type"] == "__rpc_res" && frame["rpcId"] == 1
        }
        _ => false,
    }
}

async fn load(addr: SocketAddr, expected: u16, calls: usize) {
    let mut stuck = Vec::new();
    for _ in 0..STUCK {
        let mut client = open(addr, Some(4_096)).await;
        begin(&mut client, "stay").await;
        assert!(is_answered(&mut client).await);
        stuck.push(client.into_inner());
    }
    let mut flooding = open(addr, None).await;
    begin(&mut flooding, "flood").await;
    assert!(is_answered(&mut flooding).await);
    flooding.close(None).await.unwrap();

    let mut clients = JoinSet::new();
    for _ in 0..calls {
        let mut client = open(addr, None).await;
        begin(&mut client, "work").await;
        clients.spawn(async move {
            let answered = is_answered(&mut client).await;
            let closed = match client.next().await {
                Some(Ok(Message::Close(Some(close)))) => u16::from(close.code) == expected,
                _ => false,
            };
            // Answers the Close.
            while let Some(Ok(_)) = client.next().await {}
            (answered, closed)
        });
    }
    let ends = clients.join_all().await;
    let answers = ends.iter().filter(|(answered, _)| *answered).count();
    let closes = ends.iter().filter(|(_, closed)| *closed).count();
    tracing::info!("{answers} answers, {closes} closes with {expected}");

    line().await;
    let mut full = 0;
    for mut stream in stuck {
        let (mut read, mut scratch) = (0, vec![0; 1 << 16]);
        while let Ok(bytes @ 1..) = stream.read(&mut scratch).await {
            read += bytes;
        }
        full += usize::from(read < FILLERS * FILLER);
    }
    tracing::info!("{full} clients had full windows");
}

#[tokio::main]
async fn main() {
    let is_impatient = env::args().any(|argument| argument == "impatient");
    let level = match is_impatient {
        // The test waits for the line that a session is parked.
        true => tracing::Level::DEBUG,
        false => tracing::Level::INFO,
    };
    tracing_subscriber::fmt().with_max_level(level).init();
    let arguments: Vec<_> = env::args().skip(1).collect();
    match &*arguments.iter().map(String::as_str).collect::<Vec<_>>() {
        ["serve", calls] => serve(Limits::default(), calls.parse().unwrap()).await,
        ["impatient"] => serve(impatient(), 0).await,
        ["load", addr, code, calls] => {
            load(
                addr.parse().unwrap(),
                code.parse().unwrap(),
                calls.parse().unwrap(),
            )
            .await
        }
        _ => {
            panic!(
                "expected `serve <calls>`, `impatient` or `load <address> <close code> <calls>`, got {arguments:?}"
            )
        }
    }
}
