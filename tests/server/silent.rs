//! Peers that connect and send no request, against `zocket::server`.

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use zocket::{
    Context, Zocket,
    server::{self, MAX_SILENT_PER_ADDRESS},
};

use crate::common::{
    Server, listen,
    raw::{Raw, handshake},
};

async fn site() -> Server {
    let zo = Zocket::builder().build();
    let here = zo.message().handle(async |_: Context| Ok("here"));
    let service = zo.serve(zo.router().incoming("here", here));
    listen(|listener| server::serve(listener, service)).await
}

/// Opens connections that send this and nothing more.
async fn silent(server: &Server, count: usize, sent: &str) -> Vec<Raw> {
    let mut peers = Vec::new();
    for _ in 0..count {
        let mut peer = server.dial().await;
        peer.write(sent.as_bytes()).await;
        peers.push(peer);
    }
    peers
}

#[tokio::test]
async fn of_the_silent_peers_of_an_address_the_oldest_are_closed_and_clients_are_served() {
    const TOO_MANY: usize = 88;
    let server = site().await;
    let mut before = server.connect("").await;
    for sent in ["", "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "] {
        let mut oldest = silent(&server, TOO_MANY, sent).await;
        let mut newest = silent(&server, MAX_SILENT_PER_ADDRESS, sent).await;
        for peer in &mut oldest {
            peer.hung_up().await;
        }
        // More of them delay no client.
        for _ in 0..10 {
            newest.extend(silent(&server, 10, sent).await);
            let mut client = server.connect("").await;
            assert_eq!(client.call("here", Value::Null).await.unwrap().unwrap(), "here");
            client.close().await;
        }
        // The newest may still send their requests.
        for peer in newest.iter_mut().rev().take(20) {
            let request = handshake("");
            let rest = match sent {
                "" => &request,
                _ => &*format!("1{}", &request["GET / HTTP/1.1\r\nHost: localhost".len()..]),
            };
            peer.write(rest.as_bytes()).await;
            assert!(peer.read_http().await.starts_with("HTTP/1.1 101 "));
        }
    }
    assert_eq!(before.call("here", Value::Null).await.unwrap().unwrap(), "here");
}

#[tokio::test]
async fn a_burst_of_requests_from_one_address_is_no_flood() {
    let zo = Zocket::builder().build();
    let listener = server::listen("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(server::serve(listener, zo.serve(zo.router())));
    let mut peers = Vec::new();
    // The server does not run meanwhile, and then finds as many connections as its backlog holds.
    for _ in 0..MAX_SILENT_PER_ADDRESS + 100 {
        let stream = std::net::TcpStream::connect(addr).unwrap();
        std::io::Write::write_all(&mut &stream, handshake("").as_bytes()).unwrap();
        stream.set_nonblocking(true).unwrap();
        peers.push(Raw(tokio::net::TcpStream::from_std(stream).unwrap()));
    }
    for peer in &mut peers {
        assert!(peer.read_http().await.starts_with("HTTP/1.1 101 "));
        peer.0.shutdown().await.unwrap();
    }
}
