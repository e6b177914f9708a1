//! The client's side of a session that can be resumed: section 3 of PROTOCOL.md. The test kit's client and the
//! simulator's share it. It is not that of [`client`](crate::client), so that the two do not share their mistakes.

use std::{collections::VecDeque, time::Duration};

use serde::Deserialize;
use tokio::time::Instant;
use zocket_layers::ClientId;

/// Modifier of the offer, and feature of the welcome, for sessions that can be resumed.
pub(super) const RESUME: &str = "zocket.resume";
/// Acknowledgement of the frames up to a number.
pub(super) const ACK: &str = "__ack";
/// A frame that does nothing. It stands for a call that was given up before the server had received it.
const VOID: &str = r#"{"type":"__void"}"#;

/// Weight of a frame in addition to its bytes.
const FRAME_WEIGHT: usize = 64;
/// Resumes from the same number after which the server may end a session: the next frame may break its connections.
const MAX_OFFERS: usize = 3;

/// The first frame of the server. Members of features that the server lacks are absent.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Welcome {
    pub(super) client_id: ClientId,
    #[serde(default)]
    limits: WelcomeLimits,
    pub(super) heartbeat_ms: Option<u64>,
    ack_ms: Option<u64>,
    parked_ms: Option<u64>,
    /// Token with which the next connection can resume the session. `None` if the server can't.
    session: Option<String>,
    #[serde(default)]
    pub(super) resumed: bool,
    /// Number of the client's last frame that the server has.
    #[serde(default)]
    received: u64,
    /// Number of the server's own last frame.
    #[serde(default)]
    sent: u64,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct WelcomeLimits {
    /// Bytes of unacknowledged frames that either side keeps.
    record: Option<usize>,
}

/// A message of the client.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) text: String,
    pub(super) rpc_id: Option<u64>,
}

impl Sent {
    fn weight(&self) -> usize {
        self.text.len() + FRAME_WEIGHT
    }
}

/// Counters, tokens and unacknowledged frames of a session.
#[derive(Debug)]
pub(super) struct Record {
    token: String,
    /// True once something has shown that the server has parked this session before, or would park it.
    is_known_to_park: bool,
    /// Number of the server's last frame that was received.
    received: u64,
    /// Number that was acknowledged last. `None` if no acknowledgement was sent on this connection.
    acknowledged: Option<u64>,
    unacknowledged_bytes: usize,
    ack_at: Option<Instant>,
    ack_every: Duration,
    /// Frames that the server has not acknowledged. `first` is the number of the first of them.
    frames: VecDeque<Sent>,
    first: u64,
    weight: usize,
    /// Index of the next frame that is sent again.
    resend: usize,
    max_weight: usize,
    parked_for: Duration,
    /// Time at which this client has noticed the break, and the first at which the server may have.
    broken_at: Option<Instant>,
    parked_at: Option<Instant>,
    /// Offers with the present number. Their welcomes may have been lost.
    offers: usize,
}

impl Record {
    /// Begins a session with its first welcome. `None` if the server can't resume sessions.
    pub(super) fn begin(welcome: &Welcome) -> Option<Self> {
        Some(Self {
            token: welcome.session.clone()?,
            is_known_to_park: false,
            received: 0,
            acknowledged: None,
            unacknowledged_bytes: 0,
            ack_at: None,
            ack_every: Duration::from_millis(welcome.ack_ms.unwrap_or(1_000)),
            frames: VecDeque::new(),
            first: 1,
            weight: 0,
            resend: 0,
            max_weight: welcome.limits.record.unwrap_or(1 << 20),
            parked_for: Duration::from_millis(welcome.parked_ms.unwrap_or(30_000)),
            broken_at: None,
            parked_at: None,
            offers: 0,
        })
    }

    /// Returns the offer that asks for this session: its token, and the number of the last frame.
    pub(super) fn offer(&mut self) -> String {
        self.offers += 1;
        format!("{RESUME}.{}.{}", self.token, self.received)
    }

    /// Records the end of a connection without a Close. The server may have parked the session since `parked_at`.
    pub(super) fn break_off(&mut self, parked_at: Instant, now: Instant) {
        // A handshake that failed since then has not changed the session's time.
        self.broken_at.get_or_insert(now);
        self.parked_at.get_or_insert(parked_at);
        self.acknowledged = None;
        self.ack_at = None;
    }

