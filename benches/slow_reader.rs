//! Cost of a stalled reader to the other members of its room: `cargo bench --bench slow_reader`, with the number of rounds
//! as an argument (`-- 2000`; 1,000 by default).
//!
//! A thousand clients over pipes are in one room, and the server runs in the same thread. Each round sends one event, and
//! measures the time until each client has read it. In every second round a client that reads nothing is in the room as
//! well. So both kinds of rounds meet the same noise. The medians of their percentiles are compared.

use std::{
    env,
    error::Error,
    hash::Hash,
    io::Write,
    time::{Duration, Instant},
};

use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::mpsc,
};
use zocket::{ClientId, Delivery, Emitter, Limits, Outgoing, Target, UpgradeService, Zocket};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const MEMBERS: usize = 999;
const ROOM: &str = "room";

/// An event of one length, whatever its number.
#[derive(Serialize, JsonSchema)]
struct Moved(String);

impl Outgoing for Moved {
    const TYPE: &'static str = "moved";
    const DELIVERY: Delivery = Delivery::Latest;

    fn delivery_key(&self) -> impl Hash {}
}

fn main() -> Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(measure())
}

async fn measure() -> Result<()> {
    let rounds: usize = env::args()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(1_000);
    let never = Duration::MAX;
    let limits = Limits::default().write_within(never).ping_after(never);
    let zo = Zocket::builder().limits(limits).build();
    let service = zo.serve(zo.router().outgoing::<Moved>());
    let emitter = zo.emitter();

    let _stalled = connect(&service).await?;
    let stalled = client(&zo, &[]).await;
    let mut known = vec![stalled];
    // It is behind from now on: the pipe holds much less.
    for _ in 0..4 {
        emitter.send(Moved("x".repeat(100_000))).to([stalled])?;
        tokio::task::yield_now().await;
    }
    let frame = frame_of(0);
    let (reads, mut times) = mpsc::channel(MEMBERS);
    for _ in 0..MEMBERS {
        let mut stream = connect(&service).await?;
        let member = client(&zo, &known).await;
        known.push(member);
        emitter.clients(Target::clients([member])).join(ROOM)?;
        let reads = reads.clone();
        tokio::spawn(async move {
            let mut frame = vec![0; frame];
            while stream.read_exact(&mut frame).await.is_ok() {
                if reads.send(Instant::now()).await.is_err() {
                    break;
                }
            }
        });
    }

    // For both kinds of rounds, the times of each.
    let mut taken = [Vec::new(), Vec::new()];
    for round in 0..rounds + 100 {
        let has_stalled = round % 2 == 1;
        let stalled = emitter.clients(Target::clients([stalled]));
        if has_stalled {
            stalled.join(ROOM)?
        } else {
            stalled.leave(ROOM)?
        }
        let sent = Instant::now();
        send(&emitter, round)?;
        let mut times_of_round = Vec::with_capacity(MEMBERS);
        for _ in 0..MEMBERS {
            let read = times.recv().await.ok_or("no member is left")?;
            times_of_round.push(read - sent);
        }
        times_of_round.sort_unstable();
        // The first rounds warm up.
        if round >= 100 {
            taken[usize::from(has_stalled)].push(times_of_round);
        }
    }
    let mut out = std::io::stdout();
    for percentile in [50, 90, 99] {
        let [without, with] = taken.each_ref().map(|rounds| median(rounds, percentile));
        let rise = 100.0 * (with.as_secs_f64() / without.as_secs_f64() - 1.0);
        writeln!(
            out,
            "p{percentile}: {without:.2?} without a stalled reader, {with:.2?} with one: {rise:+.1} %"
        )?;
    }
    Ok(())
}

fn text_of(round: usize) -> String {
    format!("{round:0>100}")
}

/// Returns the length of an event's frame: a header of 4 bytes, for more than 125 bytes, and the content.
fn frame_of(round: usize) -> usize {
    4 + format!(r#"{{"type":"moved","payload":"{}"}}"#, text_of(round)).len()
}

fn send(emitter: &Emitter, round: usize) -> Result<()> {
    Ok(emitter.send(Moved(text_of(round))).to_room(ROOM)?)
}

/// Waits for a client that is not known yet.
async fn client(zo: &Zocket, known: &[ClientId]) -> ClientId {
    loop {
        let connected = zo.contexts();
        let mut ids = connected.iter().map(|context| context.client_id());
        if let Some(id) = ids.find(|id| !known.contains(id)) {
            return id;
        }
        tokio::task::yield_now().await;
    }
}

async fn connect(service: &UpgradeService) -> Result<DuplexStream> {
    let (mut near, far) = tokio::io::duplex(16 << 10);
    let service = TowerToHyperService::new(service.clone());
    tokio::spawn(async move {
        let serving = http1::Builder::new().serve_connection(TokioIo::new(far), service);
        let _ = serving.with_upgrades().await;
    });
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    near.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(near.read_u8().await?);
    }
    Ok(near)
}

/// Returns the median of a percentile of the rounds. The times of each round are sorted.
fn median(rounds: &[Vec<Duration>], percentile: usize) -> Duration {
    let at = |times: &[Duration], percentile: usize| times[(times.len() - 1) * percentile / 100];
    let mut of_rounds: Vec<_> = rounds.iter().map(|times| at(times, percentile)).collect();
    of_rounds.sort_unstable();
    at(&of_rounds, 50)
}
