//! A balancer between clients and nodes.

use std::{
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

/// A balancer of TCP connections, which takes the nodes in turn.
pub(crate) struct Balancer {
    pub(crate) addr: SocketAddr,
    nodes: Arc<Mutex<Vec<SocketAddr>>>,
}

impl Balancer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let nodes = Arc::<Mutex<Vec<SocketAddr>>>::default();
        let (targets, turn) = (nodes.clone(), AtomicUsize::new(0));
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let turn = turn.fetch_add(1, Ordering::Relaxed);
                let target = {
                    let targets = targets.lock();
                    targets.get(turn % targets.len().max(1)).copied()
                };
                tokio::spawn(async move {
                    // Without a node, or with one that is gone, the client comes again.
                    if let Some(target) = target
                        && let Ok(mut node) = TcpStream::connect(target).await
                    {
                        drop(copy_bidirectional(&mut client, &mut node).await);
                    }
                });
            }
        });
        Self { addr, nodes }
    }

    pub(crate) fn add(&self, node: SocketAddr) {
        self.nodes.lock().push(node);
    }

    pub(crate) fn remove(&self, node: SocketAddr) {
        self.nodes.lock().retain(|addr| *addr != node);
    }
}
