//! The messages of a session that the server has not acknowledged.

use std::collections::VecDeque;

use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::wire::{FRAME_WEIGHT, VOID};

/// The messages that were sent in a session and that the server has not acknowledged, in their order. After a break,
/// those that the server lacks are sent again.
#[derive(Debug)]
pub(super) struct Record {
    messages: VecDeque<Recorded>,
    /// Number of the last acknowledged message.
    acknowledged: u64,
    /// Bytes of the messages, each with [`FRAME_WEIGHT`].
    weight: usize,
    max_weight: usize,
    /// Number of `messages` that the present connection was given.
    written: usize,
}

#[derive(Debug)]
struct Recorded {
    frame: Utf8Bytes,
    /// `None` for a message that requests no answer.
    id: Option<u64>,
}

/// An acknowledgement of messages that were never sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NeverSent;

impl Record {
    pub(super) fn new(max_weight: usize) -> Self {
        Self {
            messages: VecDeque::new(),
            acknowledged: 0,
            weight: 0,
            max_weight,
            written: 0,
        }
    }

    /// Returns true if one more message may be sent: the record is not half full. The other half leaves room for one
    /// message of any size.
    pub(super) fn has_room(&self) -> bool {
        self.weight < self.max_weight / 2
    }

    /// Adds a message that is sent for the first time.
    pub(super) fn push(&mut self, frame: Utf8Bytes, id: Option<u64>) {
        self.weight += frame.len() + FRAME_WEIGHT;
        self.messages.push_back(Recorded { frame, id });
        self.written = self.messages.len();
    }

    /// Drops the messages up to this number. A lower number than before has no effect.
    pub(super) fn acknowledge(&mut self, number: u64) -> Result<(), NeverSent> {
        let count = number.saturating_sub(self.acknowledged);
        let count = usize::try_from(count).map_err(|_| NeverSent)?;
        if count > self.messages.len() {
            return Err(NeverSent);
        }
        for message in self.messages.drain(..count) {
            self.weight -= message.frame.len() + FRAME_WEIGHT;
        }
        self.acknowledged = self.acknowledged.max(number);
        self.written = self.written.saturating_sub(count);
        Ok(())
    }

    /// Continues on a new connection, whose server has the messages up to this number and lacks all others. A lower
    /// number than it acknowledged before is impossible.
    pub(super) fn resume(&mut self, received: u64) -> Result<(), NeverSent> {
        if received < self.acknowledged {
            return Err(NeverSent);
        }
        self.acknowledge(received)?;
        self.written = 0;
        Ok(())
    }

    /// Returns the next message that is sent again. `is_given_up` is asked about a call: one that nobody waits for is
    /// replaced by a frame that does nothing, since numbers have no gaps.
    pub(super) fn next_again(&mut self, is_given_up: impl FnOnce(u64) -> bool) -> Option<Utf8Bytes> {
        let message = self.messages.get_mut(self.written)?;
        if message.id.is_some_and(is_given_up) {
            self.weight = self.weight - message.frame.len() + VOID.len();
            *message = Recorded {
                frame: Utf8Bytes::from_static(VOID),
                id: None,
            };
        }
        self.written += 1;
        Some(message.frame.clone())
    }

    /// Returns the ids of the calls that are not acknowledged.
    pub(super) fn ids(&self) -> impl Iterator<Item = u64> {
        self.messages.iter().filter_map(|message| message.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a record of calls with the ids 1 to `calls`, each of one byte.
    fn record(calls: u64) -> Record {
        let mut record = Record::new(1_000);
        for id in 1..=calls {
            record.push(id.to_string().into(), Some(id));
        }
        record
    }

    fn again(record: &mut Record, given_up: &[u64]) -> Vec<String> {
        let mut frames = Vec::new();
        while let Some(frame) = record.next_again(|id| given_up.contains(&id)) {
            frames.push(frame.to_string());
        }
        frames
    }

    #[test]
    fn messages_after_the_received_number_are_sent_again_once_per_connection() {
        let mut record = record(4);
        assert!(again(&mut record, &[]).is_empty());
        record.acknowledge(1).unwrap();
        record.resume(2).unwrap();
        assert_eq!(again(&mut record, &[]), ["3", "4"]);
        assert!(again(&mut record, &[]).is_empty());
        record.resume(2).unwrap();
        assert_eq!(again(&mut record, &[]), ["3", "4"]);
    }

    #[test]
    fn a_call_that_was_given_up_is_replaced_for_good() {
        let mut record = record(3);
        record.resume(0).unwrap();
        assert_eq!(again(&mut record, &[2]), ["1", VOID, "3"]);
        record.resume(1).unwrap();
        assert_eq!(again(&mut record, &[]), [VOID, "3"]);
        assert_eq!(record.ids().collect::<Vec<_>>(), [3]);
        record.acknowledge(3).unwrap();
        assert_eq!(record.weight, 0);
    }

    #[test]
    fn an_acknowledgement_between_resent_messages_skips_none() {
        let mut record = record(4);
        record.resume(0).unwrap();
        assert_eq!(record.next_again(|_| false).unwrap().as_str(), "1");
        assert_eq!(record.next_again(|_| false).unwrap().as_str(), "2");
        record.acknowledge(1).unwrap();
        assert_eq!(again(&mut record, &[]), ["3", "4"]);
    }

    #[test]
    fn only_sent_messages_can_be_acknowledged() {
        let mut record = record(2);
        assert_eq!(record.acknowledge(3), Err(NeverSent));
        assert_eq!(record.acknowledge(u64::MAX), Err(NeverSent));
        assert_eq!(record.acknowledge(2), Ok(()));
        assert_eq!(record.acknowledge(1), Ok(()), "a lower number is ignored");
        assert_eq!(record.resume(1), Err(NeverSent), "the server had two messages");
        assert_eq!(record.resume(3), Err(NeverSent));
        assert_eq!(record.resume(2), Ok(()));
    }

    #[test]
    fn half_of_the_record_is_filled() {
        let mut record = Record::new(400);
        for id in 1..=3 {
            assert!(record.has_room());
            record.push("x".repeat(3).into(), Some(id));
        }
        // 201 of 400 bytes.
        assert!(!record.has_room());
        record.acknowledge(1).unwrap();
        assert!(record.has_room());
    }
}
