//! The app of the simulations, which checks its own callbacks and handlers.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use zocket::{
    ClientId, Code, Context, Emitter, Error, Limits, Outgoing, Zocket,
    testing::sim::{SimApp, World},
};

/// Rooms of the clients. Everyone begins in the first.
pub const ROOMS: [&str; 3] = ["lobby", "attic", "cellar"];

#[derive(Debug, Serialize, Deserialize, JsonSchema, Validate)]
pub struct Headers {
    /// The number of the client.
    #[garde(skip)]
    pub client: usize,
}

/// The input of every route.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
pub struct Job {
    /// Number of the message among those of its client.
    #[garde(skip)]
    pub number: u64,
    #[garde(skip)]
    pub room: String,
    /// Filling, so that frames have different lengths.
    #[garde(length(max = 5_000))]
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Said {
    pub from: ClientId,
    pub number: u64,
    pub text: String,
}

impl Outgoing for Said {
    const TYPE: &'static str = "said";
}

/// An event that the app sends by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tick(pub u64);

impl Outgoing for Tick {
    const TYPE: &'static str = "tick";
}

/// The callbacks and handlers that have run.
#[derive(Debug, Default)]
pub struct Journal {
    /// Calls of `on_connect` and of `on_disconnect`, of each client.
    lives: BTreeMap<ClientId, (u32, u32)>,
    /// Runs of a handler, by client and number of the message.
    runs: BTreeMap<(usize, u64), u32>,
    /// Number of the last message that has begun, of each connection.
    begun: BTreeMap<ClientId, u64>,
    /// Messages whose call was answered.
    answered: Vec<(usize, u64)>,
    /// Messages that no connection was given.
    unsent: Vec<(usize, u64)>,
}

pub type SharedJournal = Arc<Mutex<Journal>>;

impl Journal {
    pub fn answered(&mut self, client: usize, number: u64) {
        self.answered.push((client, number));
    }

    pub fn unsent(&mut self, client: usize, number: u64) {
        self.unsent.push((client, number));
    }

    /// Records that a handler runs.
    fn begin(&mut self, user: &User, client: ClientId, number: u64) {
        *self.runs.entry((user.client, number)).or_default() += 1;
        let last = self.begun.insert(client, number).unwrap_or(0);
        assert!(
            last < number,
            "client {}: message {number} began after {last}",
            user.client
        );
    }

    fn check(&self) {
        for (client, (connects, disconnects)) in &self.lives {
            assert_eq!(
                (*connects, *disconnects),
                (1, 1),
                "calls of on_connect and on_disconnect of {client}"
            );
        }
        for (message, runs) in &self.runs {
            assert_eq!(*runs, 1, "runs of the handler for {message:?}");
        }
        for message in &self.answered {
            assert!(
                self.runs.contains_key(message),
                "{message:?} was answered, and never ran"
            );
        }
        for message in &self.unsent {
            assert!(
                !self.runs.contains_key(message),
                "{message:?} was not sent, and its handler ran"
            );
        }
    }
}

/// The value of a connection.
pub struct User {
    client: usize,
    world: World,
    journal: SharedJournal,
}

/// Records a message, and pauses in some runs.
async fn begin(cx: &Context<User>, job: &Job) {
    cx.journal.lock().unwrap().begin(cx, cx.client_id(), job.number);
    cx.world.pause(Duration::from_millis(80)).await;
}

fn said(cx: &Context<User>, job: Job) -> Said {
    Said {
        from: cx.client_id(),
        number: job.number,
        text: job.text,
    }
}

async fn echo(cx: Context<User>, job: Job) -> Result<u64, Error> {
    begin(&cx, &job).await;
    Ok(job.number)
}

/// Sends to everyone, then waits, then sends to the caller only.
async fn post(cx: Context<User>, job: Job) -> Result<u64, Error> {
    let number = job.number;
    cx.send(said(&cx, job.clone())).to_room("lobby");
    begin(&cx, &job).await;
    cx.send(said(&cx, job)).to(cx.client_id());
    Ok(number)
}

/// Sends to several rooms, with exceptions.
async fn spread(cx: Context<User>, job: Job) -> Result<u64, Error> {
    begin(&cx, &job).await;
    let number = job.number;
    let room = job.room.clone();
    cx.send(said(&cx, job.clone())).to_rooms(ROOMS);
    cx.send(said(&cx, job.clone())).except_rooms([room]).broadcast();
    cx.send(said(&cx, job)).except([cx.client_id()]).broadcast();
    Ok(number)
}

async fn enter(cx: Context<User>, job: Job) -> Result<u64, Error> {
    begin(&cx, &job).await;
    cx.rooms().join(job.room)?;
    Ok(job.number)
}

async fn leave(cx: Context<User>, job: Job) -> Result<u64, Error> {
    begin(&cx, &job).await;
    if job.room != "lobby" {
        cx.rooms().leave(job.room);
    }
    Ok(job.number)
}

async fn refuse(cx: Context<User>, job: Job) -> Result<u64, Error> {
    begin(&cx, &job).await;
    Err(Error::new(Code::CONFLICT, job.number.to_string()))
}

/// Sends ticks to a room as long as the run lasts.
async fn tick(world: World, emitter: Emitter) {
    for number in 1.. {
        sleep(Duration::from_millis(20) + world.chance().time(Duration::from_millis(1_500))).await;
        // A full room refuses it.
        let _ = emitter.send(Tick(number)).to_room("lobby");
    }
}

/// Builds the app of one run.
pub fn app(world: &World) -> SimApp {
    app_with(world, Limits::default().queued(16))
}

/// Builds the app of one run, with these limits.
pub fn app_with(world: &World, limits: Limits) -> SimApp {
    let journal = SharedJournal::default();
    world.share(journal.clone());
    let zo = Zocket::builder()
        .on_connect_with(
            (world.clone(), journal.clone()),
            async |(world, journal): (World, SharedJournal), headers: Headers, id: ClientId| {
                world.pause(Duration::from_millis(80)).await;
                journal.lock().unwrap().lives.entry(id).or_default().0 += 1;
                Ok(User {
                    client: headers.client,
                    world,
                    journal,
                })
            },
        )
        .on_open(async |cx: Context<User>| {
            cx.world.pause(Duration::from_millis(20)).await;
            cx.rooms().join("lobby")
        })
        .on_disconnect(async |cx: Context<User>| {
            cx.world.pause(Duration::from_millis(80)).await;
            let id = cx.client_id();
            cx.journal.lock().unwrap().lives.entry(id).or_default().1 += 1;
        })
        .limits(limits)
        .hub(world.hub())
        .build();
    let message = || zo.message().input::<Job>();
    let router = zo
        .router()
        .outgoing::<Said>()
        .outgoing::<Tick>()
        .incoming("echo", message().handle(echo))
        .incoming("post", message().handle(post))
        .incoming("spread", message().handle(spread))
        .incoming("enter", message().handle(enter))
        .incoming("leave", message().handle(leave))
        .incoming("refuse", message().handle(refuse));
    let service = zo.serve(router);
    tokio::spawn(tick(world.clone(), zo.emitter()));
    SimApp::new(&zo, service).at_end(move || journal.lock().unwrap().check())
}
