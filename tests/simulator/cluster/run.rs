//! One run: the steps of a seed, on nodes that share a simulated engine.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    runtime::Builder,
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tower::util::BoxService;
use zocket::{
    Hub,
    cluster::{NatsHub, NatsOptions},
};

use super::{
    checks,
    engine::Net,
    model::{Client, Node, Sent},
    settings::Settings,
    steps::{ROOMS, Step},
};

/// Time for which the engine is quiet at the end: a lease, a linger, and some heartbeats.
const QUIET: Duration = Duration::from_secs(16);

pub struct Run {
    pub net: Net,
    pub settings: Settings,
    /// The nodes in the order of their starts.
    pub nodes: Vec<Node>,
    /// The present node of each place, unless it is about to start.
    pub places: Vec<Option<usize>>,
    pub clients: Vec<Client>,
    pub sent: Vec<Sent>,
    starts: Vec<(usize, JoinHandle<Node>)>,
    /// Queries and flushes, which have to end.
    pub asked: Vec<JoinHandle<()>>,
}

/// Runs a seed with these steps. Returns a digest of its course.
///
/// # Panics
/// If a rule does not hold.
pub fn run(seed: u64, settings: Settings, steps: &[Step]) -> u64 {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(async {
        let mut run = Run {
            net: Net::new(seed, settings),
            settings,
            nodes: Vec::new(),
            places: vec![None; settings.nodes],
            clients: Vec::new(),
            sent: Vec::new(),
            starts: Vec::new(),
            asked: Vec::new(),
        };
        for place in 0..settings.nodes {
            run.start(place, Duration::ZERO);
        }
        sleep(Duration::from_secs(3)).await;
        for step in steps {
            sleep(step.after).await;
            run.observe().await;
            run.act(&step.action);
            checks::local_delivery(&mut run);
        }
        run.settle().await;
        checks::all(&run).await;
        let got = run.clients.iter().flat_map(|client| client.got.iter());
        let digest = run.net.servers().fingerprint;
        got.fold(digest, |digest, got| {
            (digest ^ *got as u64).wrapping_mul(0x0000_0100_0000_01B3)
        })
    })
}

impl Run {
    /// Starts a node after this time.
    pub fn start(&mut self, place: usize, after: Duration) {
        let (net, settings) = (self.net.clone(), self.settings);
        let starting = async move {
            sleep(after).await;
            let losses = Arc::new(Mutex::new(Vec::new()));
            let (seen, (reports, events)) = (losses.clone(), mpsc::channel(1 << 14));
            let options = NatsOptions::default()
                .max_queued_bytes(settings.max_queued_bytes)
                .on_loss(move |loss| seen.lock().unwrap().push((Instant::now(), loss)));
            let engine = net.connect(place % settings.servers, reports);
            let conn = engine.conn;
            let hub = NatsHub::over(BoxService::new(engine), events, settings.max_payload, options);
            let hub = hub.await.unwrap();
            Node {
                id: hub.node(),
                hub: Some(hub),
                conn,
                losses,
                began: Instant::now(),
                ended: None,
            }
        };
        self.starts.push((place, tokio::spawn(starting)));
    }

    /// Takes the nodes that have started, and the changes of rooms that other nodes have made.
    async fn observe(&mut self) {
        for (place, start) in std::mem::take(&mut self.starts) {
            match start.is_finished() {
                true => {
                    self.places[place] = Some(self.nodes.len());
                    self.nodes.push(start.await.unwrap());
                }
                false => self.starts.push((place, start)),
            }
        }
        let now = Instant::now();
        for client in self.clients.iter_mut().filter(|client| !client.is_over) {
            let hub = self.nodes[client.node].hub.as_ref().unwrap();
            for (room, name) in ROOMS.iter().enumerate() {
                client.observe(room, hub.has(&client.id, name), now);
            }
        }
        for index in 0..self.clients.len() {
            let client = &mut self.clients[index];
            if !client.is_over && client.pauses_until <= now && client.pull() {
                self.end(index);
            }
        }
    }

    /// Waits until everything is repaired and quiet.
    async fn settle(&mut self) {
        while !self.starts.is_empty() {
            sleep(Duration::from_millis(100)).await;
            self.observe().await;
        }
        let far = Duration::from_secs(30);
        sleep(far).await;
        self.observe().await;
        sleep(QUIET).await;
        self.observe().await;
        for asked in std::mem::take(&mut self.asked) {
            timeout(Duration::from_secs(1), asked)
                .await
                .expect("a query ends")
                .unwrap();
        }
    }

    /// Ends the session of a client.
    pub fn end(&mut self, index: usize) {
        let client = &mut self.clients[index];
        client.is_over = true;
        if let Some(hub) = &self.nodes[client.node].hub {
            hub.disconnect(&client.mailbox);
        }
    }
}
