//! A node as a process of its own: the program that `tests/cluster/nodes.rs` starts and ends.
//!
//! `cluster_node <url of NATS> [file]` prints its address, and ends at SIGTERM: it drains, and closes its connections for a
//! restart. The effects of `work` are appended to the file.

#![allow(clippy::unwrap_used, reason = "what fails here is a test")]

use std::{
    env,
    fs::{File, OpenOptions},
    io::Write,
    sync::Arc,
    time::Duration,
};

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::{join, sync::oneshot};
use zocket::{
    Context, Error, Outgoing, Shutdown, Zocket,
    cluster::{NatsHub, NatsOptions},
    server,
};

#[derive(Deserialize, JsonSchema, Validate)]
struct Room {
    #[garde(skip)]
    room: String,
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Say {
    #[garde(skip)]
    #[serde(default = "lobby")]
    room: String,
    #[garde(skip)]
    number: u32,
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Work {
    #[garde(skip)]
    id: String,
    #[garde(skip)]
    millis: u64,
}

#[derive(Serialize, JsonSchema)]
struct Said(u32);

impl Outgoing for Said {
    const TYPE: &'static str = "said";
}

/// A call of `work` was done.
#[derive(Serialize, JsonSchema)]
struct Done(String);

impl Outgoing for Done {
    const TYPE: &'static str = "done";
}

fn lobby() -> String {
    "lobby".to_owned()
}

async fn join(cx: Context<()>) -> Result<(), Error> {
    cx.rooms().join("lobby")
}

async fn watch(cx: Context<()>, Room { room }: Room) -> Result<(), Error> {
    cx.rooms().join(&room)
}

async fn say(cx: Context<()>, Say { room, number }: Say) -> Result<(), Error> {
    cx.send(Said(number)).to_room(&room);
    Ok(())
}

/// Counts the members by asking every node, so that those of a killed one are not counted.
async fn size(cx: Context<()>) -> Result<usize, Error> {
    Ok(cx.rooms().members("lobby").await.len())
}

/// A call that takes a while, so that a restart finds it in flight. Its beginning and its end are recorded, and its end is an
/// event to the room `done`.
async fn work(cx: Context<()>, effects: &Option<File>, Work { id, millis }: Work) -> Result<(), Error> {
    let record = |what: &str| {
        if let Some(mut file) = effects.as_ref() {
            // One write, which appends the whole line.
            file.write_all(format!("{what} {id}\n").as_bytes()).unwrap();
        }
    };
    record("begun");
    tokio::time::sleep(Duration::from_millis(millis)).await;
    record("done");
    cx.send(Done(id)).to_room("done");
    Ok(())
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};

    signal(SignalKind::terminate()).unwrap().recv().await;
}

#[cfg(not(unix))]
async fn terminated() {
    tokio::signal::ctrl_c().await.unwrap();
}

#[tokio::main]
async fn main() {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let nats = env::args().nth(1).expect("expected the URL of NATS");
    let effects = env::args()
        .nth(2)
        .map(|path| OpenOptions::new().append(true).open(path).unwrap());
    let effects = Arc::new(effects);
    let work = move |cx: Context<()>, input: Work| {
        let effects = effects.clone();
        async move { work(cx, &effects, input).await }
    };
    let hub = NatsHub::connect(nats, NatsOptions::default()).await.unwrap();
    let zo = Zocket::builder().hub(hub.clone()).build();
    let message = zo.message();
    let router = zo
        .router()
        .outgoing::<Said>()
        .outgoing::<Done>()
        .incoming("join", message.clone().handle(join))
        .incoming("watch", message.clone().handle(watch))
        .incoming("say", message.clone().handle(say))
        .incoming("size", message.clone().handle(size))
        .incoming("work", message.concurrent().handle(work));
    let listener = server::listen("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let service = zo.serve(router);
    let terminated = tokio::spawn(terminated());
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server::serve_until(listener, service, async {
        drop(stopped.await)
    }));
    #[allow(clippy::print_stdout, reason = "the test reads it")]
    {
        println!("listening on {addr}");
    }
    terminated.await.unwrap();
    let shutdown = Shutdown::within(Duration::from_secs(25)).restart();
    join!(zo.shutdown(shutdown), async { stop.send(()).unwrap() });
    serving.await.unwrap();
    // The last events may still wait to be sent.
    hub.leave().await.unwrap();
}
