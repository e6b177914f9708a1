//! A proxy that breaks connections at a byte.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    select,
    sync::watch,
};

use super::common::{self, Server};

/// End of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    /// Bytes in both directions until then.
    pub after: usize,
    /// False if the server does not notice: its side of the connection stays open.
    pub server_notices: bool,
}

impl Cut {
    pub const NEVER: Self = Self {
        after: usize::MAX,
        server_notices: true,
    };
}

/// Decides about the next connection.
type Plan = Arc<dyn Fn() -> Cut + Send + Sync>;

/// A proxy before a server.
pub struct Cutter {
    proxy: Server,
    state: Arc<State>,
}

struct State {
    plan: Mutex<Plan>,
    /// Number of connections that were cut.
    cuts: AtomicUsize,
    /// Changes to cut the present connections.
    now: watch::Sender<u64>,
}

impl Cutter {
    /// Starts a proxy whose connections last.
    pub async fn new(server: SocketAddr) -> Self {
        let state = Arc::new(State {
            plan: Mutex::new(Arc::new(|| Cut::NEVER)),
            cuts: AtomicUsize::new(0),
            now: watch::Sender::new(0),
        });
        let of_proxy = state.clone();
        let proxy = common::listen(move |listener| async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let plan = of_proxy.plan.lock().unwrap().clone();
                let (state, cut) = (of_proxy.clone(), plan());
                let now = state.now.subscribe();
                tokio::spawn(async move { forward(client, server, cut, now, &state).await });
            }
        });
        Self {
            proxy: proxy.await,
            state,
        }
    }

    pub fn addr(&self) -> SocketAddr {
        self.proxy.addr
    }

    /// Sets the cuts of the connections that follow.
    pub fn plan(&self, plan: impl Fn() -> Cut + Send + Sync + 'static) {
        *self.state.plan.lock().unwrap() = Arc::new(plan);
    }

    /// Cuts all connections.
    pub fn cut(&self) {
        self.state.now.send_modify(|cuts| *cuts += 1);
    }

    /// Returns the number of connections that were cut.
    pub fn cuts(&self) -> usize {
        self.state.cuts.load(Ordering::SeqCst)
    }
}

/// Forwards a connection until it ends or is cut.
async fn forward(
    mut client: TcpStream,
    server: SocketAddr,
    cut: Cut,
    mut now: watch::Receiver<u64>,
    state: &State,
) {
    let Ok(mut server) = TcpStream::connect(server).await else {
        return;
    };
    let left = AtomicUsize::new(cut.after);
    let was_cut = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        select! {
            was_cut = pump(from_client, to_server, &left) => was_cut,
            was_cut = pump(from_server, to_client, &left) => was_cut,
            _ = now.changed() => true,
        }
    };
    if was_cut {
        state.cuts.fetch_add(1, Ordering::SeqCst);
    }
    if was_cut && !cut.server_notices {
        drop(client);
        // Until the server ends it.
        let mut bytes = [0; 1024];
        while server.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
    }
}

/// Copies bytes until the end, or as many as are left. Returns true in the latter case.
async fn pump(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, left: &AtomicUsize) -> bool {
    let mut bytes = [0; 512];
    loop {
        let Ok(read @ 1..) = from.read(&mut bytes).await else {
            return false;
        };
        let may = left.load(Ordering::SeqCst);
        let passes = read.min(may);
        if may != usize::MAX {
            left.store(may - passes, Ordering::SeqCst);
        }
        if to.write_all(&bytes[..passes]).await.is_err() {
            return false;
        }
        if passes < read || left.load(Ordering::SeqCst) == 0 {
            return true;
        }
    }
}
