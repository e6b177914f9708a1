//! The hub of a node: a local hub, and a queue of what goes to the other nodes.

use std::{
    collections::HashSet,
    fmt, mem,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt, future::join_all};
use parking_lot::Mutex;
use tokio::time::timeout;
use uuid::Uuid;
use zocket_layers::{
    Action, ClientId, Effect, Hub, LocalHub, Mailbox, Target,
    hub::{BoxFuture, ConnectOptions, Full, Gathered, Peers, Performed, Ticket},
};

use super::{
    barrier::Barriers,
    interest::Interest,
    lines::Lines,
    meter,
    node_tag::NodeTag,
    nodes::Nodes,
    note::{Beat, Managed, Note, Selection},
    options::{Loss, NatsOptions},
    queries::{Queries, Query},
    questions::Questions,
    queue::Queue,
    sizes::{self, OtherSizes, OwnSizes, RoomSizes},
    split,
    subject::Subjects,
    watcher::Watcher,
};

/// Time after which a join is answered even if the engine has not accepted the subscription.
const JOIN_PATIENCE: Duration = Duration::from_secs(5);

/// A hub whose rooms and targets span all nodes that share a NATS server or cluster: [`NatsHub::connect`].
///
/// Events to clients of this node are delivered at once, without a round trip. The [module](super) describes what holds
/// between nodes.
pub struct NatsHub(pub(super) Arc<Cluster>);

/// State of a node that its hub and its tasks share.
pub(super) struct Cluster {
    pub(super) local: LocalHub,
    /// Id of this node. It is another one after each start.
    pub(super) node: Uuid,
    pub(super) subjects: Subjects,
    /// Subject of the events to clients of this node.
    pub(super) clients: Arc<str>,
    pub(super) interest: Arc<Interest>,
    pub(super) barriers: Barriers,
    pub(super) nodes: Mutex<Nodes>,
    pub(super) queries: Queries,
    pub(super) own_sizes: Arc<OwnSizes>,
    pub(super) other_sizes: Mutex<OtherSizes>,
    pub(super) questions: Questions,
    pub(super) lines: Lines,
    pub(super) queue: Queue,
    pub(super) ids: AtomicU64,
    pub(super) is_connected: AtomicBool,
    pub(super) has_left: Arc<AtomicBool>,
    /// Number of the last beat before which another node has lost last numbers. 0 if they were repeated since.
    pub(super) asked_for_last: AtomicU64,
    pub(super) max_payload: AtomicUsize,
    pub(super) on_loss: Option<Arc<dyn Fn(Loss) + Send + Sync>>,
}

impl Cluster {
    pub(super) fn new(options: &NatsOptions, queue: Queue) -> Self {
        let subjects = Subjects::new(&options.prefix);
        let interest = Arc::new(Interest::new(subjects.clone()));
        let node = Uuid::new_v4();
        let own_sizes = Arc::new(OwnSizes::default());
        let has_left = Arc::new(AtomicBool::new(false));
        let watcher = Watcher {
            interest: interest.clone(),
            sizes: own_sizes.clone(),
            has_left: has_left.clone(),
        };
        Self {
            local: LocalHub::with_limits(&options.limits).watched_by(Arc::new(watcher)),
            node,
            clients: subjects.clients(NodeTag::of_node(node)),
            subjects,
            interest,
            barriers: Barriers::default(),
            nodes: Mutex::default(),
            queries: Queries::default(),
            own_sizes,
            other_sizes: Mutex::default(),
            questions: Questions::new(node),
            lines: Lines::default(),
            queue,
            ids: AtomicU64::new(1),
            is_connected: AtomicBool::new(true),
            has_left,
            asked_for_last: AtomicU64::new(0),
            max_payload: AtomicUsize::new(usize::MAX),
            on_loss: options.on_loss.clone(),
        }
    }

    fn join(&self, performed: Result<Performed, Full>, room: &str) -> Result<Performed, Full> {
        let performed = performed?;
        let Some(barrier) = self.interest.barrier_of(room) else {
            return Ok(performed);
        };
        if self.barriers.has_ended(barrier) {
            return Ok(performed);
        }
        // While the engine is away, nothing of other nodes could arrive.
        if !self.is_connected.load(Ordering::Acquire) {
            meter::problems("alone", 1);
            return Ok(performed);
        }
        let ended = timeout(JOIN_PATIENCE, self.barriers.end_of(barrier));
        Ok(Performed::Pending(Ticket::new(async {
            if ended.await.is_err() {
                meter::problems("alone", 1);
                tracing::warn!("a join was answered before its subscription: the engine does not accept it");
            }
            Ok(())
        })))
    }

