//! Runs the vectors against the client. The test plays the server.

use std::{collections::HashMap, ops::RangeInclusive, time::Duration};

use futures_util::{FutureExt, StreamExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::{net::TcpStream, select, task::JoinHandle, time::timeout};
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};
use zocket::{
    Outgoing,
    client::{CallError, Client, Events, Outage, Sent, ServerRefusal, Status},
};

use crate::{
    PATIENCE,
    format::{Action, Call, Closing, Failed, Heard, Hello, Rejected, Resolved, Step, Vector, text},
    pattern::{check, sample},
    stage::{Entry, Stage, refuse, resumable},
};

/// The only event type that vectors subscribe to.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Said(Value);

impl Outgoing for Said {
    const TYPE: &'static str = "said";
}

/// Runs a vector with a new client.
pub async fn run(vector: &Vector) -> Result<(), String> {
    let mut run = Run {
        stage: Stage::new().await,
        come_back: Vec::new(),
        headers: Value::Null,
        client: None,
        accepts: !vector.steps.iter().any(|step| step.action.is_of_a_handshake()),
        stream: None,
        entry: None,
        ids: HashMap::new(),
        calls: HashMap::new(),
        said: None,
    };
    for (index, step) in vector.steps.iter().enumerate() {
        let place = |why: &str| step.fails(index, why);
        match timeout(PATIENCE, run.step(step)).await {
            Ok(result) => result.map_err(|why| place(&why))?,
            Err(_) => return Err(place("expected something within the time limit, got nothing")),
        }
    }
    match run.client {
        Some(_) => Ok(()),
        None => Err("no step of it is a client's".to_owned()),
    }
}

struct Run {
    stage: Stage,
    come_back: Vec<RangeInclusive<u16>>,
    headers: Value,
    client: Option<Client>,
    /// True if each handshake is accepted and welcomed, though no step says so.
    accepts: bool,
    /// The current connection, before its handshake.
    stream: Option<TcpStream>,
    /// The current connection.
    entry: Option<Entry>,
    /// The client's ids by the ids in the vector.
    ids: HashMap<String, Value>,
    calls: HashMap<String, JoinHandle<Result<Value, CallError>>>,
    said: Option<Events<Said>>,
}

impl Run {
    async fn step(&mut self, Step { on, action, .. }: &Step) -> Result<(), String> {
        match action {
            _ if on != "a" => return Err("a client has one connection".to_owned()),
            Action::ComeBackOn(first, last) => self.come_back.push(*first..=*last),
            Action::Hello(hello) => self.hello(hello).await?,
            Action::Call(call) => self.call(call).await,
            Action::Send(message) => {
                let payload = message.payload.clone().unwrap_or_default();
                let sent = self.client().await.send_route(&message.route, &payload).await;
                sent.map_err(|error| error.to_string())?;
            }
            Action::Client(written) => self.written(written).await?,
            Action::Server(frame) => {
                let mut frame = sample(frame);
                if let Some(id) = self.ids.get(&frame["rpcId"].to_string()) {
                    frame["rpcId"] = id.clone();
                }
                let message = Message::text(frame.to_string());
                self.entry().await.send(message).await;
            }
            Action::Offered(offer) => {
                let got = self.entry().await.head.resume_offer();
                if got.as_ref() != Some(offer) {
                    return Err(format!("expected {offer}\n  got {got:?}"));
                }
            }
            Action::Welcome(members) => {
                let welcome = self.stage.welcome(&resumable(members));
                self.entry().await.send(welcome).await;
            }
            Action::Refuse(refusal) => {
                self.client().await;
                refuse(self.stream.take().expect("a handshake"), refusal).await;
            }
            Action::Refused(refusal) => match self.client().await.ready().await {
                Err(Outage::Refused { refusal: got, .. }) => check(refusal, &refusal_json(&got).to_string())?,
                other => return Err(format!("expected {refusal}\n  got {other:?}")),
            },
            Action::GiveUp(id) => {
                let call = self.calls.remove(id).ok_or("there is no such call")?;
                call.abort();
                drop(call.await);
            }
            Action::Fails(failed) => self.fails(failed).await?,
            Action::Leave(_) => {
                let client = self.client().await.clone();
                tokio::spawn(async move { client.close().await });
            }
            Action::Closes(closing) => self.closes(closing).await?,
            Action::Resolves(resolved) => self.resolves(resolved).await?,
            Action::Rejects(rejected) => self.rejects(rejected).await?,
            Action::Pending(id) => match self.calls.get_mut(id).map(FutureExt::now_or_never) {
                Some(None) => {}
                other => return Err(format!("expected it to be pending\n  got {other:?}")),
            },
            Action::On(event_type) if event_type == Said::TYPE => {
                self.said = Some(self.client().await.on::<Said>());
            }
            Action::Event(heard) => self.event(heard).await?,
            Action::Close(Closing { code, reason, .. }) => {
                // 1005 means a Close without a code.
                let close = (*code != 1005).then(|| CloseFrame {
                    code: (*code).into(),
                    reason: reason.as_str().into(),
                });
                let mut socket = self.take_entry().await.socket;
                socket.close(close).await.unwrap();
                tokio::spawn(async move { while let Some(Ok(_)) = socket.next().await {} });
            }
            Action::Gone(_) => drop(self.take_entry().await),
            Action::ComesBack(must) => self.comes_back(*must).await?,
            _ => return Err("not a step of a client's".to_owned()),
        }
        Ok(())
    }

