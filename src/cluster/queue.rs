//! The queue of what goes to the other nodes. It is bounded, and nobody waits for a place.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use indexmap::IndexMap;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use zocket_layers::hub::Full;

use super::{emit::Part, note::Note, wire::EventMessage};

/// Notes that may wait.
const NOTES: usize = 1 << 12;
/// Events that may wait.
const EVENTS: usize = 1 << 16;
/// Subjects whose skipped events are counted. Beyond it, a loss does not show at the receivers.
const SKIPPED_SUBJECTS: usize = 1 << 16;

/// The senders' half of the queue.
pub(super) struct Queue {
    /// They precede events, so that joins of other nodes do not wait for these.
    notes: mpsc::Sender<QueuedNote>,
    /// Bytes of the lists in notes that wait. Without a bound, questions that are asked often would take memory for as many
    /// answers.
    note_bytes: AtomicUsize,
    events: mpsc::Sender<Queued>,
    /// Bytes of the events that wait.
    bytes: AtomicUsize,
    max_bytes: usize,
    /// Events that found no place while the engine was away: their number by subject.
    skipped: Mutex<IndexMap<Arc<str>, u64>>,
}

/// The half of the task that sends.
pub(super) struct QueueReceiver {
    pub(super) notes: mpsc::Receiver<QueuedNote>,
    pub(super) events: mpsc::Receiver<Queued>,
}

/// An event that waits, or a flush of those before it.
pub(super) enum Queued {
    /// An event, without what its parts have of their own.
    Event {
        parts: Vec<Part>,
        message: EventMessage,
        bytes: usize,
    },
    Flush(oneshot::Sender<Result<(), Full>>),
    /// The end of this node's part, after what was queued before.
    Leave(oneshot::Sender<Result<(), Full>>),
}

/// A note that waits to be sent on a subject.
pub(super) struct QueuedNote {
    pub(super) subject: Arc<str>,
    pub(super) note: Note,
    /// Bytes of its lists.
    pub(super) bytes: usize,
}

/// Creates a queue for events of this many bytes, and notes with lists of as many.
pub(super) fn queue(max_bytes: usize) -> (Queue, QueueReceiver) {
    let (note_sender, notes) = mpsc::channel(NOTES);
    let (event_sender, events) = mpsc::channel(EVENTS);
    let queue = Queue {
        notes: note_sender,
        note_bytes: AtomicUsize::new(0),
        events: event_sender,
        bytes: AtomicUsize::new(0),
        max_bytes,
        skipped: Mutex::default(),
    };
    (queue, QueueReceiver { notes, events })
}

impl Queue {
    /// Queues a note.
    ///
    /// # Errors
    /// If too many notes wait.
    pub(super) fn note(&self, subject: Arc<str>, note: Note) -> Result<(), Full> {
        self.notes(&subject, vec![note])
    }

    /// Queues all of these notes, or none.
    ///
    /// # Errors
    /// If too many notes wait.
    pub(super) fn notes(&self, subject: &Arc<str>, notes: Vec<Note>) -> Result<(), Full> {
        let permits = self.notes.try_reserve_many(notes.len());
        let permits = permits.map_err(|_| is_full())?;
        let all = notes.iter().map(Note::footprint).sum();
        let waiting = self.note_bytes.fetch_add(all, Ordering::AcqRel);
        // Notes without lists, such as the answer to a barrier, do not wait for others. Lists of any size find a place among
        // such notes.
        if all > 0 && waiting > 0 && waiting.saturating_add(all) > self.max_bytes {
            self.free_note(all);
            return Err(is_full());
        }
        for (permit, note) in permits.zip(notes) {
            let (subject, bytes) = (subject.clone(), note.footprint());
            permit.send(QueuedNote { subject, note, bytes });
        }
        Ok(())
    }

    /// Frees the bytes of a note that has been sent.
    pub(super) fn free_note(&self, bytes: usize) {
        self.note_bytes.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// Reserves a place for an event of this size. Returns none if the queue is full.
    pub(super) fn reserve(&self, bytes: usize) -> Option<Place<'_>> {
        let permit = self.events.try_reserve().ok()?;
        let waiting = self.bytes.fetch_add(bytes, Ordering::AcqRel);
        let place = Place {
            permit: Some(permit),
            queue: self,
            bytes,
        };
        // An event of any size finds a place in an empty queue.
        (waiting == 0 || waiting.saturating_add(bytes) <= self.max_bytes).then_some(place)
    }

