//! The task that sends to the other nodes: subscriptions, barriers, notes, and events.

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tower::{BoxError, Service, ServiceExt};
use zocket_layers::{
    hub::Full,
    internal::{Broken, is_broken},
};

use super::{
    emit::Part,
    engine::{BoxEngine, EngineRequest},
    hub::Cluster,
    interest::Change,
    meter,
    nodes::HEARTBEAT,
    note::{Beat, Note},
    numbers::SentNumbers,
    queue::{QueueReceiver, Queued, QueuedNote},
    split,
    wire::{write_event, write_note},
};

/// Time for the engine to accept a message.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same while the engine is away, for the first message that it does not accept. Later ones get none.
const PATIENCE_WHILE_AWAY: Duration = Duration::from_millis(500);

/// Bytes of the answer to a barrier, unless the engine takes less. Losses of the first events to the rooms beyond it are not
/// noticed.
const SETTLED: usize = 1 << 18;
/// Bytes of a subject in it, beside its name: a chain and a position.
const SETTLED_NUMBER: usize = 40;

/// Requests to the engine, one after the other.
pub(super) struct Sender {
    engine: BoxEngine,
    numbers: SentNumbers,
    /// Number of the last beat.
    beats: u64,
    /// Subscriptions that the engine has refused. They are repeated.
    refused: Vec<Change>,
    /// True if the last request has failed, so that a long outage has one line in the log.
    has_failed: bool,
}

impl Sender {
    pub(super) fn new(engine: BoxEngine) -> Self {
        Self {
            engine,
            numbers: SentNumbers::default(),
            beats: 0,
            refused: Vec::new(),
            has_failed: false,
        }
    }

    /// Makes a request.
    ///
    /// # Errors
    /// The engine's error. It is logged and counted here.
    async fn request(&mut self, request: EngineRequest) -> Result<(), BoxError> {
        let requested = match self.engine.ready().await {
            Ok(engine) => engine.call(request).await,
            Err(error) => Err(error),
        };
        match &requested {
            Ok(()) => self.has_failed = false,
            Err(error) => self.failed(error),
        }
        requested
    }

    /// Makes a request like [`request`](Self::request), and gives it up if the engine does not answer.
    pub(super) async fn request_in_time(&mut self, request: EngineRequest) -> Result<(), BoxError> {
        self.request_within(PATIENCE, request).await
    }

    /// Publishes, or gives up, so that what waits for an engine that is away does not keep the queue full. A loss shows by its
    /// number at the receivers. Returns false after a failure, which is counted and logged.
    async fn publish(&mut self, subject: &Arc<str>, payload: Bytes, is_connected: bool) -> bool {
        let patience = self.patience(is_connected);
        let subject = subject.clone();
        self.request_within(patience, EngineRequest::Publish { subject, payload })
            .await
            .is_ok()
    }

    fn patience(&self, is_connected: bool) -> Duration {
        match (is_connected, self.has_failed) {
            (true, _) => PATIENCE,
            (false, false) => PATIENCE_WHILE_AWAY,
            // The engine may still have space in its own buffer.
            (false, true) => Duration::ZERO,
        }
    }

    /// Makes a request like [`request`](Self::request), and gives it up after a while.
    async fn request_within(&mut self, patience: Duration, request: EngineRequest) -> Result<(), BoxError> {
        let requested = timeout(patience, self.request(request)).await;
        requested.unwrap_or_else(|_| {
            let error = BoxError::from("it accepts no request in time");
            self.failed(&error);
            Err(error)
        })
    }

    fn failed(&mut self, error: &dyn fmt::Display) {
        meter::problems("engine", 1);
        if !self.has_failed {
            tracing::warn!(%error, "the engine between nodes refused a request");
        }
        self.has_failed = true;
    }

