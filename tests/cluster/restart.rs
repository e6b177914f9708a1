//! A rolling restart: two nodes behind a balancer end gracefully in turn, while each of their clients has a call in flight.
//!
//! `ZOCKET_CLUSTER_CLIENTS` sets the number of clients: CONTRIBUTING.md has the command.

use std::{
    collections::{HashMap, HashSet},
    env, fs,
    path::PathBuf,
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{
    select,
    sync::oneshot,
    task::{JoinHandle, JoinSet},
    time::{interval, timeout},
};
use zocket::{
    Code, Outgoing,
    client::{CallError, Client, Sent},
};

use crate::{
    balancer::Balancer,
    nats::Nats,
    nodes::{Descriptors, Node, PATIENCE, Said, connect, permitted, until_size},
};

/// Clients whose handshakes run at once.
const HANDSHAKES: usize = 32;
/// Time between two events.
const PACE: Duration = Duration::from_millis(5);
/// The event after which none follows.
const LAST: u32 = u32::MAX;

/// A call was done.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Done(String);

impl Outgoing for Done {
    const TYPE: &'static str = "done";
}

fn clients() -> usize {
    let number = env::var("ZOCKET_CLUSTER_CLIENTS").map(|clients| clients.parse().unwrap());
    number.unwrap_or_else(|_| permitted(500, Descriptors::Own))
}

/// File that the nodes append the effects of calls to. Dropping it removes the file.
struct Effects(PathBuf);

impl Effects {
    fn new() -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let path = folder.join(format!("effects-{}", process::id()));
        fs::write(&path, "").unwrap();
        Self(path)
    }

    /// Returns how many times each call has begun, and how many times it was done.
    fn count(&self) -> HashMap<String, (usize, usize)> {
        let mut counts = HashMap::<_, (usize, usize)>::new();
        for line in fs::read_to_string(&self.0).unwrap().lines() {
            let (what, id) = line.split_once(' ').unwrap();
            let (begun, done) = counts.entry(id.to_owned()).or_default();
            match what {
                "begun" => *begun += 1,
                _ => *done += 1,
            }
        }
        counts
    }
}

impl Drop for Effects {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Ids of a client's calls by their end.
#[derive(Debug, Default)]
struct Calls {
    answered: Vec<String>,
    repeatable: Vec<String>,
    unknown: Vec<String>,
}

/// Makes one call after the other.
async fn call_until(stop: Arc<AtomicBool>, client: Client, name: usize, millis: usize) -> Calls {
    let mut calls = Calls::default();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let id = format!("{name}-{number}");
        let input = json!({ "id": id, "millis": millis });
        let ended = match client.call_route::<()>("work", &input).await {
            Ok(()) => &mut calls.answered,
            Err(CallError::Refused(refusal)) if refusal.is(Code::OVERLOADED) => &mut calls.repeatable,
            Err(CallError::Disconnected { sent: Sent::No }) => &mut calls.repeatable,
            Err(CallError::Disconnected { sent: Sent::Unknown }) => &mut calls.unknown,
            Err(error) => panic!("{error}"),
        };
        ended.push(id);
    }
    calls
}

async fn say(client: &Client, number: u32) {
    let input = json!({ "room": "news", "number": number });
    client.call_route::<()>("say", &input).await.unwrap();
}

/// Joins the room of news. The task that is returned receives all of them, and returns their number.
async fn watch(client: Client, tasks: &mut JoinSet<u32>) {
    let mut events = client.on::<Said>();
    let room = json!({ "room": "news" });
    client.call_route::<()>("watch", &room).await.unwrap();
    tasks.spawn(async move {
        let mut heard = 0;
        loop {
            let next = timeout(PATIENCE, events.next()).await.expect("an event is lost");
            let Said(number) = next.unwrap().unwrap();
            if number == LAST {
                drop(client);
                return heard;
            }
            assert_eq!(number, heard, "an event is lost");
            heard += 1;
        }
    });
}