    /// Returns true if the session has been parked for so long that the server has ended it.
    pub(super) fn has_expired(&self, now: Instant) -> bool {
        self.broken_at.is_some_and(|at| now - at >= self.parked_for)
    }

    /// Returns true if the server has no reason not to resume the session for a client that dials at `now`.
    pub(super) fn must_be_resumed(&self, now: Instant) -> bool {
        let is_in_time = self
            .parked_at
            .is_none_or(|at| now - at + Duration::from_secs(1) < self.parked_for);
        self.is_known_to_park && is_in_time && self.offers <= MAX_OFFERS
    }

    /// Continues the session on a new connection. Frames that the server lacks are sent again.
    ///
    /// # Errors
    /// The rule that the welcome breaks.
    pub(super) fn resume(&mut self, welcome: &Welcome) -> Result<(), String> {
        let Self { first, received, .. } = *self;
        let last = first + self.frames.len() as u64 - 1;
        if welcome.received + 1 < first || welcome.received > last {
            return Err(format!(
                "welcome: expected `received` from {} to {last}, got {}",
                first - 1,
                welcome.received
            ));
        }
        if welcome.sent < received {
            return Err(format!(
                "welcome: expected `sent` of at least {received}, which this client has, got {}",
                welcome.sent
            ));
        }
        let Some(token) = welcome.session.clone() else {
            return Err("welcome: expected a new token, got none".to_owned());
        };
        self.token = token;
        self.is_known_to_park = true;
        (self.broken_at, self.parked_at) = (None, None);
        self.acknowledge(welcome.received)?;
        self.resend = 0;
        Ok(())
    }