    /// Frees the bytes of an event that has been sent.
    pub(super) fn free(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// Counts an event that is not sent to other nodes.
    pub(super) fn skip(&self, subjects: impl IntoIterator<Item = Arc<str>>) {
        let mut skipped = self.skipped.lock();
        for subject in subjects {
            if skipped.len() < SKIPPED_SUBJECTS || skipped.contains_key(&subject) {
                *skipped.entry(subject).or_default() += 1;
            }
        }
    }

    /// Returns the number of events that were skipped since the last call, by subject.
    pub(super) fn take_skipped(&self) -> IndexMap<Arc<str>, u64> {
        mem::take(&mut *self.skipped.lock())
    }

    /// Waits until the engine has taken what was queued before.
    pub(super) async fn flush(&self) -> Result<(), Full> {
        self.wait(Queued::Flush).await
    }

    /// Ends this node's part, after what was queued before. Waits until the engine has taken all of it.
    pub(super) async fn leave(&self) -> Result<(), Full> {
        self.wait(Queued::Leave).await
    }

    async fn wait(&self, queued: fn(oneshot::Sender<Result<(), Full>>) -> Queued) -> Result<(), Full> {
        let (sender, done) = oneshot::channel();
        self.events.try_send(queued(sender)).map_err(|_| is_full())?;
        done.await.unwrap_or_else(|_| {
            let reason = "the hub has ended".into();
            Err(Full::Engine { reason })
        })
    }
}

/// A place in the queue. It is given back if it is dropped.
pub(super) struct Place<'a> {
    /// None once the place is used.
    permit: Option<mpsc::Permit<'a, Queued>>,
    queue: &'a Queue,
    bytes: usize,
}

impl Place<'_> {
    pub(super) fn send(mut self, queued: Queued) {
        if let Some(permit) = self.permit.take() {
            permit.send(queued);
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.permit.is_some() {
            self.queue.free(self.bytes);
        }
    }
}

/// Returns the refusal of a full queue.
pub(super) fn is_full() -> Full {
    Full::Engine {
        reason: "too much waits to be sent to the other nodes".into(),
    }
}

#[cfg(test)]
mod tests {
    use zocket_layers::ClientId;

    use super::*;

    #[test]
    fn a_place_that_is_not_used_is_given_back() {
        let (queue, _receiver) = queue(100);
        let place = queue.reserve(60);
        assert!(place.is_some() && queue.reserve(60).is_none());
        drop(place);
        assert!(queue.reserve(60).is_some());
        assert!(
            queue.reserve(1_000).is_some(),
            "an empty queue takes an event of any size"
        );
    }

    #[test]
    fn notes_find_a_place_together_or_not_at_all() {
        let found = |clients: usize| Note::Found {
            query: 1,
            part: 0,
            of: 1,
            clients: (0..clients).map(|_| ClientId::random()).collect(),
        };
        let (queue, mut receiver) = queue(1_000);
        let subject = Arc::from("a");
        assert!(queue.notes(&subject, vec![Note::Gone; NOTES + 1]).is_err());
        assert!(receiver.notes.try_recv().is_err());
        queue.notes(&subject, vec![found(100), found(1)]).unwrap();
        assert!(queue.note(subject.clone(), found(1)).is_err());
        queue.note(subject.clone(), Note::Gone).unwrap();
        queue.free_note(receiver.notes.try_recv().unwrap().bytes);
        queue.note(subject.clone(), found(61)).unwrap();
        assert!(queue.note(subject, found(1)).is_err());
    }

    #[test]
    fn skipped_events_are_counted_by_subject() {
        let (queue, _receiver) = queue(0);
        let (a, b) = (Arc::from("a"), Arc::from("b"));
        queue.skip(vec![Arc::clone(&a), Arc::clone(&b)]);
        queue.skip(vec![Arc::clone(&a)]);
        assert_eq!(queue.take_skipped(), [(a, 2), (b, 1)].into());
        assert!(queue.take_skipped().is_empty());
    }
}
