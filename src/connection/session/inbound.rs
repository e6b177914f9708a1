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

/// Messages that were read and have not completed: the queue, and the ids and turns of those in flight.
pub(super) struct Inbound {
    queue: VecDeque<Frame>,
    queued_bytes: usize,
    /// Weight of the messages that were read while the queue was full.
    beyond: usize,
    /// Messages that have begun and were pending after their first poll.
    in_flight: usize,
    /// The turn of the message that began last.
    turn: Turn,
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
    pub(super) fn new() -> Self {
        Self {
            queue: VecDeque::new(),
            queued_bytes: 0,
            beyond: 0,
            in_flight: 0,
            turn: Turn::MIN,
            turns: Vec::new(),
            ids: HashSet::new(),
        }
    }

    /// Returns true if one more message may be read: the queue is below its limits of messages and of bytes, or little
    /// has been read beyond them.
    pub(super) fn has_room(&self, limits: &Limits) -> bool {
        !self.is_full(limits) || self.beyond < READ_BEYOND
    }

    fn is_full(&self, limits: &Limits) -> bool {
        self.queue.len() >= limits.queued.max(1) || self.queued_bytes >= limits.message
    }

    /// Returns true for the id of a message that is queued or in flight.
    pub(super) fn has_id(&self, rpc_id: &RpcId) -> bool {
        // Most messages complete before the next one is read. Then the id need not be hashed.
        !self.ids.is_empty() && self.ids.contains(rpc_id)
    }

    pub(super) fn queue(&mut self, frame: Frame, limits: &Limits) {
        match self.is_full(limits) {
            true => self.beyond += frame.len() + MESSAGE_WEIGHT,
            false => self.beyond = 0,
        }
        self.ids.extend(frame.rpc_id().cloned());
        self.queued_bytes += frame.len();
        self.queue.push_back(frame);
    }

    /// Takes the next message from the queue. Its id stays recorded until the message has completed.
    pub(super) fn take(&mut self) -> Option<Frame> {
        let frame = self.queue.pop_front()?;
        self.queued_bytes -= frame.len();
        // The first message beyond the limits is within them now.
        self.beyond = self.beyond.saturating_sub(frame.len() + MESSAGE_WEIGHT);
        Some(frame)
    }

    /// Takes all messages from the queue. None of them will begin.
    pub(super) fn take_queue(&mut self) -> VecDeque<Frame> {
        (self.queued_bytes, self.beyond) = (0, 0);
        mem::take(&mut self.queue)
    }

    pub(super) fn is_queue_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    pub(super) const fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    pub(super) const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Returns true if no message is queued or in flight.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.in_flight == 0
    }

    /// Returns true if no message is queued or holds a turn. A message that has given up its turn may be overtaken.
    pub(super) fn holds_no_turn(&self) -> bool {
        let has_answered = self.queue.is_empty() && self.turns.is_empty();
        has_answered || is_broken(Broken::AnswerBeforeClose)
    }

    /// Returns true if one more message may begin: a turn is free, and fewer messages than `Limits::in_flight` are in
    /// flight.
    pub(super) fn has_free_turn(&self, concurrency: usize, limits: &Limits) -> bool {
        self.turns.len() < concurrency && self.in_flight < limits.in_flight.max(1)
    }

    /// Frees turns that their messages gave up before they completed.
    pub(super) fn give_up(&mut self, turns: &[Turn]) {
        self.turns.retain(|turn| !turns.contains(turn));
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
        self.in_flight += 1;
        self.ids.extend(message.rpc_id);
        self.turns.push(message.turn);
    }

    /// Removes a message that stayed in flight, and frees its turn.
    pub(super) fn end_in_flight(&mut self, message: &InFlightMessage) {
        self.in_flight -= 1;
        self.turns.retain(|held| *held != message.turn);
    }

    /// Frees the id of a message that has completed.
    pub(super) fn forget_id(&mut self, message: &InFlightMessage) {
        if !self.ids.is_empty()
            && let Some(rpc_id) = &message.rpc_id
        {
            self.ids.remove(rpc_id);
        }
    }

    /// Frees the id of a queued message that was refused.
    pub(super) fn forget(&mut self, rpc_id: &RpcId) {
        self.ids.remove(rpc_id);
    }

    /// Frees the memory that an idle connection does not need.
    pub(super) fn shrink(&mut self) {
        if self.queue.is_empty() {
            self.queue.shrink_to_fit();
        }
        if self.ids.is_empty() {
            self.ids.shrink_to_fit();
        }
    }
}
