//! An example as a process, and requests to it.

use std::{env, fs, path::PathBuf, process::Stdio};

use http_body_util::Empty;
use hyper::{Request, Response, body::Bytes, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::timeout,
};
use zocket::client::Client;

use crate::PATIENCE;

/// A running example. Dropping it ends the process.
pub(crate) struct Example {
    pub(crate) child: Child,
    pub(crate) addr: String,
}

pub(crate) fn path_of(name: &str) -> PathBuf {
    let mut path = env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.extend(["examples", name]);
    assert!(
        path.exists(),
        "{} is missing: cargo build --examples --all-features",
        path.display()
    );
    path
}

fn program(name: &str) -> Command {
    let mut command = Command::new(path_of(name));
    command
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

impl Example {
    pub(crate) async fn start(name: &str) -> Self {
        Self::start_reading(name, Stdio::null()).await
    }

    /// Starts an example that reads lines.
    pub(crate) async fn start_with_input(name: &str) -> Self {
        Self::start_reading(name, Stdio::piped()).await
    }

    async fn start_reading(name: &str, input: Stdio) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).unwrap();
        let mut command = program(name);
        command
            .env("ADDR", "127.0.0.1:0")
            .current_dir(folder)
            .stdin(input)
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let listening = async {
            loop {
                let line = lines.next_line().await.unwrap().expect("it ended");
                if let Some((_, addr)) = line.split_once("listening on ") {
                    return addr.trim().to_owned();
                }
            }
        };
        let addr = timeout(PATIENCE, listening).await.expect("it does not listen");
        // Drains the rest of its output, so that it never blocks on a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { child, addr }
    }

    pub(crate) async fn connect(&self, path: &str) -> Client {
        Client::builder(format!("ws://{}{path}", self.addr))
            .connect()
            .await
            .unwrap()
    }

    pub(crate) async fn request(&self, method: &str, path: &str) -> Response<Incoming> {
        request_of(&self.addr, method, path).await
    }
}

/// Sends a request to a server, and returns the response.
pub(crate) async fn request_of(addr: &str, method: &str, path: &str) -> Response<Incoming> {
    let stream = TcpStream::connect(addr).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", addr)
        .body(Empty::<Bytes>::new())
        .unwrap();
    sender.send_request(request).await.unwrap()
}
