//! Violations of RFC 6455 close the connection. Malformed messages do not.

use futures_util::SinkExt;
use tokio_tungstenite::tungstenite::Message;

use super::{
    common::raw::{BINARY, CLOSE, CONTINUATION, FIN, PING, TEXT, frame, handshake, head},
    site, visit,
};

#[tokio::test]
async fn a_violation_of_rfc_6455_closes_with_its_code() {
    let (_, server) = site().await;
    let mut bystander = server.connect("").await;
    let hello = br#"{"type":"echo","rpcId":"a"}"#;
    let unmasked = [&[FIN | TEXT, hello.len() as u8][..], hello].concat();
    for (what, bytes, code) in [
        ("no mask", unmasked, 1002),
        ("reserved bit 1", frame(FIN | 0x40 | TEXT, hello), 1002),
        ("reserved bit 2", frame(FIN | 0x20 | TEXT, hello), 1002),
        ("reserved bit 3", frame(FIN | 0x10 | TEXT, hello), 1002),
        ("opcode 3", frame(FIN | 3, hello), 1002),
        ("opcode 7", frame(FIN | 7, hello), 1002),
        ("opcode 11", frame(FIN | 11, b""), 1002),
        ("opcode 15", frame(FIN | 15, b""), 1002),
        ("nothing to continue", frame(FIN | CONTINUATION, hello), 1002),
        (
            "a message within a message",
            [frame(TEXT, hello), frame(FIN | TEXT, hello)].concat(),
            1002,
        ),
        ("a fragmented ping", frame(PING, b""), 1002),
        ("a fragmented close", frame(CLOSE, b""), 1002),
        ("a ping of 126 bytes", frame(FIN | PING, &[0; 126]), 1002),
        (
            "a close of 126 bytes",
            frame(FIN | CLOSE, &[[3, 232].as_slice(), &[b'x'; 124]].concat()),
            1002,
        ),
        ("half a close code", frame(FIN | CLOSE, &[3]), 1002),
        ("close code 999", frame(FIN | CLOSE, &999_u16.to_be_bytes()), 1002),
        (
            "close code 1005",
            frame(FIN | CLOSE, &1005_u16.to_be_bytes()),
            1002,
        ),
        (
            "a length with its highest bit",
            head(FIN | BINARY, 1 << 63),
            // The frame is also too large. Either code is correct.
            1009,
        ),
        ("text that is no UTF-8", frame(FIN | TEXT, b"\"\xff\""), 1007),
        ("text that ends within a letter", frame(FIN | TEXT, b"\xc3"), 1007),
        ("a surrogate in UTF-8", frame(FIN | TEXT, b"\xed\xa0\x80"), 1007),
        (
            "fragments that are no UTF-8",
            [frame(TEXT, b"\xc3"), frame(FIN | CONTINUATION, b"x")].concat(),
            1007,
        ),
        (
            "a close reason that is no UTF-8",
            frame(FIN | CLOSE, &[3, 232, 0xff]),
            1007,
        ),
    ] {
        let mut raw = server.raw().await;
        raw.write(&bytes).await;
        assert_eq!(raw.closed().await.0, code, "{what}");
        raw.write(&frame(FIN | CLOSE, &code.to_be_bytes())).await;
        raw.hung_up().await;
    }
    bystander.expect_nothing().await;
}

#[tokio::test]
async fn a_close_is_answered_with_its_code() {
    let (_, server) = site().await;
    for (payload, code) in [
        (&b"\x03\xe8bye"[..], Some(1000)),
        (b"\x0b\xb8", Some(3000)),
        (b"\x0f\xa0", Some(4000)),
        (b"", None),
    ] {
        let mut raw = server.raw().await;
        raw.write(&frame(FIN | CLOSE, payload)).await;
        let (first, answer) = raw.read_frame().await.unwrap();
        assert_eq!(first, FIN | CLOSE);
        assert_eq!(answer.first_chunk().map(|code| u16::from_be_bytes(*code)), code);
        raw.hung_up().await;
    }
}

#[tokio::test]
async fn a_malformed_message_never_closes_the_connection() {
    let (_, mut client) = visit().await;
    for bytes in [&b"\xff\xfe"[..], b"{\"type\":\"\xff\"}", b"", b"\0", b"[[[["] {
        client.socket.send(Message::binary(bytes.to_vec())).await.unwrap();
    }
    client.expect_nothing().await;
}

#[tokio::test]
async fn a_binary_message_is_read_like_text_even_in_the_packet_of_the_upgrade() {
    let (_, server) = site().await;
    let mut raw = server.dial().await;
    let message = frame(FIN | BINARY, br#"{"type":"echo","rpcId":"a"}"#);
    raw.write(&[handshake("").as_bytes(), &message].concat()).await;
    assert!(raw.read_http().await.starts_with("HTTP/1.1 101 "));
    assert_eq!(
        raw.read_text().await,
        r#"{"type":"__rpc_res","payload":"here","rpcId":"a"}"#
    );
}
