//! A TCP proxy that can hold back, slow down and break what it carries.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses what it needs")]

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpSocket,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
    time::sleep,
};

/// Buffers of the proxy's sockets, so that little is on its way.
const BUFFER: u32 = 16 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carries {
    Everything,
    /// Nothing, and connections stay open: a network that is partitioned.
    Nothing,
    /// So many bytes per second and direction.
    Slowly(usize),
    /// Connections are closed, and new ones are closed at once.
    NoConnection,
}

/// A proxy on a free port. Dropping it closes its connections.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    carries: watch::Sender<Carries>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// Starts a proxy to a port of this machine.
    pub(crate) async fn to(port: u16) -> Self {
        // Accepted connections inherit its buffer.
        let socket = socket();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(64).unwrap();
        let own = listener.local_addr().unwrap().port();
        let carries = watch::Sender::new(Carries::Everything);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, port, carries.subscribe()));
        Self {
            port: own,
            carries,
            _tasks: tasks,
        }
    }

    pub(crate) fn carry(&self, carries: Carries) {
        self.carries.send_replace(carries);
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }
}

fn socket() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(BUFFER).unwrap();
    socket
}

async fn accept(listener: TcpListener, port: u16, carries: watch::Receiver<Carries>) {
    let mut connections = JoinSet::new();
    loop {
        let (near, _) = listener.accept().await.unwrap();
        let carries = carries.clone();
        connections.spawn(async move {
            let far = SocketAddr::from(([127, 0, 0, 1], port));
            if let Ok(far) = socket().connect(far).await {
                let (from_near, to_near) = near.into_split();
                let (from_far, to_far) = far.into_split();
                // What was sent before one side has closed still arrives.
                tokio::join!(
                    forward(from_near, to_far, carries.clone()),
                    forward(from_far, to_near, carries)
                );
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Forwards one direction until its end.
async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut carries: watch::Receiver<Carries>) {
    let mut buffer = vec![0; BUFFER as usize];
    loop {
        let now = *carries.borrow_and_update();
        let (length, pause) = match now {
            Carries::Everything => (buffer.len(), Duration::ZERO),
            Carries::Slowly(bytes) => ((bytes / 20).max(1), Duration::from_millis(50)),
            Carries::NoConnection => return,
            Carries::Nothing => match carries.changed().await {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        let read = tokio::select! {
            read = from.read(&mut buffer[..length]) => read,
            changed = carries.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        match read {
            Ok(0) | Err(_) => return,
            Ok(read) => {
                let ended = async { drop(carries.wait_for(|now| *now == Carries::NoConnection).await) };
                let written = tokio::select! {
                    written = to.write_all(&buffer[..read]) => written.is_ok(),
                    () = ended => false,
                };
                if !written {
                    return;
                }
                sleep(pause).await;
            }
        }
    }
}
