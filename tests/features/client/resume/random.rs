//! Connections that break at random bytes. A model checks that everything arrives once and in order, in both
//! directions.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinHandle;
use zocket::{
    Limits,
    client::{CallError, CallOptions, Client, Opened},
};

use super::{
    app::{Site, Task, Tick, tick, url},
    begins,
    common::PATIENCE,
    cutter::{Cut, Cutter},
    hasty, soon,
};

/// Random numbers that a seed decides (SplitMix64).
#[derive(Clone)]
struct Dice(Arc<Mutex<u64>>);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(seed.wrapping_mul(0xA24B_AED4_963E_E407))))
    }

    fn below(&self, end: u64) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }

    /// Returns a plan: most connections are cut, some within the handshake or the welcome. Every third makes progress,
    /// or the server would suspect the frame that it resends.
    fn cuts(&self) -> impl Fn() -> Cut + Send + Sync + 'static {
        let (dice, connections) = (self.clone(), AtomicUsize::new(0));
        move || {
            let after = match (connections.fetch_add(1, Ordering::SeqCst) % 3, dice.below(3)) {
                (2, _) => 12_000 + dice.below(12_000),
                (_, 0) => dice.below(1_500),
                _ => dice.below(12_000),
            };
            Cut {
                after: usize::try_from(after).unwrap(),
                server_notices: dice.below(4) > 0,
            }
        }
    }
}

/// A message that the client has sent.
struct Sent {
    number: u64,
    outcome: JoinHandle<Result<u64, CallError>>,
    /// True if it is dropped or times out early, so that it need not run.
    is_impatient: bool,
}

/// Sends a task. Its frame is queued when this returns.
async fn send(client: &Client, dice: &Dice, number: u64) -> Sent {
    let padding = "x".repeat(usize::try_from(dice.below(400)).unwrap());
    let (client, task) = (client.clone(), Task { number, padding });
    let kind = dice.below(10);
    let wait = Duration::from_millis(if kind == 0 { 1 + dice.below(8) } else { 1_000_000 });
    let mut sending = Box::pin(async move {
        let options = CallOptions::default().timeout(wait);
        match kind {
            1 => client.send_route("run", &task).await.map(|()| task.number),
            _ => client.call_route_with("run", &task, options).await,
        }
    });
    assert!(begins(&mut sending).await);
    let outcome = tokio::spawn(sending);
    if kind == 2 {
        outcome.abort();
    }
    Sent {
        number,
        outcome,
        is_impatient: matches!(kind, 0 | 2),
    }
}

/// Counts of one seed, which show that it was a test.
#[derive(Debug, Default)]
struct Totals {
    cuts: usize,
    resumes: usize,
    answers: usize,
    given_up: usize,
}

async fn play(seed: u64) -> Totals {
    let dice = Dice::new(seed);
    let site = Site::default();
    let (zo, server) = site.serve(Limits::default()).await;
    let cutter = Cutter::new(server.addr).await;
    let opens = Arc::new(Mutex::new(Vec::<Opened>::new()));
    let noting = opens.clone();
    let client = hasty(url(cutter.addr()))
        .event_buffer(1 << 20)
        .on_open(move |_, opened| {
            noting.lock().unwrap().push(opened);
            std::future::ready(())
        })
        .start()
        .unwrap();
    let mut ticks = client.on::<Tick>();
    let mut totals = Totals::default();
    // The server parks a session only when its token was proven.
    let first = Task {
        number: 0,
        padding: String::new(),
    };
    let _: u64 = soon(client.call_route("run", &first)).await.unwrap();
    cutter.plan(dice.cuts());
    cutter.cut();

    let (mut sent, mut ticked) = (Vec::new(), 0);
    for number in 1..=150 {
        match dice.below(8) {
            0 => client.reconnect(),
            1..=3 => {
                for _ in 0..dice.below(20) {
                    ticked += 1;
                    tick(&zo, ticked);
                }
            }
            _ => tokio::time::sleep(Duration::from_micros(dice.below(3_000))).await,
        }
        sent.push(send(&client, &dice, number).await);
    }
    cutter.plan(|| Cut::NEVER);
    cutter.cut();

    let mut must_run = vec![0];
    let mut may_run = Vec::new();
    for message in sent {
        match soon(message.outcome).await {
            Ok(Ok(answer)) => {
                assert_eq!(answer, message.number);
                must_run.push(answer);
                totals.answers += 1;
            }
            Ok(Err(CallError::Timeout { sent })) if message.is_impatient => {
                totals.given_up += 1;
                match sent {
                    zocket::client::Sent::No => {}
                    zocket::client::Sent::Unknown => may_run.push(message.number),
                }
            }
            Err(aborted) if message.is_impatient && aborted.is_cancelled() => {
                totals.given_up += 1;
                may_run.push(message.number);
            }
            other => panic!("message {}: {other:?}", message.number),
        }
    }
    for expected in 1..=ticked {
        assert_eq!(
            soon(ticks.next()).await.unwrap().unwrap().0,
            expected,
            "each event once and in order"
        );
    }
    // A last message follows all others.
    let last = Task {
        number: 1_000,
        padding: String::new(),
    };
    let _: u64 = soon(client.call_route("run", &last)).await.unwrap();
    must_run.push(1_000);
    let ran = site.ran();
    assert!(
        ran.windows(2).all(|pair| pair[0] < pair[1]),
        "each message once and in order: {ran:?}"
    );
    assert!(
        must_run.iter().all(|number| ran.contains(number)),
        "{must_run:?} of {ran:?}"
    );
    assert!(
        ran.iter()
            .all(|number| must_run.contains(number) || may_run.contains(number)),
        "{ran:?}: {must_run:?}, and perhaps {may_run:?}"
    );
    assert_eq!(site.connected(), 1, "the session went on");
    let opens = opens.lock().unwrap().clone();
    for (index, opened) in opens.iter().enumerate() {
        assert_eq!((opened.resumed, &opened.lost), (index > 0, &None));
    }
    soon(client.close()).await;
    site.until_departed(1).await;
    Totals {
        cuts: cutter.cuts(),
        resumes: opens.len() - 1,
        ..totals
    }
}

#[tokio::test]
async fn everything_arrives_once_and_in_order_whatever_breaks() {
    let mut totals = Totals::default();
    for seed in 1..=25 {
        let played = tokio::time::timeout(PATIENCE * 3, tokio::spawn(play(seed))).await;
        let played = match played {
            Ok(Ok(played)) => played,
            failed => panic!("seed {seed}: {failed:?}"),
        };
        totals.cuts += played.cuts;
        totals.resumes += played.resumes;
        totals.answers += played.answers;
        totals.given_up += played.given_up;
    }
    // A test without breaks would show nothing.
    assert!(totals.cuts > 150 && totals.resumes > 150, "{totals:?}");
    assert!(totals.answers > 2_500 && totals.given_up > 100, "{totals:?}");
}
