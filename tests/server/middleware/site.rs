//! An app with one handler, which follows a script of the test.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{io::DuplexStream, sync::Semaphore, time::Instant};
use tower::{BoxError, Service};
use zocket::{Code, Context, Error, Outgoing, Refusal};

use super::common::{self, connect_in_memory, extended_in_memory};

pub type Client = common::Client<DuplexStream>;

/// Input of the handler. Its answer is the same word.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
pub struct Ask {
    #[garde(skip)]
    pub word: String,
}

/// Event that is broadcast at the start of each attempt.
#[derive(Serialize, JsonSchema)]
pub struct Begun(pub u64);

impl Outgoing for Begun {
    const TYPE: &'static str = "begun";
}

/// A code that the procedures declare without data.
pub const SOLD: Code = Code::app("SOLD");

/// Data of a refusal. The procedures declare it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outbid {
    pub least: u64,
}

impl Refusal for Outbid {
    const CODE: Code = Code::app("OUTBID");
}

/// A step of the handler, in place of its answer.
pub enum Step {
    Fail(Code),
    Refuse(Outbid),
    /// Waits until the test releases it.
    Wait,
    WaitAndRefuse(Outbid),
    Panic,
}

/// The handler's next steps, and its counters.
#[derive(Clone)]
pub struct Script(Arc<Inner>);

struct Inner {
    steps: Mutex<VecDeque<Step>>,
    begun: AtomicU64,
    /// Cloned by each waiting handler.
    waiting: Arc<()>,
    gate: Semaphore,
}

impl Script {
    pub fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self(Arc::new(Inner {
            steps: Mutex::new(steps.into_iter().collect()),
            begun: AtomicU64::new(0),
            waiting: Arc::default(),
            gate: Semaphore::new(0),
        }))
    }

    /// Returns the number of started handlers.
    pub fn begun(&self) -> u64 {
        self.0.begun.load(Ordering::SeqCst)
    }

    /// Returns the number of waiting handlers.
    pub fn waiting(&self) -> usize {
        Arc::strong_count(&self.0.waiting) - 1
    }

    /// Releases one waiting handler.
    pub fn release_one(&self) {
        self.0.gate.add_permits(1);
    }
}

pub type Handle = fn(Context<Script>, Ask) -> BoxFuture<'static, Result<String, Error>>;

/// Broadcasts its start, performs the next step of the script, and answers with the word of its input.
pub fn handle(cx: Context<Script>, ask: Ask) -> BoxFuture<'static, Result<String, Error>> {
    Box::pin(async move {
        let begun = cx.0.begun.fetch_add(1, Ordering::SeqCst) + 1;
        cx.send(Begun(begun)).broadcast();
        let step = cx.0.steps.lock().unwrap().pop_front();
        match step {
            None => {}
            Some(Step::Fail(code)) => return Err(Error::new(code, "as the test wants it")),
            Some(Step::Refuse(data)) => return Err(Error::refuse(data)),
            Some(Step::Wait) => released(&cx).await,
            Some(Step::WaitAndRefuse(data)) => {
                released(&cx).await;
                return Err(Error::refuse(data));
            }
            Some(Step::Panic) => panic!("as the test wants it"),
        }
        Ok(ask.word)
    })
}

async fn released(cx: &Context<Script>) {
    let _waiting = cx.0.waiting.clone();
    cx.0.gate.acquire().await.unwrap().forget();
}

/// Connects to an app, or to a service around it, over an in-memory pipe.
pub async fn connect<S, B>(service: &S) -> Client
where
    S: Service<http::Request<hyper::body::Incoming>, Response = http::Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: hyper::body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    connect_in_memory(service, "").await.unwrap()
}

/// Connects like [`connect`], by the extended protocol.
pub async fn connect_extended<S, B>(service: &S) -> Client
where
    S: Service<http::Request<hyper::body::Incoming>, Response = http::Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: hyper::body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let mut client = extended_in_memory(service).await;
    client.event("__welcome").await;
    client
}

/// Calls a route that has the layer. Returns its answer, or the code of its refusal.
pub async fn ask(client: &mut Client, word: &str) -> Result<String, String> {
    let id = begin(client, "part.it", word).await;
    answer(client, &id).await
}

/// Calls without waiting for the answer.
pub async fn begin(client: &mut Client, route: &str, word: &str) -> Value {
    client.begin(route, json!({ "word": word })).await
}

pub async fn answer(client: &mut Client, id: &Value) -> Result<String, String> {
    match client.answer(id).await {
        Ok(word) => Ok(word.unwrap().as_str().unwrap().to_owned()),
        Err(refusal) => Err(refusal.code().to_owned()),
    }
}

/// Waits until every task is idle: the paused clock advances only then.
pub async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Returns the elapsed milliseconds, without those of [`settle`].
pub fn passed(since: Instant, settled: u64) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap() - settled
}
