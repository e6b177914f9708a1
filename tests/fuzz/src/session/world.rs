//! The server, its clients' connections, and their sessions, while time passes.

use std::{sync::atomic::Ordering, time::Duration};

use serde_json::Value;
use tokio::time::{Instant, sleep};
use zocket::{Zocket, testing::TestApp};

use super::{
    app::User,
    connection::Connection,
    model::{Kind, Session},
};
use crate::socket::{self, CLOSE, Frame, PING, PONG, TEXT, settle};

/// Time within which clients answer a ping.
const SLICE: Duration = Duration::from_secs(5);
/// Time within which the server acknowledges.
const ACK_WITHIN: Duration = Duration::from_secs(2);

pub(super) struct World {
    pub(super) zo: Zocket<User>,
    pub(super) app: TestApp,
    pub(super) state: User,
    pub(super) has_small_record: bool,
    pub(super) connections: Vec<Connection>,
    pub(super) sessions: Vec<Session>,
    /// Number of the last message.
    pub(super) last_id: u64,
}

/// Returns the place of a number among so many, beginning again behind the last.
pub(super) fn place(number: u8, count: usize) -> Option<usize> {
    usize::from(number).checked_rem(count)
}

impl World {
    pub(super) const fn new(zo: Zocket<User>, app: TestApp, state: User, has_small_record: bool) -> Self {
        Self {
            zo,
            app,
            state,
            has_small_record,
            connections: Vec::new(),
            sessions: Vec::new(),
            last_id: 0,
        }
    }

    pub(super) fn ticks(&self) -> u64 {
        self.state.ticks.load(Ordering::SeqCst)
    }

    /// Returns the session of a connection that the client uses.
    pub(super) fn session_of(&mut self, connection: usize) -> Option<&mut Session> {
        let session = self.connections[connection].session?;
        let session = &mut self.sessions[session];
        (session.connection == Some(connection)).then_some(session)
    }

    /// Lets time pass. The clients read, and answer pings.
    pub(super) async fn wait(&mut self, mut time: Duration) {
        let began = Instant::now();
        loop {
            let slice = time.min(SLICE);
            sleep(slice).await;
            time -= slice;
            while {
                settle().await;
                self.exchange()
            } {}
            if time.is_zero() {
                break;
            }
        }
        if began.elapsed() > ACK_WITHIN {
            for session in &self.sessions {
                let connection = session.connection.map(|connection| &self.connections[connection]);
                if connection.is_some_and(Connection::is_certain) && session.kind == Kind::Resumable {
                    assert!(
                        session.is_wild || session.told == session.sent.len() as u64,
                        "{session:?}"
                    );
                }
            }
        }
    }

    /// Moves bytes, and handles the frames that have come. Returns true if there were any.
    fn exchange(&mut self) -> bool {
        let mut has_moved = false;
        for index in 0..self.connections.len() {
            let connection = &mut self.connections[index];
            if connection.socket.is_gone {
                continue;
            }
            connection.socket.exchange();
            // The head of the response is taken by the handshake.
            if connection.session.is_some() {
                while let Some(frame) = self.connections[index].socket.take_frame() {
                    has_moved = true;
                    self.receive(index, &frame);
                }
            }
            let connection = &mut self.connections[index];
            if !connection.socket.is_gone {
                if !connection.is_frozen
                    && let Some(session) = self.session_of(index)
                {
                    session.alive_at = Instant::now();
                }
                continue;
            }
            if connection.session.is_some() {
                connection.check_gone();
            }
            self.break_off(index);
        }
        has_moved
    }

    /// Records that a connection is not used any more, and its session may go on.
    pub(super) fn break_off(&mut self, connection: usize) {
        if let Some(session) = self.session_of(connection) {
            session.connection = None;
        }
    }

    pub(super) fn receive(&mut self, index: usize, frame: &Frame) {
        let connection = &mut self.connections[index];
        assert_eq!(connection.close, None, "a frame came behind a Close");
        match frame.opcode {
            PING => {
                connection.socket.write(&socket::frame(PONG, &frame.payload));
                connection.socket.send();
            }
            PONG => {}
            CLOSE => {
                let (code, reason) = frame.close();
                let session = connection.session.map(|session| &self.sessions[session]);
                connection.check_close(code, &reason, session.and_then(|session| session.kicked));
                connection.close = Some(code);
                if code == 1008
                    && let Some(session) = session
                {
                    let sent = session.sent.len() as u64;
                    assert!(
                        session.is_wild || session.told == sent,
                        "no last acknowledgement: {session:?}"
                    );
                }
            }
            TEXT => self.receive_text(index, &frame.payload),
            _ => panic!("expected a frame of the protocol, got {frame:?}"),
        }
    }

    fn receive_text(&mut self, index: usize, payload: &[u8]) {
        let connection = &mut self.connections[index];
        if connection.is_replaced || connection.closed.is_some() {
            return;
        }
        let session = &mut self.sessions[connection.session.expect("it has begun")];
        let json: Value = serde_json::from_slice(payload).unwrap();
        match json["type"].as_str() {
            Some("__pong") => {
                connection.pongs += 1;
                assert!(connection.pongs <= connection.pings, "a pong came without a ping");
            }
            Some("__ack") => {
                let number = json["payload"].as_u64().expect("a number");
                assert_eq!(session.kind, Kind::Resumable, "{json}");
                assert!(
                    session.told <= number && number <= session.sent.len() as u64,
                    "{json}: {session:?}"
                );
                session.told = number;
            }
            Some("__welcome") => panic!("a second welcome"),
            _ => {
                let number = (session.kind == Kind::Resumable).then(|| {
                    connection.number += 1;
                    connection.number
                });
                session.receive(number, payload);
            }
        }
    }
}
