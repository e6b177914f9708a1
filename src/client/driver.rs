//! The task that owns the connection: it connects, serves, waits and reconnects.

use std::future::{Future, poll_fn};

use tokio::{
    select,
    sync::{mpsc, watch},
    time::{Instant, sleep},
};

use super::{
    CallError, Outage, Status, Welcome,
    call::Request,
    config::Config,
    dial::{Stream, dial},
    inbox::Listeners,
    session::{Session, answer},
};

/// Orders of the client's handles, sent to the driver over a watch channel.
#[derive(Debug, Clone, Default)]
pub(super) struct Orders {
    pub(super) close: bool,
    pub(super) reconnects: u64,
}

/// The event that ends an attempt, a connection or a wait.
enum Turn {
    /// The attempt failed, or the connection was lost.
    Lost(Outage),
    /// A handle asks for a new connection.
    Reconnect,
    /// The client was closed, or the last handle was dropped.
    Close,
}

/// The task that owns the connection.
pub(super) struct Driver {
    config: Config,
    queue: mpsc::Receiver<Request>,
    orders: watch::Receiver<Orders>,
    status: watch::Sender<Status>,
    listeners: Listeners,
    /// Attempts since a connection last stayed open for `proven_after`. Determines the backoff.
    attempts: u32,
}

impl Driver {
    pub(super) fn new(
        config: Config,
        queue: mpsc::Receiver<Request>,
        orders: watch::Receiver<Orders>,
        status: watch::Sender<Status>,
        listeners: Listeners,
    ) -> Self {
        Self {
            config,
            queue,
            orders,
            status,
            listeners,
            attempts: 0,
        }
    }

    pub(super) async fn run(mut self) {
        let outage = self.live().await;
        tracing::debug!(%outage, "the client is closed");
        self.queue.close();
        while let Some(request) = self.queue.recv().await {
            answer(request.reply, Err(CallError::Closed));
        }
        self.listeners.end();
        self.status.send_replace(Status::Closed(outage));
    }

    /// Connects and serves until the client is closed. Returns the reason.
    async fn live(&mut self) -> Outage {
        loop {
            self.tell(Status::Connecting {
                attempts: self.attempts,
            });
            let dialled = until_ordered(&mut self.orders, dial(&self.config)).await;
            let mut turn = match dialled {
                Ok(Ok((stream, welcome))) => self.serve(stream, welcome).await,
                Ok(Err(outage)) => Turn::Lost(outage),
                Err(turn) => turn,
            };
            if let Turn::Lost(outage) = turn {
                if outage.is_final(&self.config.come_back) {
                    return outage;
                }
                turn = match self.wait(outage).await {
                    Some(turn) => turn,
                    None => continue,
                };
            }
            match turn {
                Turn::Close => return Outage::ClosedLocally,
                Turn::Reconnect | Turn::Lost(_) => self.attempts = 0,
            }
        }
    }

    /// Serves an open connection until it ends. Returns the reason.
    async fn serve(&mut self, stream: Stream, welcome: Welcome) -> Turn {
        let mut session = Session::new(stream, &welcome, &self.config);
        self.tell(Status::Open(welcome));
        let opened = Instant::now();
        let served = poll_fn(|cx| session.poll(cx, &mut self.queue, &self.listeners));
        let turn = until_ordered(&mut self.orders, served)
            .await
            .map_or_else(|turn| turn, Turn::Lost);
        if opened.elapsed() >= self.config.proven_after {
            self.attempts = 0;
        }
        session.reject(&mut self.queue, matches!(turn, Turn::Close));
        let socket = session.into_socket();
        match &turn {
            Turn::Lost(Outage::Closed { .. }) => socket.answer_close().await,
            Turn::Lost(_) => drop(socket),
            Turn::Close | Turn::Reconnect => socket.close().await,
        }
        turn
    }

    /// Waits before the next attempt. Returns the order that interrupted the wait, or `None` after the full wait.
    async fn wait(&mut self, outage: Outage) -> Option<Turn> {
        self.attempts = self.attempts.saturating_add(1);
        // The jitter is added to the server's `Retry-After`, so that not all clients reconnect in the same instant.
        let delay = self.config.backoff.wait(self.attempts) + outage.retry_after().unwrap_or_default();
        tracing::debug!(%outage, ?delay, "no connection");
        self.tell(Status::Waiting {
            attempts: self.attempts,
            delay,
            outage,
        });
        until_ordered(&mut self.orders, sleep(delay)).await.err()
    }

    fn tell(&self, status: Status) {
        self.status.send_replace(status);
    }
}

/// Ends the event streams however the task ends, even if its runtime shuts down. No stream is left waiting for events
/// that can't come.
impl Drop for Driver {
    fn drop(&mut self) {
        self.listeners.end();
    }
}

/// Runs `work` until it completes, or until an order of the handles interrupts it.
async fn until_ordered<T>(
    orders: &mut watch::Receiver<Orders>,
    work: impl Future<Output = T>,
) -> Result<T, Turn> {
    select! {
        biased;
        changed = orders.changed() => Err(match changed {
            Ok(()) if !orders.borrow_and_update().close => Turn::Reconnect,
            _ => Turn::Close,
        }),
        done = work => Ok(done),
    }
}
