//! The memory of answers, by key.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::{sync::oneshot, time::Instant};
use tower::BoxError;

use super::key::Key;
use crate::{error::Error, protocol::RawPayload, rescue::refusal_for_waiter};

/// Bytes that each answer counts for, in addition to its own and its key's.
const WEIGHT: usize = 256;

/// Bounds of the memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) age: Duration,
    pub(super) count: usize,
    pub(super) bytes: usize,
}

/// Result of a message, for another message with the same key.
pub(super) type SharedResult = Result<RawPayload, Error>;

/// Answers by key, and the keys whose messages are being handled.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) bounds: Bounds,
    /// Randomly keyed, so that no client can construct two payloads with the same fingerprint.
    hasher: RandomState,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    records: HashMap<Arc<Key>, Record>,
    /// Keys of the answered records, the oldest first. All are remembered for the same time, so the first one expires
    /// first.
    answered: VecDeque<(Instant, Arc<Key>)>,
    bytes: usize,
}

#[derive(Debug)]
struct Record {
    /// Hash of the payload.
    fingerprint: u64,
    progress: Progress,
}

#[derive(Debug)]
enum Progress {
    /// Being handled. The senders deliver the outcome to the messages that wait for it. Their number is bounded, since
    /// each is a message in flight.
    Running(Vec<oneshot::Sender<SharedResult>>),
    Answered(RawPayload),
}

/// Decision about a message with a key.
#[derive(Debug)]
pub(super) enum Claim {
    /// The message is the first with its key, and has to be handled.
    New(FirstMessage),
    /// The first message is being handled. Its outcome arrives on the receiver.
    InProgress(oneshot::Receiver<SharedResult>),
    /// The first message was answered with this.
    Answered(RawPayload),
    /// The first message had another payload.
    OtherPayload,
}

impl Store {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            hasher: RandomState::new(),
            memory: Mutex::default(),
        }
    }

    /// Looks up the key of a message, and claims it for this message if it is new.
    pub(super) fn claim(self: &Arc<Self>, key: Key, payload: &RawPayload) -> Claim {
        let fingerprint = self.hasher.hash_one(payload.bytes());
        let mut memory = self.memory.lock();
        memory.forget_old(&self.bounds);
        if let Some(record) = memory.records.get_mut(&key) {
            if record.fingerprint != fingerprint {
                return Claim::OtherPayload;
            }
            return match &mut record.progress {
                Progress::Answered(answer) => Claim::Answered(answer.clone()),
                Progress::Running(waiting) => {
                    // Removes the messages that no longer wait.
                    waiting.retain(|waiting| !waiting.is_closed());
                    let (sender, result) = oneshot::channel();
                    waiting.push(sender);
                    Claim::InProgress(result)
                }
            };
        }
        let key = Arc::new(key);
        let progress = Progress::Running(Vec::new());
        memory.records.insert(
            key.clone(),
            Record {
                fingerprint,
                progress,
            },
        );
        Claim::New(FirstMessage {
            store: self.clone(),
            key: Some(key),
        })
    }

    /// Remembers an answer. Returns the senders of the messages that wait for it.
    fn remember(&self, key: Arc<Key>, answer: RawPayload) -> Vec<oneshot::Sender<SharedResult>> {
        let mut memory = self.memory.lock();
        let weight = WEIGHT + key.weight() + length(&answer);
        let waiting = match memory.records.get_mut(&key) {
            Some(record) => std::mem::replace(&mut record.progress, Progress::Answered(answer)),
            None => return Vec::new(),
        };
        memory.bytes += weight;
        memory.answered.push_back((Instant::now(), key));
        memory.forget_old(&self.bounds);
        match waiting {
            Progress::Running(waiting) => waiting,
            Progress::Answered(_) => Vec::new(),
        }
    }

    /// Forgets a key whose message was being handled. Returns the senders of the messages that wait for it.
    fn forget(&self, key: &Arc<Key>) -> Vec<oneshot::Sender<SharedResult>> {
        match self.memory.lock().records.remove(key) {
            Some(Record {
                progress: Progress::Running(waiting),
                ..
            }) => waiting,
            _ => Vec::new(),
        }
    }
}

impl Memory {
    /// Drops the answers that are too old, and then the oldest until count and bytes are within bounds.
    fn forget_old(&mut self, bounds: &Bounds) {
        while let Some((since, _)) = self.answered.front() {
            let is_old = since.elapsed() >= bounds.age;
            let too_many = self.answered.len() > bounds.count || self.bytes > bounds.bytes;
            if !is_old && !too_many {
                break;
            }
            let Some((_, key)) = self.answered.pop_front() else {
                break;
            };
            if let Some(Record {
                progress: Progress::Answered(answer),
                ..
            }) = self.records.remove(&key)
            {
                self.bytes -= WEIGHT + key.weight() + length(&answer);
            }
        }
    }
}

/// A message being handled. If it is dropped before its end, its key is forgotten, and the messages that wait for it
/// are refused.
#[derive(Debug)]
pub(super) struct FirstMessage {
    store: Arc<Store>,
    /// None once the message has finished.
    key: Option<Arc<Key>>,
}

impl FirstMessage {
    /// Remembers the answer, and sends it to the messages that wait for it.
    pub(super) fn succeed(mut self, answer: &RawPayload) {
        let Some(key) = self.key.take() else { return };
        // Copied, since a slice would keep the whole buffer in memory.
        let answer = answer.bytes().map_or(RawPayload::absent(), |bytes| {
            RawPayload::json(Bytes::copy_from_slice(bytes))
        });
        for waiting in self.store.remember(key, answer.clone()) {
            let _ = waiting.send(Ok(answer.clone()));
        }
    }

    /// Forgets the key, and sends the refusal to the messages that wait for it.
    pub(super) fn fail(mut self, error: &BoxError) {
        let Some(key) = self.key.take() else { return };
        for waiting in self.store.forget(&key) {
            let _ = waiting.send(Err(refusal_for_waiter(&**error)));
        }
    }
}

impl Drop for FirstMessage {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            // Dropping the senders wakes the messages that wait.
            self.store.forget(&key);
        }
    }
}

fn length(answer: &RawPayload) -> usize {
    answer.bytes().map_or(0, <[u8]>::len)
}
