//! Messages over a whole connection, in memory: the driver, the session and the WebSocket, tokio's scheduler, and a client
//! that compares nothing.

use std::{cell::RefCell, convert::Infallible, future::ready};

use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    runtime::Runtime,
};
use zocket::{Target, UpgradeService};

use crate::{
    messages::{Messages, Row, Said},
    stages::{self, FRAME, Meter},
};

/// Calls and events of one connection. A client that resumes its session acknowledges as one under load does, or each
/// frame.
pub(crate) const CONNECTIONS: [Row; 6] = [
    ("a call over a connection", |meter| calls(meter, None)),
    ("a call with resumption", |meter| calls(meter, Some(OFTEN))),
    ("a call with resumption, each acked", |meter| {
        calls(meter, Some(1));
    }),
    ("an event over a connection", |meter| events(meter, None)),
    ("an event with resumption", |meter| events(meter, Some(OFTEN))),
    ("an event with resumption, each acked", |meter| {
        events(meter, Some(1));
    }),
];

/// Frames until a client acknowledges. One under load sends a thousand times as many within a second.
const OFTEN: u64 = 100;

const ROOM: &str = "room";

/// A client over a pipe.
struct Client {
    stream: DuplexStream,
    received: u64,
    /// Number of frames after which it acknowledges. `None` without resumption.
    acks: Option<u64>,
    frame: Vec<u8>,
}

/// Sends a call, and waits for its answer.
fn calls(meter: Messages, acks: Option<u64>) {
    let runtime = runtime();
    let zo = stages::app();
    let router = zo
        .router()
        .incoming("chat.post", zo.message().handle(async |_| Ok("posted")));
    let service = zo.serve(router);
    let client = RefCell::new(runtime.block_on(Client::connect(&service, acks)));
    let call = masked(FRAME.as_bytes());
    each(meter, || {
        let client = &mut *client.borrow_mut();
        runtime.block_on(async {
            let mut bytes = client.ack();
            bytes.extend_from_slice(&call);
            client.write(&bytes).await;
            client.read().await;
        });
    });
}

/// Sends an event to a room of one member, and waits until it has been read.
fn events(meter: Messages, acks: Option<u64>) {
    let runtime = runtime();
    let zo = stages::app();
    let service = zo.serve(zo.router().outgoing::<Said>());
    let emitter = zo.emitter();
    let client = runtime.block_on(Client::connect(&service, acks));
    let member = zo.contexts().first().expect("it is connected").client_id();
    let members = emitter.clients(Target::clients([member]));
    members.join(ROOM).expect("there is room");
    let client = RefCell::new(client);
    each(meter, || {
        let client = &mut *client.borrow_mut();
        runtime.block_on(async {
            let ack = client.ack();
            if !ack.is_empty() {
                client.write(&ack).await;
            }
            emitter
                .send(Said { id: 12345 })
                .to_room(ROOM)
                .expect("it is JSON");
            client.read().await;
        });
    });
}

fn each(meter: Messages, message: impl Fn()) {
    let service = tower::service_fn(|()| {
        message();
        ready(Ok::<_, Infallible>(()))
    });
    meter.service(service, || ());
}

/// Returns a runtime whose time stands still, so that no timer runs while callgrind slows the program down.
fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("it is allowed")
}

impl Client {
    async fn connect(service: &UpgradeService, acks: Option<u64>) -> Self {
        let (mut stream, far) = tokio::io::duplex(16 << 10);
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let serving = http1::Builder::new().serve_connection(TokioIo::new(far), service);
            let _ = serving.with_upgrades().await;
        });
        let offers = match acks {
            Some(_) => "Sec-WebSocket-Protocol: zocket.v1.json, zocket.resume\r\n",
            None => "",
        };
        let request = format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{offers}\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let written = stream.write_all(request.as_bytes()).await;
        written.expect("the server reads");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("the server answers"));
        }
        let mut client = Self {
            stream,
            received: 0,
            acks,
            frame: Vec::new(),
        };
        if acks.is_some() {
            client.read().await;
            assert!(client.frame.starts_with(br#"{"type":"__welcome""#));
            client.received = 0;
            client.write(&ack_of(0)).await;
        }
        client
    }

    async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the server reads");
    }

    /// Reads a frame, which is none of the protocol's but the welcome: the server acknowledges once in 256 KiB.
    async fn read(&mut self) {
        let mut head = [0; 2];
        self.fill(&mut head).await;
        let mut length = usize::from(head[1]);
        if length == 126 {
            self.fill(&mut head).await;
            length = usize::from(u16::from_be_bytes(head));
        }
        let mut frame = std::mem::take(&mut self.frame);
        frame.resize(length, 0);
        self.fill(&mut frame).await;
        self.frame = frame;
        self.received += 1;
    }

    async fn fill(&mut self, bytes: &mut [u8]) {
        self.stream.read_exact(bytes).await.expect("the server writes");
    }

    /// Returns the acknowledgement that is due.
    fn ack(&self) -> Vec<u8> {
        match self.acks {
            Some(every) if self.received > 0 && self.received.is_multiple_of(every) => ack_of(self.received),
            _ => Vec::new(),
        }
    }
}

fn ack_of(number: u64) -> Vec<u8> {
    masked(format!(r#"{{"type":"__ack","payload":{number}}}"#).as_bytes())
}

/// Returns a short client's frame.
fn masked(payload: &[u8]) -> Vec<u8> {
    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let length = u8::try_from(payload.len()).expect("it is short");
    assert!(length < 126, "it needs a longer header");
    let mut frame = vec![0x81, 0x80 | length];
    frame.extend(KEY);
    let masked = payload.iter().zip(KEY.iter().cycle());
    frame.extend(masked.map(|(byte, key)| byte ^ key));
    frame
}
