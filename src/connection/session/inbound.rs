//! Messages that were read and have not completed.

use std::{
    collections::{HashSet, VecDeque},
    mem,
};

use zocket_layers::{
    Frame, Limits, Name, RpcId,
    internal::{self, Broken, Turn, is_broken},
};

/// Bytes of the messages that are read beyond a full queue, each counted with [`MESSAGE_WEIGHT`] more. Control frames
/// behind these messages take effect although the queue is full. Beyond it, reading stops.
const READ_BEYOND: usize = 64 << 10;
/// Bytes that a message beyond a full queue counts for in addition to its own.
const MESSAGE_WEIGHT: usize = 256;

/// Messages that were read and have not completed.
pub(super) struct Inbound {
    /// The turn of the message that began last.
    turn: Turn,
    /// `None` if no message waits, as on an idle connection: most messages complete at their first poll.
    pending: Option<Box<Pending>>,
}

/// The queue, and the ids and turns of the messages in flight.
#[derive(Default)]
struct Pending {
    queue: VecDeque<Frame>,
    queued_bytes: usize,
    /// Weight of the messages that were read while the queue was full.
    beyond: usize,
    /// Messages that have begun and were pending after their first poll.
    in_flight: usize,
    /// Turns that messages in flight hold.
    turns: Vec<Turn>,
    /// Ids of messages that are queued or in flight.
    ids: HashSet<RpcId>,
}

/// A message that has begun.
#[derive(Debug, Clone)]
pub(in crate::connection) struct InFlightMessage {
    rpc_id: Option<RpcId>,
    /// The route, for a message without an id whose client is notified of its failure by an `__error` frame.
    route: Option<Name>,
    turn: Turn,
}

impl InFlightMessage {
    pub(super) const fn rpc_id(&self) -> Option<&RpcId> {
        self.rpc_id.as_ref()
    }

    /// Returns the route of a message without an id. `None` if the message has an id, or if its client is not notified
    /// of its failure.
    pub(super) fn route(&self) -> Option<&str> {
        self.route.as_deref()
    }
}

impl Inbound {
    pub(super) const fn new() -> Self {
        Self {
            turn: Turn::MIN,
            pending: None,
        }
    }

    fn pending(&mut self) -> &mut Pending {
        self.pending.get_or_insert_default()
    }

    /// Returns true if one more message may be read: the queue is below its limits of messages and of bytes, or little
    /// has been read beyond them.
    pub(super) fn has_room(&self, limits: &Limits) -> bool {
        let has_room = |pending: &Pending| !pending.is_full(limits) || pending.beyond < READ_BEYOND;
        self.pending.as_deref().is_none_or(has_room)
    }

    /// Returns true for the id of a message that is queued or in flight.
    pub(super) fn has_id(&self, rpc_id: &RpcId) -> bool {
        self.pending
            .as_ref()
            .is_some_and(|pending| pending.ids.contains(rpc_id))
    }

    pub(super) fn queue(&mut self, frame: Frame, limits: &Limits) {
        let pending = self.pending();
        match pending.is_full(limits) {
            true => pending.beyond += frame.len() + MESSAGE_WEIGHT,
            false => pending.beyond = 0,
        }
        pending.ids.extend(frame.rpc_id().cloned());
        pending.queued_bytes += frame.len();
        pending.queue.push_back(frame);
    }

    /// Takes the next message from the queue. Its id stays recorded until the message has completed.
    pub(super) fn take(&mut self) -> Option<Frame> {
        let pending = self.pending.as_mut()?;
        let frame = pending.queue.pop_front()?;
        pending.queued_bytes -= frame.len();
        // The first message beyond the limits is within them now.
        pending.beyond = pending.beyond.saturating_sub(frame.len() + MESSAGE_WEIGHT);
        Some(frame)
    }

