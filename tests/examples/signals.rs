//! Servers as processes that are ended by signals, as service managers do it.

use std::{
    fs, io,
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStdout, Command},
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use super::{
    PATIENCE, code,
    process::{Example, path_of, request_of},
};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A program whose log the test follows. Dropping it ends the process.
struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Program {
    /// Starts an example with this limit of descriptors, or with as many as the system allows.
    fn start(name: &str, arguments: &[&str], descriptors: usize) -> Self {
        let limited = format!(r#"ulimit -n {descriptors} || ulimit -n "$(ulimit -H -n)"; exec "$0" "$@""#);
        let mut child = Command::new("sh")
            .args(["-c", &limited])
            .arg(path_of(name))
            .args(arguments)
            .env("NO_COLOR", "1")
            .env("ADDR", "127.0.0.1:0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Waits for a line with this text, and returns the rest of the line.
    async fn line(&mut self, text: &str) -> String {
        let reading = async {
            loop {
                let line = self.lines.next_line().await.unwrap();
                let line = line.unwrap_or_else(|| panic!("it ended before `{text}`"));
                if let Some((_, rest)) = line.split_once(text) {
                    return rest.trim().to_owned();
                }
            }
        };
        let waited = timeout(2 * PATIENCE, reading).await;
        waited.unwrap_or_else(|_| panic!("`{text}` does not come"))
    }

    /// Writes a line to its input.
    async fn enter(&mut self) {
        let input = self.child.stdin.as_mut().unwrap();
        input.write_all(b"\n").await.unwrap();
    }
}

/// Sends a signal to a process.
async fn send_signal(child: &Child, signal: &str) {
    let pid = child.id().expect("it runs").to_string();
    // The shell's own `kill`: there may be no program of this name.
    let sent = Command::new("sh")
        .args(["-c", "kill -$0 $1", signal, &pid])
        .status()
        .await;
    assert!(sent.unwrap().success());
}

/// Waits for the end of a process.
async fn end(child: &mut Child) -> ExitStatus {
    timeout(PATIENCE, child.wait())
        .await
        .expect("it does not end")
        .unwrap()
}

/// Waits until the listener of a server is closed.
async fn refuses_connections(addr: &str) {
    let refused = async {
        loop {
            match TcpStream::connect(addr).await {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => break,
                // The signal has not been handled yet.
                _ => tokio::task::yield_now().await,
            }
        }
    };
    timeout(PATIENCE, refused).await.expect("it accepts connections");
}

async fn request(addr: &str, fields: &str) -> TcpStream {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Reads up to the end of the connection.
async fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let reading = stream.read_to_end(&mut bytes);
    let _ = timeout(PATIENCE, reading).await.expect("it stays open");
    String::from_utf8(bytes).unwrap().to_ascii_lowercase()
}

/// Returns 1,000, or as many clients as the system lets a server have beside some others.
fn calls() -> String {
    let limits = fs::read_to_string("/proc/self/limits").unwrap();
    let limits = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let most = limits.unwrap().split_whitespace().nth(1);
    // The word is `unlimited`, if it is no number.
    let most = most.unwrap().parse().unwrap_or(usize::MAX);
    most.saturating_sub(100).min(1_000).to_string()
}

/// Ends a server with 1,000 calls in flight and 20 clients that never read.
async fn drain(signal: &str, code: &str) {
    const GRACE: Duration = Duration::from_secs(15);
    let calls = calls();
    let mut server = Program::start("drain", &["serve", &calls], 4_096);
    let addr = server.line("listening on ").await;
    let silent = TcpStream::connect(&addr).await.unwrap();
    let connecting = request(&addr, "wait: yes\r\n").await;
    server.line("on_connect waits").await;
    let mut load = Program::start("drain", &["load", &addr, code, &calls], 4_096);
    server.line("all calls have begun").await;

    let begun = Instant::now();
    send_signal(&server.child, signal).await;
    refuses_connections(&addr).await;
    assert_eq!(rest(silent).await, "", "a connection without a request is closed");
    server.enter().await;
    let refused = rest(connecting).await;
    assert!(refused.starts_with("http/1.1 503 "), "{refused}");
    assert!(refused.contains("\r\nretry-after: 1\r\n"), "{refused}");

    server.line("stopped, 0 were cut").await;
    let status = end(&mut server.child).await;
    assert!(status.success(), "{status}");
    assert!(begun.elapsed() < GRACE, "{:?}", begun.elapsed());
    load.line(&format!("{calls} answers, {calls} closes with {code}"))
        .await;
    // Now that the server has ended, they may read what the kernel holds for them.
    load.enter().await;
    load.line("20 clients had full windows").await;
    assert!(end(&mut load.child).await.success());
}

#[tokio::test]
async fn sigterm_answers_a_thousand_calls_and_closes_with_1001() {
    drain("TERM", "1001").await;
}

#[tokio::test]
async fn a_restart_by_signal_answers_a_thousand_calls_and_closes_with_1012() {
    drain("HUP", "1012").await;
}

/// Reads the head of a response.
async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// Waits for an empty ping of the server (RFC 6455, section 5.5.2).
async fn read_ping(stream: &mut TcpStream) {
    let mut frame = [0; 2];
    let reading = timeout(PATIENCE, stream.read_exact(&mut frame));
    reading.await.expect("no ping comes").unwrap();
    assert_eq!(frame, [0x89, 0]);
}

/// Connects a client that can come back to its session, or does. Returns it with the payload of the welcome.
async fn resumable(addr: &str, offer: &str) -> (Socket, Value) {
    let mut upgrade = format!("ws://{addr}/").into_client_request().unwrap();
    let offers = format!("zocket.v1.json, {offer}").parse().unwrap();
    upgrade.headers_mut().insert("sec-websocket-protocol", offers);
    let (mut client, _) = connect_async(upgrade).await.unwrap();
    let welcome = client.next().await.unwrap().unwrap().into_text().unwrap();
    let mut welcome: Value = serde_json::from_str(&welcome).unwrap();
    let ack = r#"{"type":"__ack","payload":0}"#;
    client.send(Message::text(ack)).await.unwrap();
    (client, welcome["payload"].take())
}

#[tokio::test]
async fn a_server_that_was_stopped_gives_its_clients_one_more_chance() {
    let mut server = Program::start("drain", &["impatient"], 256);
    let addr = server.line("listening on ").await;
    let (parked, welcome) = resumable(&addr, "zocket.resume").await;
    drop(parked);
    server.line("session parked").await;
    let mut silent = request(&addr, "").await;
    read_head(&mut silent).await;
    read_ping(&mut silent).await;
    send_signal(&server.child, "STOP").await;
    // Longer than `pong_within`, or the window, and a quarter of it.
    sleep(Duration::from_secs(8)).await;
    send_signal(&server.child, "CONT").await;
    read_ping(&mut silent).await;
    // A pong, masked by zeros.
    silent.write_all(&[0x8A, 0x80, 0, 0, 0, 0]).await.unwrap();
    let token = welcome["session"].as_str().unwrap();
    let (_client, welcome) = resumable(&addr, &format!("zocket.resume.{token}.0")).await;
    assert_eq!(welcome["resumed"], true);
    read_ping(&mut silent).await;
}

#[tokio::test]
async fn hyper_serves_and_shuts_down_cleanly() {
    let mut example = Example::start("hyper").await;
    let client = example.connect("/").await;
    assert_eq!(
        client.call_route::<String>("shout", "hello").await.unwrap(),
        "HELLO"
    );
    let refusal = client.call_route::<String>("shout", "").await.unwrap_err();
    assert_eq!(code(&refusal), "BAD_REQUEST");
    send_signal(&example.child, "INT").await;
    let status = end(&mut example.child).await;
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn the_examples_answer_a_call_in_flight_and_end_on_sigterm() {
    for (name, path, route, answer) in [
        ("hyper", "/", "slow", "\"done\""),
        ("axum", "/ws", "whoami", "\"Ann\""),
    ] {
        let mut server = Program::start(name, &[], 256);
        let addr = server.line("listening on ").await;
        let cookie = match name {
            "axum" => {
                let answer = request_of(&addr, "POST", "/login/Ann").await;
                let cookie = answer.headers()["set-cookie"].to_str().unwrap();
                cookie.split(';').next().unwrap().to_owned()
            }
            _ => String::new(),
        };
        let mut upgrade = format!("ws://{addr}{path}").into_client_request().unwrap();
        upgrade.headers_mut().insert("cookie", cookie.parse().unwrap());
        let (mut client, _) = connect_async(upgrade).await.unwrap();
        let call = format!(r#"{{"type":"{route}","rpcId":1}}"#);
        client.send(Message::text(call)).await.unwrap();
        // The pong shows that the call before it was read, and has begun.
        client.send(Message::Ping("begun?".into())).await.unwrap();
        assert_eq!(
            client.next().await.unwrap().unwrap(),
            Message::Pong("begun?".into())
        );

        send_signal(&server.child, "TERM").await;
        let frame = client.next().await.unwrap().unwrap().into_text().unwrap();
        let expected = format!(r#"{{"type":"__rpc_res","payload":{answer},"rpcId":1}}"#);
        assert_eq!(frame.as_str(), expected);
        let Message::Close(Some(close)) = client.next().await.unwrap().unwrap() else {
            panic!("no Close")
        };
        assert_eq!(u16::from(close.code), 1001, "{name}");
        // Answers the Close.
        while let Some(Ok(_)) = client.next().await {}
        drop(client);
        refuses_connections(&addr).await;
        let status = end(&mut server.child).await;
        assert!(status.success(), "{name}: {status}");
    }
}

#[tokio::test]
async fn without_descriptors_silent_peers_make_room_for_clients() {
    let mut server = Program::start("echo", &[], 64);
    let addr = server.line("listening on ").await;
    let mut silent = Vec::new();
    for _ in 0..500 {
        silent.push(TcpStream::connect(&addr).await.unwrap());
    }
    for _ in 0..5 {
        let mut client = request(&addr, "").await;
        let mut status = [0; 12];
        let reading = client.read_exact(&mut status);
        timeout(PATIENCE, reading).await.expect("no answer").unwrap();
        assert_eq!(&status, b"HTTP/1.1 101");
    }
}
