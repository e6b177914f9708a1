//! Limits of one connection, and of a room.

use std::time::Duration;

/// Limits on the resources that one connection may use, and on those of a room. The crate `zocket` limits all
/// connections together by its `AppLimits`. Every limit is finite by default, and the largest value of its type turns it
/// off. Raise a limit that is too low for your app:
///
/// ```
/// use std::time::Duration;
/// use zocket_layers::Limits;
///
/// let limits = Limits::default().message(8 << 20).ping_after(Duration::from_secs(10));
/// assert_eq!(limits.message, 8 << 20);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one message, in either direction. A larger message from the client closes the connection with 1009 (RFC
    /// 6455, section 7.4.1), since its id can't be read. A larger answer or event is refused with `PAYLOAD_TOO_LARGE`.
    /// Default: 1 MiB.
    pub message: usize,
    /// Messages that are handled at the same time, those of `.concurrent()` routes included; at least 1. Default: 64.
    pub in_flight: usize,
    /// Messages that were read and have not begun; at least 1. The bytes in the queue are bounded too, by
    /// [`message`](field@Self::message). A full queue stops reading from the socket, and TCP's flow control slows the
    /// client down. It does so after another 64 KiB of messages, so that pings and the Close frame behind a full queue
    /// take effect. For a client that offers `zocket.flow`, a full queue is read on, and further messages are refused with
    /// `OVERLOADED`. Default: 64.
    pub queued: usize,
    /// Bytes that wait to be written to the client. Each frame counts 64 bytes more than its length. Once the client is
    /// behind, further events wait in its mailbox. There one that is not reliable or is larger than 1 KiB counts with its
    /// memory, about half a KiB more. If a client reads too slowly and exceeds this limit, its connection is closed with
    /// 3002 `slow-reader`. One message always fits, whatever the value. Default: 4 MiB.
    pub outbound: usize,
    /// Bytes that were written to a client which can resume its session, and that it has not acknowledged. Each frame
    /// counts 64 bytes more than its length. One message more fits, whatever its size. Beyond it, nothing is kept until
    /// the client has acknowledged everything, so that a break then ends the session. Default: 1 MiB.
    pub record: usize,
    /// Rooms that one client may be in. Default: 1,000.
    pub rooms: usize,
    /// Bytes of a room's name. Default: 256.
    pub room_name: usize,
    /// Bytes of memory that a room keeps for members that have not read its events yet. An event counts with its
    /// overhead, about half a KiB, and with its exceptions. A quarter of the bytes is for frames that were joined for
    /// several readers. One event always fits, whatever the value. When the space is used up, members that have all of it
    /// unread are disconnected with 3002 `slow-reader`, if another member keeps up. If none keeps up, sends to the room
    /// are refused with `OVERLOADED`. Default: 16 MiB.
    pub room_backlog: usize,
    /// Time that a message may wait for the app's layers to become ready. After it, the connection is closed with 3001
    /// `stalled`. Default: 30 s.
    pub stall: Duration,
    /// Time that the handlers of a client may take after it has disconnected, and then again that `on_disconnect` may
    /// take. What has not finished is dropped, and the client leaves its rooms. During a shutdown the rest of its grace
    /// period is the limit. Default: 30 s.
    pub linger: Duration,
    /// Time that a session waits for its client after the connection was lost. Until then, the client is in its rooms, and
    /// `on_disconnect` does not run. Only clients that offer to resume have such sessions. Without any time, no session can
    /// be resumed. Default: 30 s.
    pub resume_within: Duration,
    /// Time without data from the peer after which a ping is sent. Default: 25 s.
    pub ping_after: Duration,
    /// Time to wait for data after that ping. If none arrives, the connection is dropped. Default: 20 s.
    pub pong_within: Duration,
    /// Time in which the socket has to accept at least one byte while frames wait to be written. After it, the connection
    /// is dropped without a Close frame. Default: 10 s.
    pub write_within: Duration,
    /// Time for the closing handshake (RFC 6455, section 7.1.2): writing the last frames and the Close frame, and
    /// receiving the peer's Close frame. Also the time in which messages are answered that were read before the peer's
    /// Close frame, until that is answered. Default: 5 s.
    pub close_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: 1 << 20,
            in_flight: 64,
            queued: 64,
            outbound: 4 << 20,
            record: 1 << 20,
            rooms: 1_000,
            room_name: 256,
            room_backlog: 16 << 20,
            stall: Duration::from_secs(30),
            linger: Duration::from_secs(30),
            resume_within: Duration::from_secs(30),
            ping_after: Duration::from_secs(25),
            pong_within: Duration::from_secs(20),
            write_within: Duration::from_secs(10),
            close_within: Duration::from_secs(5),
        }
    }
}

