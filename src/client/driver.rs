//! The task that owns the connection: it connects, serves, waits and reconnects.

use std::future::{Future, poll_fn};

use tokio::{
    select,
    sync::watch,
    time::{Instant, sleep},
};

use super::{
    CallError, Outage, Status, Welcome,
    call::Queues,
    config::Config,
    dial::{Stream, dial},
    handle::Opener,
    headers::Source,
    inbox::Listeners,
    session::{Session, answer},
};

/// Commands of the client's handles, sent to the driver over a watch channel.
#[derive(Debug, Clone, Default)]
pub(super) struct Commands {
    pub(super) close: bool,
    pub(super) reconnects: u64,
}

/// The event that ends an attempt, a connection or a wait.
enum Interruption {
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
    queues: Queues,
    commands: watch::Receiver<Commands>,
    status: watch::Sender<Status>,
    listeners: Listeners,
    opener: Option<Opener>,
    /// Attempts since a connection last stayed open for `proven_after`. Determines the backoff.
    attempts: u32,
    /// True if the last attempt was refused with 401, and another one follows with new headers.
    was_unauthorized: bool,
}

impl Driver {
    pub(super) fn new(
        config: Config,
        queues: Queues,
        commands: watch::Receiver<Commands>,
        status: watch::Sender<Status>,
        listeners: Listeners,
        opener: Option<Opener>,
    ) -> Self {
        Self {
            config,
            queues,
            commands,
            status,
            listeners,
            opener,
            attempts: 0,
            was_unauthorized: false,
        }
    }

    pub(super) async fn run(mut self) {
        let outage = self.reconnect_until_closed().await;
        tracing::debug!(%outage, "client closed");
        for queue in [&mut self.queues.first, &mut self.queues.others] {
            while let Some(request) = queue.close().await {
                answer(request.reply, Err(CallError::Closed));
            }
        }
        self.listeners.end();
        self.status.send_replace(Status::Closed(outage));
    }

    /// Connects and serves until the client is closed. Returns the reason.
    async fn reconnect_until_closed(&mut self) -> Outage {
        loop {
            self.set_status(Status::Connecting {
                attempts: self.attempts,
            });
            let dialed = until_interrupted(&mut self.commands, dial(&self.config)).await;
            let mut interruption = match dialed {
                Ok(Ok((stream, welcome))) => self.serve(stream, welcome).await,
                Ok(Err(outage)) => Interruption::Lost(outage),
                Err(interruption) => interruption,
            };
            if let Interruption::Lost(outage) = interruption {
                let may_pass = self.may_pass_with_new_headers(&outage);
                if outage.is_final(&self.config.reconnect_on) && !may_pass {
                    return outage;
                }
                interruption = match self.wait(outage).await {
                    Some(interruption) => interruption,
                    None => continue,
                };
            }
            match interruption {
                Interruption::Close => return Outage::ClosedLocally,
                Interruption::Reconnect | Interruption::Lost(_) => self.attempts = 0,
            }
        }
    }

    /// Serves an open connection until it ends. Returns the reason.
    async fn serve(&mut self, stream: Stream, welcome: Welcome) -> Interruption {
        let mut session = Session::new(stream, &welcome, &self.config);
        self.set_status(Status::Open(welcome));
        self.was_unauthorized = false;
        let opened = Instant::now();
        let mut opening = self.opener.as_ref().map(|opener| Box::pin(opener.run()));
        let served = poll_fn(|cx| {
            // The callback is polled first, so that its requests are sent by this poll of the session. Its end lets the
            // others through.
            opening.take_if(|opening| opening.as_mut().poll(cx).is_ready());
            session.poll(cx, &mut self.queues, opening.is_none(), &self.listeners)
        });
        let interruption = until_interrupted(&mut self.commands, served)
            .await
            .map_or_else(|interruption| interruption, Interruption::Lost);
        if opened.elapsed() >= self.config.proven_after {
            self.attempts = 0;
        }
        session.reject(&mut self.queues, matches!(interruption, Interruption::Close));
        let socket = session.into_socket();
        match &interruption {
            Interruption::Lost(Outage::Closed { .. }) => socket.answer_close().await,
            Interruption::Lost(_) => drop(socket),
            Interruption::Close | Interruption::Reconnect => socket.close().await,
        }
        interruption
    }

    /// Returns true for the first of several 401 in a row, if the headers are made for each attempt: a token may have
    /// expired.
    fn may_pass_with_new_headers(&mut self, outage: &Outage) -> bool {
        let is_first = matches!(outage, Outage::Refused { status: 401, .. }) && !self.was_unauthorized;
        self.was_unauthorized = is_first && matches!(self.config.headers, Source::PerAttempt(_));
        self.was_unauthorized
    }

    /// Waits before the next attempt. Returns the interruption of the wait, or `None` after the full wait.
    async fn wait(&mut self, outage: Outage) -> Option<Interruption> {
        self.attempts = self.attempts.saturating_add(1);
        // The jitter is added to the server's `Retry-After`, so that not all clients reconnect in the same instant.
        let delay = self.config.backoff.wait(self.attempts) + outage.retry_after().unwrap_or_default();
        tracing::debug!(%outage, ?delay, "disconnected, next attempt scheduled");
        self.set_status(Status::Waiting {
            attempts: self.attempts,
            delay,
            outage,
        });
        until_interrupted(&mut self.commands, sleep(delay)).await.err()
    }

    fn set_status(&self, status: Status) {
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

/// Runs `work` until it completes, or until a command of a handle interrupts it.
async fn until_interrupted<T>(
    commands: &mut watch::Receiver<Commands>,
    work: impl Future<Output = T>,
) -> Result<T, Interruption> {
    select! {
        biased;
        changed = commands.changed() => Err(match changed {
            Ok(()) if !commands.borrow_and_update().close => Interruption::Reconnect,
            _ => Interruption::Close,
        }),
        done = work => Ok(done),
    }
}
