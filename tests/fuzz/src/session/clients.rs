//! Steps of clients: the frames that they send, and the faults of their connections.

use serde_json::json;

use super::{
    input::{Ack, Close, Message, Violation},
    model::{Kind, Sent},
    world::{World, place},
};
use crate::socket::{CLOSE, TEXT, close_frame, frame};

impl World {
    pub(super) fn send(&mut self, on: u8, messages: &[Message]) {
        let Some(index) = self.usable(on) else { return };
        for message in messages.iter().take(8) {
            let is_certain = self.connections[index].is_certain();
            self.last_id += 1;
            let id = self.last_id;
            let Some(session) = self.session_of(index) else {
                return;
            };
            let sent = Sent {
                message: *message,
                id,
            };
            match message {
                Message::Void if session.kind != Kind::Resumable => continue,
                Message::Ping | Message::Pong if session.kind == Kind::Base => continue,
                Message::Pong if session.kind == Kind::Extended => continue,
                Message::Ping | Message::Pong => {}
                _ => session.sent.push(sent),
            }
            // A pong proves nothing.
            if session.kind == Kind::Resumable && is_certain && *message != Message::Pong {
                session.prove();
            }
            let connection = &mut self.connections[index];
            connection.pings += u64::from(*message == Message::Ping);
            connection.socket.write(&frame(TEXT, sent.text().as_bytes()));
        }
        self.connections[index].socket.send();
    }

    /// Returns the index of a connection that the client uses.
    fn usable(&self, on: u8) -> Option<usize> {
        let index = place(on, self.connections.len())?;
        self.connections[index].is_usable().then_some(index)
    }

    pub(super) fn acknowledge(&mut self, on: u8, ack: Ack) {
        let Some(index) = self.usable(on) else { return };
        let is_certain = self.connections[index].is_certain();
        let Some(session) = self
            .session_of(index)
            .filter(|session| session.kind == Kind::Resumable)
        else {
            return;
        };
        let received = session.received();
        let mut is_bad = true;
        let payload = match ack {
            Ack::Last => json!(received),
            Ack::Older(by) => json!(received.saturating_sub(by.into())),
            Ack::Beyond(by) => json!(received + 1 + u64::from(by)),
            Ack::NoNumber => json!("1"),
            Ack::Fraction => json!(0.5),
        };
        if let Ack::Last | Ack::Older(_) = ack {
            session.acknowledged = session.acknowledged.max(payload.as_u64().expect("a number"));
            is_bad = false;
        }
        match (is_bad, is_certain) {
            // The server may have sent more than has come.
            (true, _) => session.end(is_certain),
            (false, true) => session.prove(),
            (false, false) => {}
        }
        let text = json!({"type": "__ack", "payload": payload}).to_string();
        let connection = &mut self.connections[index];
        connection.has_bad_ack |= is_bad;
        connection.socket.write(&frame(TEXT, text.as_bytes()));
        connection.socket.send();
    }

    pub(super) fn close(&mut self, on: u8, close: Close) {
        let Some(index) = self.usable(on) else { return };
        let is_certain = self.connections[index].is_certain();
        if let Some(session) = self.session_of(index) {
            if !close.is_break() {
                session.end(is_certain);
            }
            session.connection = None;
        }
        let connection = &mut self.connections[index];
        connection.closed = Some(close);
        let bytes = match close.code() {
            Some((code, reason)) => close_frame(code, reason),
            None => frame(CLOSE, b""),
        };
        connection.socket.write(&bytes);
        connection.socket.send();
    }

    pub(super) fn violate(&mut self, on: u8, violation: Violation) {
        let Some(index) = self.usable(on) else { return };
        let is_certain = self.connections[index].is_certain();
        if let Some(session) = self.session_of(index) {
            session.end(is_certain);
        }
        let connection = &mut self.connections[index];
        connection.violation = Some(violation);
        connection.socket.write(&violation.bytes());
        connection.socket.send();
    }

    pub(super) fn cut(&mut self, on: u8) {
        let Some(index) = place(on, self.connections.len()) else {
            return;
        };
        self.connections[index].socket.cut();
        self.break_off(index);
    }

    pub(super) fn freeze(&mut self, on: u8, frozen: bool) {
        let Some(index) = place(on, self.connections.len()) else {
            return;
        };
        let connection = &mut self.connections[index];
        connection.is_frozen = frozen;
        connection.was_frozen |= frozen;
        connection.socket.freeze(frozen);
    }
}
