//! The model of a session: what its client knows, and what must hold then (PROTOCOL.md, section 3, *Resumption*).

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::input::Message;

/// Time within which a session whose connection broke must be there. The server's is longer.
const PARKED: Duration = Duration::from_secs(25);

/// The protocol that a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Base,
    Extended,
    Resumable,
}

/// A message that was sent, with a number that no other has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) message: Message,
    pub(super) id: u64,
}

impl Sent {
    /// Returns the frame.
    pub(super) fn text(self) -> String {
        let id = self.id;
        match self.message {
            Message::Add => json!({"type": "add", "payload": id, "rpcId": id}),
            Message::AddWithoutId => json!({"type": "add", "payload": id}),
            Message::Emit(count) => json!({"type": "emit", "payload": count % 5, "rpcId": id}),
            Message::Gate => json!({"type": "gate", "rpcId": id}),
            Message::Fail => json!({"type": "fail", "rpcId": id}),
            Message::FailWithoutId => json!({"type": "fail"}),
            Message::Unknown => json!({"type": "nowhere", "rpcId": id}),
            Message::Malformed => json!({"type": 7}),
            Message::MalformedWithId => json!({"rpcId": id, "type": 7}),
            Message::Void => json!({"type": "__void"}),
            Message::Ping => json!({"type": "__ping"}),
            Message::Pong => json!({"type": "__pong"}),
        }
        .to_string()
    }

