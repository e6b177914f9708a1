//! The local hub: its members join, leave, send, are kicked, and read in their ways, compared with a model.

mod input;
mod model;

use std::{
    collections::BTreeMap,
    sync::Arc,
    task::{Context as Task, Waker},
};

use arbitrary::{Arbitrary, Unstructured};
use futures_util::FutureExt;
use zocket::{
    ClientId, Close, Event, Hub, Limits, LocalHub, RawPayload,
    layers::{
        Action, Audience, Effect, Form, Mailbox, Target,
        hub::{Batch, BoxFuture, ConnectOptions, Full, MailboxState},
        protocol::FrameHeader,
    },
};

use self::{
    input::{Client, Delivery, Input, Room, Selection, Size, Step},
    model::{Member, Model, ROOMS},
};

/// Steps of one run.
const STEPS: usize = 200;
/// Clients that make a room large. They read nothing.
const CROWD: usize = 20;
/// Polls within which the flusher has notified the members of every room.
const POLLS: usize = 64;

/// Performs the steps that the bytes stand for.
pub fn run(data: &[u8]) {
    if let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) {
        let mut world = World::new(input.hub);
        for (number, step) in input.steps.iter().take(STEPS).enumerate() {
            world.perform(number, step);
            world.check();
        }
        world.end();
    }
}

struct World {
    hub: LocalHub,
    flusher: Option<BoxFuture<'static, ()>>,
    is_tight: bool,
    ids: [ClientId; Client::COUNT],
    mailboxes: BTreeMap<usize, Arc<Mailbox>>,
    crowd: Vec<Arc<Mailbox>>,
    model: Model,
}

impl World {
    fn new(size: Size) -> Self {
        let limits = match size {
            Size::Small | Size::Crowded => Limits::default(),
            Size::Tight => Limits::default().room_backlog(12_000),
        };
        let hub = LocalHub::with_limits(&limits);
        let crowd = if size == Size::Crowded { CROWD } else { 0 };
        let crowd = (0..crowd).map(|_| {
            let id = ClientId::random();
            let mailbox = hub.connect(id, &ConnectOptions::default());
            for room in Room::NAMES {
                hub.perform(Some(&id), Effect::Join(room.into())).unwrap();
            }
            mailbox.mute();
            mailbox
        });
        let crowd = crowd.collect();
        Self {
            flusher: hub.background(),
            crowd,
            hub,
            is_tight: size == Size::Tight,
            ids: [(); Client::COUNT].map(|()| ClientId::random()),
            mailboxes: BTreeMap::new(),
            model: Model::default(),
        }
    }

    fn connect(&mut self, client: usize) -> Option<Arc<Mailbox>> {
        let limits = Limits::default().rooms(ROOMS);
        let options = ConnectOptions::new(Arc::new(limits), Form::BASE);
        let mailbox = self.hub.connect(self.ids[client], &options);
        self.model.members.insert(client, Member::default());
        self.mailboxes.insert(client, mailbox)
    }

    fn perform(&mut self, number: usize, step: &Step) {
        match step {
            Step::Connect(client) => {
                if !self.mailboxes.contains_key(&client.index()) {
                    self.connect(client.index());
                }
            }
            Step::Replace(client) => {
                if let Some(mailbox) = self.mailboxes.get(&client.index()).cloned() {
                    self.connect(client.index());
                    self.hub.disconnect(&mailbox);
                }
            }
            Step::Disconnect(client) => {
                if let Some(mailbox) = self.mailboxes.remove(&client.index()) {
                    self.hub.disconnect(&mailbox);
                    self.model.members.remove(&client.index());
                }
            }
            Step::Join(client, room) => {
                let joined = self.effect(*client, Effect::Join(room.name().into()));
                let may_join = self.model.join(client.index(), room.name());
                assert_eq!(joined.is_ok(), may_join, "{joined:?}");
            }
            Step::Leave(client, room) => {
                self.effect(*client, Effect::Leave(room.name().into())).unwrap();
                self.model.leave(client.index(), room.name());
            }
            Step::Close(client, code) => {
                let code = 4_000 + u16::from(*code);
                self.effect(*client, Effect::Close(Close::new(code, ""))).unwrap();
                self.model.close(client.index(), code);
            }
            Step::Send { from, to, event } => self.send(number, *from, to, *event),
            Step::Manage { clients, action } => {
                let crowd = self.crowd.iter().map(|mailbox| mailbox.client_id());
                let effect = Effect::Manage {
                    clients: self.target(clients).except(crowd),
                    action: match action {
                        input::Action::Join(room) => Action::Join(room.name().into()),
                        input::Action::Leave(room) => Action::Leave(room.name().into()),
                        input::Action::Disconnect(code) => {
                            Action::Disconnect(Close::new(4_000 + u16::from(*code), ""))
                        }
                    },
                };
                let performed = self.hub.perform(None, effect);
                let done = self.model.manage(clients, *action);
                assert_eq!(performed.is_ok(), done, "{performed:?}");
            }
            Step::Pull(client) => self.read(*client, Way::Pull),
            Step::PullBatches(client) => self.read(*client, Way::PullBatches),
            Step::Absorb(client, release) => self.read(*client, Way::Absorb(usize::from(*release))),
            Step::Mute(client) => {
                if let Some(mailbox) = self.mailboxes.get(&client.index()) {
                    mailbox.mute();
                    self.member(client.index()).silence();
                }
            }
        }
    }