    /// Returns the client, which connects at the first use.
    async fn client(&mut self) -> &Client {
        if self.client.is_none() {
            let (floor, cap) = (Duration::from_millis(1), Duration::from_millis(5));
            let mut builder = Client::builder(self.stage.url()).backoff(floor, cap);
            for codes in &self.come_back {
                builder = builder.reconnect_on(codes.clone());
            }
            let client = builder.headers(&self.headers).unwrap().start().unwrap();
            self.stream = self.stage.streams.recv().await;
            self.accept().await;
            if self.accepts {
                client.ready().await.unwrap();
            }
            self.client = Some(client);
        }
        self.client.as_ref().expect("it was just made")
    }

    /// Welcomes the client, unless steps say how.
    async fn accept(&mut self) {
        if self.accepts
            && let Some(stream) = self.stream.take()
        {
            let mut entry = Entry::accept(stream).await;
            entry.send(self.stage.welcome(&json!({}))).await;
            self.entry = Some(entry);
        }
    }

    /// Returns the current connection, after its handshake.
    async fn entry(&mut self) -> &mut Entry {
        self.client().await;
        if let Some(stream) = self.stream.take() {
            self.entry = Some(Entry::accept(stream).await);
        }
        self.entry.as_mut().expect("a connection")
    }

    async fn take_entry(&mut self) -> Entry {
        self.entry().await;
        self.entry.take().expect("a connection")
    }

    /// Checks that a server can read the vector's headers from the client's request.
    async fn hello(&mut self, Hello { headers, reads }: &Hello) -> Result<(), String> {
        self.headers = headers.clone();
        let head = &self.entry().await.head;
        for (name, expected) in reads {
            let got = json!(head.header(name));
            check(expected, &got.to_string()).map_err(|why| format!("the header `{name}`: {why}"))?;
        }
        Ok(())
    }

    async fn call(&mut self, Call { id, route, payload }: &Call) {
        let client = self.client().await.clone();
        let (route, payload) = (route.clone(), payload.clone().unwrap_or_default());
        let calling = tokio::spawn(async move { client.call_route(&route, &payload).await });
        self.calls.insert(id.clone(), calling);
    }

    /// Checks that the client's next frame is the expected one with an id of its own, and stores that id.
    async fn written(&mut self, written: &Value) -> Result<(), String> {
        let expected: Value = serde_json::from_str(&text(written)).unwrap();
        let got = match self.entry().await.next().await {
            Some(Message::Text(text)) => text,
            other => return Err(format!("expected {expected}\n  got {other:?}")),
        };
        let mut frame: Map<String, Value> = serde_json::from_str(&got).map_err(|error| error.to_string())?;
        let mut expected = expected.as_object().cloned().unwrap_or_default();
        if let Some(label) = expected.remove("rpcId") {
            let id = frame.remove("rpcId").unwrap_or_default();
            if !is_id(&id) {
                return Err(format!(
                    "expected an rpcId of at most 128 bytes, or a number\n  got {got}"
                ));
            }
            self.ids.insert(label.to_string(), id);
        }
        // For a server, a null payload equals an absent one.
        for frame in [&mut frame, &mut expected] {
            if frame.get("payload").is_some_and(Value::is_null) {
                frame.remove("payload");
            }
        }
        check(&Value::Object(expected), &Value::Object(frame).to_string())
    }

