//! What outlives a socket: the inbound queue, the handlers in flight, the rooms.

use std::{
    collections::{HashSet, VecDeque},
    future::{Future, poll_fn},
    mem,
    sync::Arc,
    task::{Context as Task, Poll, ready},
};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use tokio::time::sleep;
use tower::{BoxError, Service};
use zocket_layers::{
    ClientId, Code, Connection, Error, Frame, Frames, Mailbox, RpcId, Turn, Wire,
    decode::{error_frame, refusal_frame},
    hub::Delivery,
    rescue::explain,
};

use super::{
    gauge::{self, Part},
    in_flight::{About, InFlight},
    outbound::Outbound,
};

/// What outlives a socket: the messages read and not yet begun, those being handled, and the mailbox, which knows
/// the rooms.
pub(super) struct Session<S: Service<Frame>> {
    frames: Frames,
    mailbox: Arc<Mailbox>,
    pipeline: S,
    /// Messages of this connection that may be handled at once, unless their routes are concurrent.
    concurrency: usize,
    queue: VecDeque<Frame>,
    queued_bytes: usize,
    in_flight: InFlight<S::Future>,
    /// The last one's.
    turn: Turn,
    /// Those that are held by what is in flight.
    turns: Vec<Turn>,
    /// The ids that are queued or in flight.
    ids: HashSet<RpcId>,
    /// The pipeline has failed for good: this is what those are told who still ask.
    failed: Option<Error>,
    /// Pings that are not answered yet.
    pings: usize,
    queued: Part<gauge::Queued>,
    handled: Part<gauge::InFlight>,
}

