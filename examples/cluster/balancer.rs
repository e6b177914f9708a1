//! A balancer of TCP connections. WebSockets take the nodes in turn. In production this is a load balancer.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use zocket::server;

#[derive(Clone, Default)]
pub(crate) struct Balancer {
    nodes: Arc<Mutex<BTreeMap<String, SocketAddr>>>,
    turn: Arc<AtomicUsize>,
}

impl Balancer {
    pub(crate) fn add(&self, name: &str, addr: SocketAddr) {
        self.nodes.lock().insert(name.to_owned(), addr);
    }

    pub(crate) fn remove(&self, name: &str) {
        self.nodes.lock().remove(name);
    }

    /// Passes connections on, without end.
    pub(crate) async fn serve(self, listener: TcpListener) {
        loop {
            let (client, _) = server::accept(&listener).await;
            let balancer = self.clone();
            tokio::spawn(async move {
                // Without a node the connection is closed, and the client comes again.
                drop(balancer.pass_on(client).await);
            });
        }
    }

    /// Passes a connection on to a node.
    async fn pass_on(&self, mut client: TcpStream) -> io::Result<()> {
        const WEBSOCKET: &[u8] = b"GET /ws";
        let mut begin = [0; WEBSOCKET.len()];
        let is_websocket = client.peek(&mut begin).await? == begin.len() && begin == WEBSOCKET;
        let turn = match is_websocket {
            true => self.turn.fetch_add(1, Ordering::Relaxed),
            false => 0,
        };
        let node = {
            let nodes = self.nodes.lock();
            nodes.values().nth(turn % nodes.len().max(1)).copied()
        };
        let mut node = TcpStream::connect(node.ok_or(io::ErrorKind::NotConnected)?).await?;
        copy_bidirectional(&mut client, &mut node).await.map(drop)
    }
}
