//! One connection of a test's client, and the task that moves its frames.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll, ready},
};

use bytes::Bytes;
use futures_util::{Sink, StreamExt, stream::SplitSink};
use parking_lot::Mutex;
use tokio::{
    sync::{mpsc, oneshot},
    task::AbortHandle,
    time::{Instant, sleep_until},
};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

use crate::{
    client::{
        Outage,
        dial::{Received, read},
        wire::{self, ServerFrame},
    },
    testing::{
        link::Link,
        record::{Record, Sent},
    },
};

/// Frames that a test may leave unread. Beyond that the client stops reading, like a client that hangs.
const MAX_UNREAD: usize = 10_000;

/// Record of a session, which outlives its connections. `None` for a client that does not offer to resume.
pub(super) type SharedRecord = Arc<Mutex<Option<Record>>>;

/// A connection, and the frames that its task has read.
pub(super) struct Connection {
    pub(super) link: Link,
    task: AbortHandle,
    outgoing: mpsc::Sender<Outgoing>,
    pub(super) incoming: mpsc::Receiver<FromApp>,
}

/// A frame to be written, and the notification that it was.
type Outgoing = (Message, oneshot::Sender<()>);

/// A frame of the app, or the end of the connection.
pub(super) enum FromApp {
    Frame(ServerFrame),
    Unreadable(String),
    End(Outage),
}

/// The connection is broken. The app may have received what was written.
pub(super) struct Broken;

impl Connection {
    pub(super) fn new(stream: WebSocketStream<Link>, link: Link, record: SharedRecord) -> Self {
        let (outgoing, to_write) = mpsc::channel(1);
        let (was_read, incoming) = mpsc::channel(MAX_UNREAD);
        let writer = Writer {
            to_write,
            written: None,
            record: record.clone(),
        };
        let task = tokio::spawn(run(stream, link.clone(), writer, was_read));
        Self {
            link,
            task: task.abort_handle(),
            outgoing,
            incoming,
        }
    }

    /// Writes a message. Returns once the connection has accepted all of it.
    pub(super) async fn write(&self, message: Message) -> Result<(), Broken> {
        let (done, written) = oneshot::channel();
        self.outgoing.send((message, done)).await.map_err(|_| Broken)?;
        written.await.map_err(|_| Broken)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
        self.link.cut();
    }
}

/// Moves frames until the connection has ended.
async fn run(stream: WebSocketStream<Link>, link: Link, mut writer: Writer, was_read: mpsc::Sender<FromApp>) {
    let (mut sink, mut stream) = stream.split();
    let record = writer.record.clone();
    loop {
        let ack_at = record.lock().as_ref().and_then(Record::ack_at);
        let reading = async {
            // Nothing is read for which there is no place.
            let place = was_read.reserve().await;
            (place, stream.next().await)
        };
        tokio::select! {
            biased;
            (place, item) = reading => {
                let Ok(place) = place else { break };
                let incoming = match read(item) {
                    Ok(Received::Control) => continue,
                    Ok(Received::Data(frame)) => receive(&frame, &record),
                    Err(outage) => FromApp::End(outage),
                };
                let is_end = matches!(incoming, FromApp::End(_));
                place.send(incoming);
                if is_end {
                    break;
                }
            }
            // A broken connection is noticed by reading.
            () = poll_fn(|cx| writer.poll(&mut sink, cx)) => {}
            // The writer then takes the acknowledgement.
            () = sleep_until(ack_at.unwrap_or_else(Instant::now)), if ack_at.is_some() => {}
        }
    }
    drop(writer);
    // Polling the stream further sends tungstenite's answer to a Close.
    while let Some(Ok(_)) = stream.next().await {}
    link.cut();
}

/// Parses a frame, and counts it for the record.
fn receive(frame: &Bytes, record: &SharedRecord) -> FromApp {
    let unreadable = |error: &dyn std::fmt::Display| {
        let shown = String::from_utf8_lossy(frame);
        FromApp::Unreadable(format!("{error}: {shown}"))
    };
    let incoming = match wire::read(frame) {
        Ok(incoming) => incoming,
        Err(error) => return unreadable(&error),
    };
    if let Some(record) = &mut *record.lock() {
        if let ServerFrame::Ack(number) = incoming {
            let acknowledged = number.ok_or_else(|| "it acknowledges no number".to_owned());
            if let Err(error) = acknowledged.and_then(|number| record.acknowledge(number)) {
                return unreadable(&error);
            }
        } else if is_counted(&incoming) {
            record.count(frame.len(), Instant::now());
        }
    }
    FromApp::Frame(incoming)
}

/// Returns false for a frame that has no number, in either direction.
const fn is_counted(frame: &ServerFrame) -> bool {
    !matches!(
        frame,
        ServerFrame::Welcome(_) | ServerFrame::Ping | ServerFrame::Pong | ServerFrame::Ack(_)
    )
}

/// Writes acknowledgements, then frames that the app lacks after a resume, then new ones.
struct Writer {
    to_write: mpsc::Receiver<Outgoing>,
    /// Notified when the last message was written.
    written: Option<oneshot::Sender<()>>,
    record: SharedRecord,
}

impl Writer {
    /// Writes what there is to write. Never ready.
    fn poll(&mut self, sink: &mut SplitSink<WebSocketStream<Link>, Message>, cx: &mut Task<'_>) -> Poll<()> {
        let mut sink = Pin::new(sink);
        loop {
            if ready!(sink.as_mut().poll_ready(cx)).is_err() {
                return self.give_up();
            }
            if let Some(message) = self.next(cx) {
                if sink.as_mut().start_send(message).is_err() {
                    return self.give_up();
                }
                continue;
            }
            if ready!(sink.as_mut().poll_flush(cx)).is_err() {
                return self.give_up();
            }
            let Some(written) = self.written.take() else {
                return Poll::Pending;
            };
            // The test may have given up.
            let _ = written.send(());
        }
    }

    /// Fails what waits to be written. The end of the connection is read.
    fn give_up(&mut self) -> Poll<()> {
        self.written = None;
        self.to_write.close();
        while self.to_write.try_recv().is_ok() {}
        Poll::Pending
    }

    fn next(&mut self, cx: &mut Task<'_>) -> Option<Message> {
        let mut record = self.record.lock();
        if let Some(record) = &mut *record {
            let waiting = record.take_ack(Instant::now());
            if let Some(frame) = waiting.or_else(|| record.take_resend(|_| false)) {
                return Some(Message::text(frame));
            }
        }
        if self.written.is_some() {
            return None;
        }
        let Poll::Ready(Some((message, written))) = self.to_write.poll_recv(cx) else {
            return None;
        };
        self.written = Some(written);
        if let (Some(record), Message::Text(text)) = (&mut *record, &message)
            && wire::read(&text.clone().into()).map_or(true, |frame| is_counted(&frame))
        {
            record.push(Sent {
                text: text.to_string(),
                rpc_id: None,
            });
        }
        Some(message)
    }
}
