//! The task that owns the connection: it connects, serves, waits and reconnects.

use std::{
    error::Error,
    future::{Future, poll_fn},
    task::Poll,
};

use tokio::{
    select,
    sync::{mpsc, watch},
    time::{Instant, sleep},
};

use super::{
    CallError, Outage, Sent, Status, Welcome,
    call::Queues,
    commands::Commands,
    config::Config,
    connection::{Connection, Ended, Lasting},
    dial::{Stream, dial},
    headers::Source,
    heartbeat::Heartbeat,
    inbox::Listeners,
    opener::Opener,
    session::{End, Session},
    socket::Socket,
};

/// The event that ends an attempt, a connection or a wait.
enum Interruption {
    /// The attempt failed, or the connection was lost. Another attempt follows.
    Lost(Outage),
    /// The same, and no attempt follows.
    Final(Outage),
    /// A handle asks for a new connection.
    Reconnect,
    /// The client was closed, or the last handle was dropped.
    Close,
}

/// The ends of a client's channels that its task holds.
pub(super) struct Channels {
    pub(super) queues: Queues,
    pub(super) commands: watch::Receiver<Commands>,
    pub(super) status: watch::Sender<Status>,
    pub(super) listeners: Listeners,
    /// Notified when a call that was sent has timed out.
    pub(super) timeouts: mpsc::Receiver<()>,
}

/// The task that owns the connection.
pub(super) struct Driver {
    config: Config,
    channels: Channels,
    opener: Opener,
    session: Session,
    heartbeat: Heartbeat,
    /// Attempts since a connection last stayed open for `proven_after`. Determines the backoff.
    attempts: u32,
    /// True if the last attempt was refused with 401, and another one follows with new headers.
    was_unauthorized: bool,
}

impl Driver {
    pub(super) fn new(config: Config, channels: Channels, opener: Opener) -> Self {
        Self {
            opener,
            session: Session::new(config.resume),
            heartbeat: Heartbeat::new(config.pong_within),
            config,
            channels,
            attempts: 0,
            was_unauthorized: false,
        }
    }

    pub(super) async fn run(mut self) {
        let outage = self.reconnect_until_closed().await;
        tracing::debug!(outage = &outage as &dyn Error, "client closed");
        self.channels.queues.close().await;
        self.channels.listeners.end();
        self.set_status(Status::Closed(outage));
    }

    /// Connects and serves until the client is closed. Returns the reason.
    async fn reconnect_until_closed(&mut self) -> Outage {
        loop {
            self.set_status(Status::Connecting {
                attempts: self.attempts,
            });
            let attempt = dial(&self.config, &mut self.session);
            let mut interruption = match until_interrupted(&mut self.channels.commands, attempt).await {
                Ok(Ok((stream, welcome))) => self.serve(stream, welcome).await,
                Ok(Err(outage)) => self.lose(outage, false),
                Err(interruption) => interruption,
            };
            if let Interruption::Lost(outage) = interruption {
                interruption = match self.wait(outage).await {
                    Some(interruption) => interruption,
                    None => continue,
                };
            }
            match interruption {
                Interruption::Close => {
                    self.session.end(&End::Closed);
                    return Outage::ClosedLocally;
                }
                Interruption::Final(outage) => return outage,
                Interruption::Reconnect | Interruption::Lost(_) => self.attempts = 0,
            }
        }
    }