const PONG: Bytes = Bytes::from_static(br#"{"type":"__pong"}"#);

/// How beginning went.
#[derive(Debug)]
pub(super) struct Begun {
    /// Whether a message was begun: there may be room for another.
    pub(super) any: bool,
    /// Whether a message waits for the pipeline's readiness.
    pub(super) waits: bool,
    /// How it stands with the mailbox after that.
    pub(super) delivery: Delivery,
}

impl Default for Begun {
    fn default() -> Self {
        Self {
            any: false,
            waits: false,
            delivery: Delivery::Open,
        }
    }
}

impl<S> Session<S>
where
    S: Service<Frame, Response = Option<Vec<u8>>, Error = BoxError>,
{
    pub(super) fn new(
        connection: Connection,
        mailbox: Arc<Mailbox>,
        pipeline: S,
        concurrency: usize,
    ) -> Self {
        connection.turns().set_driver(mailbox.reader().clone());
        Self {
            frames: Frames::of(connection),
            mailbox,
            pipeline,
            concurrency,
            queue: VecDeque::new(),
            queued_bytes: 0,
            in_flight: InFlight::new(),
            turn: Turn::MIN,
            turns: Vec::new(),
            ids: HashSet::new(),
            failed: None,
            pings: 0,
            queued: Part::new(),
            handled: Part::new(),
        }
    }

    fn connection(&self) -> &Connection {
        self.frames.connection()
    }

    /// Makes messages of what was read.
    pub(super) fn frames(&mut self) -> &mut Frames {
        &mut self.frames
    }

    pub(super) fn client_id(&self) -> ClientId {
        self.connection().client_id()
    }

    /// Whether one more message may be queued.
    pub(super) fn has_room(&self) -> bool {
        let limits = self.connection().limits();
        self.failed.is_none() && self.queue.len() < limits.queued.max(1) && self.queued_bytes < limits.message
    }

    /// What the client understands.
    pub(super) fn wire(&self) -> Wire {
        self.connection().wire()
    }

    /// What the driver is woken by, once it [`listen`](Self::listen)s.
    pub(super) fn waker(&self) -> &Arc<AtomicWaker> {
        self.mailbox.reader()
    }

    /// Is woken from now on when there is something to send, or a turn was given up.
    pub(super) fn listen(&self, cx: &mut Task<'_>) {
        let _ = self.mailbox.poll_notified(cx);
    }

    /// Takes a message that was read, and begins to handle it if it `may` be begun and no other stands before it; else
    /// it is queued. A message whose id is queued or in flight already is not run.
    pub(super) fn receive(
        &mut self,
        frame: Frame,
        may: bool,
        cx: &mut Task<'_>,
        out: &mut Outbound,
    ) -> Begun {
        let extended = self.wire() == Wire::Extended;
        if extended && frame.route() == Some("__ping") {
            self.pings += 1;
            return Begun::default();
        }
        if !self.ids.is_empty()
            && let Some(rpc_id) = frame.rpc_id().filter(|rpc_id| self.ids.contains(*rpc_id))
        {
            let client = self.client_id();
            tracing::warn!(%client, %rpc_id, "message not run: its id is queued or in flight already");
            metrics::counter!("zocket_messages_refused_total", "code" => Code::CONFLICT.as_str())
                .increment(1);
            let error = Error::conflict(format!(
                "not run: a message with the rpcId {rpc_id} is still being handled"
            ));
            if extended {
                out.push(error_frame(&error, frame.route()));
            }
            return Begun::default();
        }
        if may && self.queue.is_empty() && self.may_begin() {
            match self.pipeline.poll_ready(cx) {
                Poll::Ready(Ok(())) => {
                    return Begun {
                        any: true,
                        waits: false,
                        delivery: self.begin(frame, cx, out),
                    };
                }
                Poll::Ready(Err(error)) => {
                    self.queue.push_back(frame);
                    self.fail(error, None, out);
                    return Begun::default();
                }
                Poll::Pending => {}
            }
        }
        self.ids.extend(frame.rpc_id().cloned());
        self.queued_bytes += frame.len();
        self.queue.push_back(frame);
        Begun::default()
    }

    /// Hands on what there is to send: events, and the answers to messages that have been handled. Everything that
    /// a handler sent comes before its answer, its answer before the close that it asked for.
    pub(super) fn poll_outgoing(&mut self, cx: &mut Task<'_>, out: &mut Outbound) -> Delivery {
        while let Poll::Ready(Some((about, answer))) = self.in_flight.poll_next(cx) {
            let delivery = self.end(about, answer, out);
            if delivery != Delivery::Open {
                return delivery;
            }
        }
        if self.mailbox.is_notified() || self.pings > 0 {
            return self.send_events(out);
        }
        Delivery::Open
    }

    /// Whether there is, or may be, something to begin or to hand on.
    pub(super) fn has_more(&self) -> bool {
        !self.queue.is_empty() || !self.in_flight.is_empty() || self.mailbox.is_notified() || self.pings > 0
    }

    /// A message has been handled.
    fn end(
        &mut self,
        About { rpc_id, turn }: About,
        answer: Result<Option<Vec<u8>>, BoxError>,
        out: &mut Outbound,
    ) -> Delivery {
        self.turns.retain(|held| *held != turn);
        if !self.ids.is_empty()
            && let Some(rpc_id) = &rpc_id
        {
            self.ids.remove(rpc_id);
        }
        let mut delivery = Delivery::Open;
        if !matches!(answer, Ok(None)) && self.mailbox.has_news() {
            delivery = self.send_events(out);
        }
        match answer {
            Ok(Some(message)) => out.push(message),
            Ok(None) => {}
            Err(error) => self.fail(error, rpc_id.as_ref(), out),
        }
        delivery
    }

    /// A pong comes after everything that had been sent to this client when its ping was read, whether or not the
    /// mailbox has been told of it: so it is a barrier.
    fn send_events(&mut self, out: &mut Outbound) -> Delivery {
        let delivery = self
            .mailbox
            .pull_wire(&mut |wire, weight| out.push_frames(wire, weight));
        for _ in 0..mem::take(&mut self.pings) {
            out.push(PONG);
        }
        delivery
    }

    /// Begins to handle the next queued message, if the turns and the pipeline's readiness allow it, and there is no
    /// `hold` on them.
    pub(super) fn poll_begin(&mut self, cx: &mut Task<'_>, hold: bool, out: &mut Outbound) -> Begun {
        let mut begun = Begun::default();
        if self.queue.is_empty() || !self.may_begin() {
            return begun;
        }
        if hold {
            begun.waits = true;
            return begun;
        }
        match self.pipeline.poll_ready(cx) {
            Poll::Pending => begun.waits = true,
            Poll::Ready(Err(error)) => self.fail(error, None, out),
            Poll::Ready(Ok(())) => {
                if let Some(frame) = self.queue.pop_front() {
                    self.queued_bytes -= frame.len();
                    begun.any = true;
                    begun.delivery = self.begin(frame, cx, out);
                }
            }
        }
        begun
    }

    /// Begins to handle a message, now that the pipeline is ready for it.
    fn begin(&mut self, mut frame: Frame, cx: &mut Task<'_>, out: &mut Outbound) -> Delivery {
        self.turn = self.turn.saturating_add(1);
        let about = About {
            rpc_id: frame.rpc_id().cloned(),
            turn: self.turn,
        };
        frame.take_turn(self.turn);
        let future = self.pipeline.call(frame);
        match self.in_flight.begin(future, about, cx) {
            Ok((about, answer)) => self.end(about, answer, out),
            Err(About { rpc_id, turn }) => {
                self.ids.extend(rpc_id);
                self.turns.push(turn);
                Delivery::Open
            }
        }
    }

    fn may_begin(&mut self) -> bool {
        let given_up = self.connection().turns().take_given_up();
        if !given_up.is_empty() {
            self.turns.retain(|turn| !given_up.contains(turn));
        }
        self.turns.len() < self.concurrency
            && self.in_flight.len() < self.connection().limits().in_flight.max(1)
    }

    /// The pipeline is done for good, as tower means it: who waits is told, and nothing more is begun.
    fn fail(&mut self, error: BoxError, asked: Option<&RpcId>, out: &mut Outbound) {
        let error = explain(error);
        tracing::error!(client = %self.client_id(), %error, "the pipeline has failed for good");
        let queue = mem::take(&mut self.queue);
        for rpc_id in asked.into_iter().chain(queue.iter().filter_map(Frame::rpc_id)) {
            out.push(refusal_frame(&error, rpc_id));
        }
        self.queued_bytes = 0;
        self.failed = Some(error);
    }

    /// There is nothing to do for now: tells the gauges how long its queues are, and gives back what is not needed
    /// to wait.
    pub(super) fn rest(&mut self) {
        self.tell();
        self.frames.rest();
        self.in_flight.shrink();
        if self.queue.is_empty() {
            self.queue.shrink_to_fit();
        }
        if self.ids.is_empty() {
            self.ids.shrink_to_fit();
        }
    }

    fn tell(&mut self) {
        self.queued.tell(self.queue.len());
        self.handled.tell(self.in_flight.len());
    }

    /// Whether the pipeline has failed, and everyone has been told.
    pub(super) fn is_finished(&self) -> bool {
        self.failed.is_some() && self.in_flight.is_empty()
    }

    /// Lets what was read and not yet begun go unhandled.
    pub(super) fn forget(&mut self) {
        self.queue.clear();
        self.queued_bytes = 0;
    }

    /// Nothing can be sent any more.
    pub(super) fn hang_up(&self) {
        self.connection().close();
        self.mailbox.mute();
    }

    /// Handles what was read to its end, now that nobody is there to be told. A message that waits for readiness
    /// longer than [`Limits::stall`](zocket_layers::Limits::stall) is given up.
    pub(super) async fn finish(&mut self) {
        let stall = self.connection().limits().stall;
        let mut stalled = None;
        poll_fn(|cx| {
            loop {
                // A concurrent route's turn is given up by way of the mailbox's waker.
                self.listen(cx);
                let mut unsent = Outbound::default();
                let begun = self.poll_begin(cx, false, &mut unsent);
                if begun.any || !begun.waits {
                    stalled = None;
                }
                match self.in_flight.poll_next(cx) {
                    Poll::Ready(Some((about, answer))) => drop(self.end(about, answer, &mut unsent)),
                    Poll::Ready(None) if self.queue.is_empty() => return Poll::Ready(()),
                    _ if begun.any => {}
                    _ if begun.waits => {
                        self.tell();
                        let stalled = stalled.get_or_insert_with(|| Box::pin(sleep(stall)));
                        ready!(stalled.as_mut().poll(cx));
                        tracing::warn!(client = %self.client_id(), count = self.queue.len(), "messages given up: no readiness");
                        self.queue.clear();
                    }
                    _ => {
                        self.tell();
                        return Poll::Pending;
                    }
                }
            }
        })
        .await;
    }
}