    /// Sends until the node leaves, or the hub is dropped.
    pub(super) async fn run(mut self, cluster: Weak<Cluster>, mut queue: QueueReceiver) {
        let Some(shared) = cluster.upgrade() else { return };
        let (interest, mut ended) = (shared.interest.clone(), shared.barriers.subscribe());
        let (node, nodes) = (shared.node, shared.subjects.nodes.clone());
        drop(shared);
        let mut tick = interval(HEARTBEAT);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let far = Duration::from_secs(3600);
        let mut deadline = Instant::now() + far;
        let mut left = None;
        loop {
            tokio::select! {
                biased;
                () = interest.changed.notified() => {}
                _ = ended.changed() => {}
                () = sleep_until(deadline) => {
                    let Some(cluster) = cluster.upgrade() else { break };
                    let missing = cluster.barriers.give_up(Instant::now());
                    if missing > 0 {
                        meter::problems("unanswered", missing);
                        tracing::warn!(missing, "joins were answered without the answer of other nodes");
                    }
                }
                _ = tick.tick() => {
                    let Some(cluster) = cluster.upgrade() else { break };
                    self.beat(&cluster, &queue).await;
                }
                note = queue.notes.recv() => {
                    let (Some(note), Some(cluster)) = (note, cluster.upgrade()) else { break };
                    self.send_note(&cluster, note).await;
                }
                queued = queue.events.recv() => {
                    let (Some(queued), Some(cluster)) = (queued, cluster.upgrade()) else { break };
                    match queued {
                        Queued::Leave(sender) => {
                            cluster.leave();
                            left = Some(sender);
                            break;
                        }
                        queued => self.send(&cluster, queued).await,
                    }
                }
            }
            let Some(cluster) = cluster.upgrade() else { break };
            self.follow(&cluster).await;
            let now = Instant::now();
            deadline = cluster.barriers.deadline(now).unwrap_or(now + far);
        }
        self.publish(&nodes, write_note(node, &Note::Gone), false).await;
        let flushed = self.flush().await;
        if let Some(left) = left {
            // An error means that nobody waits any more.
            let _ = left.send(flushed);
        }
    }

    /// Waits until the engine has taken what was sent before.
    async fn flush(&mut self) -> Result<(), Full> {
        let flushed = self.request_within(PATIENCE, EngineRequest::Flush).await;
        flushed.map_err(unavailable)
    }

    /// Makes the changes of the subscriptions, and begins a barrier for them.
    async fn follow(&mut self, cluster: &Cluster) {
        for change in cluster.interest.take_changes() {
            self.change(cluster, change).await;
        }
        if !cluster.barriers.can_begin(Instant::now()) || !self.refused.is_empty() {
            return;
        }
        if let Some((barrier, subjects)) = cluster.interest.begin_barrier() {
            let nodes = cluster.nodes.lock().known();
            let is_needed = !nodes.is_empty() && cluster.is_connected.load(Ordering::Acquire);
            cluster
                .barriers
                .begin(barrier, if is_needed { nodes } else { Vec::new() });
            if is_needed {
                let (mut bytes, limit) = (0, SETTLED.min(cluster.message_limit()));
                let fitting = subjects.iter().take_while(|subject| {
                    bytes += subject.len() + SETTLED_NUMBER;
                    bytes <= limit
                });
                let subjects = fitting.map(ToString::to_string).collect();
                let settle = write_note(cluster.node, &Note::Settle { barrier, subjects });
                self.publish(&cluster.subjects.nodes, settle, true).await;
            }
        }
    }

    async fn change(&mut self, cluster: &Cluster, change: Change) {
        // The repetition of an earlier change would undo this one.
        self.refused
            .retain(|refused| refused.subject() != change.subject());
        let request = match change.clone() {
            Change::Subscribe(subject) => EngineRequest::Subscribe(subject),
            Change::Unsubscribe(subject) => EngineRequest::Unsubscribe(subject),
        };
        let patience = self.patience(cluster.is_connected.load(Ordering::Acquire));
        if self.request_within(patience, request).await.is_err() {
            self.refused.push(change);
        }
    }

    /// Repeats the subscriptions that were refused and are still wanted, until one is refused again.
    async fn repeat_refused(&mut self, cluster: &Cluster) {
        let mut seen = HashSet::new();
        let mut refused = std::mem::take(&mut self.refused);
        refused.retain(|change| cluster.interest.wants(change) && seen.insert(change.clone()));
        let mut refused = refused.into_iter();
        while self.refused.is_empty() {
            let Some(change) = refused.next() else { return };
            self.change(cluster, change).await;
        }
        self.refused.extend(refused);
    }

