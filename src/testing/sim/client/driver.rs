//! The task of a client: it connects, moves frames between the session and the socket, and connects again.

use std::{
    pin::Pin,
    task::{Context as Task, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{
    Sink, StreamExt,
    stream::{SplitSink, SplitStream},
};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{
    self, Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};
use zocket_layers::ClientId;

use super::{
    SimClient, Stage, frame,
    handshake::{NotConnected, Socket, connect},
    session::Received,
};
use crate::testing::{
    link::Link,
    record::Welcome,
    sim::{chance::Chance, failure::Failure, world::World},
};

/// Time that the answer to a Close of the app may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Longest time before the next attempt to connect.
const BACKOFF: Duration = Duration::from_secs(2);
/// Time within which the app answers a Close after the messages before it: `Limits::close_within`, less the longest
/// latency.
const CLOSE_WITHIN: Duration = Duration::from_secs(4);
/// Time after which a client gives up a Close that is not answered.
const CLOSE_PATIENCE: Duration = Duration::from_secs(20);
/// Close codes for a peer that has broken the protocol, and of a server that has failed.
const VIOLATIONS: [u16; 3] = [1002, 1007, 1011];
/// Reason of the Close for an acknowledgement of frames that were never sent.
const BAD_ACK: &str = "bad-ack";

/// Drives a client until it has closed, or can't connect any more.
pub(in crate::testing::sim) async fn drive(client: SimClient, world: World) {
    let chance = world.chance_of_driver(client.index);
    let mut driver = Driver {
        client: client.clone(),
        world,
        connection: 0,
    };
    if let Err(failure) = driver.run(&chance).await {
        driver.world.fail(Some(client.index), failure);
    }
    client.shared.end();
}

struct Driver {
    client: SimClient,
    world: World,
    /// Number of the next connection.
    connection: usize,
}

/// The end of a connection.
enum End {
    /// The app has answered this client's Close, or the client has given up waiting for that.
    Closed,
    /// The app has sent a Close.
    ByApp(u16),
    /// There is no connection any more, and no Close was sent.
    Broken,
}

impl Driver {
    async fn run(&mut self, chance: &Chance) -> Result<(), Failure> {
        sleep(chance.time(Duration::from_millis(300))).await;
        loop {
            sleep(self.world.away(self.client.index, self.connection)).await;
            if self.may_end() {
                return Ok(());
            }
            let faults = self.world.link_faults(self.client.index, self.connection);
            let link = self.world.app().dial(faults);
            let dialled = Instant::now();
            match connect(&self.client, &self.world, &link).await? {
                Ok((socket, welcome)) => {
                    let end = self.drive_connection(socket, &welcome, dialled, &link).await?;
                    self.world.count(|totals| totals.connections += 1);
                    let is_final = matches!(end, End::Closed);
                    let by_app = matches!(end, End::ByApp(code) if code != REPLACED);
                    let mut session = self.client.shared.session.lock();
                    session.break_off(by_app || is_final, link.disturbed_at(), Instant::now());
                    drop(session);
                    if is_final {
                        return Ok(());
                    }
                }
                // The app is shutting down.
                Err(NotConnected::Refused(503)) if self.world.is_shutting_down() => return Ok(()),
                Err(NotConnected::Refused(status)) => {
                    return Err(Failure::other(format!(
                        "the handshake was refused with status {status}"
                    )));
                }
                Err(NotConnected::Closed(NOT_RESUMABLE)) => {
                    self.client.shared.session.lock().fail_to_resume(dialled)?;
                }
                Err(NotConnected::Closed(code)) if VIOLATIONS.contains(&code) => {
                    return Err(Failure::other(format!(
                        "the app closed with {code} before a welcome"
                    )));
                }
                Err(NotConnected::Closed(_)) => self.world.count(|totals| totals.closed_by_app += 1),
                Err(NotConnected::Broken) => self.check_break(&link)?,
            }
            if link.was_cut_by_fault() {
                self.world.count(|totals| totals.cuts += 1);
            }
            self.connection += 1;
            sleep(chance.time(BACKOFF)).await;
        }
    }

    /// Returns true if nothing is left to do for a client that shall close and has no connection.
    fn may_end(&self) -> bool {
        match self.client.shared.stage() {
            Stage::Running => false,
            Stage::Closing { at_once } => at_once || self.client.shared.session.lock().is_idle(),
            Stage::Ended => true,
        }
    }

    /// Moves frames until the connection has ended.
    async fn drive_connection(
        &self,
        socket: Socket,
        welcome: &Welcome,
        dialled: Instant,
        link: &Link,
    ) -> Result<End, Failure> {
        let shared = &self.client.shared;
        let client_id = welcome.client_id;
        shared.session.lock().open(welcome, dialled, Instant::now())?;
        let (mut sink, mut stream) = socket.split();
        let abandoned = self.world.abandoned(self.client.index, self.connection);
        let mut received = 0;
        // Time at which the Close was sent.
        let mut closing = None;
        let end = loop {
            if let Some((after_frames, open_for)) = abandoned
                && received >= after_frames
                && closing.is_none()
            {
                self.world.count(|totals| totals.abandoned += 1);
                abandon(sink, stream, link.clone(), open_for);
                return Ok(End::Broken);
            }
            let deadline = self.deadline(closing);
            let wake = tokio::select! {
                biased;
                read = stream.next() => Wake::Read(read),
                () = std::future::poll_fn(|cx| self.poll_write(&mut sink, &mut closing, cx)) => Wake::Broken,
                () = shared.outgoing.notified() => Wake::Outgoing,
                () = sleep_until(deadline) => Wake::Due,
            };
            let now = Instant::now();
            match wake {
                Wake::Read(Some(Ok(Message::Text(text)))) => {
                    received += 1;
                    self.receive(&Bytes::from(text), now)?;
                }
                Wake::Read(Some(Ok(Message::Close(close)))) => {
                    let close = close.map_or((1005, String::new()), |close| {
                        (close.code.into(), close.reason.to_string())
                    });
                    // Sends tungstenite's answer.
                    let _ = timeout(ANSWER_WITHIN, async { while stream.next().await.is_some() {} }).await;
                    break self.closed(close, closing, now)?;
                }
                Wake::Read(Some(Ok(_))) => shared.session.lock().hear(now),
                Wake::Read(Some(Err(_)) | None) | Wake::Broken => {
                    self.check_break(link)?;
                    break End::Broken;
                }
                Wake::Outgoing => {}
                Wake::Due => {
                    if closing.is_some_and(|at| now >= at + CLOSE_PATIENCE) {
                        self.check_break(link)?;
                        break End::Closed;
                    }
                    if shared.session.lock().is_silent(now) {
                        self.check_break(link)?;
                        self.world.count(|totals| totals.silent += 1);
                        break End::Broken;
                    }
                    self.check_answers(client_id, now)?;
                }
            }
        };
        link.cut();
        if closing.is_some() && matches!(end, End::Broken) && self.may_end() {
            return Ok(End::Closed);
        }
        Ok(end)
    }

    fn receive(&self, bytes: &Bytes, now: Instant) -> Result<(), Failure> {
        self.world.trace(self.client.index, 0, bytes.len());
        let frame = frame::read(bytes)?;
        let mut session = self.client.shared.session.lock();
        let Some(client_id) = session.client_id() else {
            return Ok(());
        };
        session.hear(now);
        match session.receive(frame, bytes.len(), now)? {
            Received::Nothing => {}
            Received::Event => {
                self.world.model().lock().receive(&client_id, bytes)?;
                self.world.count(|totals| totals.events += 1);
                self.client.shared.incoming.notify_waiters();
            }
            Received::Barrier(events) => self.world.model().lock().has_received(&client_id, events)?,
        }
        Ok(())
    }

    /// Writes what the session has to send, then a Close if the client shall close. Ready if the socket is broken.
    fn poll_write(
        &self,
        sink: &mut SplitSink<Socket, Message>,
        closing: &mut Option<Instant>,
        cx: &mut Task<'_>,
    ) -> Poll<()> {
        let now = Instant::now();
        let mut sink = Pin::new(sink);
        while closing.is_none() {
            match sink.as_mut().poll_ready(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
            let mut session = self.client.shared.session.lock();
            let client_id = session.client_id();
            let events = || {
                client_id
                    .and_then(|id| self.world.model().lock().sent_to(&id))
                    .unwrap_or(0)
            };
            let message = if let Some(text) = session.next_frame(now, events) {
                self.world.trace(self.client.index, 1, text.len());
                Message::text(text)
            } else {
                let may_close = match self.client.shared.stage() {
                    Stage::Closing { at_once } => at_once || session.is_idle(),
                    Stage::Running | Stage::Ended => false,
                };
                if !may_close {
                    break;
                }
                *closing = Some(now);
                Message::Close(Some(CloseFrame {
                    code: CloseCode::Normal,
                    reason: "bye".into(),
                }))
            };
            if sink.as_mut().start_send(message).is_err() {
                return Poll::Ready(());
            }
        }
        match sink.poll_flush(cx) {
            // Errors of a closed connection are read.
            Poll::Ready(Err(_)) if closing.is_none() => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }

    fn deadline(&self, closing: Option<Instant>) -> Instant {
        let now = Instant::now();
        let session = self.client.shared.session.lock();
        let deadline = closing.map_or_else(|| session.deadline(now), |at| at + CLOSE_PATIENCE);
        let patience = self.world.answer_within();
        session
            .oldest_call()
            .map_or(deadline, |(_, at)| deadline.min(at + patience))
    }

    /// Checks that the app has answered every call that this connection was given for long enough.
    fn check_answers(&self, client: ClientId, now: Instant) -> Result<(), Failure> {
        let oldest = self.client.shared.session.lock().oldest_call();
        match oldest {
            Some((id, at)) if now >= at + self.world.answer_within() => Err(Failure::lost(format!(
                "call {id} of {client} was not answered within {:?}, and its connection lives",
                self.world.answer_within()
            ))),
            _ => Ok(()),
        }
    }

    /// Handles a Close frame: the answer to this client's, or the app's own.
    fn closed(
        &self,
        (code, reason): (u16, String),
        closing: Option<Instant>,
        now: Instant,
    ) -> Result<End, Failure> {
        if let Some(at) = closing {
            let unanswered = self.client.shared.session.lock().oldest_call();
            if let Some((id, _)) = unanswered
                && now - at < CLOSE_WITHIN
                && !self.world.allows_overtaking()
                && !self.world.is_shutting_down()
            {
                return Err(Failure::lost(format!(
                    "call {id} was sent before the Close, and the Close was answered first"
                )));
            }
            return Ok(End::Closed);
        }
        if VIOLATIONS.contains(&code) || reason == BAD_ACK {
            return Err(Failure::other(format!("the app closed with {code} `{reason}`")));
        }
        self.world.count(|totals| totals.closed_by_app += 1);
        Ok(End::ByApp(code))
    }

    /// Checks that a fault has broken the connection.
    fn check_break(&self, link: &Link) -> Result<(), Failure> {
        match link.was_disturbed() || self.world.is_shutting_down() {
            true => Ok(()),
            false => Err(Failure::other(format!(
                "connection {} ended without a Close and without a fault",
                self.connection
            ))),
        }
    }
}

/// Close code of a connection that another one of the same session has replaced. It does not end the session.
const REPLACED: u16 = 3501;
/// Close code of a socket whose session could be resumed when the handshake was answered, and no more when it was open.
const NOT_RESUMABLE: u16 = 3004;

/// A reason to go on with a connection.
enum Wake {
    Read(Option<Result<Message, tungstenite::Error>>),
    Broken,
    Outgoing,
    Due,
}

/// Leaves a connection open, without reading from it.
fn abandon(sink: SplitSink<Socket, Message>, stream: SplitStream<Socket>, link: Link, open_for: Duration) {
    tokio::spawn(async move {
        sleep(open_for).await;
        link.cut();
        drop((sink, stream));
    });
}
