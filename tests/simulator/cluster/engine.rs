//! The engine of a simulated node, as a tower service.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, sleep_until},
};
use tower::{BoxError, Service};
use zocket::cluster::{EngineEvent, EngineRequest};

use super::{
    link::{Conn, Op},
    servers::Servers,
    settings::Settings,
};

/// The engine that the nodes of a run share. Clones are the same engine.
#[derive(Clone)]
pub struct Net(Arc<Shared>);

struct Shared {
    servers: Mutex<Servers>,
    settings: Settings,
    /// Wakes the task that performs what is due.
    changed: Notify,
    /// Wakes the requests that wait for space.
    accepts: Notify,
    /// Tasks that wait for a stalled engine to be ready.
    ready: Mutex<Vec<Waker>>,
}

impl Net {
    /// Creates an engine, and its task.
    pub fn new(seed: u64, settings: Settings) -> Self {
        let net = Self(Arc::new(Shared {
            servers: Mutex::new(Servers::new(seed, settings)),
            settings,
            changed: Notify::new(),
            accepts: Notify::new(),
            ready: Mutex::default(),
        }));
        tokio::spawn(net.clone().run());
        net
    }

    async fn run(self) {
        loop {
            let next = self.servers().next();
            match next {
                Some(at) => tokio::select! {
                    biased;
                    () = self.0.changed.notified() => {}
                    () = sleep_until(at) => self.servers().advance(Instant::now()),
                },
                None => self.0.changed.notified().await,
            }
            self.0.accepts.notify_waiters();
            self.0.ready.lock().unwrap().drain(..).for_each(Waker::wake);
        }
    }

    pub fn servers(&self) -> MutexGuard<'_, Servers> {
        self.0.servers.lock().unwrap()
    }

    /// Changes the servers, and reports it to the task.
    pub fn change<T>(&self, change: impl FnOnce(&mut Servers) -> T) -> T {
        let changed = change(&mut self.servers());
        self.0.changed.notify_one();
        changed
    }

    /// Connects a node.
    pub fn connect(&self, server: usize, reports: mpsc::Sender<EngineEvent>) -> SimEngine {
        let conn = self.change(|servers| servers.connect(server, reports));
        SimEngine {
            net: self.clone(),
            conn,
        }
    }

    /// Tries to accept a request. Returns none if the connection has no space for it.
    fn accept(&self, conn: Conn, request: &EngineRequest) -> Option<Result<(), BoxError>> {
        let mut servers = self.servers();
        let link = &mut servers.links[conn];
        if link.is_dead {
            return Some(Err("the process is gone".into()));
        }
        let has_space = link.is_up || link.buffer.len() < self.0.settings.buffer;
        if link.is_stalled || !has_space {
            return None;
        }
        let op = match request.clone() {
            EngineRequest::Flush => return link.is_up.then_some(Ok(())),
            EngineRequest::Publish { payload, .. } if payload.len() > self.0.settings.max_payload => {
                return Some(Err("the message is too large".into()));
            }
            EngineRequest::Publish { subject, payload } => Op::Publish(subject, payload),
            EngineRequest::Subscribe(_) | EngineRequest::Unsubscribe(_) if link.refusals > 0 => {
                link.refusals -= 1;
                return Some(Err("refused".into()));
            }
            EngineRequest::Subscribe(subject) => Op::Subscribe(subject),
            EngineRequest::Unsubscribe(subject) => Op::Unsubscribe(subject),
            other => panic!("unknown request {other:?}"),
        };
        servers.perform(conn, op);
        drop(servers);
        self.0.changed.notify_one();
        Some(Ok(()))
    }
}

/// A node's connection to the engine.
pub struct SimEngine {
    net: Net,
    pub conn: Conn,
}

impl Service<EngineRequest> for SimEngine {
    type Response = ();
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if !self.net.servers().links[self.conn].is_stalled {
            return Poll::Ready(Ok(()));
        }
        self.net.0.ready.lock().unwrap().push(cx.waker().clone());
        Poll::Pending
    }

    fn call(&mut self, request: EngineRequest) -> Self::Future {
        let (net, conn) = (self.net.clone(), self.conn);
        Box::pin(async move {
            loop {
                let accepts = net.0.accepts.notified();
                tokio::pin!(accepts);
                // Before the request is tried, so that no change is missed.
                accepts.as_mut().enable();
                if let Some(accepted) = net.accept(conn, &request) {
                    return accepted;
                }
                accepts.await;
            }
        })
    }
}
