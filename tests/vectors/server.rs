//! Runs the vectors against the server.

use std::collections::{BTreeMap, HashMap, hash_map::Entry};

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    PATIENCE,
    common::raw::{BINARY, CLOSE, FIN, PING, PONG, Raw, TEXT, frame},
    format::{Action, Asking, Closing, Offer, Request, Response, Step, Vector, bytes, text},
    pattern::check,
    request,
    site::Site,
};

/// Runs a vector against a new server.
pub async fn run(vector: &Vector) -> Result<(), String> {
    let mut run = Run {
        site: Site::new(vector.app).await,
        lines: HashMap::new(),
    };
    let mut taken = 0;
    for (index, step) in vector.steps.iter().enumerate() {
        let place = |why: &str| step.fails(index, why);
        match timeout(PATIENCE, run.step(step)).await {
            Ok(Ok(was_taken)) => taken += usize::from(was_taken),
            Ok(Err(why)) => return Err(place(&why)),
            Err(_) => return Err(place("expected something within the time limit, got nothing")),
        }
    }
    if taken == 0 {
        return Err("no step of it is a server's".to_owned());
    }
    Ok(())
}

struct Run {
    site: Site,
    lines: HashMap<String, Line>,
}

/// A connection.
struct Line {
    raw: Raw,
    probes: usize,
}

/// A frame that the server sent.
#[derive(Debug)]
enum Came {
    Text(String),
    Close(u16, String),
    Ping,
    Pong(String),
    /// The connection ended without a Close.
    Gone,
    Binary,
}

impl Run {
    /// Runs a step. Returns false for a step that only a client's runner has.
    async fn step(&mut self, Step { on, action, .. }: &Step) -> Result<bool, String> {
        match action {
            Action::Open(query) => {
                let line = self.open(query).await?;
                self.lines.insert(on.clone(), line);
            }
            Action::Offer(offer) => {
                let line = self.offer(on, offer).await?;
                self.lines.insert(on.clone(), line);
            }
            Action::Request(request) => {
                let mut raw = self.dial().await;
                raw.write(&request::written(request)).await;
                request::answered(&mut raw, &request.response).await?;
                self.lines.insert(on.clone(), Line { raw, probes: 0 });
            }
            Action::Shutdown(_) => self.site.shut_down(),
            Action::Client(written) => self.line(on).await?.send(TEXT, text(written).as_bytes()).await,
            Action::Binary(written) if written["hex"].is_string() => {
                self.line(on).await?.send(BINARY, &bytes(&written["hex"])).await;
            }
            Action::Binary(written) => self.line(on).await?.send(BINARY, text(written).as_bytes()).await,
            Action::Bytes(written) => self.line(on).await?.raw.write(&bytes(written)).await,
            Action::Ping(text) => self.line(on).await?.send(PING, text.as_bytes()).await,
            Action::Server(expected) => match self.line(on).await?.next().await {
                Came::Text(got) => check(expected, &got)?,
                other => return Err(format!("expected {expected}\n  got {other:?}")),
            },
            Action::Pong(expected) => match self.line(on).await?.next().await {
                Came::Pong(got) if got == *expected => {}
                other => return Err(format!("expected a pong with {expected:?}\n  got {other:?}")),
            },
            Action::Pinged(_) => match self.line(on).await?.next().await {
                Came::Ping => {}
                other => return Err(format!("expected a ping\n  got {other:?}")),
            },
            Action::Silence(_) => self.line(on).await?.silence().await?,
            Action::Ask(asking) => self.line(on).await?.ask(asking).await?,
            Action::Close(closing) => {
                self.line(on).await?.closed(closing).await?;
                self.lines.remove(on);
            }
            Action::Gone(_) => match self.line(on).await?.next().await {
                Came::Gone => {}
                other => return Err(format!("expected the end of the connection\n  got {other:?}")),
            },
            Action::End(_) => {
                let closing = Closing {
                    code: 1000,
                    reason: String::new(),
                    late: false,
                };
                let line = self.line(on).await?;
                line.send(CLOSE, &closing.code.to_be_bytes()).await;
                line.closed(&closing).await?;
                self.lines.remove(on);
            }
            Action::HangUp(_) => drop(self.lines.remove(on)),
            // Steps of a client's runner.
            Action::Hello(_)
            | Action::Call(_)
            | Action::Send(_)
            | Action::Resolves(_)
            | Action::Rejects(_)
            | Action::Pending(_)
            | Action::On(_)
            | Action::Event(_)
            | Action::ComeBackOn(..)
            | Action::ComesBack(_)
            | Action::Offered(_)
            | Action::Welcome(_)
            | Action::Refuse(_)
            | Action::Refused(_)
            | Action::GiveUp(_)
            | Action::Fails(_)
            | Action::Leave(_)
            | Action::Closes(_) => return Ok(false),
        }
        Ok(true)
    }