    fn manage(&self, clients: &Target, action: Action) -> Result<Performed, Full> {
        let managed = Managed::of(&action).ok_or(Full::Unsupported)?;
        let limit = self.message_limit().saturating_sub(managed.weight());
        let note = |part: &Target| {
            let clients = Selection::of(part).ok_or(Full::Unsupported)?;
            let action = managed.clone();
            Ok(Note::Manage { clients, action })
        };
        // An action that a client performs twice, as a member of several rooms, has an effect once.
        let parts = split::targets(clients, limit)?;
        let notes = parts.iter().map(note).collect::<Result<_, Full>>()?;
        self.queue.notes(&self.subjects.nodes, notes)?;
        self.manage_here(clients, action)
    }

    /// Performs an action on the clients of this node.
    pub(super) fn manage_here(&self, clients: &Target, action: Action) -> Result<Performed, Full> {
        let joined = match &action {
            Action::Join(room) => Some(room.clone()),
            _ => None,
        };
        let clients = clients.clone();
        let performed = self.local.perform(None, Effect::Manage { clients, action });
        match joined {
            Some(room) => self.join(performed, &room),
            None => performed,
        }
    }

    pub(super) fn tag(&self) -> NodeTag {
        NodeTag::of_node(self.node)
    }

    /// Returns a sign of life. If it `asks`, the others answer with theirs.
    pub(super) fn alive(&self, asks: bool, beat: Option<Beat>) -> Note {
        let sizes = self.own_sizes.told();
        Note::Alive { asks, sizes, beat }
    }

    /// Sends a note to one node.
    pub(super) fn reply(&self, node: Uuid, note: Note) {
        if self.queue.note(self.subjects.node(node), note).is_err()
            && let Some(omitted) = self.lines.unanswered.line()
        {
            tracing::warn!(%node, omitted, "another node was not answered: too much waits to be sent");
        }
    }

    /// Returns the clients of this node among a target's.
    pub(super) fn clients_here(&self, of: &Target) -> Vec<ClientId> {
        let gathered = self.local.clients(of).now_or_never();
        gathered.map_or_else(Vec::new, |gathered| gathered.value)
    }

    pub(super) fn sizes_here(
        &self,
        rooms: impl IntoIterator<Item = Arc<str>>,
    ) -> impl Iterator<Item = (String, usize)> {
        rooms.into_iter().map(|room| {
            let size = self.size_here(&room);
            (room.to_string(), size)
        })
    }

    /// Splits sizes into messages.
    pub(super) fn size_messages(&self, sizes: impl Iterator<Item = (String, usize)>) -> Vec<RoomSizes> {
        sizes::messages(sizes, self.message_limit())
    }

    /// Returns the sizes of all rooms with members here.
    pub(super) fn all_sizes(&self) -> Vec<Note> {
        // Read first: sizes that change meanwhile are told again by the next message.
        let number = self.own_sizes.told();
        let sizes = self.sizes_here(self.interest.rooms());
        let parts = self.size_messages(sizes.filter(|(_, size)| *size > 0));
        let of = parts.len();
        let part = |(part, rooms)| Note::AllSizes {
            number,
            part,
            of,
            rooms,
        };
        parts.into_iter().enumerate().map(part).collect()
    }

    /// Returns the number of a room's members on other nodes, and the nodes that are not counted.
    fn size_elsewhere(&self, room: &str) -> (usize, Vec<Uuid>) {
        let nodes = self.nodes.lock().known();
        // Without a connection, what the others have told grows old.
        if !self.is_connected.load(Ordering::Acquire) {
            return (0, nodes);
        }
        let sizes = self.other_sizes.lock();
        (sizes.of(room), sizes.missing(&nodes))
    }

    pub(super) fn size_here(&self, room: &str) -> usize {
        self.local.size(room).now_or_never().map_or(0, |size| size.value)
    }