    fn member(&mut self, client: usize) -> &mut Member {
        self.model.members.get_mut(&client).expect("it is connected")
    }

    fn effect(&self, client: Client, effect: Effect) -> Result<(), Full> {
        self.hub
            .perform(Some(&self.ids[client.index()]), effect)
            .map(drop)
    }

    fn target(&self, selection: &Selection) -> Target {
        let id = |client: &Client| self.ids[client.index()];
        let audience: Target = match &selection.audience {
            input::Audience::Clients(clients) => Audience::Clients(clients.iter().map(id).collect()).into(),
            input::Audience::Rooms(rooms) => Target::rooms(rooms.iter().map(|room| room.name())),
            input::Audience::Everyone => Target::everyone(),
        };
        let target = match &*selection.except {
            [] => audience,
            clients => audience.except(clients.iter().map(id)),
        };
        match &*selection.except_rooms {
            [] => target,
            rooms => target.except_rooms(rooms.iter().map(|room| room.name())),
        }
    }

    fn send(&mut self, number: usize, from: Option<Client>, to: &Selection, event: input::Event) {
        let name = if event.is_other { "other" } else { "event" };
        let payload = format!("[{number},\"{}\"]", "x".repeat(event.size.bytes()));
        let sent = Event::from_payload(name, RawPayload::json(payload)).unwrap();
        let sent = match event.delivery {
            Delivery::Reliable => sent,
            Delivery::Latest(key) => sent.latest(key.into()),
            Delivery::Volatile => sent.volatile(),
        };
        let target = self.target(to);
        let mut selected = self
            .hub
            .clients(&target)
            .now_or_never()
            .expect("it is local")
            .value;
        selected.retain(|id| self.ids.contains(id));
        selected.sort_unstable();
        let mut expected: Vec<_> = self
            .model
            .select(to)
            .iter()
            .map(|client| self.ids[*client])
            .collect();
        expected.sort_unstable();
        assert_eq!(selected, expected);

        let from = from.map(|from| self.ids[from.index()]);
        let effect = Effect::Emit {
            to: target,
            event: sent,
        };
        let performed = self.hub.perform(from.as_ref(), effect);
        assert!(self.is_tight || performed.is_ok(), "{performed:?}");
        // Of several rooms, one that is full does not keep the event from the others.
        let is_refused =
            performed.is_err() && !matches!(&to.audience, input::Audience::Rooms(rooms) if rooms.len() > 1);
        if !is_refused {
            self.model.send(number, to, event, performed.is_ok());
        }
    }

    fn read(&mut self, client: Client, way: Way) {
        let Some(mailbox) = self.mailboxes.get(&client.index()) else {
            return;
        };
        let Reading {
            state,
            numbers,
            weight,
        } = way.read(mailbox);
        let is_tight = self.is_tight;
        let member = self.member(client.index());
        let code = match state {
            MailboxState::Overflowed => {
                let is_behind = member.has_entries || member.is_overflowed;
                assert!(is_tight && is_behind, "a reader that keeps up is not too slow");
                assert!(numbers.is_empty(), "{numbers:?}");
                member.is_overflowed = true;
                member.silence();
                return;
            }
            MailboxState::Open => None,
            MailboxState::Close(close) => Some(close.code),
        };
        assert!(!member.is_overflowed, "it was too slow before");
        assert_eq!(code, member.close);
        match way {
            Way::Pull | Way::PullBatches => member.pull(&numbers),
            Way::Absorb(release) => member.absorb(release, &numbers, weight),
        }
    }

