//! The task that receives from the other nodes.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval},
};
use uuid::Uuid;
use zocket_layers::{Effect, Hub, Target};

use super::{
    beats::Beats,
    engine::EngineEvent,
    hub::Cluster,
    meter,
    nodes::{DISCOVERY, HEARTBEAT, Sign, TooMany},
    note::Note,
    numbers::{Number, ReceivedNumbers},
    once::RecentIds,
    options::{Loss, Recipients},
    questions::answer,
    wire::{EventMessage, Received, read},
};

/// Time in which a node is told all sizes once. It is less than the time after which a node asks again.
const TELL: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Receiver {
    numbers: ReceivedNumbers,
    beats: Beats,
    performed: HashMap<Uuid, RecentIds>,
    /// Times at which nodes were told all sizes.
    told: HashMap<Uuid, Instant>,
    dropped: Dropped,
}

/// Messages that this node was too slow for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Dropped {
    #[default]
    No,
    /// Some were dropped since the last tick.
    Now,
    /// Some were dropped before the last tick.
    Before,
}

impl Receiver {
    /// Receives until the node leaves, the hub is dropped, or the engine ends.
    pub(super) async fn run(mut self, cluster: Weak<Cluster>, mut events: mpsc::Receiver<EngineEvent>) {
        let mut tick = interval(HEARTBEAT);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let event = tokio::select! {
                // In this order, so that a simulation is repeatable, and no flood of messages delays the tick.
                biased;
                _ = tick.tick() => {
                    let Some(cluster) = cluster.upgrade() else { return };
                    self.expire(&cluster);
                    self.expect_dropped();
                    continue;
                }
                event = events.recv() => event,
            };
            let (Some(event), Some(cluster)) = (event, cluster.upgrade()) else {
                return;
            };
            if cluster.has_left() {
                return;
            }
            match event {
                EngineEvent::Message { subject, payload } => self.receive(&cluster, &subject, payload),
                EngineEvent::MaxPayload(bytes) => cluster.accept(bytes),
                EngineEvent::TooSlow => {
                    meter::problems("engine", 1);
                    if self.dropped == Dropped::No
                        && let Some(omitted) = cluster.lines.too_slow.line()
                    {
                        tracing::warn!(
                            omitted,
                            "messages of other nodes were dropped: this node is too slow for them"
                        );
                    }
                    self.dropped = Dropped::Now;
                }
                EngineEvent::Disconnected => {
                    tracing::warn!("no connection to NATS: events reach the clients of this node only");
                    cluster.is_connected.store(false, Ordering::Release);
                    cluster.barriers.cancel();
                }
                EngineEvent::Connected => {
                    tracing::info!("connected to NATS");
                    // Nodes whose lease was over before the connection broke are known again once they have answered.
                    cluster.barriers.hold_until(Instant::now() + DISCOVERY);
                    cluster.is_connected.store(true, Ordering::Release);
                    cluster.nodes.lock().renew(Instant::now());
                    // The subscription that beats come by may have been made before that of a room.
                    self.beats.expect_losses();
                    ask_for_signs(&cluster);
                }
            }
        }
    }

    fn expire(&mut self, cluster: &Cluster) {
        // While the engine is away, no node can be heard.
        let is_connected = cluster.is_connected.load(Ordering::Acquire);
        let gone = match is_connected {
            true => cluster.nodes.lock().expire(Instant::now()),
            false => Vec::new(),
        };
        for node in gone {
            if let Some(omitted) = cluster.lines.expired.line() {
                tracing::warn!(%node, omitted, "another node was not heard any more");
            }
            cluster.forget(node);
        }
        for node in cluster.nodes.lock().give_up(Instant::now()) {
            self.forget(node);
        }
        self.numbers.retain(|subject| {
            let is_lasting = *subject == cluster.subjects.everyone || *subject == cluster.clients;
            is_lasting || cluster.interest.subscription(subject).is_some()
        });
    }

    /// Forgets a node that does not come back. Until then, its numbers show what was lost, and its ids what was performed.
    fn forget(&mut self, node: Uuid) {
        self.numbers.forget_node(node);
        self.beats.retain(|other| other != node);
        self.performed.remove(&node);
        self.told.remove(&node);
    }

    /// Expects losses once no more messages are dropped. Last numbers may have been among them.
    fn expect_dropped(&mut self) {
        self.dropped = match self.dropped {
            Dropped::Now => Dropped::Before,
            Dropped::Before => {
                self.beats.expect_losses();
                Dropped::No
            }
            Dropped::No => Dropped::No,
        };
    }

    fn receive(&mut self, cluster: &Arc<Cluster>, subject: &Arc<str>, payload: Bytes) {
        let (node, received) = match read(payload) {
            Ok(received) => received,
            Err(reason) => return ignored(cluster, subject, &reason),
        };
        if node == cluster.node || !self.admit(cluster, node) {
            return;
        }
        match received {
            Received::Event(message) => self.event(cluster, subject, node, message),
            Received::Note(note) => self.note(cluster, subject, node, note),
        }
    }

    /// Makes a place for a node that was not met. Returns false if there is none.
    fn admit(&mut self, cluster: &Cluster, node: Uuid) -> bool {
        let nodes = &cluster.nodes;
        let admitted = nodes.lock().admit(node);
        match admitted {
            Ok(false) => {}
            Ok(true) => {
                let nodes = nodes.lock();
                self.numbers
                    .retain_nodes(|node| nodes.has_met(node) || nodes.has_ended(node));
                self.performed
                    .retain(|node, _| nodes.has_met(*node) || nodes.has_ended(*node));
                self.beats.retain(|node| nodes.has_met(node));
                self.told.retain(|node, _| nodes.has_met(*node));
            }
            Err(TooMany) => {
                meter::problems("strangers", 1);
                if let Some(omitted) = cluster.lines.strangers.line() {
                    tracing::warn!(%node, omitted, "another node was ignored: too many are known");
                }
            }
        }
        admitted.is_ok()
    }

    /// Returns true if a node has not been told all sizes just now, which is much work.
    fn may_ask(&mut self, node: Uuid) -> bool {
        let now = Instant::now();
        let last = self.told.get(&node);
        let may_ask = last.is_none_or(|last| now.duration_since(*last) >= TELL);
        if may_ask {
            self.told.insert(node, now);
        }
        may_ask
    }

    fn event(&mut self, cluster: &Cluster, subject: &Arc<str>, node: Uuid, message: EventMessage) {
        let (subject, recipients) = subscription(cluster, subject);
        cluster.nodes.lock().hear_event(node, Instant::now());
        let Some(lost) = self.numbers.event(&subject, node, message.number) else {
            return tracing::debug!(%subject, %node, "an event came after it was counted as lost");
        };
        report(cluster, node, recipients.as_ref(), lost);
        if message.id != 0 && !self.performed.entry(node).or_default().insert(message.id) {
            return;
        }
        let to = match (message.target, recipients) {
            (Some(target), _) => Arc::unwrap_or_clone(target),
            (None, Some(Recipients::Room(room))) => Target::room(room),
            // Its last member has left.
            (None, _) => return,
        };
        meter::events("received", 1);
        let event = message.event;
        if let Err(error) = cluster.local.perform(None, Effect::Emit { to, event }) {
            meter::events("undelivered", 1);
            if let Some(omitted) = cluster.lines.undelivered.line() {
                tracing::warn!(%error, %subject, omitted, "an event of another node was not delivered");
            }
        }
    }

    fn note(&mut self, cluster: &Arc<Cluster>, subject: &Arc<str>, node: Uuid, note: Note) {
        let reply = |note| cluster.reply(node, note);
        let sign = match note {
            Note::Gone => Sign::Known,
            _ => cluster.nodes.lock().hear(node, Instant::now()),
        };
        match sign {
            Sign::Known => {}
            Sign::Back | Sign::New => {
                if let Some(omitted) = cluster.lines.came.line() {
                    tracing::info!(%node, omitted, "another node is there");
                }
                // It may not have noticed that it was not heard.
                reply(cluster.alive(true, None));
                meter::nodes(cluster.nodes.lock().known().len());
            }
            // What it has lost still counts.
            Sign::Ended if matches!(note, Note::Last { .. }) => {}
            Sign::Ended => return,
        }
        match note {
            Note::Alive { asks, sizes, beat } => {
                if asks {
                    reply(cluster.alive(false, None));
                }
                let numbers = &self.numbers;
                if let Some(beat) = beat
                    && self.beats.hear(node, beat, || numbers.has(node))
                {
                    reply(Note::AskLast { before: beat.number });
                }
                if cluster.other_sizes.lock().compare(node, sizes, Instant::now()) {
                    reply(Note::AskSizes);
                }
            }
            Note::AskLast { before } => {
                cluster.asked_for_last.fetch_max(before, Ordering::AcqRel);
            }
            Note::Gone => {
                if cluster.nodes.lock().remove(node, Instant::now()) {
                    if let Some(omitted) = cluster.lines.ended.line() {
                        tracing::info!(%node, omitted, "another node has ended");
                    }
                    cluster.forget(node);
                }
            }
            Note::Last { chain, position } => {
                let (subject, recipients) = subscription(cluster, subject);
                let number = Number { chain, position };
                let lost = self.numbers.announcement(&subject, node, number);
                report(cluster, node, recipients.as_ref(), lost);
            }
            Note::Settle { barrier, subjects } => {
                let last = subjects.into_iter().map(|subject| (subject, 0, 0)).collect();
                reply(Note::Settled { barrier, last });
            }
            Note::Settled { barrier, last } => {
                for (subject, chain, position) in last {
                    let (subject, recipients) = subscription(cluster, &subject.into());
                    let number = Number { chain, position };
                    let lost = self.numbers.begin(&subject, node, number);
                    report(cluster, node, recipients.as_ref(), lost);
                }
                cluster.barriers.answered(barrier, node);
            }
            Note::Manage { clients, action } => {
                let clients = clients.into_target();
                if let Err(error) = cluster.manage_here(&clients, action.into_action())
                    && let Some(omitted) = cluster.lines.unmanaged.line()
                {
                    tracing::warn!(%error, omitted, "an action of another node was not performed on every client");
                }
            }
            Note::Find { query, clients } => {
                let clients = cluster.clients_here(&clients.into_target());
                reply(Note::Found {
                    query,
                    part: 0,
                    of: 1,
                    clients,
                });
            }
            Note::Found {
                query,
                part,
                of,
                clients,
            } => {
                let answered = cluster.queries.answered(query, node, (part, of), clients);
                if let Err(reason) = answered {
                    ignored(cluster, subject, &reason);
                }
            }
            Note::Sizes { number, rooms } => {
                let mut sizes = cluster.other_sizes.lock();
                if sizes.changed(node, number, rooms, Instant::now()) {
                    reply(Note::AskSizes);
                }
            }
            Note::AskSizes if self.may_ask(node) => cluster.all_sizes().into_iter().for_each(reply),
            // It asks again.
            Note::AskSizes => {}
            Note::AllSizes {
                number,
                part,
                of,
                rooms,
            } => cluster.other_sizes.lock().all(node, number, (part, of), rooms),
            Note::Ask { query, question } => answer(cluster, node, query, question),
            Note::Told { query, answer } => cluster.questions.told(query, node, answer),
        }
    }
}

