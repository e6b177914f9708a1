use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::{ConnectionRegistry, meter};

/// Connections that are asked to close at once. The Closes of a large app are spread, so that its clients do not all
/// reconnect in the same moment.
const AT_ONCE: usize = 10;
/// Time between two such groups.
const BETWEEN: Duration = Duration::from_millis(10);
/// Longest time for the closing handshakes at the end of the grace period.
const LAST: Duration = Duration::from_secs(1);
/// Grace periods are at most this long, because `Duration::MAX` can't be added to an instant.
const FAR_FUTURE: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// Options of [`Zocket::shutdown`](crate::Zocket::shutdown). A [`Duration`] is converted to the shutdown with that
/// grace period.
///
/// ```
/// use std::time::Duration;
/// use zocket::{Shutdown, Zocket};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let zo = Zocket::builder().build();
/// // Clients are told that the server starts again.
/// let cut = zo.shutdown(Shutdown::within(Duration::from_secs(10)).restart()).await;
/// assert_eq!(cut, 0);
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "an app shuts down by `zo.shutdown(..)`"]
pub struct Shutdown {
    grace: Duration,
    restarts: bool,
}

impl Shutdown {
    /// Begins the options of a shutdown that takes no longer than `grace`.
    pub const fn within(grace: Duration) -> Self {
        Self {
            grace,
            restarts: false,
        }
    }

    /// Closes with 1012 `restarting` instead of 1001 `going-away`.
    pub const fn restart(mut self) -> Self {
        self.restarts = true;
        self
    }
}

impl From<Duration> for Shutdown {
    fn from(grace: Duration) -> Self {
        Self::within(grace)
    }
}

impl<C> ConnectionRegistry<C> {
    /// Shuts the app down. Returns the number of connections and of calls of `on_connect` that were cut.
    pub(crate) async fn shut_down(&self, shutdown: Shutdown) -> usize {
        let grace = shutdown.grace.min(FAR_FUTURE);
        let end = Instant::now() + grace;
        self.drain(shutdown.restarts);
        let drained = async {
            self.close_spread(grace / 2).await;
            self.drained().await;
        };
        // Handlers that wait for the end of their connection hold no shutdown up: in the last part of the grace period,
        // connections are closed with messages in flight.
        if timeout_at(end - LAST.min(grace / 4), drained).await.is_ok() {
            return 0;
        }
        self.close();
        if timeout_at(end, self.drained()).await.is_ok() {
            return 0;
        }
        let cut = self.cut();
        if cut > 0 {
            tracing::warn!(
                cut,
                "shutdown: connections were left at the end of the grace period"
            );
            meter::connections_cut(cut);
        }
        cut
    }

    /// Closes idle connections in groups, within this time.
    async fn close_spread(&self, within: Duration) {
        let clients = self.to_close();
        let groups = clients.len().div_ceil(AT_ONCE).max(1);
        let between = BETWEEN.min(within / u32::try_from(groups).unwrap_or(u32::MAX));
        for (index, group) in clients.chunks(AT_ONCE).enumerate() {
            if index > 0 {
                sleep(between).await;
            }
            self.close_when_idle(group);
        }
    }
}
