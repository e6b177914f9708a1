//! Resident memory per idle connection: `cargo bench --bench memory`, with the number of connections as an argument
//! (`-- 10000`; 5,000 by default). Linux only.
//!
//! The server is a second process of this program, behind hyper-util, on loopback. Each connection makes one call, and
//! stays idle. A connection needs a descriptor in both processes, so `ulimit -n` bounds their number.

use std::{
    env,
    error::Error,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::{
    client_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};
use zocket::{Context, Zocket};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const SERVER: &str = "ZOCKET_BENCH_SERVER";

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    if env::var_os(SERVER).is_some() {
        runtime.block_on(serve())
    } else {
        runtime.block_on(measure())
    }
}

async fn serve() -> Result<()> {
    let zo = Zocket::builder().build();
    let router = zo
        .router()
        .incoming("hello", zo.message().handle(async |_: Context<()>| Ok("hello")));
    let service = zo.serve(router);
    let socket = TcpSocket::new_v4()?;
    socket.bind("127.0.0.1:0".parse()?)?;
    let listener = socket.listen(1024)?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", listener.local_addr()?)?;
    out.flush()?;
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let mut builder = auto::Builder::new(TokioExecutor::new());
            builder.http1().max_buf_size(8 << 10);
            let _ = builder
                .serve_connection_with_upgrades(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn measure() -> Result<()> {
    let count: usize = env::args()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(5_000);
    let mut server = Command::new(env::current_exe()?)
        .env(SERVER, "1")
        .stdout(Stdio::piped())
        .spawn()?;
    let mut addr = String::new();
    BufReader::new(server.stdout.take().ok_or("no output")?).read_line(&mut addr)?;
    let addr = addr.trim();

    // The first connection allocates shared state.
    let first = connect(addr).await?;
    let before = resident(server.id())?;
    let mut connections = vec![first];
    for _ in 0..count {
        connections.push(connect(addr).await?);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let after = resident(server.id())?;
    drop(connections);
    server.kill()?;
    server.wait()?;

    let mut out = std::io::stdout();
    writeln!(
        out,
        "{count} idle connections: {} bytes resident each",
        (after - before) / count
    )?;
    Ok(())
}

async fn connect(addr: &str) -> Result<tokio_tungstenite::WebSocketStream<TcpStream>> {
    let config = WebSocketConfig::default()
        .read_buffer_size(1024)
        .write_buffer_size(0);
    let stream = TcpStream::connect(addr).await?;
    let (mut socket, _) = client_async_with_config(format!("ws://{addr}/"), stream, Some(config)).await?;
    socket
        .send(Message::text(r#"{"type":"hello","rpcId":1}"#))
        .await?;
    socket.next().await.ok_or("no answer")??;
    Ok(socket)
}

/// Returns a process's resident memory in bytes.
fn resident(process: u32) -> Result<usize> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .ok_or("no VmRSS")?;
    Ok(line
        .split_whitespace()
        .nth(1)
        .ok_or("no figure")?
        .parse::<usize>()?
        * 1024)
}
