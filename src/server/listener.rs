use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream, ToSocketAddrs, lookup_host},
    time::sleep,
};

use super::BACKLOG;

/// Listens on an address such as `127.0.0.1:3000`, with a backlog of [`BACKLOG`] connections. A name is looked up, and
/// its first address that can be bound is used.
///
/// # Errors
/// As of [`TcpListener::bind`].
pub async fn listen(addr: impl ToSocketAddrs) -> io::Result<TcpListener> {
    let mut last = io::Error::new(
        io::ErrorKind::InvalidInput,
        "expected an address such as 127.0.0.1:3000",
    );
    for addr in lookup_host(addr).await? {
        match bind(addr) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = match addr {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // As `TcpListener::bind` does: a server that restarts would otherwise wait for its old connections to expire. On
    // Windows the option would let another process take the port.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// Waits for the next connection, and sets `TCP_NODELAY`, so that small messages are sent without delay.
///
/// An error of one connection (reset before it was accepted) is skipped. After another error, most likely because the
/// process is out of descriptors, the next attempt waits 10 ms, and then twice as long each time, up to 1 s. The first
/// of them is logged.
pub async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    accept_or(listener, || ()).await
}

/// Accepts like [`accept`], and calls `make_room` before each pause.
pub(super) async fn accept_or(listener: &TcpListener, make_room: impl Fn()) -> (TcpStream, SocketAddr) {
    let (stream, peer) = persistently(|| listener.accept(), make_room).await;
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was not set");
    }
    (stream, peer)
}

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Repeats `attempt` until it succeeds. Calls `make_room` before each pause.
async fn persistently<T, Fut: Future<Output = io::Result<T>>>(
    mut attempt: impl FnMut() -> Fut,
    make_room: impl Fn(),
) -> T {
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match attempt().await {
            Ok(accepted) => return accepted,
            Err(error) => error,
        };
        let is_of_one_connection = matches!(
            error.kind(),
            io::ErrorKind::ConnectionAborted
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionRefused
        );
        if is_of_one_connection {
            continue;
        }
        if pause == FIRST_PAUSE {
            tracing::warn!(%error, "no connection was accepted");
        }
        make_room();
        sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::Instant;

    use super::*;

    /// Returns the time until the attempt after these errors succeeds.
    async fn time_of(errors: &[io::ErrorKind]) -> Duration {
        let (start, rooms) = (Instant::now(), Cell::new(0));
        let mut errors = errors.iter();
        let attempt = || std::future::ready(errors.next().map_or(Ok(()), |kind| Err((*kind).into())));
        persistently(attempt, || rooms.set(rooms.get() + 1)).await;
        assert_eq!(rooms.get() > 0, start.elapsed() > Duration::ZERO);
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn errors_of_the_process_are_retried_after_growing_pauses() {
        let full = io::ErrorKind::Other;
        assert_eq!(time_of(&[full]).await, Duration::from_millis(10));
        assert_eq!(time_of(&[full; 3]).await, Duration::from_millis(10 + 20 + 40));
        // 10 ms to 640 ms, and then a second each.
        assert_eq!(time_of(&[full; 9]).await, Duration::from_millis(1_270 + 2_000));
        assert_eq!(
            time_of(&[io::ErrorKind::OutOfMemory]).await,
            Duration::from_millis(10)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn errors_of_one_connection_are_retried_at_once() {
        for kind in [
            io::ErrorKind::ConnectionAborted,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::ConnectionRefused,
        ] {
            assert_eq!(time_of(&[kind; 100]).await, Duration::ZERO);
        }
    }
}