    /// Compares what the hub tells of its rooms and clients, after the flusher has run.
    fn check(&mut self) {
        let mut cx = Task::from_waker(Waker::noop());
        for _ in 0..POLLS {
            let flushed = self.flusher.as_mut().map(|flusher| flusher.poll_unpin(&mut cx));
            assert!(flushed.is_some_and(|flushed| flushed.is_pending()));
        }
        for (client, member) in &self.model.members {
            let (id, mailbox) = (self.ids[*client], &self.mailboxes[client]);
            let mut rooms = self.hub.rooms(&id);
            rooms.sort_unstable();
            assert!(
                rooms.iter().map(|room| &**room).eq(member.rooms.iter().copied()),
                "{rooms:?}"
            );
            for room in Room::NAMES {
                assert_eq!(self.hub.has(&id, room), member.rooms.contains(room));
            }
            assert!(
                mailbox.has_news() || !member.has_unread(),
                "{client} is not notified"
            );
        }
        let mut rooms = 0;
        for room in Room::NAMES {
            let size = self.model.size(room) + self.crowd.len();
            assert_eq!(
                self.hub.size(room).now_or_never().expect("it is local").value,
                size
            );
            rooms += usize::from(size > 0);
        }
        assert_eq!(self.hub.room_count(), rooms);
        assert_eq!(self.hub.client_count(), self.mailboxes.len() + self.crowd.len());
    }

    /// Reads what is left, and disconnects everyone.
    fn end(mut self) {
        for client in 0..Client::COUNT {
            self.read(Client::of(client), Way::PullBatches);
        }
        for mailbox in self.mailboxes.values().chain(&self.crowd) {
            self.hub.disconnect(mailbox);
        }
        assert_eq!((self.hub.client_count(), self.hub.room_count()), (0, 0));
    }
}

/// A way of reading a mailbox.
#[derive(Debug, Clone, Copy)]
enum Way {
    Pull,
    PullBatches,
    Absorb(usize),
}

struct Reading {
    state: MailboxState,
    numbers: Vec<usize>,
    weight: usize,
}

impl Way {
    fn read(self, mailbox: &Mailbox) -> Reading {
        let (mut events, mut batches) = (Vec::new(), Vec::new());
        let mut take = |batch| batches.push(batch);
        let state = match self {
            Self::Pull => mailbox.pull(&mut events),
            Self::PullBatches => mailbox.pull_batches(&mut take),
            Self::Absorb(release) => mailbox.absorb(release, &mut take),
        };
        let mut numbers: Vec<_> = events
            .iter()
            .map(|event| number_of(event.frame(Form::BASE)))
            .collect();
        let mut weight = 0;
        for batch in &batches {
            numbers.extend(numbers_of(batch));
            weight += batch.weight;
        }
        Reading {
            state,
            numbers,
            weight,
        }
    }
}

/// Returns the numbers of a batch's events, and checks what it says of itself.
fn numbers_of(batch: &Batch) -> Vec<usize> {
    let (mut numbers, mut weight) = (Vec::new(), 0);
    let mut rest = &batch.wire[..];
    while !rest.is_empty() {
        let length = FrameHeader::frame_len(rest).expect("a whole frame");
        let (frame, after) = rest.split_at(length);
        let content = &frame[FrameHeader::of(frame).expect("one frame").len()..];
        numbers.push(number_of(content));
        weight += content.len() + 64;
        rest = after;
    }
    assert_eq!((batch.frames, batch.weight), (numbers.len(), weight));
    numbers
}

/// Returns the number of an event.
fn number_of(frame: &[u8]) -> usize {
    let event: serde_json::Value = serde_json::from_slice(frame).unwrap();
    let number = event["payload"][0].as_u64().expect("a number");
    usize::try_from(number).unwrap()
}