impl Limits {
    /// Sets the maximum size of a message: [`message`](field@Self::message).
    #[must_use]
    pub const fn message(mut self, message: usize) -> Self {
        self.message = message;
        self
    }

    /// Sets the maximum number of messages that are handled at the same time: [`in_flight`](field@Self::in_flight).
    #[must_use]
    pub const fn in_flight(mut self, in_flight: usize) -> Self {
        self.in_flight = in_flight;
        self
    }

    /// Sets the maximum number of messages that may wait to be handled: [`queued`](field@Self::queued).
    #[must_use]
    pub const fn queued(mut self, queued: usize) -> Self {
        self.queued = queued;
        self
    }

    /// Sets the maximum number of bytes that may wait to be written to the client: [`outbound`](field@Self::outbound).
    #[must_use]
    pub const fn outbound(mut self, outbound: usize) -> Self {
        self.outbound = outbound;
        self
    }

    /// Sets the maximum number of bytes that are kept until the client acknowledges them: [`record`](field@Self::record).
    #[must_use]
    pub const fn record(mut self, record: usize) -> Self {
        self.record = record;
        self
    }

    /// Sets the maximum number of rooms that the client may be in: [`rooms`](field@Self::rooms).
    #[must_use]
    pub const fn rooms(mut self, rooms: usize) -> Self {
        self.rooms = rooms;
        self
    }

    /// Sets the maximum length of a room's name: [`room_name`](field@Self::room_name).
    #[must_use]
    pub const fn room_name(mut self, room_name: usize) -> Self {
        self.room_name = room_name;
        self
    }

    /// Sets the maximum number of bytes that may wait in a room: [`room_backlog`](field@Self::room_backlog).
    #[must_use]
    pub const fn room_backlog(mut self, room_backlog: usize) -> Self {
        self.room_backlog = room_backlog;
        self
    }

    /// Sets the time that a message may wait for the app's layers: [`stall`](field@Self::stall).
    #[must_use]
    pub const fn stall(mut self, stall: Duration) -> Self {
        self.stall = stall;
        self
    }

    /// Sets the time that handlers may take after their client has disconnected: [`linger`](field@Self::linger).
    #[must_use]
    pub const fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// Sets the time that a session waits for its client: [`resume_within`](field@Self::resume_within).
    #[must_use]
    pub const fn resume_within(mut self, resume_within: Duration) -> Self {
        self.resume_within = resume_within;
        self
    }

    /// Sets the time without data after which a ping is sent: [`ping_after`](field@Self::ping_after).
    #[must_use]
    pub const fn ping_after(mut self, ping_after: Duration) -> Self {
        self.ping_after = ping_after;
        self
    }

    /// Sets the time to wait for data after a ping: [`pong_within`](field@Self::pong_within).
    #[must_use]
    pub const fn pong_within(mut self, pong_within: Duration) -> Self {
        self.pong_within = pong_within;
        self
    }

    /// Sets the time in which the socket has to accept a byte that waits: [`write_within`](field@Self::write_within).
    #[must_use]
    pub const fn write_within(mut self, write_within: Duration) -> Self {
        self.write_within = write_within;
        self
    }

    /// Sets the time for the closing handshake: [`close_within`](field@Self::close_within).
    #[must_use]
    pub const fn close_within(mut self, close_within: Duration) -> Self {
        self.close_within = close_within;
        self
    }
}
