//! The client's part of the extended protocol: offers, the welcome, and acknowledgements as a real client sends them.

use memchr::memmem;

use crate::{
    Error, Result,
    wire::{self, Speech},
};

/// Time after which received frames are acknowledged, in nanoseconds: `ackMs` of the welcome.
const ACK_AFTER: u64 = 1_000_000_000;
/// Bytes after which received frames are acknowledged: a quarter of `limits.record`.
const ACK_BYTES: usize = 256 << 10;
/// Bytes that a frame counts beyond its length.
const FRAME: usize = 64;

/// Returns the offers of a client, as the value of `Sec-WebSocket-Protocol`. They are those of Zocket's own clients.
pub(crate) fn offers(speech: Speech, back: Option<&Ticket>) -> Option<String> {
    let extended = "zocket.v1.json, zocket.refusals, zocket.flow";
    match (speech, back) {
        (Speech::Zocket | Speech::SocketIo, _) => None,
        (Speech::Extended, _) => Some(extended.to_owned()),
        (Speech::Resume, None) => Some(format!("{extended}, zocket.resume")),
        (Speech::Resume, Some(Ticket { token, received })) => {
            Some(format!("{extended}, zocket.resume.{token}.{received}"))
        }
    }
}

/// The way back to a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) token: String,
    /// Number of the last frame that the client has.
    pub(crate) received: u64,
}

/// A welcome, as far as the benchmark needs it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Welcome {
    pub(crate) token: Option<String>,
    pub(crate) is_resumed: bool,
}

impl Welcome {
    /// Reads a welcome. Returns `None` for another frame.
    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        if !payload.starts_with(br#"{"type":"__welcome""#) {
            return None;
        }
        let key: &[u8] = br#""session":""#;
        let token = memmem::find(payload, key).and_then(|at| {
            let rest = &payload[at + key.len()..];
            let end = memchr::memchr(b'"', rest)?;
            Some(String::from_utf8_lossy(&rest[..end]).into_owned())
        });
        let is_resumed = memmem::find(payload, br#""resumed":true"#).is_some();
        Some(Self { token, is_resumed })
    }

    /// Returns the token of the session.
    ///
    /// # Errors
    ///
    /// If the server offers none, or has resumed a session that this client did not have, or not the one that it had.
    pub(crate) fn session(self, resumes: bool) -> Result<String> {
        if self.is_resumed != resumes {
            return Err(Error::Failed(format!("resumed: {}", self.is_resumed)));
        }
        self.token
            .ok_or_else(|| Error::Failed("the server does not resume sessions".into()))
    }
}

/// Received frames, and those that were acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Acks {
    received: u64,
    told: u64,
    bytes: usize,
    /// Time of the first frame that is not acknowledged.
    since: u64,
}

impl Acks {
    /// Counts on from this number, which is not acknowledged on the new socket.
    pub(crate) fn after(received: u64) -> Self {
        Self {
            received,
            ..Self::default()
        }
    }

    /// Counts a frame, unless it is one that has no number.
    pub(crate) fn count(&mut self, now: u64, payload: &[u8]) {
        if has_no_number(payload) {
            return;
        }
        if self.received == self.told {
            self.since = now;
        }
        self.received += 1;
        self.bytes += payload.len() + FRAME;
    }

    /// Returns true if an acknowledgement is due.
    pub(crate) fn is_due(&self, now: u64) -> bool {
        self.received > self.told && (self.bytes > ACK_BYTES || now.saturating_sub(self.since) >= ACK_AFTER)
    }

    /// Appends an acknowledgement of all frames that were received.
    pub(crate) fn write(&mut self, out: &mut Vec<u8>) {
        (self.told, self.bytes) = (self.received, 0);
        out.extend(wire::masked(
            1,
            format!(r#"{{"type":"__ack","payload":{}}}"#, self.received).as_bytes(),
        ));
    }
}

/// Returns true for a frame that is not counted, and that no load has to see.
pub(crate) fn has_no_number(payload: &[u8]) -> bool {
    [
        br#"{"type":"__ack""#.as_slice(),
        br#"{"type":"__pong""#,
        br#"{"type":"__welcome""#,
    ]
    .iter()
    .any(|start| payload.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::{ACK_AFTER, ACK_BYTES, Acks, Speech, Ticket, Welcome, offers};

    const WELCOME: &[u8] =
        br#"{"type":"__welcome","payload":{"clientId":"c","session":"abc.d","resumed":false,"received":0}}"#;

    #[test]
    fn a_welcome_has_the_token() {
        let welcome = Welcome::read(WELCOME).unwrap();
        assert_eq!(welcome.token.as_deref(), Some("abc.d"));
        assert_eq!(welcome.session(false).unwrap(), "abc.d");
        assert_eq!(Welcome::read(br#"{"type":"room.said"}"#), None);
    }

    #[test]
    fn a_new_session_in_place_of_the_old_one_is_an_error() {
        assert!(Welcome::read(WELCOME).unwrap().session(true).is_err());
    }

    #[test]
    fn a_client_that_comes_back_offers_its_token_and_its_last_frame() {
        let back = Ticket {
            token: "t".into(),
            received: 7,
        };
        assert!(
            offers(Speech::Resume, Some(&back))
                .unwrap()
                .ends_with("zocket.resume.t.7")
        );
        assert_eq!(offers(Speech::Zocket, None), None);
    }

    #[test]
    fn an_ack_is_due_after_a_second_or_a_quarter_of_the_record() {
        let mut acks = Acks::default();
        assert!(!acks.is_due(5 * ACK_AFTER));
        acks.count(ACK_AFTER, br#"{"type":"room.said"}"#);
        assert!(!acks.is_due(2 * ACK_AFTER - 1));
        assert!(acks.is_due(2 * ACK_AFTER));
        acks.write(&mut Vec::new());
        assert!(!acks.is_due(9 * ACK_AFTER));
        acks.count(9 * ACK_AFTER, &vec![b'x'; ACK_BYTES]);
        assert!(acks.is_due(9 * ACK_AFTER));
        assert_eq!(acks.received, 2);
    }

    #[test]
    fn frames_of_the_protocol_have_no_number() {
        let mut acks = Acks::default();
        acks.count(0, br#"{"type":"__ack","payload":3}"#);
        acks.count(0, WELCOME);
        assert_eq!(acks.received, 0);
    }
}
