//! Handshakes of clients, with the token of a session or without one.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;
use zocket::testing::internal::dial;

use super::{
    connection::Connection,
    input::{Cut, N, Offer, Token},
    model::{Kind, Session},
    world::{World, place},
};
use crate::socket::{CLOSE, Frame, Socket, request};

/// Connections of one run.
const CONNECTIONS: usize = 16;
/// Time within which a handshake is answered, the end of another session included.
const ANSWERED_WITHIN: Duration = Duration::from_secs(70);

/// A handshake, and what it may lead to.
#[derive(Debug)]
struct Attempt {
    kind: Kind,
    offers: String,
    /// Index of the session that is asked for.
    session: Option<usize>,
    /// Index of its token. `None` for a token that never was one.
    token: Option<usize>,
    n: u64,
    /// False if the offer is certainly that of a stranger.
    may_resume: bool,
    must_resume: bool,
}

/// First frame that a connection must have, if it must have one.
enum First {
    Nothing,
    Frame(Frame),
}

impl World {
    pub(super) async fn connect(&mut self, offer: Offer, cut: Option<Cut>) {
        if self.connections.len() == CONNECTIONS {
            return;
        }
        let attempt = self.attempt(offer);
        let (to_app, to_client) = cut.map_or((None, None), Cut::positions);
        let mut socket = Socket::new(dial(&self.app, to_app, to_client));
        socket.write(request("", &attempt.offers).as_bytes());
        socket.send();
        let index = self.connections.len();
        self.connections.push(Connection::new(socket, cut.is_some()));
        let was_certain = self.replace(&attempt);
        let first = self.first_frame(index, attempt.kind).await;
        self.opened(index, &attempt, first, was_certain);
    }

    /// Gives up the connections of the session that a handshake asks for: from the dial on, the client takes nothing from
    /// them. Returns true if everything had arrived on the last of them.
    fn replace(&mut self, attempt: &Attempt) -> bool {
        let Some(index) = attempt.session.filter(|_| attempt.may_resume) else {
            return false;
        };
        let session = &mut self.sessions[index];
        session.count_resume(attempt.n);
        let last = session.connection.take();
        let was_certain = last.is_some_and(|last| self.connections[last].is_certain());
        for connection in self
            .connections
            .iter_mut()
            .filter(|connection| connection.session == Some(index))
        {
            connection.is_replaced = true;
        }
        was_certain
    }

    /// Returns the offers of a handshake, and what they may lead to.
    fn attempt(&self, offer: Offer) -> Attempt {
        let stranger = |kind, offers: &str| Attempt {
            kind,
            offers: offers.to_owned(),
            session: None,
            token: None,
            n: 0,
            may_resume: false,
            must_resume: false,
        };
        match offer {
            Offer::Nothing => stranger(Kind::Base, ""),
            Offer::Codec => stranger(Kind::Extended, "zocket.v1.json"),
            Offer::Resume => stranger(Kind::Resumable, "zocket.v1.json, zocket.resume"),
            Offer::Session { session, token, n } => {
                let resumable: Vec<_> = (0..self.sessions.len())
                    .filter(|session| self.sessions[*session].kind == Kind::Resumable)
                    .collect();
                let Some(place) = place(session, resumable.len()) else {
                    return stranger(Kind::Resumable, "zocket.v1.json, zocket.resume");
                };
                self.attempt_of(resumable[place], token, n)
            }
        }
    }

    fn attempt_of(&self, index: usize, token: Token, n: N) -> Attempt {
        let session = &self.sessions[index];
        let last = session.tokens.len() - 1;
        let (at, text) = match token {
            Token::Last => (Some(last), session.tokens[last].clone()),
            Token::Older(by) => {
                let at = last.saturating_sub(by.into());
                (Some(at), session.tokens[at].clone())
            }
            Token::Changed(at) => {
                let mut digits = session.tokens[last].clone().into_bytes();
                let digit = usize::from(at) % digits.len();
                digits[digit] = if digits[digit] == b'0' { b'1' } else { b'0' };
                (None, String::from_utf8(digits).unwrap())
            }
        };
        let received = session.received();
        let n = match n {
            N::Last => received,
            N::Older(by) => received.saturating_sub(by.into()),
            N::Beyond(by) => received + 1 + u64::from(by),
        };
        let connection = session.connection.map(|connection| &self.connections[connection]);
        // What has certainly not been sent belongs to a stranger.
        let is_beyond = n > received && connection.is_some_and(Connection::is_certain) && !session.is_wild;
        let may_resume = !is_beyond && at.is_some_and(|at| at >= session.first_token);
        Attempt {
            kind: Kind::Resumable,
            offers: format!("zocket.v1.json, zocket.resume.{text}.{n}"),
            session: Some(index),
            token: at,
            n,
            may_resume,
            must_resume: !self.has_small_record && at.is_some_and(|at| session.must_resume(at, n)),
        }
    }

