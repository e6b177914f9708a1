//! What outlives a socket: the inbound queue, the handlers in flight, the rooms.

use std::{
    collections::{HashSet, VecDeque},
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll, ready},
};

use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use pin_project::pin_project;
use tokio::time::sleep;
use tower::{BoxError, Service};
use zocket_layers::{
    ClientId, Code, Connection, Error, Event, Frame, Mailbox, RpcId, Turn, Wire,
    decode::{error_frame, refusal_frame},
    hub::Delivery,
    rescue::explain,
};

use super::gauge::Part;

/// What outlives a socket: the messages read and not yet begun, those being handled, and the mailbox, which knows
/// the rooms.
pub(super) struct Session<S: Service<Frame>> {
    connection: Connection,
    mailbox: Arc<Mailbox>,
    pipeline: S,
    /// Messages of this connection that may be handled at once, unless their routes are concurrent.
    concurrency: usize,
    queue: VecDeque<Frame>,
    queued_bytes: usize,
    in_flight: FuturesUnordered<Handling<S::Future>>,
    turns: Vec<Turn>,
    /// The ids that are queued or in flight.
    ids: HashSet<RpcId>,
    /// The pipeline has failed for good: this is what those are told who still ask.
    failed: Option<Error>,
    pulled: Vec<Event>,
    /// Pings that are not answered yet.
    pings: usize,
    gauges: [Part; 2],
}

const PONG: Bytes = Bytes::from_static(br#"{"type":"__pong"}"#);

/// How beginning went.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Begun {
    /// Whether a message was begun: it has to be polled.
    pub(super) any: bool,
    /// Whether a message waits for the pipeline's readiness.
    pub(super) waits: bool,
}

/// A message being handled.
#[pin_project]
struct Handling<F> {
    #[pin]
    future: F,
    rpc_id: Option<RpcId>,
    turn: Turn,
}

impl<F: Future> Future for Handling<F> {
    type Output = (Option<RpcId>, Turn, F::Output);

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let output = ready!(this.future.poll(cx));
        Poll::Ready((this.rpc_id.take(), std::mem::take(this.turn), output))
    }
}

