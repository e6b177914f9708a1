//! A node that talks and listens in one room, and accounts for every event.

use std::{
    collections::HashMap,
    fmt,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    task::JoinSet,
    time::{Instant, interval, sleep, timeout},
};
use uuid::Uuid;
use zocket::{
    Error, Event, Hub, RawPayload, Target,
    cluster::{NatsHub, NatsOptions, Recipients},
    layers::Effect,
};

use crate::member::{Member, number};

pub(crate) const LOBBY: &str = "lobby";
/// Bound for a recovery on a machine that is busy with something else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// Numbers of each station's events.
const NUMBERS: u32 = 1_000_000;

pub(crate) struct Station {
    pub(crate) hub: Arc<NatsHub>,
    index: u32,
    speaker: Arc<Member>,
    said: Arc<AtomicU32>,
    heard: Arc<Mutex<Vec<Heard>>>,
    lost: Arc<Mutex<HashMap<Uuid, u64>>>,
    _tasks: JoinSet<()>,
}

#[derive(Debug, Clone, Copy)]
struct Heard {
    number: u32,
    at: Instant,
}

/// Events that a station sends all the time. Dropping it ends them.
pub(crate) struct Talk {
    _task: JoinSet<()>,
}

impl Station {
    /// Connects a node with a member in the lobby. Each station of a test has another index.
    pub(crate) async fn connect(url: &str, index: u32) -> Self {
        Self::connect_with(url, index, NatsOptions::default()).await
    }

    pub(crate) async fn connect_with(url: &str, index: u32, options: NatsOptions) -> Self {
        let lost = Arc::<Mutex<HashMap<Uuid, u64>>>::default();
        let counted = lost.clone();
        let options = options.on_loss(move |loss| {
            if loss.recipients == Recipients::Room(LOBBY.into()) {
                *counted.lock().entry(loss.node).or_default() += loss.events;
            }
        });
        let hub = NatsHub::connect(url, options).await.unwrap();
        let (listener, heard) = (Member::of(&hub), Arc::<Mutex<Vec<Heard>>>::default());
        listener.join(LOBBY).await;
        let (all, mut tasks) = (heard.clone(), JoinSet::new());
        tasks.spawn(async move {
            loop {
                poll_fn(|cx| listener.mailbox.poll_notified(cx)).await;
                let mut events = Vec::new();
                listener.mailbox.pull(&mut events);
                let at = Instant::now();
                let heard = events.iter().map(number).map(|number| Heard { number, at });
                all.lock().extend(heard);
            }
        });
        Self {
            speaker: Arc::new(Member::of(&hub)),
            hub,
            index,
            said: Arc::default(),
            heard,
            lost,
            _tasks: tasks,
        }
    }

    /// Sends one event to the lobby.
    pub(crate) async fn say(&self) {
        say(&self.speaker, self.index, &self.said).await;
    }

    /// Sends one event to the lobby, with a payload that so many spaces make longer. Returns its number if it is accepted.
    pub(crate) fn try_say(&self, spaces: usize) -> Result<u32, Error> {
        let number = self.index * NUMBERS + self.said();
        let payload = RawPayload::json(format!("{number}{}", " ".repeat(spaces)));
        let (to, event) = (Target::room(LOBBY), Event::from_payload("said", payload).unwrap());
        self.hub
            .perform(Some(&self.speaker.id), Effect::Emit { to, event })?;
        self.said.fetch_add(1, Ordering::Release);
        Ok(number)
    }

    /// Sends an event to the lobby every 5 milliseconds.
    pub(crate) fn talk(&self) -> Talk {
        let (speaker, index, said) = (self.speaker.clone(), self.index, self.said.clone());
        let mut talk = JoinSet::new();
        talk.spawn(async move {
            let mut tick = interval(Duration::from_millis(5));
            loop {
                tick.tick().await;
                say(&speaker, index, &said).await;
            }
        });
        Talk { _task: talk }
    }

    /// Returns the number of events that it has sent.
    pub(crate) fn said(&self) -> u32 {
        self.said.load(Ordering::Acquire)
    }

    /// Returns the events of a station that were heard here.
    pub(crate) fn heard_of(&self, other: &Self) -> Vec<u32> {
        let heard = self.heard.lock();
        let of_other = heard.iter().filter(|heard| heard.number / NUMBERS == other.index);
        of_other.map(|heard| heard.number % NUMBERS).collect()
    }

    /// Returns the number of events of a station that were reported as lost here.
    pub(crate) fn lost_of(&self, other: &Self) -> u64 {
        self.lost
            .lock()
            .get(&other.hub.node())
            .copied()
            .unwrap_or_default()
    }

    /// Waits until every event of a station was heard or reported as lost, and asserts that none was both, and none came twice
    /// or late.
    pub(crate) async fn accounts_for(&self, other: &Self) {
        let all = || self.heard_of(other).len() as u64 + self.lost_of(other);
        let waited = until(|| all() >= u64::from(other.said())).await;
        let (heard, lost) = (self.heard_of(other), self.lost_of(other));
        let sum = format!(
            "{} of {}: {} heard, {lost} lost, of {}",
            self.index,
            other.index,
            heard.len(),
            other.said()
        );
        assert!(waited, "not every event is accounted for: {sum}");
        assert!(
            heard.is_sorted_by(|before, after| before < after),
            "{sum}: {heard:?}"
        );
        assert_eq!(all(), u64::from(other.said()), "{sum}");
    }

    /// Waits until an event of a station arrives that was sent after this call. Returns the time that this took.
    pub(crate) async fn hears_again(&self, other: &Self) -> Duration {
        let (began, next) = (Instant::now(), other.index * NUMBERS + other.said());
        let first = || {
            let heard = self.heard.lock();
            let of_other = |heard: &&Heard| heard.number / NUMBERS == other.index && heard.number > next;
            heard.iter().find(of_other).map(|heard| heard.at)
        };
        assert!(until(|| first().is_some()).await, "no event arrives any more");
        first().unwrap().saturating_duration_since(began)
    }

    /// Waits until this node knows so many other nodes.
    pub(crate) async fn knows(&self, nodes: usize) {
        assert!(
            until(|| self.hub.other_nodes().len() == nodes).await,
            "it knows {:?}",
            self.hub.other_nodes()
        );
    }

    /// Waits until the lobby has so many members on all nodes, and every node has answered.
    pub(crate) async fn counts(&self, members: usize) {
        let counted = async {
            loop {
                let (size, clients) = (
                    self.hub.size(LOBBY).await,
                    self.hub.clients(&Target::room(LOBBY)).await,
                );
                let is_complete = size.is_complete() && clients.is_complete();
                if is_complete && size.value == members && clients.value.len() == members {
                    return;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        let waited = timeout(PATIENCE, counted).await;
        assert!(waited.is_ok(), "{:?}", self.hub.size(LOBBY).await);
    }
}

impl fmt::Debug for Station {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Station").field(&self.index).finish()
    }
}

async fn say(speaker: &Member, index: u32, said: &AtomicU32) {
    let number = index * NUMBERS + said.load(Ordering::Acquire);
    speaker.say(Target::room(LOBBY), number).await;
    said.fetch_add(1, Ordering::Release);
}

/// Waits until the condition holds. Returns false if it does not in time.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) -> bool {
    let waited = timeout(PATIENCE, async {
        while !holds() {
            sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.is_ok()
}

/// Prints the time after a failure at which events arrived again.
pub(crate) fn print_recovery(failure: &str, took: Duration) {
    println!("recovery: {failure}: {} ms", took.as_millis());
}
