//! An app that records what it runs, and a proxy before it that breaks connections.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use zocket::{ClientId, Context, Error, Limits, NoHeaders, Outgoing, Reason, Zocket};

use super::common::{Server, serve, until};

/// Numbered from 1.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Tick(pub u64);

impl Outgoing for Tick {
    const TYPE: &'static str = "tick";
}

#[derive(Serialize, Deserialize, JsonSchema, Validate)]
pub struct Task {
    #[garde(skip)]
    pub number: u64,
    #[garde(skip)]
    pub padding: String,
}

/// State of the app that tests look at.
#[derive(Clone, Default)]
pub struct Site(Arc<State>);

#[derive(Default)]
struct State {
    connected: AtomicUsize,
    departed: Mutex<Vec<Reason>>,
    /// Numbers of the tasks that have run, in order.
    ran: Mutex<Vec<u64>>,
    /// Number of handlers that have waited for the gate.
    waited: AtomicUsize,
    gate: Mutex<Option<Arc<Semaphore>>>,
}

impl Site {
    /// Serves the app. Returns its emitter's app, and its server.
    pub async fn serve(&self, limits: Limits) -> (Zocket<Self>, Server) {
        *self.0.gate.lock().unwrap() = Some(Arc::new(Semaphore::new(0)));
        let zo = Zocket::builder()
            .limits(limits)
            .on_connect_with(self.clone(), async |site: Self, _: NoHeaders, _: ClientId| {
                site.0.connected.fetch_add(1, Ordering::SeqCst);
                Ok(site)
            })
            .on_disconnect(async |cx: Context<Self>, reason: Reason| {
                cx.0.departed.lock().unwrap().push(reason);
            })
            .build();
        let run = async |cx: Context<Self>, task: Task| {
            cx.0.ran.lock().unwrap().push(task.number);
            Ok::<_, Error>(task.number)
        };
        let wait = async |cx: Context<Self>| {
            let gate = cx.gate();
            cx.0.waited.fetch_add(1, Ordering::SeqCst);
            gate.acquire().await.unwrap().forget();
            Ok::<_, Error>("opened")
        };
        let router = zo
            .router()
            .outgoing::<Tick>()
            .incoming("run", zo.message().input::<Task>().handle(run))
            .incoming("wait", zo.message().handle(wait));
        let server = serve(zo.serve(router)).await;
        (zo, server)
    }

    fn gate(&self) -> Arc<Semaphore> {
        self.0.gate.lock().unwrap().clone().unwrap()
    }

    /// Lets one handler of `wait` pass.
    pub fn open_gate(&self) {
        self.gate().add_permits(1);
    }

    /// Waits until a handler of `wait` runs.
    pub async fn until_waiting(&self) {
        until(|| self.0.waited.load(Ordering::SeqCst) > 0).await;
    }

    /// Returns the number of calls of `on_connect`.
    pub fn connected(&self) -> usize {
        self.0.connected.load(Ordering::SeqCst)
    }

    pub fn departed(&self) -> Vec<Reason> {
        self.0.departed.lock().unwrap().clone()
    }

    /// Waits until this many sessions have ended.
    pub async fn until_departed(&self, count: usize) {
        until(|| self.departed().len() >= count).await;
        assert_eq!(self.departed().len(), count);
    }

    /// Returns the numbers of the tasks that have run, in order.
    pub fn ran(&self) -> Vec<u64> {
        self.0.ran.lock().unwrap().clone()
    }
}

/// Sends an event to all clients.
pub fn tick(zo: &Zocket<Site>, number: u64) {
    zo.emitter().send(Tick(number)).broadcast().unwrap();
}

/// Returns the URL at this address.
pub fn url(addr: SocketAddr) -> String {
    format!("ws://{addr}/")
}