    /// Returns the connection with this label, and opens it at the first use.
    async fn line(&mut self, label: &str) -> Result<&mut Line, String> {
        if !self.lines.contains_key(label) {
            let line = self.open(&format!("name={label}")).await?;
            self.lines.insert(label.to_owned(), line);
        }
        match self.lines.entry(label.to_owned()) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(_) => unreachable!("it was just opened"),
        }
    }

    async fn dial(&self) -> Raw {
        let raw = self.site.server.dial().await;
        raw.0.set_nodelay(true).unwrap();
        raw
    }

    async fn open(&self, query: &str) -> Result<Line, String> {
        self.open_by(query, Vec::new(), Default::default()).await
    }

    /// Opens a connection that offers subprotocols, and checks which one the server picks.
    async fn offer(&self, on: &str, offer: &Offer) -> Result<Line, String> {
        let usual = format!("name={on}");
        let lines = offer.lines.iter();
        let lines = lines.map(|line| ("Sec-WebSocket-Protocol".to_owned(), json!(line)));
        let picks = ("sec-websocket-protocol".to_owned(), json!(offer.picks));
        self.open_by(
            offer.query.as_ref().unwrap_or(&usual),
            lines.collect(),
            [picks].into(),
        )
        .await
    }

    async fn open_by(
        &self,
        query: &str,
        fields: Vec<(String, Value)>,
        expected: BTreeMap<String, Value>,
    ) -> Result<Line, String> {
        let opening = Request {
            version: None,
            method: None,
            target: Some(format!("/?{query}")),
            fields,
            response: Response {
                status: 101,
                fields: expected,
                body: None,
            },
        };
        let mut raw = self.dial().await;
        raw.write(&request::written(&opening)).await;
        request::answered(&mut raw, &opening.response).await?;
        Ok(Line { raw, probes: 0 })
    }
}

impl Line {
    async fn send(&mut self, opcode: u8, payload: &[u8]) {
        self.raw.write(&frame(FIN | opcode, payload)).await;
    }

    async fn next(&mut self) -> Came {
        let Ok((first, payload)) = self.raw.read_frame().await else {
            return Came::Gone;
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match first.wrapping_sub(FIN) {
            TEXT => Came::Text(text(&payload)),
            PING => Came::Ping,
            PONG => Came::Pong(text(&payload)),
            CLOSE => match payload.split_first_chunk() {
                Some((code, reason)) => Came::Close(u16::from_be_bytes(*code), text(reason)),
                None => Came::Close(1005, String::new()),
            },
            _ => Came::Binary,
        }
    }

    /// Checks that the next frame is the answer to one more call.
    async fn silence(&mut self) -> Result<(), String> {
        self.probes += 1;
        let id = format!("probe-{}", self.probes);
        let probe = json!({ "type": "nothing", "rpcId": id });
        self.send(TEXT, probe.to_string().as_bytes()).await;
        let expected = json!({ "type": "__rpc_res", "rpcId": id });
        match self.next().await {
            Came::Text(got) => check(&expected, &got).map_err(|why| format!("it is not silent: {why}")),
            other => Err(format!("expected silence\n  got {other:?}")),
        }
    }

    /// Sends the message until its answer matches.
    async fn ask(&mut self, Asking { client, until }: &Asking) -> Result<(), String> {
        loop {
            self.send(TEXT, text(client).as_bytes()).await;
            match self.next().await {
                Came::Text(got) if check(until, &got).is_ok() => return Ok(()),
                Came::Text(_) => {}
                other => return Err(format!("expected {until}\n  got {other:?}")),
            }
        }
    }

    /// Waits for the server's Close, answers it, and waits for the end of the connection.
    async fn closed(&mut self, Closing { code, reason, late }: &Closing) -> Result<(), String> {
        loop {
            match self.next().await {
                Came::Close(got, why) if (got, &why) == (*code, reason) => break,
                Came::Text(_) if *late => {}
                other => {
                    return Err(format!(
                        "expected a Close with {code} {reason:?}\n  got {other:?}"
                    ));
                }
            }
        }
        // The server may have closed the connection already.
        let _ = self.raw.try_write(&frame(FIN | CLOSE, &code.to_be_bytes())).await;
        self.raw.hung_up().await;
        Ok(())
    }
}