/// Returns a subject as this node's subscription has it, and the recipients of its events: none if it is not subscribed to.
fn subscription(cluster: &Cluster, subject: &Arc<str>) -> (Arc<str>, Option<Recipients>) {
    let (everyone, clients) = (&cluster.subjects.everyone, &cluster.clients);
    if subject == everyone {
        return (everyone.clone(), Some(Recipients::Everyone));
    }
    if subject == clients {
        return (clients.clone(), Some(Recipients::Clients));
    }
    match cluster.interest.subscription(subject) {
        Some((subject, room)) => (subject, Some(Recipients::Room(room))),
        None => (subject.clone(), None),
    }
}

/// Counts and logs a message that can't be used.
fn ignored(cluster: &Cluster, subject: &str, reason: &dyn fmt::Display) {
    meter::problems("unreadable", 1);
    if let Some(omitted) = cluster.lines.unreadable.line() {
        tracing::warn!(%subject, %reason, omitted, "message of another node ignored");
    }
}

/// Asks the others for a sign of life.
fn ask_for_signs(cluster: &Cluster) {
    let asked = cluster
        .queue
        .note(cluster.subjects.nodes.clone(), cluster.alive(true, None));
    if asked.is_err() {
        tracing::warn!("the other nodes were not asked: too much waits to be sent");
    }
}

/// Reports lost events to the metrics, the log and the app.
fn report(cluster: &Cluster, node: Uuid, recipients: Option<&Recipients>, events: u64) {
    // Without recipients, the room's last member has left.
    let Some(recipients) = recipients.filter(|_| events > 0) else {
        return;
    };
    meter::events("lost", events);
    if let Some(omitted) = cluster.lines.lost.line() {
        tracing::warn!(%node, %recipients, events, omitted, "events of another node were lost");
    }
    if let Some(on_loss) = &cluster.on_loss {
        let recipients = recipients.clone();
        on_loss(Loss {
            node,
            recipients,
            events,
        });
    }
}
