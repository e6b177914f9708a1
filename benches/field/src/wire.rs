//! Minimal cost of reading and writing frames: templates that are masked in advance and patched at known places, and a
//! parser that reads headers only.

use memchr::memmem;

/// The protocol of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speech {
    /// The base protocol of `PROTOCOL.md`.
    Zocket,
    /// Its extended protocol, without resumption.
    Extended,
    /// Its extended protocol, with sessions that are resumed.
    Resume,
    /// Engine.IO 4 and Socket.IO 5, over a WebSocket from the start.
    SocketIo,
}

/// A non-zero mask, so that servers have to unmask.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// Length of a stamp, in characters.
pub(crate) const STAMP: usize = 32;
/// Ids of calls always have ten digits.
const FIRST_ID: u64 = 1_000_000_000;

/// Prefix of a text: its sender, its number, and its time of sending (nanoseconds since the start).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) sender: u32,
    pub(crate) number: u64,
    pub(crate) sent: u64,
}

/// A masked frame of a client, with places to patch.
#[derive(Debug)]
pub(crate) struct Template {
    frame: Vec<u8>,
    header: usize,
    id: Option<usize>,
    text: Option<usize>,
}

impl Template {
    /// Returns a call of `echo` with a text of `length` characters.
    pub(crate) fn echo(speech: Speech, length: usize) -> Self {
        let text = text(length);
        Self::new(&match speech {
            Speech::Zocket | Speech::Extended | Speech::Resume => {
                format!(r#"{{"type":"echo","payload":{{"text":"{text}","n":7}},"rpcId":{FIRST_ID}}}"#)
            }
            Speech::SocketIo => format!(r#"42{FIRST_ID}["echo",{{"text":"{text}","n":7}}]"#),
        })
    }

    /// Returns a call of `room.join` or `room.leave`.
    pub(crate) fn room(speech: Speech, kind: &str, room: &str) -> Self {
        Self::new(&match speech {
            Speech::Zocket | Speech::Extended | Speech::Resume => {
                format!(r#"{{"type":"{kind}","payload":{{"roomId":"{room}"}},"rpcId":{FIRST_ID}}}"#)
            }
            Speech::SocketIo => format!(r#"42{FIRST_ID}["{kind}",{{"roomId":"{room}"}}]"#),
        })
    }

    /// Returns a `room.say` without an answer, with a text of `length` characters.
    pub(crate) fn say(speech: Speech, room: &str, length: usize) -> Self {
        let text = text(length);
        Self::new(&match speech {
            Speech::Zocket | Speech::Extended | Speech::Resume => {
                format!(r#"{{"type":"room.say","payload":{{"roomId":"{room}","text":"{text}"}}}}"#)
            }
            Speech::SocketIo => format!(r#"42["room.say",{{"roomId":"{room}","text":"{text}"}}]"#),
        })
    }

    fn new(payload: &str) -> Self {
        let place = |what: &[u8], after: usize| memmem::find(payload.as_bytes(), what).map(|at| at + after);
        let frame = masked(1, payload.as_bytes());
        let header = frame.len() - payload.len();
        Self {
            id: place(FIRST_ID.to_string().as_bytes(), 0).map(|at| header + at),
            text: place(TEXT, TEXT.len()).map(|at| header + at),
            frame,
            header,
        }
    }

    /// Appends the frame with this id and stamp.
    pub(crate) fn write(&self, out: &mut Vec<u8>, id: u64, stamp: Stamp) {
        let base = out.len();
        out.extend_from_slice(&self.frame);
        let frame = &mut out[base..];
        if let Some(at) = self.id {
            digits(frame, self.header, at, 10, FIRST_ID + id % FIRST_ID);
        }
        if let Some(at) = self.text {
            digits(frame, self.header, at, 5, u64::from(stamp.sender));
            digits(frame, self.header, at + 6, 10, stamp.number);
            digits(frame, self.header, at + 17, 15, stamp.sent);
        }
    }
}

const TEXT: &[u8] = br#""text":""#;

/// Returns a stamp with padding.
fn text(length: usize) -> String {
    let mut text = format!("{:05}.{:010}.{:015}", 0, 0, 0);
    assert!(length >= STAMP, "a text has a stamp of {STAMP} characters");
    text.extend(std::iter::repeat_n('x', length - STAMP));
    text
}

fn digits(frame: &mut [u8], header: usize, at: usize, width: usize, mut value: u64) {
    for place in (at..at + width).rev() {
        frame[place] = (b'0' + (value % 10) as u8) ^ KEY[(place - header) % 4];
        value /= 10;
    }
}

/// Returns a masked frame of a client.
pub(crate) fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        short @ ..126 => frame.push(0x80 | short as u8),
        middle @ 126..65_536 => {
            frame.push(0x80 | 126);
            frame.extend((middle as u16).to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.extend(KEY);
    frame.extend(
        payload
            .iter()
            .zip(KEY.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
    frame
}

/// A server's frame: its opcode, and the range of its payload, at whose end the next frame begins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) opcode: u8,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Parses a header. Returns `None` if the frame is incomplete.
///
/// # Errors
///
/// For masked or fragmented frames, which no server here sends.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Header>, &'static str> {
    let [first, second, rest @ ..] = bytes else {
        return Ok(None);
    };
    if first & 0xf0 != 0x80 {
        return Err("a server sent a fragment, or an extension's bits");
    }
    let (length, start) = match second {
        126 => match rest {
            [a, b, ..] => (usize::from(u16::from_be_bytes([*a, *b])), 4),
            _ => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(length) => (u64::from_be_bytes(*length) as usize, 10),
            None => return Ok(None),
        },
        short @ ..126 => (usize::from(*short), 2),
        _ => return Err("a server masked a frame"),
    };
    let end = start + length;
    Ok((bytes.len() >= end).then_some(Header {
        opcode: first & 0x0f,
        start,
        end,
    }))
}

/// Finds the stamp of a text. `hint` is the last one's place, which is mostly the next one's, too.
pub(crate) fn stamp(payload: &[u8], hint: &mut usize) -> Option<Stamp> {
    let known = *hint >= TEXT.len() && payload.get(*hint - TEXT.len()..*hint) == Some(TEXT);
    if !known {
        *hint = memmem::find(&payload[..payload.len().min(512)], TEXT)? + TEXT.len();
    }
    let text = payload.get(*hint..*hint + STAMP)?;
    Some(Stamp {
        sender: number(&text[..5])? as u32,
        number: number(&text[6..16])?,
        sent: number(&text[17..])?,
    })
}

fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |value, digit| {
        digit
            .is_ascii_digit()
            .then(|| value * 10 + u64::from(digit - b'0'))
    })
}

/// Returns true for an answer that is not a refusal.
pub(crate) fn is_answer(speech: Speech, payload: &[u8]) -> bool {
    match speech {
        Speech::SocketIo => payload.starts_with(b"43"),
        Speech::Zocket | Speech::Extended | Speech::Resume => {
            memmem::find(&payload[..payload.len().min(64)], b"__rpc_res").is_some()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Speech, Stamp, Template, is_answer, masked, parse, stamp};

    /// Returns a client's frame as a server reads it.
    fn unmasked(frame: &[u8]) -> Vec<u8> {
        let header = match frame[1] & 0x7f {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        let key = &frame[header..header + 4];
        frame[header + 4..]
            .iter()
            .zip(key.iter().cycle())
            .map(|(byte, key)| byte ^ key)
            .collect()
    }

    #[test]
    fn a_frame_from_a_template_is_parsed_back() {
        for length in [32, 1_024, 65_536] {
            for speech in [Speech::Zocket, Speech::SocketIo] {
                let sent = Stamp {
                    sender: 9_999,
                    number: 1_234_567_890,
                    sent: 987_654_321_012_345,
                };
                let mut out = b"before".to_vec();
                Template::echo(speech, length).write(&mut out, 42, sent);
                let payload = unmasked(&out[6..]);
                let text = String::from_utf8(payload.clone()).unwrap();
                assert!(text.contains("1000000042"), "{text}");
                assert_eq!(stamp(&payload, &mut 0), Some(sent));
            }
        }
    }

    #[test]
    fn a_wrong_hint_is_ignored() {
        let payload = br#"{"payload":{"text":"00001.0000000002.000000000000003","n":7}}"#;
        for hint in [0, 5, 30, 1_000] {
            let expected = Stamp {
                sender: 1,
                number: 2,
                sent: 3,
            };
            assert_eq!(stamp(payload, &mut { hint }), Some(expected));
        }
        assert_eq!(stamp(br#"{"text":"short"}"#, &mut 0), None);
    }

    #[test]
    fn headers_of_each_length_are_read() {
        let frame = |head: &[u8], length: usize| [head, &vec![b'x'; length]].concat();
        let cases = [
            (frame(&[0x81, 5], 5), 2, 7),
            (frame(&[0x81, 126, 1, 0], 256), 4, 260),
            (frame(&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0], 65_536), 10, 65_546),
        ];
        for (bytes, start, end) in cases {
            let header = parse(&bytes).unwrap().unwrap();
            assert_eq!((header.start, header.end), (start, end));
            for cut in [0, 1, 3, bytes.len() - 1] {
                assert_eq!(parse(&bytes[..cut]), Ok(None));
            }
        }
    }

    #[test]
    fn fragments_and_masked_frames_are_refused() {
        assert!(parse(&[0x01, 0]).is_err());
        assert!(parse(&masked(1, b"hi")).is_err());
    }

    #[test]
    fn a_refusal_does_not_count_as_an_answer() {
        assert!(is_answer(Speech::Zocket, br#"{"type":"__rpc_res","rpcId":1}"#));
        assert!(!is_answer(Speech::Zocket, br#"{"type":"__rpc_err","rpcId":1}"#));
        assert!(is_answer(Speech::SocketIo, b"431[]"));
    }
}
