//! What was answered to whom.

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
use crate::{error::Error, protocol::RawPayload, rescue::retell};

/// What an answer counts for beyond its bytes and its key's.
const WEIGHT: usize = 256;

/// How much is remembered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) age: Duration,
    pub(super) count: usize,
    pub(super) bytes: usize,
}

/// What came of a message, for one more who asks.
pub(super) type Told = Result<RawPayload, Error>;

/// What was answered to whom, and what is being handled.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) bounds: Bounds,
    /// Keyed at random, so that nobody can make two payloads that look the same.
    hasher: RandomState,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    records: HashMap<Arc<Key>, Record>,
    /// The answered ones, the oldest first. All are remembered equally long.
    answered: VecDeque<(Instant, Arc<Key>)>,
    bytes: usize,
}

#[derive(Debug)]
struct Record {
    /// Of the payload.
    fingerprint: u64,
    progress: Progress,
}

#[derive(Debug)]
enum Progress {
    /// Being handled; these wait for its outcome. Each is a message in flight, and bounded as those are.
    Running(Vec<oneshot::Sender<Told>>),
    Answered(RawPayload),
}

/// What is to be done with a message.
#[derive(Debug)]
pub(super) enum Claim {
    /// It is the first: it has to be handled.
    First(Running),
    /// The first is being handled.
    Wait(oneshot::Receiver<Told>),
    /// The first was answered.
    Again(RawPayload),
    /// The first had another payload.
    Differs,
}

impl Store {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            hasher: RandomState::new(),
            memory: Mutex::default(),
        }
    }

    /// Looks what is known of a message, and takes it on if nothing is.
    pub(super) fn claim(self: &Arc<Self>, key: Key, payload: &RawPayload) -> Claim {
        let fingerprint = self.hasher.hash_one(payload.bytes());
        let mut memory = self.memory.lock();
        memory.forget_old(&self.bounds);
        if let Some(record) = memory.records.get_mut(&key) {
            if record.fingerprint != fingerprint {
                return Claim::Differs;
            }
            return match &mut record.progress {
                Progress::Answered(answer) => Claim::Again(answer.clone()),
                Progress::Running(waiting) => {
                    // Those who have given up make room.
                    waiting.retain(|waiting| !waiting.is_closed());
                    let (tell, told) = oneshot::channel();
                    waiting.push(tell);
                    Claim::Wait(told)
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
        Claim::First(Running {
            store: self.clone(),
            key: Some(key),
        })
    }

    /// Remembers an answer. Returns who waits for it.
    fn remember(&self, key: Arc<Key>, answer: RawPayload) -> Vec<oneshot::Sender<Told>> {
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

    /// Forgets what was being handled. Returns who waits for it.
    fn forget(&self, key: &Arc<Key>) -> Vec<oneshot::Sender<Told>> {
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
    /// Forgets answers that are too old, and the oldest of those that are too many.
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

/// A message being handled. Dropped before its end, it is forgotten, and who waits for it is told so.
#[derive(Debug)]
pub(super) struct Running {
    store: Arc<Store>,
    /// None when it has ended.
    key: Option<Arc<Key>>,
}

impl Running {
    /// It was answered.
    pub(super) fn succeed(mut self, answer: &RawPayload) {
        let Some(key) = self.key.take() else { return };
        // A copy: a slice of something larger would keep all of that.
        let answer = answer.bytes().map_or(RawPayload::absent(), |bytes| {
            RawPayload::json(Bytes::copy_from_slice(bytes))
        });
        for waiting in self.store.remember(key, answer.clone()) {
            let _ = waiting.send(Ok(answer.clone()));
        }
    }

    /// It was refused.
    pub(super) fn fail(mut self, error: &BoxError) {
        let Some(key) = self.key.take() else { return };
        for waiting in self.store.forget(&key) {
            let _ = waiting.send(Err(retell(&**error)));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            // Who waits notices that nobody will tell.
            self.store.forget(&key);
        }
    }
}

fn length(answer: &RawPayload) -> usize {
    answer.bytes().map_or(0, <[u8]>::len)
}
