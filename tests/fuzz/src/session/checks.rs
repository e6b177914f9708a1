//! Steps of the app, and the checks at the end.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;
use tokio::time::sleep;

use super::{
    app::ROOM,
    connection::Connection,
    input::Message,
    model::Session,
    world::{World, place},
};

/// Time within which every connection and every session has ended.
const OVER: Duration = Duration::from_secs(300);

impl World {
    pub(super) fn open_gate(&self) {
        self.state.gate.notify_waiters();
    }

    pub(super) fn emit(&self, count: u64) {
        for _ in 0..count {
            let sent = self.zo.emitter().send(self.state.tick()).to_room(ROOM);
            sent.unwrap();
        }
    }

    pub(super) fn kick(&mut self, session: u8, code: u8) {
        let Some(session) = place(session, self.sessions.len()) else {
            return;
        };
        let session = &mut self.sessions[session];
        let code = 4_000 + u16::from(code);
        session.kicked.get_or_insert(code);
        let id = self
            .zo
            .contexts()
            .iter()
            .map(|cx| cx.client_id())
            .find(|id| json!(id) == session.id);
        if let Some(id) = id {
            self.zo.emitter().clients(id).disconnect(code, "").unwrap();
        }
    }

    /// Checks what must hold once nothing moves any more.
    pub(super) fn check(&self) {
        let departed = self.state.departed.lock().unwrap().clone();
        for session in &self.sessions {
            let connection = session.connection.map(|connection| &self.connections[connection]);
            let is_certain = connection.is_some_and(Connection::is_certain);
            assert!(!is_certain || session.kicked.is_none(), "not closed: {session:?}");
            if is_certain && let Some(connection) = connection {
                session.check_complete(self.ticks());
                assert_eq!(connection.pings, connection.pongs, "a pong is missing");
            }
            if is_certain || (!self.has_small_record && session.must_be_there()) {
                let has_departed = departed.iter().any(|id| json!(id) == session.id);
                assert!(!has_departed || session.is_wild, "{session:?} has departed");
            }
        }
        for connection in &self.connections {
            let session = connection.session.map(|session| &self.sessions[session]);
            let waits = session.is_some_and(|session| session.waits() || session.is_wild);
            let is_over = connection.socket.is_gone || connection.close.is_some();
            let is_hidden = connection.has_fault || connection.is_frozen || connection.is_replaced;
            assert!(
                !connection.is_ending() || waits || is_over || is_hidden,
                "not closed: {connection:?}"
            );
        }
    }

    /// Comes back to every session, reads everything, and checks what has run.
    pub(super) async fn end(mut self) {
        let count = self.connections.len();
        for index in 0..count {
            self.connections[index].is_frozen = false;
            self.connections[index].socket.freeze(false);
        }
        self.wait(Duration::ZERO).await;
        // Handlers wait one after another.
        for _ in 0..=self.last_id {
            self.open_gate();
            self.wait(Duration::ZERO).await;
            if !self.sessions.iter().any(Session::waits) {
                break;
            }
        }
        self.check();
        drop(self.connections);
        sleep(OVER).await;
        assert_eq!(self.zo.connections(), 0);
        assert_eq!(self.zo.emitter().size(ROOM).await, 0);
        let sorted = |ids: &std::sync::Mutex<Vec<_>>| {
            let mut ids = ids.lock().unwrap().clone();
            ids.sort_unstable();
            ids
        };
        let (connected, departed) = (sorted(&self.state.connected), sorted(&self.state.departed));
        assert_eq!(departed, connected, "every client departs once");
        let mut ran: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (id, number) in &*self.state.ran.lock().unwrap() {
            ran.entry(id.to_string()).or_default().push(*number);
        }
        for session in &self.sessions {
            let ran = ran
                .remove(session.id.as_str().expect("an id"))
                .unwrap_or_default();
            let added = session
                .sent
                .iter()
                .filter(|sent| matches!(sent.message, Message::Add | Message::AddWithoutId));
            let added: Vec<_> = added.map(|sent| sent.id).collect();
            assert!(
                session.is_wild || added.starts_with(&ran),
                "{ran:?} ran, and {added:?} were sent"
            );
        }
        assert!(ran.is_empty(), "{ran:?} ran for nobody");
    }
}