impl<S> Session<S>
where
    S: Service<Frame, Response = Option<Bytes>, Error = BoxError>,
{
    pub(super) fn new(
        connection: Connection,
        mailbox: Arc<Mailbox>,
        pipeline: S,
        concurrency: usize,
    ) -> Self {
        Self {
            connection,
            mailbox,
            pipeline,
            concurrency,
            queue: VecDeque::new(),
            queued_bytes: 0,
            in_flight: FuturesUnordered::new(),
            turns: Vec::new(),
            ids: HashSet::new(),
            failed: None,
            pulled: Vec::new(),
            pings: 0,
            gauges: [Part::queued(), Part::in_flight()],
        }
    }

    pub(super) fn client_id(&self) -> ClientId {
        self.connection.client_id()
    }

    /// Whether one more message may be queued.
    pub(super) fn has_room(&self) -> bool {
        let limits = self.connection.limits();
        self.failed.is_none() && self.queue.len() < limits.queued.max(1) && self.queued_bytes < limits.message
    }

    /// What the client understands.
    pub(super) fn wire(&self) -> Wire {
        self.connection.wire()
    }

    /// Queues what was read. A message whose id is queued or in flight already is not run: the frame to send is
    /// returned.
    pub(super) fn push(&mut self, bytes: Bytes) -> Option<Bytes> {
        let frame = Frame::new(self.connection.clone(), bytes);
        let extended = self.wire() == Wire::Extended;
        if extended && frame.route() == Some("__ping") {
            self.pings += 1;
            return None;
        }
        if let Some(rpc_id) = frame.rpc_id()
            && !self.ids.insert(rpc_id.clone())
        {
            let client = self.client_id();
            tracing::warn!(%client, %rpc_id, "message not run: its id is queued or in flight already");
            metrics::counter!("zocket_messages_refused_total", "code" => Code::CONFLICT.as_str())
                .increment(1);
            let error = Error::conflict(format!(
                "not run: a message with the rpcId {rpc_id} is still being handled"
            ));
            return extended.then(|| error_frame(&error, frame.route()));
        }
        self.queued_bytes += frame.len();
        self.queue.push_back(frame);
        None
    }

    /// Hands on what there is to send: events, and the answers to messages that have been handled. Everything that
    /// a handler sent comes before its answer, its answer before the close that it asked for.
    pub(super) fn poll_outgoing(&mut self, cx: &mut Task<'_>, mut send: impl FnMut(Bytes)) -> Delivery {
        loop {
            let handled = self.in_flight.poll_next_unpin(cx);
            let delivery = self.poll_events(cx, &mut send);
            let Poll::Ready(Some((rpc_id, turn, answer))) = handled else {
                return delivery;
            };
            turn.give_up();
            if let Some(rpc_id) = &rpc_id {
                self.ids.remove(rpc_id);
            }
            match answer {
                Ok(Some(frame)) => send(frame),
                Ok(None) => {}
                Err(error) => self.fail(error, rpc_id.as_ref(), &mut send),
            }
            if delivery != Delivery::Open {
                return delivery;
            }
        }
    }

    /// A pong comes after everything that had been sent to this client when its ping was read, whether or not the
    /// mailbox has been told of it: so it is a barrier.
    fn poll_events(&mut self, cx: &mut Task<'_>, send: &mut impl FnMut(Bytes)) -> Delivery {
        if self.mailbox.poll_notified(cx).is_pending() && self.pings == 0 {
            return Delivery::Open;
        }
        let delivery = self.mailbox.pull(&mut self.pulled);
        for event in self.pulled.drain(..) {
            send(event.frame().clone());
        }
        // A burst's buffer is given back.
        self.pulled.shrink_to(32);
        for _ in 0..std::mem::take(&mut self.pings) {
            send(PONG);
        }
        delivery
    }

    /// Begins to handle as many queued messages as their turns and the pipeline's readiness allow; none while they
    /// are on `hold`.
    pub(super) fn poll_begin(&mut self, cx: &mut Task<'_>, hold: bool, mut send: impl FnMut(Bytes)) -> Begun {
        let mut begun = Begun::default();
        while !self.queue.is_empty() && self.may_begin() {
            if hold {
                begun.waits = true;
                break;
            }
            match self.pipeline.poll_ready(cx) {
                Poll::Pending => {
                    begun.waits = true;
                    break;
                }
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    self.fail(error, None, &mut send);
                    break;
                }
            }
            let Some(frame) = self.queue.pop_front() else {
                break;
            };
            self.queued_bytes -= frame.len();
            let turn = Turn::new(self.mailbox.reader().clone());
            self.turns.push(turn.clone());
            let rpc_id = frame.rpc_id().cloned();
            let future = self.pipeline.call(frame.with_turn(turn.clone()));
            self.in_flight.push(Handling { future, rpc_id, turn });
            begun.any = true;
        }
        begun
    }

    fn may_begin(&mut self) -> bool {
        self.turns.retain(Turn::is_held);
        self.turns.len() < self.concurrency
            && self.in_flight.len() < self.connection.limits().in_flight.max(1)
    }

    /// The pipeline is done for good, as tower means it: who waits is told, and nothing more is begun.
    fn fail(&mut self, error: BoxError, asked: Option<&RpcId>, send: &mut impl FnMut(Bytes)) {
        let error = explain(error);
        tracing::error!(client = %self.client_id(), %error, "the pipeline has failed for good");
        let queue = std::mem::take(&mut self.queue);
        for rpc_id in asked.into_iter().chain(queue.iter().filter_map(Frame::rpc_id)) {
            send(refusal_frame(&error, rpc_id));
        }
        self.queued_bytes = 0;
        self.failed = Some(error);
    }

    /// Tells the gauges how long its queues are.
    pub(super) fn tell(&mut self) {
        let [queued, in_flight] = &mut self.gauges;
        queued.tell(self.queue.len());
        in_flight.tell(self.in_flight.len());
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
        self.connection.close();
        self.mailbox.mute();
    }

    /// Handles what was read to its end, now that nobody is there to be told. A message that waits for readiness
    /// longer than [`Limits::stall`](zocket_layers::Limits::stall) is given up.
    pub(super) async fn finish(&mut self) {
        let stall = self.connection.limits().stall;
        let mut stalled = None;
        poll_fn(|cx| {
            loop {
                let begun = self.poll_begin(cx, false, drop);
                if begun.any || !begun.waits {
                    stalled = None;
                }
                match self.in_flight.poll_next_unpin(cx) {
                    Poll::Ready(Some((_, turn, _))) => turn.give_up(),
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
                        // A concurrent route's turn is given up by way of the mailbox's waker.
                        let _ = self.mailbox.poll_notified(cx);
                        self.tell();
                        return Poll::Pending;
                    }
                }
            }
        })
        .await;
    }
}
