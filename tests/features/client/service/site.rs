//! A server with one route, which follows a script of the test.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context as Task, Poll, Wake, Waker},
};

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tower::Service;
use zocket::{ClientId, Context, Error, Incoming, NoHeaders, Zocket, client::Client};

use super::super::{
    common::{Server, serve, until},
    hasty,
    world::{Post, Posted},
};

impl Incoming for Post {
    const TYPE: &'static str = "post";
    type Answer = Posted;
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
pub struct Bid {
    #[garde(range(min = 1))]
    pub cents: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Price {
    pub cents: u64,
    /// The number of the handler that answers.
    pub attempt: u64,
}

impl Incoming for Bid {
    const TYPE: &'static str = "lot.bid";
    type Answer = Price;
}

pub const fn bid(cents: u64) -> Bid {
    Bid { cents }
}

/// A step of the handler, in place of its answer.
pub enum Step {
    Refuse(Error),
    /// Waits until the test releases it.
    Wait,
}

struct Script {
    steps: Mutex<VecDeque<Step>>,
    begun: AtomicU64,
    answered: AtomicU64,
    gate: Semaphore,
}

/// A server whose handlers perform one step each.
pub struct Site {
    script: Arc<Script>,
    server: Server,
}

impl Site {
    pub async fn open(steps: impl IntoIterator<Item = Step>) -> Self {
        let script = Arc::new(Script {
            steps: Mutex::new(steps.into_iter().collect()),
            begun: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            gate: Semaphore::new(0),
        });
        let connect = async |script: Arc<Script>, _: NoHeaders, _: ClientId| Ok(script);
        let zo = Zocket::builder().on_connect_with(script.clone(), connect).build();
        // Concurrent, since the calls of a test share a connection.
        let handle = zo.message().concurrent().handle(handle);
        let server = serve(zo.serve(zo.router().receive::<Bid>(handle))).await;
        Self { script, server }
    }

    pub async fn client(&self) -> Client {
        hasty(self.server.url("")).connect().await.unwrap()
    }

    pub fn builder(&self) -> zocket::client::Builder {
        hasty(self.server.url(""))
    }

    /// Returns the number of handlers that have begun.
    pub fn begun(&self) -> u64 {
        self.script.begun.load(Ordering::SeqCst)
    }

    pub async fn wait_for_handlers(&self, count: u64) {
        until(|| self.begun() == count).await;
    }

    pub async fn wait_for_answers(&self, count: u64) {
        until(|| self.script.answered.load(Ordering::SeqCst) == count).await;
    }

    /// Releases one waiting handler.
    pub fn release_one(&self) {
        self.script.gate.add_permits(1);
    }
}

async fn handle(cx: Context<Arc<Script>>, bid: Bid) -> Result<Price, Error> {
    let attempt = cx.begun.fetch_add(1, Ordering::SeqCst) + 1;
    let step = cx.steps.lock().unwrap().pop_front();
    match step {
        None => {}
        Some(Step::Refuse(error)) => return Err(error),
        Some(Step::Wait) => cx.gate.acquire().await.map_err(Error::internal)?.forget(),
    }
    cx.answered.fetch_add(1, Ordering::SeqCst);
    let cents = bid.cents;
    Ok(Price { cents, attempt })
}

/// A task that counts how often it is woken.
#[derive(Default)]
pub struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Wakes {
    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// Polls the readiness of a service in this task.
    pub fn poll_ready<R, S: Service<R>>(self: &Arc<Self>, service: &mut S) -> Poll<Result<(), S::Error>> {
        let waker = Waker::from(self.clone());
        service.poll_ready(&mut Task::from_waker(&waker))
    }
}