    async fn settled(&mut self, id: &str) -> Result<Result<Value, ServerRefusal>, String> {
        let call = self
            .calls
            .remove(id)
            .ok_or_else(|| format!("there is no call {id}"))?;
        match call.await.unwrap() {
            Ok(payload) => Ok(Ok(payload)),
            Err(CallError::Refused(refusal)) => Ok(Err(refusal)),
            Err(other) => Err(format!("expected an answer\n  got {other:?}")),
        }
    }

    /// For this client, an absent payload equals null.
    async fn resolves(&mut self, Resolved { id, payload }: &Resolved) -> Result<(), String> {
        match self.settled(id).await? {
            Ok(got) => check(&payload.clone().unwrap_or_default(), &got.to_string()),
            Err(refusal) => Err(format!("expected an answer\n  got {refusal:?}")),
        }
    }

    async fn rejects(&mut self, Rejected { id, refusal }: &Rejected) -> Result<(), String> {
        match self.settled(id).await? {
            Ok(payload) => Err(format!("expected {refusal}\n  got the answer {payload}")),
            Err(got) => check(refusal, &refusal_json(&got).to_string()),
        }
    }

    async fn fails(&mut self, Failed { id, sent }: &Failed) -> Result<(), String> {
        let call = self.calls.remove(id).ok_or("there is no such call")?;
        let got = match call.await.unwrap() {
            Err(CallError::Disconnected { sent: Sent::No }) => "no",
            Err(CallError::Disconnected { sent: Sent::Unknown }) => "unknown",
            other => return Err(format!("expected a call that its session ended\n  got {other:?}")),
        };
        match got == sent {
            true => Ok(()),
            false => Err(format!("expected {sent}\n  got {got}")),
        }
    }

    /// Checks that the client's next frame is this Close.
    async fn closes(&mut self, Closing { code, reason, .. }: &Closing) -> Result<(), String> {
        match self.take_entry().await.next().await {
            Some(Message::Close(Some(close)))
                if u16::from(close.code) == *code && close.reason.as_str() == reason =>
            {
                Ok(())
            }
            other => Err(format!("expected a Close with {code} {reason}\n  got {other:?}")),
        }
    }

    async fn event(&mut self, heard: &Heard) -> Result<(), String> {
        let said = self.said.as_mut().filter(|_| heard.r#type == Said::TYPE);
        match said.ok_or("nobody listens to it")?.next().await {
            Some(Ok(Said(got))) => check(&heard.payload, &got.to_string()),
            other => Err(format!(
                "expected {}\n  got {:?}",
                heard.payload,
                other.map(|event| event.err())
            )),
        }
    }

    /// Checks if the client reconnects or is closed for good.
    async fn comes_back(&mut self, must: bool) -> Result<(), String> {
        let mut statuses = self.client().await.statuses();
        let closed = statuses.wait_for(Status::is_closed);
        let came_back = select! {
            stream = self.stage.streams.recv() => {
                self.stream = stream;
                true
            }
            _ = closed => false,
        };
        self.accept().await;
        if came_back == must {
            Ok(())
        } else {
            Err(format!("expected {must}\n  got {came_back}"))
        }
    }
}

/// Returns true for a value that a server accepts as an id.
fn is_id(id: &Value) -> bool {
    match id {
        Value::String(id) => (1..=128).contains(&id.len()),
        other => other.is_number(),
    }
}

/// Returns a refusal as on the wire.
fn refusal_json(refusal: &ServerRefusal) -> Value {
    let mut json = json!({ "code": refusal.code, "message": refusal.message });
    if !refusal.issues.is_empty() {
        json["issues"] = json!(refusal.issues);
    }
    if let Some(wait) = refusal.retry_after {
        json["retryAfterMs"] = json!(u64::try_from(wait.as_millis()).unwrap());
    }
    if let Some(data) = refusal.data_json() {
        json["data"] = serde_json::from_str(data).unwrap();
    }
    json
}