    /// Serves an open connection until it ends. Returns the reason.
    async fn serve(&mut self, stream: Stream, welcome: Welcome) -> Interruption {
        let opened = match self.session.open(&welcome) {
            Ok(opened) => opened,
            Err(fault) => {
                Socket::new(stream).close().await;
                return self.lose(fault.into(), false);
            }
        };
        let mut connection = Connection::new(stream);
        self.heartbeat
            .begin(self.config.ping_after.unwrap_or(welcome.heartbeat()));
        self.set_status(Status::Open(welcome));
        self.was_unauthorized = false;
        let opened_at = Instant::now();
        self.opener.open(opened);
        let ended = self.until_ended(&mut connection).await;
        if opened_at.elapsed() >= self.config.proven_after {
            self.attempts = 0;
        }
        let socket = connection.into_socket();
        match ended {
            Ok(Ended::By(outage)) => {
                let was_closed = matches!(outage, Outage::Closed { .. });
                let interruption = self.lose(outage, true);
                if was_closed {
                    socket.answer_close().await;
                }
                interruption
            }
            Ok(Ended::Fault(fault)) => {
                self.session.end(&End::Lost);
                let interruption = self.lose(fault.into(), true);
                socket.close().await;
                interruption
            }
            Err(Interruption::Reconnect) if self.session.is_resumable() => {
                self.session.park();
                socket.leave();
                Interruption::Reconnect
            }
            Err(interruption) => {
                match interruption {
                    Interruption::Close => self.end_session(&End::Closed),
                    _ => self.end_session(&End::Lost),
                }
                socket.close().await;
                interruption
            }
        }
    }

    /// Moves frames until the connection ends, or a handle interrupts it.
    async fn until_ended(&mut self, connection: &mut Connection) -> Result<Ended, Interruption> {
        let Channels {
            queues,
            commands,
            listeners,
            timeouts,
            ..
        } = &mut self.channels;
        // Of calls of an earlier connection.
        while timeouts.try_recv().is_ok() {}
        let mut lasting = Lasting {
            session: &mut self.session,
            heartbeat: &mut self.heartbeat,
            queues,
            listeners,
        };
        let opener = &mut self.opener;
        let served = poll_fn(|cx| {
            while let Poll::Ready(Some(())) = timeouts.poll_recv(cx) {
                lasting.heartbeat.ask();
            }
            // The callback is polled first, so that its requests are sent by this poll of the session. Its end lets the
            // others through.
            let has_opened = opener.poll(cx).is_ready();
            connection.poll(cx, has_opened, &mut lasting)
        });
        until_interrupted(commands, served).await
    }

    /// Decides what follows the end of a connection, or a failed attempt: whether the session goes on, and whether
    /// another attempt follows.
    fn lose(&mut self, outage: Outage, was_open: bool) -> Interruption {
        let is_break = self.session.is_resumable() && outage.is_break();
        let may_pass = self.may_pass_with_new_headers(&outage);
        let is_final = outage.is_final(&self.config.reconnect_on, is_break) && !may_pass;
        if is_break && !is_final {
            // An attempt that fails gives the session no further time.
            if was_open {
                self.session.park();
            }
        } else {
            let by_server = was_open && !is_break && matches!(outage, Outage::Closed { .. });
            let end = if by_server { End::ByServer } else { End::Lost };
            match was_open {
                true => self.end_session(&end),
                false => self.session.end(&end),
            }
        }
        match is_final {
            true => Interruption::Final(outage),
            false => Interruption::Lost(outage),
        }
    }

    /// Ends the session together with its connection. Fails the requests that wait, too.
    fn end_session(&mut self, end: &End) {
        self.session.end(end);
        self.opener.end_session();
        self.channels.queues.fail(|| match end {
            End::Closed => CallError::Closed,
            End::ByServer | End::Lost => CallError::Disconnected { sent: Sent::No },
        });
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
        tracing::debug!(
            outage = &outage as &dyn Error,
            ?delay,
            "disconnected, next attempt scheduled"
        );
        self.set_status(Status::Waiting {
            attempts: self.attempts,
            delay,
            outage,
        });
        let waiting = self.session.parked_during(sleep(delay));
        let interruption = until_interrupted(&mut self.channels.commands, waiting)
            .await
            .err();
        if !self.session.is_resumable() {
            self.opener.end_session();
        }
        interruption
    }

    fn set_status(&self, status: Status) {
        self.channels.status.send_replace(status);
    }
}

/// Ends the event streams however the task ends, even if its runtime shuts down. No stream is left waiting for events
/// that can't come.
impl Drop for Driver {
    fn drop(&mut self) {
        self.channels.listeners.end();
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