    /// Returns the answer, or the refusal: its type, its code, and its id.
    fn response(self, kind: Kind) -> Option<Response> {
        let refusal = |code| Response {
            is_answer: false,
            id: Some(self.id),
            code: Some(code),
        };
        let error = |code| Response {
            id: None,
            ..refusal(code)
        };
        match self.message {
            Message::Add | Message::Emit(_) | Message::Gate => Some(Response {
                is_answer: true,
                id: Some(self.id),
                code: None,
            }),
            Message::Fail => Some(refusal("CONFLICT")),
            Message::Unknown => Some(refusal("NOT_FOUND")),
            Message::MalformedWithId => Some(refusal("PARSE_ERROR")),
            Message::FailWithoutId if kind != Kind::Base => Some(error("CONFLICT")),
            Message::Malformed if kind != Kind::Base => Some(error("PARSE_ERROR")),
            _ => None,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Response {
    is_answer: bool,
    id: Option<u64>,
    code: Option<&'static str>,
}

impl Response {
    /// Returns true for a frame that is this response.
    fn is(&self, frame: &Value) -> bool {
        let (kind, code) = match (self.is_answer, self.id) {
            (true, _) => ("__rpc_res", &Value::Null),
            (false, Some(_)) => ("__rpc_err", &frame["error"]["code"]),
            (false, None) => ("__error", &frame["payload"]["code"]),
        };
        frame["type"] == kind && frame["rpcId"] == json!(self.id) && *code == json!(self.code)
    }
}

/// A session, as its client knows it.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: Value,
    pub(super) kind: Kind,
    /// Tokens of the welcomes, without repetition.
    pub(super) tokens: Vec<String>,
    /// Index of the first token that may be valid.
    pub(super) first_token: usize,
    /// True if the server certainly knows that the client has a token.
    pub(super) is_proven: bool,
    /// Frames of the server by their numbers, from 1.
    log: Vec<Option<Vec<u8>>>,
    /// The largest number that the client has acknowledged or resumed from.
    pub(super) acknowledged: u64,
    /// Frames of the client by their numbers, from 1.
    pub(super) sent: Vec<Sent>,
    /// The last acknowledgement of the server.
    pub(super) told: u64,
    /// Number of responses that have come.
    answered: usize,
    last_tick: u64,
    /// Index of the connection that is used.
    pub(super) connection: Option<usize>,
    /// Time at which a connection was known to be there.
    pub(super) alive_at: Instant,
    /// True if the session has certainly ended.
    pub(super) has_ended: bool,
    /// Code of the Close with which the app closed the session.
    pub(super) kicked: Option<u16>,
    /// True if the server may know what the client does not, so that little is certain.
    pub(super) is_wild: bool,
    /// Number of the last resumes in a row, and how many they were.
    pub(super) resumes: (u64, u32),
}

impl Session {
    pub(super) fn new(id: Value, kind: Kind, connection: usize, ticks: u64) -> Self {
        Self {
            id,
            kind,
            tokens: Vec::new(),
            first_token: 0,
            is_proven: false,
            log: Vec::new(),
            acknowledged: 0,
            sent: Vec::new(),
            told: 0,
            answered: 0,
            last_tick: ticks,
            connection: Some(connection),
            alive_at: Instant::now(),
            has_ended: false,
            kicked: None,
            is_wild: false,
            resumes: (0, 0),
        }
    }

    /// Returns the number of the last frame that the client has.
    pub(super) fn received(&self) -> u64 {
        self.log.len() as u64
    }

    fn responses(&self) -> impl Iterator<Item = (Sent, Response)> {
        let sent = self.sent.iter();
        sent.filter_map(|sent| Some((*sent, sent.response(self.kind)?)))
    }

    /// Returns true if a handler waits for the gate.
    pub(super) fn waits(&self) -> bool {
        self.responses()
            .skip(self.answered)
            .any(|(sent, _)| sent.message == Message::Gate)
    }

    /// Handles a frame of the server that is no frame of the connection. `number` is its number, if it is counted.
    pub(super) fn receive(&mut self, number: Option<u64>, payload: &[u8]) {
        if let Some(number) = number {
            let index = usize::try_from(number - 1).unwrap();
            if let Some(before) = self.log.get_mut(index) {
                match before {
                    Some(before) => assert_eq!(show(before), show(payload), "frame {number} has changed"),
                    None => *before = Some(payload.to_vec()),
                }
                return;
            }
            assert_eq!(self.log.len(), index, "frame {number} is not the next one");
            self.log.push(Some(payload.to_vec()));
        }
        if self.is_wild {
            return;
        }
        let frame: Value = serde_json::from_slice(payload).unwrap();
        if frame["type"] == "tick" {
            assert_eq!(
                frame["payload"],
                self.last_tick + 1,
                "the next event after {}",
                self.last_tick
            );
            self.last_tick += 1;
            return;
        }
        let expected = self.responses().nth(self.answered);
        let Some((sent, response)) = expected else {
            panic!("expected no response, got {frame}");
        };
        assert!(response.is(&frame), "expected {response:?}, got {frame}");
        match sent.message {
            Message::Add => assert_eq!(frame["payload"], sent.id),
            // Events of a handler come before its answer.
            Message::Emit(_) => assert!(frame["payload"].as_u64().unwrap() <= self.last_tick, "{frame}"),
            Message::Gate => assert_eq!(frame["payload"], "open"),
            _ => {}
        }
        self.answered += 1;
    }

    /// Checks that the client has everything that it must have.
    pub(super) fn check_complete(&self, ticks: u64) {
        if self.is_wild {
            return;
        }
        assert_eq!(self.last_tick, ticks, "an event was lost");
        if !self.waits() {
            assert_eq!(self.responses().count(), self.answered, "a response was lost");
        }
    }

    /// Continues a session on another connection: the client said that it has the frames up to number `n`.
    pub(super) fn resume(&mut self, n: u64, welcome: &Value, was_certain: bool) {
        let number = |member: &str| welcome[member].as_u64().expect("a number");
        let (received, sent) = (number("received"), number("sent"));
        let has_sent = self.sent.len() as u64;
        assert!(
            self.told <= received && received <= has_sent,
            "{welcome}, and {has_sent} were sent"
        );
        assert!(
            !was_certain || self.is_wild || received == has_sent,
            "{welcome}, and {has_sent} were sent"
        );
        assert!(sent >= n && sent >= self.received(), "{welcome}");
        self.sent.truncate(usize::try_from(received).unwrap());
        self.told = received;
        let responses = self.responses().count();
        assert!(
            self.is_wild || self.answered <= responses,
            "a message was answered that never arrived"
        );
        if n > self.received() {
            self.is_wild = true;
            self.log.resize(usize::try_from(n).unwrap(), None);
        }
        self.is_proven = true;
    }

    /// Records something that ends the session, if it arrives.
    pub(super) fn end(&mut self, is_certain: bool) {
        self.has_ended |= is_certain;
        self.is_wild |= !is_certain;
    }

    /// Records an offer to resume from number `n`.
    pub(super) fn count_resume(&mut self, n: u64) {
        self.acknowledged = self.acknowledged.max(n);
        self.resumes = match self.resumes {
            (from, count) if from == n => (n, count + 1),
            _ => (n, 1),
        };
    }

    /// Records the token of a welcome. `with` is the index of the one that the client came with.
    pub(super) fn take_token(&mut self, token: String, with: Option<usize>) {
        self.first_token = with.unwrap_or(self.first_token);
        match self.tokens.iter().position(|known| *known == token) {
            Some(known) => {
                let is_last = known + 1 == self.tokens.len();
                assert!(is_last && with != Some(known), "token {known} was offered again");
            }
            None => self.tokens.push(token),
        }
    }

    /// Records that the client has shown that it has the token of the last welcome.
    pub(super) fn prove(&mut self) {
        self.is_proven = true;
        self.first_token = self.tokens.len().saturating_sub(1);
    }

    /// Returns true if the session must be there, connected or parked.
    pub(super) fn must_be_there(&self) -> bool {
        let is_near = self.alive_at.elapsed() < PARKED;
        let is_parked = self.kind == Kind::Resumable && self.is_proven && is_near;
        is_parked && !self.has_ended && !self.is_wild && self.kicked.is_none()
    }

    /// Returns true if the session must be resumed by the token with this index, from number `n`.
    pub(super) fn must_resume(&self, token: usize, n: u64) -> bool {
        let is_fruitless = self.resumes.0 == n && self.resumes.1 >= 3;
        let is_kept = (self.acknowledged..=self.received()).contains(&n);
        self.must_be_there() && token + 1 == self.tokens.len() && is_kept && !is_fruitless
    }
}

fn show(frame: &[u8]) -> String {
    String::from_utf8_lossy(frame).into_owned()
}
