//! The reference app of the vectors, as app.md describes it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::Duration,
};

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::{sync::Semaphore, task::AbortHandle};
use tower::{Service, buffer::Buffer};
use zocket::{ClientId, Code, Context, Error, Message, Outgoing, Reply};

use crate::data::Outbid;

pub const ROOM_FULL: Code = Code::app("ROOM_FULL");

/// The app's connect headers.
#[derive(Clone, Deserialize, Serialize, JsonSchema, Validate)]
pub struct Headers {
    #[garde(length(chars, min = 1, max = 40))]
    pub name: String,
    #[serde(rename = "x-room", default = "lobby")]
    #[garde(length(chars, max = 10))]
    room: String,
    #[serde(rename = "x-user-id", skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    cookie: Option<String>,
    #[serde(rename = "x-level", default, skip_serializing_if = "is_zero")]
    #[garde(range(max = 9))]
    level: u8,
    #[serde(rename = "x-ratio", skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    ratio: Option<f64>,
    #[serde(rename = "x-loud", skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    loud: Option<bool>,
    #[serde(rename = "x-mode", skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    mode: Option<Mode>,
    /// Code of `on_connect`'s refusal.
    #[serde(rename = "x-refuse", skip_serializing)]
    #[garde(skip)]
    pub refuse: Option<String>,
    /// Code of `on_open`'s error, or `panic`.
    #[serde(rename = "x-open", skip_serializing)]
    #[garde(skip)]
    pub open: Option<String>,
}

#[derive(Clone, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Read,
    Write,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(level: &u8) -> bool {
    *level == 0
}

fn lobby() -> String {
    "lobby".to_owned()
}

/// State that the connections of one app share.
#[derive(Clone)]
pub struct World(pub Arc<Shared>);

pub struct Shared {
    pub names: Mutex<HashMap<String, ClientId>>,
    pub runs: AtomicU64,
    pub gate: Semaphore,
    /// Aborts the worker of the last buffer.
    pub pipeline: Mutex<Option<AbortHandle>>,
}

impl Default for World {
    fn default() -> Self {
        Self(Arc::new(Shared {
            names: Mutex::default(),
            runs: AtomicU64::new(0),
            gate: Semaphore::new(0),
            pipeline: Mutex::default(),
        }))
    }
}

impl World {
    /// Wraps a service in a buffer. [`Shared::pipeline`] ends the last one.
    pub fn buffered<S>(&self, service: S) -> Buffer<Message, S::Future>
    where
        S: Service<Message, Response = Reply, Error = tower::BoxError> + Send + 'static,
        S::Future: Send,
    {
        let (buffer, worker) = Buffer::pair(service, 8);
        *self.0.pipeline.lock().unwrap() = Some(tokio::spawn(worker).abort_handle());
        buffer
    }
}

/// The context: one client of the app.
pub struct User {
    pub headers: Headers,
    pub world: World,
}

pub type Cx = Context<User>;

/// Accepts every client that does not request a refusal.
pub async fn connect(world: World, headers: Headers, client: ClientId) -> Result<User, Error> {
    if let Some(code) = &headers.refuse {
        return Err(refusal(code));
    }
    let mut names = world.0.names.lock().unwrap();
    names.insert(headers.name.clone(), client);
    drop(names);
    Ok(User { headers, world })
}

/// Fails if the client requests it.
pub async fn open(cx: Cx) -> Result<(), Error> {
    match cx.headers.open.as_deref() {
        None => Ok(()),
        Some("panic") => panic!("as asked for"),
        Some(code) => Err(refusal(code)),
    }
}

/// Sends `left` to each room that the client is still in.
pub async fn left(cx: Cx) {
    for room in cx.rooms().current() {
        let left = Left {
            name: cx.headers.name.clone(),
            room: room.to_string(),
        };
        cx.send(left).to_room(room);
    }
}

/// Returns a refusal with the code that a client requests.
pub fn refusal(code: &str) -> Error {
    let code = match code {
        "TOO_MANY_REQUESTS" => return Error::too_many_requests(Duration::from_millis(1_500)),
        "INTERNAL_SERVER_ERROR" => return Error::internal("not the client's business"),
        "OUTBID" => return Error::refuse(Outbid { least: 1 }),
        "ROOM_FULL" => ROOM_FULL,
        code => Code::PROTOCOL
            .into_iter()
            .find(|known| known.as_str() == code)
            .unwrap_or(Code::app("UNDECLARED")),
    };
    Error::new(code, "as asked for")
}

#[derive(Serialize, JsonSchema)]
pub struct Said(pub String);

impl Outgoing for Said {
    const TYPE: &'static str = "said";
}

#[derive(Serialize, JsonSchema)]
pub struct Left {
    name: String,
    room: String,
}

impl Outgoing for Left {
    const TYPE: &'static str = "left";
}