    /// Records the server's acknowledgement. A lower one than before is ignored.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub(super) fn acknowledge(&mut self, number: u64) -> Result<(), String> {
        let last = self.first + self.frames.len() as u64 - 1;
        if number > last {
            return Err(format!(
                "the app acknowledged frame {number}, and {last} were sent"
            ));
        }
        while self.first <= number
            && let Some(frame) = self.frames.pop_front()
        {
            self.weight -= frame.weight();
            self.first += 1;
            self.resend = self.resend.saturating_sub(1);
        }
        Ok(())
    }

    /// Counts a frame of the server.
    pub(super) fn count(&mut self, bytes: usize, now: Instant) {
        self.received += 1;
        self.offers = 0;
        self.unacknowledged_bytes += bytes + FRAME_WEIGHT;
        self.ack_at.get_or_insert(now + self.ack_every);
    }

    /// Records that the server would park the session: it has handled a message of this connection.
    pub(super) fn prove(&mut self) {
        self.is_known_to_park = true;
    }

    /// Returns an acknowledgement if one is due: first on a connection, then after a time or a quarter of the record.
    pub(super) fn take_ack(&mut self, now: Instant) -> Option<String> {
        let is_due = self.acknowledged.is_none()
            || self.ack_at.is_some_and(|at| at <= now)
            || self.unacknowledged_bytes > self.max_weight / 4;
        is_due.then(|| {
            self.acknowledged = Some(self.received);
            self.unacknowledged_bytes = 0;
            self.ack_at = None;
            format!(r#"{{"type":"{ACK}","payload":{}}}"#, self.received)
        })
    }

    /// Returns the time of the next acknowledgement.
    pub(super) const fn ack_at(&self) -> Option<Instant> {
        self.ack_at
    }

    /// Returns the next frame that the server lacks. A call that was given up is replaced, since numbers have no gaps.
    pub(super) fn take_resend(&mut self, is_given_up: impl FnOnce(u64) -> bool) -> Option<String> {
        let frame = self.frames.get_mut(self.resend)?;
        if frame.rpc_id.is_some_and(is_given_up) {
            self.weight -= frame.weight();
            *frame = Sent {
                text: VOID.to_owned(),
                rpc_id: None,
            };
            self.weight += frame.weight();
        }
        self.resend += 1;
        Some(frame.text.clone())
    }

    /// Returns true if another message may be sent: less than half of the record is used.
    pub(super) fn has_room(&self) -> bool {
        self.weight < self.max_weight / 2
    }

    /// Records a message that is sent for the first time.
    pub(super) fn push(&mut self, frame: Sent) {
        self.weight += frame.weight();
        self.frames.push_back(frame);
        self.resend = self.frames.len();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn welcome(resumed: bool, received: u64, sent: u64) -> Welcome {
        let payload = json!({
            "clientId": "67e55044-10b1-426f-9247-bb680e5fe0c8", "session": "token",
            "resumed": resumed, "received": received, "sent": sent, "ackMs": 100, "parkedMs": 30_000,
            "limits": { "record": 1_000 },
        });
        serde_json::from_value(payload).unwrap()
    }

    /// Returns a record of calls with the ids 1 to `calls`, none of them acknowledged.
    fn record(calls: u64) -> Record {
        let mut record = Record::begin(&welcome(false, 0, 0)).unwrap();
        for id in 1..=calls {
            record.push(Sent {
                text: id.to_string(),
                rpc_id: Some(id),
            });
        }
        record
    }

    fn resent(record: &mut Record, given_up: u64) -> Vec<String> {
        std::iter::from_fn(|| record.take_resend(|id| id == given_up)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_resume_the_frames_that_the_server_lacks_are_sent_again() {
        let mut record = record(5);
        record.acknowledge(1).unwrap();
        assert_eq!(resent(&mut record, 0), [""; 0]);
        record.count(10, Instant::now());
        record.break_off(Instant::now(), Instant::now());
        assert_eq!(record.offer(), "zocket.resume.token.1");
        record.resume(&welcome(true, 3, 2)).unwrap();
        // A call that was given up keeps its number.
        assert_eq!(resent(&mut record, 4), [VOID, "5"]);
        assert_eq!(resent(&mut record, 4), [""; 0]);
        record.acknowledge(5).unwrap();
        assert_eq!(record.weight, 0);
    }

    #[test]
    fn numbers_that_can_not_be_are_failures() {
        for (received, sent) in [(0, 1), (6, 1), (3, 0)] {
            let mut record = record(5);
            record.acknowledge(2).unwrap();
            record.received = 1;
            assert!(
                record.resume(&welcome(true, received, sent)).is_err(),
                "{received}, {sent}"
            );
        }
        assert!(record(2).acknowledge(3).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn acknowledgements_come_first_on_a_connection_then_by_time_and_by_bytes() {
        let (mut record, now) = (record(0), Instant::now());
        assert_eq!(
            record.take_ack(now).as_deref(),
            Some(r#"{"type":"__ack","payload":0}"#)
        );
        assert_eq!(record.take_ack(now), None);
        record.count(10, now);
        assert_eq!(record.take_ack(now), None);
        let later = now + Duration::from_millis(100);
        assert_eq!(
            record.take_ack(later).as_deref(),
            Some(r#"{"type":"__ack","payload":1}"#)
        );
        record.count(200, now);
        assert!(record.take_ack(now).is_some());
        record.break_off(now, now);
        assert!(record.take_ack(now).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_must_be_resumed_once_it_is_known_to_park_and_within_its_time() {
        let (mut record, now) = (record(1), Instant::now());
        record.break_off(now, now);
        assert!(!record.must_be_resumed(now));
        record.prove();
        assert!(record.must_be_resumed(now));
        let late = now + Duration::from_secs(30);
        assert!(!record.must_be_resumed(late) && record.has_expired(late));
        for _ in 0..MAX_OFFERS {
            assert_eq!(record.offer(), "zocket.resume.token.0");
            assert!(record.must_be_resumed(now));
        }
        record.offer();
        assert!(!record.must_be_resumed(now));
        record.count(10, now);
        assert!(record.must_be_resumed(now));
    }

    #[test]
    fn messages_wait_while_half_of_the_record_is_used() {
        let mut record = record(7);
        assert!(record.has_room());
        for id in 8..10 {
            record.push(Sent {
                text: id.to_string(),
                rpc_id: None,
            });
        }
        assert!(!record.has_room());
        record.acknowledge(4).unwrap();
        assert!(record.has_room());
    }
}
