//! A client without a WebSocket library, which writes any bytes, over the test kit's link.

use std::{
    pin::Pin,
    task::{Context as Task, Poll, Waker},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    runtime::{Builder, Runtime},
    time::sleep,
};
use zocket::testing::internal::Link;

/// The key of the example in RFC 6455, section 1.3.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The answer to it.
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Opcode of a text frame (RFC 6455, section 5.2).
pub(crate) const TEXT: u8 = 1;
/// Opcode of a Close frame.
pub(crate) const CLOSE: u8 = 8;
/// Opcode of a ping.
pub(crate) const PING: u8 = 9;
/// Opcode of a pong.
pub(crate) const PONG: u8 = 10;

/// Creates a runtime whose clock moves only while nothing else runs.
pub(crate) fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap()
}

/// Waits until no task can go on before its time.
pub(crate) async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

/// Returns a request for a WebSocket, with this query and these offers.
pub(crate) fn request(query: &str, offers: &str) -> String {
    let offers = match offers {
        "" => String::new(),
        offers => format!("Sec-WebSocket-Protocol: {offers}\r\n"),
    };
    format!(
        "GET /?{query} HTTP/1.1\r\nHost: app.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{offers}\r\n"
    )
}

/// Returns a whole frame of a client. Its mask is zero.
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match u16::try_from(payload.len()).expect("a small frame") {
        length @ 0..=125 => frame.push(0x80 | length as u8),
        length => {
            frame.push(0x80 | 126);
            frame.extend(length.to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// Returns the Close frame of a client.
pub(crate) fn close_frame(code: u16, reason: &str) -> Vec<u8> {
    frame(CLOSE, &[&code.to_be_bytes(), reason.as_bytes()].concat())
}

/// A frame of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// Returns the JSON of a text frame.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.opcode, TEXT, "{self:?}");
        serde_json::from_slice(&self.payload).unwrap()
    }

    /// Returns the code and the reason of a Close frame.
    pub(crate) fn close(&self) -> (u16, String) {
        match *self.payload {
            [] => (1005, String::new()),
            [high, low, ref reason @ ..] => {
                let reason = String::from_utf8(reason.to_vec()).expect("a reason is UTF-8");
                (u16::from_be_bytes([high, low]), reason)
            }
            [_] => panic!("a Close frame has half of a code"),
        }
    }
}

/// Head of an HTTP response.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// Fields, their names in lower case.
    fields: Vec<(String, String)>,
}

impl Head {
    /// Returns the value of the only field with this name.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.fields.iter().filter(|(field, _)| field == name);
        let (_, value) = values.next()?;
        assert!(values.next().is_none(), "several {name} in {self:?}");
        Some(value)
    }
}

/// The client's end of a connection. Nothing waits: bytes move in [`exchange`](Self::exchange).
#[derive(Debug)]
pub(crate) struct Socket {
    link: Link,
    unsent: Vec<u8>,
    unread: Vec<u8>,
    /// True once the connection has ended.
    pub(crate) is_gone: bool,
}

impl Socket {
    pub(crate) const fn new(link: Link) -> Self {
        Self {
            link,
            unsent: Vec::new(),
            unread: Vec::new(),
            is_gone: false,
        }
    }

    /// Queues bytes for the server.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.unsent.extend(bytes);
    }

    /// Cuts the connection.
    pub(crate) fn cut(&mut self) {
        self.link.cut();
        self.is_gone = true;
    }

    /// Holds up all bytes, or lets them through again.
    pub(crate) fn freeze(&self, frozen: bool) {
        self.link.freeze(frozen);
    }

    /// Writes and reads as much as the link allows.
    pub(crate) fn exchange(&mut self) {
        self.send();
        self.receive();
    }

    /// Writes as much as the link allows.
    pub(crate) fn send(&mut self) {
        let mut cx = Task::from_waker(Waker::noop());
        while !self.unsent.is_empty() && !self.is_gone {
            match Pin::new(&mut self.link).poll_write(&mut cx, &self.unsent) {
                Poll::Ready(Ok(written)) => drop(self.unsent.drain(..written)),
                // The server may have sent something before.
                Poll::Ready(Err(_)) => self.unsent.clear(),
                Poll::Pending => break,
            }
        }
    }

    fn receive(&mut self) {
        let mut cx = Task::from_waker(Waker::noop());
        let mut bytes = [0; 4_096];
        while !self.is_gone {
            let mut buf = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.link).poll_read(&mut cx, &mut buf) {
                Poll::Ready(Ok(())) if buf.filled().is_empty() => self.is_gone = true,
                Poll::Ready(Ok(())) => self.unread.extend(buf.filled()),
                Poll::Ready(Err(_)) => self.is_gone = true,
                Poll::Pending => break,
            }
        }
    }

    /// Takes the head of the response, and drops a body. `None` if it has not arrived wholly.
    pub(crate) fn take_head(&mut self) -> Option<Head> {
        let end = self.unread.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
        let head: Vec<u8> = self.unread.drain(..end + 4).collect();
        let head = std::str::from_utf8(&head).expect("a head is ASCII");
        let mut lines = head.lines();
        let status = lines
            .next()?
            .split(' ')
            .nth(1)?
            .parse()
            .expect("a status is a number");
        let fields = lines.filter_map(|line| line.split_once(": "));
        let fields = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        Some(Head {
            status,
            fields: fields.collect(),
        })
    }

    /// Returns the bytes that were read and not taken.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.unread
    }

    /// Takes the next frame. `None` if it has not arrived wholly.
    pub(crate) fn take_frame(&mut self) -> Option<Frame> {
        let (header, length) = match *self.unread {
            [_, length @ 0..=125, ..] => (2, usize::from(length)),
            [_, 126, high, low, ..] => (4, u16::from_be_bytes([high, low]).into()),
            [_, 127, ..] => {
                let length = self.unread.get(2..10)?;
                let length = u64::from_be_bytes(length.try_into().ok()?);
                (10, usize::try_from(length).ok()?)
            }
            [_, 128..=255, ..] => panic!("a server masks no frame"),
            _ => return None,
        };
        let first = self.unread[0];
        assert!(first & 0xf0 == 0x80, "a server splits no frame: {first:#x}");
        let payload = self.unread.get(header..header + length)?.to_vec();
        self.unread.drain(..header + length);
        Some(Frame {
            opcode: first & 0x0f,
            payload,
        })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.link.cut();
    }
}
