//! A proxy that breaks the connections which it carries.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures_util::future::{join, try_join};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    select,
    sync::watch,
    time::sleep,
};

use super::plan::{Break, Course, Plan};
use crate::testing::sim::{chance::Chance, world::World};

/// A proxy in front of a server. Its clients' connections break at random, until it is [`calmed`](Self::calm).
pub(super) struct Proxy {
    pub(super) addr: SocketAddr,
    is_calm: watch::Sender<bool>,
}

impl Proxy {
    /// Starts a proxy to this address.
    pub(super) async fn start(server: SocketAddr, chance: Chance, world: World) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let is_calm = watch::Sender::new(false);
        let calm = is_calm.subscribe();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let plan = match *calm.borrow() {
                    true => Plan::calm(),
                    false => Plan::random(&chance),
                };
                let (calm, world) = (calm.clone(), world.clone());
                tokio::spawn(async move {
                    if let Ok(server) = TcpStream::connect(server).await {
                        carry(client, server, plan, calm, &world).await;
                    }
                });
            }
        });
        Ok(Self { addr, is_calm })
    }

    /// Breaks all connections, and no later one.
    pub(super) fn calm(&self) {
        self.is_calm.send_replace(true);
    }
}

/// Carries a connection to its end, by its plan.
async fn carry(
    client: TcpStream,
    server: TcpStream,
    plan: Plan,
    mut calm: watch::Receiver<bool>,
    world: &World,
) {
    // Small frames go out at once, as clients and servers send them.
    for socket in [&client, &server] {
        let _ = socket.set_nodelay(true);
    }
    let Plan {
        breaks,
        after,
        to_server,
        to_client,
    } = plan;
    let is_broken = Arc::new(watch::Sender::new(None));
    let (from_client, into_client) = client.into_split();
    let (from_server, into_server) = server.into_split();
    let mut up = Lane::new(from_client, into_server, to_server, &is_broken);
    let mut down = Lane::new(from_server, into_client, to_client, &is_broken);
    let was_calm = *calm.borrow();
    let over = async {
        select! {
            () = sleep(after) => breaks,
            how = broken(&is_broken) => how,
            // A new connection of a calm network does not break.
            _ = calm.wait_for(|is_calm| *is_calm && !was_calm) => Break::Reset,
        }
    };
    let how = {
        let moving = try_join(up.run(), down.run());
        select! {
            how = over => how,
            _ = moving => return,
        }
    };
    world.count(|totals| totals.cuts += 1);
    match how {
        Break::Finish => {
            let _ = join(up.to.shutdown(), down.to.shutdown()).await;
        }
        Break::Reset => {
            for half in [&up.to, &down.to] {
                let stream: &TcpStream = half.as_ref();
                let _ = stream.set_zero_linger();
            }
        }
        Break::HalfClose { to_server, then } => {
            let (closed, open) = match to_server {
                true => (&mut up, &mut down),
                false => (&mut down, &mut up),
            };
            let _ = closed.to.shutdown().await;
            select! {
                _ = open.run() => {}
                () = sleep(then) => {}
                _ = calm.wait_for(|is_calm| *is_calm) => {}
            }
        }
        Break::Swallow {
            to_server,
            to_client,
            then,
        } => {
            up.course.swallows = to_server;
            down.course.swallows = to_client;
            select! {
                _ = try_join(up.run(), down.run()) => {}
                () = sleep(then) => {}
                _ = calm.wait_for(|is_calm| *is_calm) => {}
            }
        }
    }
}

/// Waits until a lane has reached the position of the break.
async fn broken(at: &watch::Sender<Option<Break>>) -> Break {
    let mut receiver = at.subscribe();
    loop {
        if let Some(how) = *receiver.borrow_and_update() {
            return how;
        }
        // The sender outlives this.
        let _ = receiver.changed().await;
    }
}

/// One direction of a connection.
struct Lane {
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    course: Course,
    /// Bytes that were read and not written, as when [`run`](Self::run) was dropped in between.
    pending: Vec<u8>,
    is_broken: Arc<watch::Sender<Option<Break>>>,
}

impl Lane {
    fn new(
        from: OwnedReadHalf,
        to: OwnedWriteHalf,
        course: Course,
        is_broken: &Arc<watch::Sender<Option<Break>>>,
    ) -> Self {
        Self {
            from,
            to,
            course,
            pending: Vec::new(),
            is_broken: is_broken.clone(),
        }
    }

    /// Moves bytes until one side has closed, or its position is reached.
    async fn run(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; 4 << 10];
        loop {
            self.write().await?;
            let most = self.course.next_chunk(buffer.len());
            let read = self.from.read(&mut buffer[..most]).await?;
            if read == 0 {
                return self.to.shutdown().await;
            }
            self.pending.extend_from_slice(&buffer[..read]);
            let delay = self.course.delay();
            if delay > Duration::ZERO {
                sleep(delay).await;
            }
            self.write().await?;
            if let Some(how) = self.course.advance(read) {
                self.is_broken.send_replace(Some(how));
                return std::future::pending().await;
            }
        }
    }

    /// Writes what was read, or swallows it.
    async fn write(&mut self) -> io::Result<()> {
        while !self.course.swallows && !self.pending.is_empty() {
            let written = self.to.write(&self.pending).await?;
            self.pending.drain(..written);
        }
        self.pending.clear();
        Ok(())
    }
}