    /// Takes all messages from the queue. None of them will begin.
    pub(super) fn take_queue(&mut self) -> VecDeque<Frame> {
        let Some(pending) = &mut self.pending else {
            return VecDeque::new();
        };
        (pending.queued_bytes, pending.beyond) = (0, 0);
        mem::take(&mut pending.queue)
    }

    pub(super) fn is_queue_empty(&self) -> bool {
        self.queued() == 0
    }

    pub(super) fn queued(&self) -> usize {
        self.pending.as_ref().map_or(0, |pending| pending.queue.len())
    }

    pub(super) fn queued_bytes(&self) -> usize {
        self.pending.as_ref().map_or(0, |pending| pending.queued_bytes)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.pending.as_ref().map_or(0, |pending| pending.in_flight)
    }

    fn held_turns(&self) -> usize {
        self.pending.as_ref().map_or(0, |pending| pending.turns.len())
    }

    /// Returns true if no message is queued or in flight.
    pub(super) fn is_empty(&self) -> bool {
        self.queued() == 0 && self.in_flight() == 0
    }

    /// Returns true if no message is queued or holds a turn. A message that has given up its turn may be overtaken.
    pub(super) fn holds_no_turn(&self) -> bool {
        let has_answered = self.queued() == 0 && self.held_turns() == 0;
        has_answered || is_broken(Broken::AnswerBeforeClose)
    }

    /// Returns true if one more message may begin: a turn is free, and fewer messages than `Limits::in_flight` are in
    /// flight.
    pub(super) fn has_free_turn(&self, concurrency: usize, limits: &Limits) -> bool {
        self.held_turns() < concurrency && self.in_flight() < limits.in_flight.max(1)
    }

    /// Frees turns that their messages gave up before they completed.
    pub(super) fn give_up(&mut self, turns: &[Turn]) {
        if let Some(pending) = &mut self.pending {
            pending.turns.retain(|turn| !turns.contains(turn));
        }
    }

    /// Begins a message: assigns it the next turn.
    pub(super) fn begin(&mut self, frame: &mut Frame) -> InFlightMessage {
        self.turn = self.turn.saturating_add(1);
        internal::set_turn(frame, self.turn);
        let rpc_id = frame.rpc_id().cloned();
        let route = match rpc_id {
            None if frame.connection().form().is_extended() => frame.head().map(|head| head.route().clone()),
            _ => None,
        };
        InFlightMessage {
            rpc_id,
            route,
            turn: self.turn,
        }
    }

    /// Records that a message was pending after its first poll. From here on it holds its id and its turn.
    pub(super) fn stays_in_flight(&mut self, message: InFlightMessage) {
        let pending = self.pending();
        pending.in_flight += 1;
        pending.ids.extend(message.rpc_id);
        pending.turns.push(message.turn);
    }

    /// Removes a message that stayed in flight, and frees its turn.
    pub(super) fn end_in_flight(&mut self, message: &InFlightMessage) {
        if let Some(pending) = &mut self.pending {
            pending.in_flight -= 1;
            pending.turns.retain(|held| *held != message.turn);
        }
    }

    /// Frees the id of a message that has completed.
    pub(super) fn forget_id(&mut self, message: &InFlightMessage) {
        if let Some(rpc_id) = &message.rpc_id {
            self.forget(rpc_id);
        }
    }

    /// Frees the id of a queued message that was refused.
    pub(super) fn forget(&mut self, rpc_id: &RpcId) {
        if let Some(pending) = &mut self.pending {
            pending.ids.remove(rpc_id);
        }
    }

    /// Frees the memory that an idle connection does not need.
    pub(super) fn shrink(&mut self) {
        let is_idle = |pending: &mut Box<Pending>| pending.queue.is_empty() && pending.in_flight == 0;
        self.pending.take_if(is_idle);
    }
}

impl Pending {
    fn is_full(&self, limits: &Limits) -> bool {
        self.queue.len() >= limits.queued.max(1) || self.queued_bytes >= limits.message
    }
}