    /// Waits for the response, and for the first frame if there is one. `None` if the connection was cut before.
    async fn first_frame(&mut self, index: usize, kind: Kind) -> Option<First> {
        let began = Instant::now();
        let mut has_head = false;
        loop {
            self.wait(Duration::ZERO).await;
            let connection = &mut self.connections[index];
            if !has_head && let Some(head) = connection.socket.take_head() {
                assert_eq!(head.status, 101, "{head:?}");
                has_head = true;
            }
            if has_head {
                if kind == Kind::Base {
                    return Some(First::Nothing);
                }
                if let Some(frame) = connection.socket.take_frame() {
                    return Some(First::Frame(frame));
                }
            }
            if connection.socket.is_gone {
                assert!(connection.has_fault, "the handshake was not answered");
                return None;
            }
            assert!(began.elapsed() < ANSWERED_WITHIN, "the handshake takes too long");
            self.wait(Duration::from_secs(1)).await;
        }
    }

    /// Begins or continues a session with the first frame of a connection.
    fn opened(&mut self, index: usize, attempt: &Attempt, first: Option<First>, was_certain: bool) {
        let asked = attempt.session.filter(|_| attempt.may_resume);
        let welcome = match first {
            None => return,
            Some(First::Nothing) => {
                let id = self.state.connected.lock().unwrap().last().copied();
                let session = Session::new(json!(id.unwrap()), Kind::Base, index, self.ticks());
                self.connections[index].session = Some(self.sessions.len());
                self.sessions.push(session);
                return;
            }
            Some(First::Frame(frame)) if frame.opcode == CLOSE => {
                let (code, _) = frame.close();
                let session = &mut self.sessions[asked.expect("it asks for a session")];
                let is_kicked = session.kicked == Some(code);
                assert!(
                    is_kicked || (code == 3004 && !attempt.must_resume),
                    "{code}: {session:?}"
                );
                session.is_wild = true;
                self.connections[index].close = Some(code);
                return;
            }
            Some(First::Frame(frame)) => frame.json(),
        };
        assert_eq!(welcome["type"], "__welcome", "{welcome}");
        let welcome = &welcome["payload"];
        let is_resumed = welcome["resumed"] == true;
        assert!(
            is_resumed || !attempt.must_resume,
            "expected a resume, got {welcome}: {attempt:?}"
        );
        let session = if is_resumed {
            let index_of_session = asked.expect("nobody has asked for a session");
            let session = &mut self.sessions[index_of_session];
            assert_eq!(session.id, welcome["clientId"]);
            assert!(
                !session.has_ended || session.is_wild,
                "a session was resumed that had ended: {session:?}"
            );
            session.resume(attempt.n, welcome, was_certain);
            session.connection = Some(index);
            self.connections[index].number = attempt.n;
            index_of_session
        } else {
            // The session may have ended, because it can't be resumed.
            if let Some(asked) = asked {
                self.sessions[asked].is_wild = true;
            }
            let id = &welcome["clientId"];
            assert!(
                self.sessions.iter().all(|session| session.id != *id),
                "{id} is known"
            );
            self.sessions
                .push(Session::new(id.clone(), attempt.kind, index, self.ticks()));
            self.sessions.len() - 1
        };
        self.connections[index].session = Some(session);
        let session = &mut self.sessions[session];
        let token = welcome["session"].as_str();
        assert_eq!(token.is_some(), attempt.kind == Kind::Resumable, "{welcome}");
        if let Some(token) = token {
            session.take_token(token.to_owned(), attempt.token.filter(|_| is_resumed));
        }
        while let Some(frame) = self.connections[index].socket.take_frame() {
            self.receive(index, &frame);
        }
    }
}
