//! Raw bytes on a socket, for input that a correct client never sends.

use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{PATIENCE, Server};

/// Opcodes (RFC 6455, section 5.2).
pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// The FIN bit.
pub const FIN: u8 = 0x80;

const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

/// Returns the head of a WebSocket upgrade request with additional header fields.
pub fn handshake(fields: &str) -> String {
    format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}\r\n"
    )
}

/// Returns the masked frame header of a client. `first` is the first byte: FIN, reserved bits and opcode.
pub fn head(first: u8, length: u64) -> Vec<u8> {
    let mut head = vec![first];
    match length {
        0..126 => head.push(0x80 | length as u8),
        126..0x1_0000 => {
            head.push(0x80 | 126);
            head.extend((length as u16).to_be_bytes());
        }
        _ => {
            head.push(0x80 | 127);
            head.extend(length.to_be_bytes());
        }
    }
    head.extend(MASK);
    head
}

/// Returns a masked frame of a client.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = head(first, payload.len() as u64);
    frame.extend(
        payload
            .iter()
            .zip(MASK.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    frame
}

/// A connection on the level of bytes.
pub struct Raw(pub TcpStream);

impl Server {
    /// Opens a TCP connection without a handshake.
    pub async fn dial(&self) -> Raw {
        let stream = TcpStream::connect(self.addr).await.unwrap();
        // Without it, the second of two small frames waits for the server's delayed acknowledgement.
        stream.set_nodelay(true).unwrap();
        Raw(stream)
    }

    /// Opens a WebSocket and returns it after the 101.
    pub async fn raw(&self) -> Raw {
        let mut raw = self.dial().await;
        raw.write(handshake("").as_bytes()).await;
        let answer = raw.read_http().await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        raw
    }
}

impl Raw {
    pub async fn write(&mut self, bytes: &[u8]) {
        self.try_write(bytes).await.unwrap();
    }

    pub async fn try_write(&mut self, bytes: &[u8]) -> io::Result<()> {
        timeout(PATIENCE, self.0.write_all(bytes))
            .await
            .expect("nobody reads")
    }

    /// Reads the head of an HTTP response.
    pub async fn read_http(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(
                timeout(PATIENCE, self.0.read_u8())
                    .await
                    .expect("no answer")
                    .unwrap(),
            );
        }
        String::from_utf8(head).unwrap()
    }

    /// Reads the next frame: its first byte, and its payload.
    pub async fn read_frame(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let reading = async {
            let first = self.0.read_u8().await?;
            let length = match self.0.read_u8().await? {
                126 => self.0.read_u16().await?.into(),
                127 => self.0.read_u64().await?,
                length => length.into(),
            };
            let mut payload = vec![0; length.try_into().unwrap()];
            self.0.read_exact(&mut payload).await?;
            Ok((first, payload))
        };
        timeout(PATIENCE, reading).await.expect("no frame comes")
    }

    /// Reads the next frame, which must be text.
    pub async fn read_text(&mut self) -> String {
        let (first, payload) = self.read_frame().await.unwrap();
        assert_eq!(first, FIN | TEXT);
        String::from_utf8(payload).unwrap()
    }

    /// Reads up to the server's Close. Returns its code and reason.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            let (first, payload) = self.read_frame().await.unwrap();
            if first == FIN | CLOSE {
                let (code, reason) = payload.split_at(2);
                let reason = String::from_utf8(reason.to_vec()).unwrap();
                return (u16::from_be_bytes([code[0], code[1]]), reason);
            }
        }
    }

    /// Reads until the server closes the TCP connection.
    pub async fn hung_up(&mut self) {
        let mut scratch = [0; 4096];
        let reading = async { while self.0.read(&mut scratch).await.is_ok_and(|read| read > 0) {} };
        timeout(PATIENCE, reading)
            .await
            .expect("the server does not hang up");
    }
}
