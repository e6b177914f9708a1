//! The calls that the server has not answered.

use std::collections::HashMap;

use bytes::Bytes;

use super::{
    CallError,
    call::{Reply, answer},
};

/// The calls of a session that were sent and that the server has not answered.
pub(super) struct Unanswered {
    /// With a limit, those that their callers have given up are among them, since they count for the server.
    calls: HashMap<u64, Call>,
    /// Size of their frames, in bytes.
    bytes: usize,
    limits: Option<Limits>,
    /// Number of calls from which those whose callers no longer wait are removed, without a limit.
    cleanup_threshold: usize,
}

/// Calls that a server with flow control accepts.
pub(super) struct Limits {
    pub(super) calls: usize,
    /// A call is sent while the ones before have fewer bytes.
    pub(super) bytes: usize,
}

struct Call {
    reply: Reply,
    /// Size of its frame.
    bytes: usize,
}

/// Lower limit of `cleanup_threshold`.
const MIN_CLEANUP_THRESHOLD: usize = 64;

impl Unanswered {
    pub(super) fn new() -> Self {
        Self {
            calls: HashMap::new(),
            bytes: 0,
            limits: None,
            cleanup_threshold: MIN_CLEANUP_THRESHOLD,
        }
    }

    /// Sets the limits that the server's welcome names.
    pub(super) fn limit(&mut self, limits: Option<Limits>) {
        self.limits = limits;
    }

    /// Returns true if the server accepts one more call.
    pub(super) fn has_room(&self) -> bool {
        self.limits
            .as_ref()
            .is_none_or(|limits| self.calls.len() < limits.calls && self.bytes < limits.bytes)
    }

    /// Adds a call whose frame has this size.
    pub(super) fn insert(&mut self, id: u64, reply: Reply, bytes: usize) {
        if self.limits.is_none() && self.calls.len() >= self.cleanup_threshold {
            self.calls.retain(|_, call| !call.reply.is_closed());
            self.bytes = self.calls.values().map(|call| call.bytes).sum();
            self.cleanup_threshold = MIN_CLEANUP_THRESHOLD.max(self.calls.len() * 2);
        }
        self.bytes += bytes;
        self.calls.insert(id, Call { reply, bytes });
    }

    /// Answers a call. Has no effect on an unknown one.
    pub(super) fn answer(&mut self, id: u64, result: Result<Bytes, CallError>) {
        if let Some(call) = self.remove(id) {
            answer(call.reply, result);
        }
    }

    /// Returns true if nobody waits for this call's answer, and forgets it then.
    pub(super) fn forget_given_up(&mut self, id: u64) -> bool {
        let is_awaited = self.calls.get(&id).is_some_and(|call| !call.reply.is_closed());
        if !is_awaited {
            self.remove(id);
        }
        !is_awaited
    }

    /// Fails all calls.
    pub(super) fn fail(&mut self, mut error: impl FnMut(u64) -> CallError) {
        self.bytes = 0;
        for (id, call) in std::mem::take(&mut self.calls) {
            answer(call.reply, Err(error(id)));
        }
    }

    fn remove(&mut self, id: u64) -> Option<Call> {
        let call = self.calls.remove(&id)?;
        self.bytes -= call.bytes;
        Some(call)
    }
}