    /// Tells changed sizes, gives the sign of life, repeats refused subscriptions, and announces the last numbers.
    ///
    /// Announcements lie between two numbered signs of life: an interruption that has swallowed some has swallowed one of
    /// these, too.
    async fn beat(&mut self, cluster: &Cluster, queue: &QueueReceiver) {
        let is_connected = cluster.is_connected.load(Ordering::Acquire);
        let changed = cluster.own_sizes.take_changed();
        if !changed.is_empty() {
            for rooms in cluster.size_messages(cluster.sizes_here(changed)) {
                let number = cluster.own_sizes.next();
                let note = write_note(cluster.node, &Note::Sizes { number, rooms });
                self.publish(&cluster.subjects.nodes, note, is_connected).await;
            }
        }
        let repeats = match is_broken(Broken::Announcement) {
            true => 0,
            false => cluster.asked_for_last.swap(0, Ordering::AcqRel).min(self.beats),
        };
        self.give_sign(cluster, repeats, is_connected).await;
        self.repeat_refused(cluster).await;
        if repeats > 0 {
            self.numbers.repeat();
        }
        // Skipped events are numbered behind those that were queued before them.
        let skipped = match queue.events.is_empty() {
            true => cluster.queue.take_skipped(),
            false => Default::default(),
        };
        for (subject, events) in skipped {
            meter::events("skipped", events);
            self.numbers.skip(&subject, events, Instant::now());
        }
        let all_hear = is_connected && !cluster.nodes.lock().misses_any();
        let announcements = self.numbers.announcements(Instant::now(), all_hear);
        let is_quiet = announcements.is_empty();
        for (subject, last) in announcements {
            let note = Note::Last {
                chain: last.chain,
                position: last.position,
            };
            self.publish(&subject, write_note(cluster.node, &note), is_connected)
                .await;
        }
        if !is_quiet {
            self.give_sign(cluster, 0, is_connected).await;
        }
        cluster.interest.end_empty(Instant::now());
    }

    async fn give_sign(&mut self, cluster: &Cluster, repeats: u64, is_connected: bool) {
        self.beats += 1;
        let number = self.beats;
        let alive = cluster.alive(false, Some(Beat { number, repeats }));
        self.publish(
            &cluster.subjects.nodes,
            write_note(cluster.node, &alive),
            is_connected,
        )
        .await;
    }

    async fn send_note(&mut self, cluster: &Cluster, queued: QueuedNote) {
        let QueuedNote {
            subject,
            mut note,
            bytes,
        } = queued;
        if let Note::Settled { last, .. } = &mut note {
            self.numbers.write_last(last);
        }
        let is_connected = cluster.is_connected.load(Ordering::Acquire);
        match note {
            Note::Found { query, clients, .. } => {
                for part in split::answer(query, &clients, cluster.message_limit()) {
                    let payload = write_note(cluster.node, &part);
                    // The others are of no use without it.
                    if !self.publish(&subject, payload, is_connected).await {
                        break;
                    }
                }
            }
            note => {
                self.publish(&subject, write_note(cluster.node, &note), is_connected)
                    .await;
            }
        }
        cluster.queue.free_note(bytes);
    }

    async fn send(&mut self, cluster: &Cluster, queued: Queued) {
        let is_connected = cluster.is_connected.load(Ordering::Acquire);
        match queued {
            Queued::Flush(flushed) => {
                let result = match is_connected {
                    true => self.flush().await,
                    false => Err(unavailable("no connection to NATS".into())),
                };
                // An error means that nobody waits any more.
                let _ = flushed.send(result);
            }
            // The loop ends with it.
            Queued::Leave(_) => {}
            Queued::Event {
                parts,
                mut message,
                bytes,
            } => {
                for Part { subject, target } in parts {
                    message.number = self.numbers.next(&subject, Instant::now());
                    message.target = target;
                    match write_event(cluster.node, &message) {
                        Some(payload) => {
                            meter::events("published", 1);
                            self.publish(&subject, payload, is_connected).await;
                        }
                        None => {
                            tracing::error!(event = %message.event.name(), "not sent to other nodes: unknown kind")
                        }
                    }
                }
                cluster.queue.free(bytes);
            }
        }
    }
}

fn unavailable(error: BoxError) -> Full {
    Full::Engine {
        reason: error.to_string().into(),
    }
}
