//! An open connection: moves the frames of its session.

use std::task::{Context as Task, Poll};

use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::{
    Outage,
    call::Queues,
    dial::{Received, Stream},
    heartbeat::{Heartbeat, HeartbeatAction},
    inbox::Listeners,
    session::{Fault, Session},
    socket::Socket,
    wire::PING,
};

/// An open connection.
pub(super) struct Connection {
    socket: Socket,
    /// True if a ping waits for room in the socket. A server that takes no data would not receive it either.
    owes_ping: bool,
}

/// The parts of a client that outlive its connections.
pub(super) struct Lasting<'a> {
    pub(super) session: &'a mut Session,
    pub(super) heartbeat: &'a mut Heartbeat,
    pub(super) queues: &'a mut Queues,
    pub(super) listeners: &'a Listeners,
}

/// The end of a connection.
pub(super) enum Ended {
    By(Outage),
    /// The server's numbers do not fit the session.
    Fault(Fault),
}

impl Connection {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            socket: Socket::new(stream),
            owes_ping: false,
        }
    }

    /// Sends acknowledgements, then what the server lacks, then queued requests, and handles received frames. Requests
    /// that do not come from `on_open` wait until `opened`, and calls until the server accepts them. Ready when the
    /// connection has ended. May be dropped and polled again at any time.
    pub(super) fn poll(&mut self, cx: &mut Task<'_>, opened: bool, lasting: &mut Lasting<'_>) -> Poll<Ended> {
        loop {
            let wrote = self.write(cx, opened, lasting);
            match lasting.heartbeat.poll(cx) {
                Poll::Ready(HeartbeatAction::GiveUp) => return Poll::Ready(Ended::By(Outage::Silent)),
                Poll::Ready(HeartbeatAction::Ping) => {
                    self.owes_ping = true;
                    continue;
                }
                Poll::Pending => {}
            }
            let flushed = self.socket.flush(cx);
            match self.socket.poll_read(cx) {
                Poll::Ready(Ok(received)) => {
                    lasting.heartbeat.record_frame();
                    if let Received::Data(frame) = received
                        && let Err(fault) = lasting.session.receive(&frame, lasting.listeners)
                    {
                        return Poll::Ready(Ended::Fault(fault));
                    }
                }
                Poll::Ready(Err(outage)) => return Poll::Ready(Ended::By(outage)),
                // The flush has made room.
                Poll::Pending if flushed && wrote != Wrote::Nothing => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Passes frames to the socket, as long as it has room.
    fn write(&mut self, cx: &mut Task<'_>, opened: bool, lasting: &mut Lasting<'_>) -> Wrote {
        let mut wrote = Wrote::Nothing;
        while self.socket.has_room(cx) {
            match self.next(cx, opened, lasting) {
                Next::Frame(frame) => self.socket.send(Message::Text(frame)),
                Next::Refused => {}
                Next::Nothing => return wrote,
            }
            wrote = Wrote::Something;
        }
        Wrote::UntilFull
    }

    fn next(&mut self, cx: &mut Task<'_>, opened: bool, lasting: &mut Lasting<'_>) -> Next {
        let Lasting { session, queues, .. } = lasting;
        if let Poll::Ready(ack) = session.poll_ack(cx) {
            return Next::Frame(ack);
        }
        if std::mem::take(&mut self.owes_ping) {
            return Next::Frame(Utf8Bytes::from_static(PING));
        }
        if let Some(frame) = session.next_again() {
            return Next::Frame(frame);
        }
        if !session.may_send() {
            return Next::Nothing;
        }
        match queues.poll(cx, opened, session.may_call()) {
            Poll::Ready(request) => session.begin_request(request).map_or(Next::Refused, Next::Frame),
            Poll::Pending => Next::Nothing,
        }
    }

    pub(super) fn into_socket(self) -> Socket {
        self.socket
    }
}

#[derive(PartialEq)]
enum Wrote {
    Nothing,
    Something,
    /// More may wait for room.
    UntilFull,
}

enum Next {
    Frame(Utf8Bytes),
    /// A request is not sent.
    Refused,
    Nothing,
}