    /// Asks the other nodes for their clients among these. Returns them, and the nodes that have not answered.
    async fn find(&self, target: &Target) -> (Vec<ClientId>, Vec<Uuid>) {
        let nodes = self.nodes.lock().known();
        let mut asked = target.clone();
        // The exceptions of clients are made here, so that they need not fit into a message.
        let excepted: HashSet<_> = match &mut asked.except {
            Some(except) => mem::take(&mut Arc::make_mut(except).clients)
                .into_iter()
                .collect(),
            None => HashSet::new(),
        };
        let parts = split::targets(&asked, self.message_limit());
        let selections = parts
            .iter()
            .flatten()
            .map(Selection::of)
            .collect::<Option<Vec<_>>>();
        let Some(selections) = selections.filter(|_| parts.is_ok() && !nodes.is_empty()) else {
            return (Vec::new(), nodes);
        };
        let (queries, notes): (Vec<_>, _) = selections
            .into_iter()
            .map(|clients| {
                let query = self.queries.begin(&nodes);
                let note = Note::Find {
                    query: query.id(),
                    clients,
                };
                (query, note)
            })
            .unzip();
        if self.queue.notes(&self.subjects.nodes, notes).is_err() {
            return (Vec::new(), nodes);
        }
        let (mut found, mut missing) = (Vec::new(), HashSet::new());
        for (clients, silent) in join_all(queries.into_iter().map(Query::answers)).await {
            found.extend(clients.into_iter().filter(|client| !excepted.contains(client)));
            missing.extend(silent);
        }
        (found, missing.into_iter().collect())
    }
}

impl Hub for NatsHub {
    fn new_client_id(&self) -> ClientId {
        self.0.tag().new_client_id()
    }

    fn connect(&self, client: ClientId, options: &ConnectOptions) -> Arc<Mailbox> {
        if NodeTag::of_client(client) != self.0.tag()
            && let Some(omitted) = self.0.lines.foreign_ids.line()
        {
            tracing::warn!(%client, omitted, "other nodes can't send to a client whose id another hub has made");
        }
        self.0.local.connect(client, options)
    }

    fn disconnect(&self, mailbox: &Mailbox) {
        self.0.local.disconnect(mailbox);
    }

    fn perform(&self, from: Option<&ClientId>, effect: Effect) -> Result<Performed, Full> {
        match effect {
            effect if self.0.has_left() => self.0.local.perform(from, effect),
            Effect::Join(room) => {
                let performed = self.0.local.perform(from, Effect::Join(room.clone()));
                self.0.join(performed, &room)
            }
            Effect::Leave(_) | Effect::Close(_) => self.0.local.perform(from, effect),
            Effect::Emit { to, event } => self.0.emit(from, to, event),
            Effect::Manage { clients, action } => self.0.manage(&clients, action),
            _ => Err(Full::Unsupported),
        }
    }

    fn has(&self, client: &ClientId, room: &str) -> bool {
        self.0.local.has(client, room)
    }

    fn rooms(&self, client: &ClientId) -> Vec<Arc<str>> {
        self.0.local.rooms(client)
    }

    fn clients<'a>(&'a self, of: &'a Target) -> BoxFuture<'a, Gathered<Vec<ClientId>>> {
        async move {
            let mut clients: HashSet<_> = self.0.clients_here(of).into_iter().collect();
            let (elsewhere, missing) = self.0.find(of).await;
            clients.extend(elsewhere);
            gathered(clients.into_iter().collect(), missing)
        }
        .boxed()
    }

    fn size<'a>(&'a self, room: &'a str) -> BoxFuture<'a, Gathered<usize>> {
        let (elsewhere, missing) = self.0.size_elsewhere(room);
        std::future::ready(gathered(
            self.0.size_here(room).saturating_add(elsewhere),
            missing,
        ))
        .boxed()
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), Full>> {
        async move {
            match self.0.has_left() {
                true => Ok(()),
                false => self.0.queue.flush().await,
            }
        }
        .boxed()
    }

    fn background(&self) -> Option<BoxFuture<'static, ()>> {
        self.0.local.background()
    }

    fn peers(&self) -> Option<&dyn Peers> {
        Some(self)
    }
}

fn gathered<T>(value: T, missing: Vec<Uuid>) -> Gathered<T> {
    Gathered::partial(value, missing.iter().map(ToString::to_string))
}

impl fmt::Debug for NatsHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsHub")
            .field("node", &self.0.node)
            .field("local", &self.0.local)
            .field("nodes", &self.0.nodes.lock().known().len())
            .finish_non_exhaustive()
    }
}