/// Restarts a node, while a client of the node `bystander` sends events to its own node and to the node `peer`.
async fn restart(node: Node, bystander: &Node, peer: &Node, members: usize) {
    let mut watchers = JoinSet::new();
    watch(bystander.client().await, &mut watchers).await;
    watch(peer.client().await, &mut watchers).await;
    let sender = bystander.client().await;
    until_size(&sender, members + 4).await;
    let restart = tokio::spawn(node.restart());
    let (mut said, mut pace) = (0, interval(PACE));
    while !restart.is_finished() {
        pace.tick().await;
        say(&sender, said).await;
        said += 1;
    }
    restart.await.unwrap();
    say(&sender, LAST).await;
    assert!(said > 0);
    assert_eq!(watchers.join_all().await, [said; 2]);
}

/// Joins the room of calls that are done. The task that is returned collects their ids until it has those that are sent to it.
async fn watch_done(client: Client) -> (oneshot::Sender<HashSet<String>>, JoinHandle<()>) {
    let mut events = client.on::<Done>();
    let room = json!({ "room": "done" });
    client.call_route::<()>("watch", &room).await.unwrap();
    let (expect, mut expected) = oneshot::channel::<HashSet<String>>();
    let task = tokio::spawn(async move {
        let mut done = HashSet::new();
        let expected = loop {
            select! {
                event = events.next() => drop(done.insert(event.unwrap().unwrap().0)),
                expected = &mut expected => break expected.unwrap(),
            }
        };
        while !expected.is_subset(&done) {
            let event = timeout(PATIENCE, events.next()).await;
            let event = event.unwrap_or_else(|_| panic!("lost: {:?}", expected.difference(&done)));
            done.insert(event.unwrap().unwrap().0);
        }
        drop(client);
    });
    (expect, task)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_rolling_restart_answers_every_call_or_says_what_became_of_it() {
    let (nats, effects, clients) = (Nats::start().await, Effects::new(), clients());
    let start = async || Node::start_recording(&nats, &effects.0).await;
    let (mut a, mut b, bystander) = (start().await, start().await, start().await);
    let balancer = Balancer::start().await;
    balancer.add(a.addr);
    balancer.add(b.addr);
    let (expect, all_done) = watch_done(bystander.client().await).await;
    let stop = Arc::new(AtomicBool::new(false));
    let connected = stream::iter(0..clients).map(|_| connect(balancer.addr));
    let connected: Vec<_> = connected.buffer_unordered(HANDSHAKES).collect().await;
    // The more clients, the longer the calls, so that the load stays below what the machine can do.
    let millis = clients.max(1_000);
    let mut load = JoinSet::new();
    for (name, client) in connected.into_iter().enumerate() {
        load.spawn(call_until(stop.clone(), client, name, millis));
    }
    for _ in 0..2 {
        let begun = Instant::now();
        balancer.remove(a.addr);
        restart(a, &bystander, &b, clients).await;
        let fresh = Node::start_recording(&nats, &effects.0).await;
        balancer.add(fresh.addr);
        (a, b) = (b, fresh);
        eprintln!("a node was restarted within {:?}", begun.elapsed());
    }
    // Everyone is back, on either node.
    until_size(&bystander.client().await, clients + 2).await;
    stop.store(true, Ordering::Relaxed);
    let calls = load.join_all().await;
    let counts = effects.count();
    let of = |id| counts.get(id).copied().unwrap_or_default();
    assert_eq!(calls.len(), clients);
    for Calls {
        answered,
        repeatable,
        unknown,
    } in &calls
    {
        // A call that crosses the Close of its node is unknown: one for each of the two restarts at most.
        assert!(!answered.is_empty() && unknown.len() <= 2, "{unknown:?}");
        for id in answered {
            assert_eq!(of(id), (1, 1), "{id} was answered");
        }
        for id in repeatable {
            assert_eq!(of(id), (0, 0), "{id} may be repeated");
        }
        for id in unknown {
            assert!(of(id).0 <= 1, "{id} ran twice");
        }
    }
    // The events of the calls arrive, too, though the nodes that have sent them are gone.
    let answered = calls.iter().flat_map(|calls| calls.answered.iter().cloned());
    expect.send(answered.collect()).unwrap();
    all_done.await.unwrap();
    let sum = |count: fn(&Calls) -> usize| calls.iter().map(count).sum::<usize>();
    eprintln!(
        "{clients} clients: {} calls answered, {} repeatable, {} unknown",
        sum(|calls| calls.answered.len()),
        sum(|calls| calls.repeatable.len()),
        sum(|calls| calls.unknown.len()),
    );
}
