use std::ops::Deref;

use super::Kind;

/// Header of an unmasked frame that holds a whole message, as servers send it (RFC 6455, section 5.2).
#[derive(Debug, Clone, Copy)]
pub struct FrameHeader {
    kind: Kind,
    bytes: [u8; Self::MAX],
    len: usize,
}

const FIN: u8 = 0x80;
const OPCODE_TEXT: u8 = 1;
const OPCODE_BINARY: u8 = 2;

impl FrameHeader {
    /// Length of the longest header, in bytes.
    pub const MAX: usize = 10;

    /// Creates the header of a frame of this kind with `payload` bytes of content.
    #[must_use]
    pub fn new(kind: Kind, payload: usize) -> Self {
        let opcode = match kind {
            Kind::Text => OPCODE_TEXT,
            Kind::Binary => OPCODE_BINARY,
        };
        let mut bytes = [FIN | opcode, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let len = if payload < 126 {
            bytes[1] = payload as u8;
            2
        } else if let Ok(payload) = u16::try_from(payload) {
            bytes[1] = 126;
            bytes[2..4].copy_from_slice(&payload.to_be_bytes());
            4
        } else {
            bytes[1] = 127;
            bytes[2..10].copy_from_slice(&(payload as u64).to_be_bytes());
            10
        };
        Self { kind, bytes, len }
    }

    /// Returns the kind: text or binary.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Reads the header of a whole frame. Returns none unless `frame` is exactly one unmasked, unfragmented text or
    /// binary frame whose length has the shortest encoding.
    #[must_use]
    pub fn of(frame: &[u8]) -> Option<Self> {
        let kind = match frame.first()? {
            0x81 => Kind::Text,
            0x82 => Kind::Binary,
            _ => return None,
        };
        let len = match frame.get(1)? {
            0..126 => 2,
            126 => 4,
            127 => 10,
            _ => return None,
        };
        let header = Self::new(kind, frame.len().checked_sub(len)?);
        frame.starts_with(&header).then_some(header)
    }
}

impl FrameHeader {
    /// Returns the length of the first of several frames, header included. Returns none if there is none.
    #[must_use]
    pub fn frame_len(frames: &[u8]) -> Option<usize> {
        let (header, content) = match *frames {
            [_, 126, high, low, ..] => (4, u16::from_be_bytes([high, low]).into()),
            [_, 127, a, b, c, d, e, f, g, h, ..] => (10, u64::from_be_bytes([a, b, c, d, e, f, g, h])),
            [_, length @ 0..126, ..] => (2, length.into()),
            _ => return None,
        };
        Some(header + usize::try_from(content).ok()?)
    }
}

impl Deref for FrameHeader {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_takes_as_many_bytes_as_it_needs() {
        let text = |payload| FrameHeader::new(Kind::Text, payload);
        assert_eq!(&*text(0), [0x81, 0]);
        assert_eq!(&*text(125), [0x81, 125]);
        assert_eq!(&*text(126), [0x81, 126, 0, 126]);
        assert_eq!(&*text(65_535), [0x81, 126, 0xff, 0xff]);
        assert_eq!(&*text(65_536), [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(&*FrameHeader::new(Kind::Binary, 1), [0x82, 1]);
    }

    #[test]
    fn a_whole_frame_has_a_header_and_anything_else_has_none() {
        for payload in [0, 1, 125, 126, 65_535, 65_536] {
            let header = FrameHeader::new(Kind::Text, payload);
            let mut frame = header.to_vec();
            frame.resize(header.len() + payload, b'x');
            assert_eq!(FrameHeader::of(&frame).as_deref(), Some(&*header));
            assert_eq!(FrameHeader::frame_len(&frame), Some(frame.len()));
            frame.push(b'x');
            assert_eq!(FrameHeader::frame_len(&frame), Some(frame.len() - 1));
            assert!(
                FrameHeader::of(&frame).is_none(),
                "one byte too many after {payload}"
            );
            frame.truncate(frame.len() - 2);
            assert!(FrameHeader::of(&frame).is_none(), "one byte too few of {payload}");
        }
        for frame in [
            &b""[..],
            &[0x81],
            &[0x01, 0],
            &[0x89, 0],
            &[0x81, 0x80, 1, 2, 3, 4],
        ] {
            assert!(FrameHeader::of(frame).is_none(), "{frame:?}");
        }
    }
}
