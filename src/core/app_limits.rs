use std::time::Duration;

/// Limits on what all clients of an app may use together, and on their handshakes, which belong to no connection yet.
/// [`Limits`](crate::Limits) are those of one connection. The largest value of its type turns a limit off.
///
/// ```
/// use std::time::Duration;
/// use zocket::{AppLimits, Zocket};
///
/// let limits = AppLimits::default().connections(20_000).connect_within(Duration::from_secs(3));
/// let zo = Zocket::builder().app_limits(limits).build();
/// # drop(zo);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppLimits {
    /// Connections at a time, together with the handshakes that may become one. A connection counts as in
    /// [`Zocket::connections`](crate::Zocket::connections). A handshake beyond it is refused with 503, `OVERLOADED` and
    /// `Retry-After: 5`, before `on_connect` runs. The default leaves it to the operating system, which limits
    /// descriptors. Default: no limit.
    pub connections: usize,
    /// Handshakes whose `on_connect` runs, at a time. Further ones are refused with 503, `OVERLOADED` and
    /// `Retry-After: 1`. So clients that all reconnect at once don't pile up in front of a database. Default: 1,024.
    pub handshakes: usize,
    /// Time that `on_connect` may take. After it, the callback is dropped, and the handshake is refused with 504 and
    /// `TIMEOUT`. `on_disconnect` does not run. Default: 10 s.
    pub connect_within: Duration,
    /// Time from the success of `on_connect` until the HTTP server has sent the 101. After it, the client is given up.
    /// Default: 10 s.
    pub open_within: Duration,
    /// Refused handshakes that are open at a time as sockets, so that clients which can't read an HTTP status receive the
    /// refusal and a close code. Beyond it, a client receives the HTTP status alone. Default: 256.
    pub refusals: usize,
    /// Bytes that the records of all sessions keep together until their clients acknowledge them. Beyond it, the largest
    /// record is given up, as by [`Limits::record`](crate::Limits::record). The record of a connected client counts to the
    /// eighth, and to the KiB. Default: 256 MiB.
    pub records: usize,
    /// Sessions that wait for their clients at a time, after their connections were lost. Beyond it, the one that has
    /// waited for longest ends, among those of the address that has the most. Default: 16,384.
    pub parked: usize,
    /// Bytes that these sessions have together, in their records and waiting. Beyond it, one of them ends, as by
    /// [`parked`](field@Self::parked). Default: 256 MiB.
    pub parked_bytes: usize,
}

impl Default for AppLimits {
    fn default() -> Self {
        Self {
            connections: usize::MAX,
            handshakes: 1_024,
            connect_within: Duration::from_secs(10),
            open_within: Duration::from_secs(10),
            refusals: 256,
            records: 256 << 20,
            parked: 16_384,
            parked_bytes: 256 << 20,
        }
    }
}

impl AppLimits {
    /// Sets the maximum number of connections: [`connections`](field@Self::connections).
    #[must_use]
    pub const fn connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    /// Sets the maximum number of handshakes that are under way: [`handshakes`](field@Self::handshakes).
    #[must_use]
    pub const fn handshakes(mut self, handshakes: usize) -> Self {
        self.handshakes = handshakes;
        self
    }

    /// Sets the time that `on_connect` may take: [`connect_within`](field@Self::connect_within).
    #[must_use]
    pub const fn connect_within(mut self, connect_within: Duration) -> Self {
        self.connect_within = connect_within;
        self
    }

    /// Sets the time in which the 101 has to be sent: [`open_within`](field@Self::open_within).
    #[must_use]
    pub const fn open_within(mut self, open_within: Duration) -> Self {
        self.open_within = open_within;
        self
    }

    /// Sets the maximum number of refused handshakes that are open as sockets: [`refusals`](field@Self::refusals).
    #[must_use]
    pub const fn refusals(mut self, refusals: usize) -> Self {
        self.refusals = refusals;
        self
    }

    /// Sets the maximum number of bytes in all records together: [`records`](field@Self::records).
    #[must_use]
    pub const fn records(mut self, records: usize) -> Self {
        self.records = records;
        self
    }

    /// Sets the maximum number of parked sessions: [`parked`](field@Self::parked).
    #[must_use]
    pub const fn parked(mut self, parked: usize) -> Self {
        self.parked = parked;
        self
    }

    /// Sets the maximum number of bytes of all parked sessions: [`parked_bytes`](field@Self::parked_bytes).
    #[must_use]
    pub const fn parked_bytes(mut self, parked_bytes: usize) -> Self {
        self.parked_bytes = parked_bytes;
        self
    }
}
