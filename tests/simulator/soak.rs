//! The same app and clients over real sockets, whose connections a proxy breaks at random. `ZOCKET_SOAK_SECS` says for how
//! long.

use std::{
    env, fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tokio::time::sleep;
use zocket::{
    Limits,
    client::Client,
    testing::sim::{Sim, SimClient, Totals, World},
};

use crate::{
    app::{Job, SharedJournal, Tick, app_with},
    script::{ended, script_while},
};

/// Clients that are connected at a time.
const CLIENTS: usize = 40;
/// Longest time of a round. Each has an app of its own, and ends with the checks of everything.
const ROUND: Duration = Duration::from_secs(60);
/// Time after which the network breaks no connection any more, behind the end of a round.
const CALM: Duration = Duration::from_secs(1);
/// Bytes that the process may keep, round by round, for pools and fragmentation.
const TOLERANCE: usize = 16 << 20;

fn variable(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|error| panic!("{name}: expected a whole number, got {text}: {error}")))
}

/// Returns the bytes of memory that the process has. `None` where the system does not tell.
fn resident() -> Option<usize> {
    let pages = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = pages.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4_096)
}

#[test]
#[allow(clippy::print_stdout, reason = "the seed and the totals are the result")]
fn every_rule_holds_over_sockets_that_break() {
    let time = Duration::from_secs(variable("ZOCKET_SOAK_SECS").unwrap_or(15));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = variable("ZOCKET_SOAK_SEED").unwrap_or(now.as_secs());
    let rounds = time.as_secs().div_ceil(ROUND.as_secs()).max(1);
    println!("ZOCKET_SOAK_SEED={seed}, {time:?} in {rounds} rounds");
    let time = time / u32::try_from(rounds).unwrap();
    let mut totals = Totals::default();
    let mut before = None;
    for round in 0..rounds {
        totals += &soak(seed + round, time);
        let after = resident();
        println!("round {round}: {totals}, {} KiB", after.unwrap_or(0) >> 10);
        // The first round fills the pools.
        let first = *before.get_or_insert(after);
        if let (Some(first), Some(after)) = (first, after) {
            assert!(
                after < first + TOLERANCE,
                "{first} bytes after the first round, {after} now"
            );
        }
    }
    assert!(
        totals.resumes > time.as_secs(),
        "too little has happened: {totals}"
    );
}

/// Sessions of a program that went on over a break, and those that did not.
#[derive(Default)]
struct Opens {
    resumed: AtomicU64,
    lost: AtomicU64,
}

/// Calls as a program does that uses [`Client`]: each call runs once, and is answered once. Ticks come in their order.
async fn program(client: &SimClient, goes_on: impl Fn() -> bool) {
    let (world, index) = (client.world(), 1_000 + client.index());
    let journal: SharedJournal = world.shared();
    let opens = Arc::new(Opens::default());
    let counted = opens.clone();
    let headers = serde_json::json!({ "client": index });
    let builder = Client::builder(format!("ws://{}/", world.addr().unwrap()));
    let program = builder
        .headers(&headers)
        .unwrap()
        .backoff(Duration::from_millis(50), Duration::from_secs(1))
        .call_timeout(Duration::from_secs(120))
        .on_open(move |_, opened| {
            counted
                .resumed
                .fetch_add(u64::from(opened.resumed), Ordering::Relaxed);
            counted
                .lost
                .fetch_add(u64::from(opened.lost.is_some()), Ordering::Relaxed);
            async {}
        })
        .start()
        .unwrap();
    let mut ticks = program.on::<Tick>();
    let in_order = tokio::spawn(async move {
        let mut last = 0;
        while let Some(tick) = ticks.next().await {
            let Tick(number) = tick.unwrap();
            assert!(last < number, "tick {number} came after {last}");
            last = number;
        }
    });
    let mut number = 0;
    while goes_on() {
        number += 1;
        let job = Job {
            number,
            room: "lobby".to_owned(),
            text: "x".repeat(usize::try_from(client.chance().below(200)).unwrap()),
        };
        let answer = program.call_route::<u64>("echo", &job).await;
        // A session ends if its frames do not get through: three resumes in a row without progress.
        let is_whole = opens.lost.load(Ordering::Relaxed) == 0;
        assert!(answer.is_ok() || !is_whole, "call {number}: {answer:?}");
        ended(index, &journal, number, answer);
    }
    sleep(CALM).await;
    program.close().await;
    in_order.await.unwrap();
    let (resumed, lost) = (&opens.resumed, &opens.lost);
    let (resumed, lost) = (resumed.load(Ordering::Relaxed), lost.load(Ordering::Relaxed));
    // A slow machine resumes few in the time of a short run, of which one may be lost.
    let bound = (resumed / 20).max(1);
    assert!(lost <= bound, "{lost} sessions lost, {resumed} resumed");
}

fn soak(seed: u64, time: Duration) -> Totals {
    let limits = Limits::default()
        .ping_after(Duration::from_secs(1))
        .pong_within(Duration::from_secs(2))
        .resume_within(Duration::from_secs(120));
    let app = |world: &World| app_with(world, limits.clone());
    let began = Instant::now();
    let sim = Sim::seed(seed)
        .clients(CLIENTS)
        .headers(|client| serde_json::json!({ "client": client }));
    let soaked = sim.soak(time, app, async |client| {
        let goes_on = || began.elapsed() < time;
        match client.index() % 8 {
            0 => tokio::join!(script_while(client.clone(), goes_on), program(&client, goes_on)).0,
            _ => script_while(client.clone(), goes_on).await,
        }
        // A client that leaves while it has no connection keeps its session for the whole window.
        sleep(CALM).await;
        client.settle().await;
    });
    soaked.unwrap_or_else(|failure| panic!("{failure}"))
}
