//! The header of a WebSocket frame.

use std::ops::Deref;

/// The header of a frame that holds a whole text message and is not masked, as servers send them (RFC 6455, section 5.2).
#[derive(Debug, Clone, Copy)]
pub struct FrameHeader {
    bytes: [u8; Self::MAX],
    len: usize,
}

impl FrameHeader {
    /// The longest header, in bytes.
    pub const MAX: usize = 10;

    /// The header before a payload of so many bytes.
    #[must_use]
    pub fn text(payload: usize) -> Self {
        const FIN_AND_TEXT: u8 = 0x81;
        let mut bytes = [FIN_AND_TEXT, 0, 0, 0, 0, 0, 0, 0, 0, 0];
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
        Self { bytes, len }
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
        assert_eq!(&*FrameHeader::text(0), [0x81, 0]);
        assert_eq!(&*FrameHeader::text(125), [0x81, 125]);
        assert_eq!(&*FrameHeader::text(126), [0x81, 126, 0, 126]);
        assert_eq!(&*FrameHeader::text(65_535), [0x81, 126, 0xff, 0xff]);
        assert_eq!(&*FrameHeader::text(65_536), [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }
}
