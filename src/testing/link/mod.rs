//! The in-memory connection between a test's client and its app. It can be cut and frozen, at once or at a byte that a
//! simulation has chosen.

mod lane;

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll},
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use self::lane::{Delivery, Lane};
pub(crate) use self::lane::{LaneFaults, Trickle};

/// The client's end of the connection. Clones share the same end.
#[derive(Debug, Clone)]
pub struct Link(Arc<Mutex<State>>);

/// The app's end of the connection. The connection ends when it is dropped.
#[derive(Debug)]
pub(crate) struct AppEnd(Link);

#[derive(Debug)]
struct State {
    to_app: Lane,
    to_client: Lane,
    /// True once the client has cut the connection, or a fault has.
    client_is_gone: bool,
    app_is_gone: bool,
    /// True if bytes in flight to the app are lost in a cut.
    loses_in_flight: bool,
    has_network: bool,
    frozen: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    App,
}

/// Faults of a link.
#[derive(Debug, Clone, Default)]
pub(crate) struct LinkFaults {
    pub(crate) to_app: LaneFaults,
    pub(crate) to_client: LaneFaults,
    /// True if a cut loses the bytes in flight to the app, as a reset of TCP does.
    pub(crate) loses_in_flight: bool,
    /// True if the app's end is carried over a network, which may break at any time.
    pub(crate) has_network: bool,
}

impl Link {
    /// Creates both ends of a link.
    pub(crate) fn pair(faults: LinkFaults) -> (Self, AppEnd) {
        let link = Self(Arc::new(Mutex::new(State {
            to_app: Lane::new(faults.to_app),
            to_client: Lane::new(faults.to_client),
            client_is_gone: false,
            app_is_gone: false,
            loses_in_flight: faults.loses_in_flight,
            has_network: faults.has_network,
            frozen: false,
        })));
        (link.clone(), AppEnd(link))
    }

    /// Cuts the connection for both sides, without a Close. The app still reads the bytes in flight.
    pub fn cut(&self) {
        self.0.lock().cut();
    }

    /// Holds up all data in both directions if `frozen` is true. Otherwise lets it through again.
    pub fn freeze(&self, frozen: bool) {
        let mut state = self.0.lock();
        state.frozen = frozen;
        state.wake();
    }

    /// Returns true if a fault of the link has taken effect, or one of a network may have.
    pub(crate) fn was_disturbed(&self) -> bool {
        let state = self.0.lock();
        state.has_network || state.to_app.was_disturbed() || state.to_client.was_disturbed()
    }

    /// Returns the time at which a fault took effect that the two sides notice at different times.
    pub(crate) fn disturbed_at(&self) -> Option<Instant> {
        let state = self.0.lock();
        let lanes = [state.to_app.disturbed_at(), state.to_client.disturbed_at()];
        lanes.into_iter().flatten().min()
    }

    /// Returns true if a fault has cut the link, or has made it swallow bytes.
    pub(crate) fn was_cut_by_fault(&self) -> bool {
        let state = self.0.lock();
        state.to_app.has_ended_by_fault() || state.to_client.has_ended_by_fault()
    }

    fn poll_read(&self, side: Side, cx: &mut Task<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let state = &mut *self.0.lock();
        let is_frozen = state.frozen;
        let (lane, is_gone) = match side {
            Side::Client => (&mut state.to_client, state.client_is_gone),
            Side::App => (&mut state.to_app, state.app_is_gone),
        };
        if is_gone {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        match lane.read(buf, is_frozen, cx) {
            Delivery::Bytes | Delivery::End => Poll::Ready(Ok(())),
            Delivery::Pending => Poll::Pending,
            Delivery::Cut => {
                state.cut();
                Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
            }
        }
    }

    fn poll_write(&self, side: Side, cx: &Task<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let state = &mut *self.0.lock();
        let (lane, back, is_gone, peer_is_gone) = match side {
            Side::Client => (
                &mut state.to_app,
                &state.to_client,
                state.client_is_gone,
                state.app_is_gone,
            ),
            Side::App => (
                &mut state.to_client,
                &state.to_app,
                state.app_is_gone,
                state.client_is_gone,
            ),
        };
        // A peer that is gone answers with a reset, if the lane back to this side delivers anything.
        if is_gone || lane.is_finished || (peer_is_gone && !lane.swallows() && !back.swallows()) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if peer_is_gone {
            return Poll::Ready(Ok(bytes.len()));
        }
        lane.write(bytes, cx)
    }

    fn shut_down(&self, side: Side) {
        let mut state = self.0.lock();
        let lane = match side {
            Side::Client => &mut state.to_app,
            Side::App => &mut state.to_client,
        };
        lane.is_finished = true;
        lane.wake();
    }
}

impl State {
    fn cut(&mut self) {
        self.client_is_gone = true;
        self.to_client.clear();
        if self.loses_in_flight {
            self.to_app.clear();
        }
        self.to_app.is_finished = true;
        self.wake();
    }

    fn wake(&mut self) {
        self.to_app.wake();
        self.to_client.wake();
    }
}

impl Drop for AppEnd {
    fn drop(&mut self) {
        let mut state = self.0.0.lock();
        state.app_is_gone = true;
        state.to_client.is_finished = true;
        state.wake();
    }
}

/// Implements tokio's traits for one end.
macro_rules! end {
    ($end:ty, $side:expr, $link:ident => $field:expr) => {
        impl AsyncRead for $end {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Task<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                let $link = self.get_mut();
                $field.poll_read($side, cx, buf)
            }
        }

        impl AsyncWrite for $end {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Task<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
                let $link = self.get_mut();
                $field.poll_write($side, cx, bytes)
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_shutdown(self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<io::Result<()>> {
                let $link = self.get_mut();
                $field.shut_down($side);
                Poll::Ready(Ok(()))
            }
        }
    };
}

end!(Link, Side::Client, link => link);
end!(AppEnd, Side::App, end => end.0);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        time::sleep,
    };

    use super::*;

    fn to_client(faults: LaneFaults) -> (Link, AppEnd) {
        Link::pair(LinkFaults {
            to_client: faults,
            ..LinkFaults::default()
        })
    }

    #[tokio::test]
    async fn a_cut_delivers_the_bytes_before_it_and_ends_both_sides() {
        let (mut client, mut app) = to_client(LaneFaults {
            cut_at: Some(3),
            ..LaneFaults::default()
        });
        client.write_all(b"to the app").await.unwrap();
        app.write_all(b"to the client").await.unwrap();
        let mut read = Vec::new();
        client.read_to_end(&mut read).await.unwrap_err();
        assert_eq!(read, b"to ");
        assert!(client.was_cut_by_fault());
        client.write_all(b"more").await.unwrap_err();
        let mut read = Vec::new();
        app.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"to the app");
        app.write_all(b"more").await.unwrap_err();
    }

    #[tokio::test]
    async fn nobody_notices_a_lane_that_swallows() {
        let (mut client, mut app) = to_client(LaneFaults {
            swallow_from: Some(3),
            ..LaneFaults::default()
        });
        app.write_all(&[1; 3]).await.unwrap();
        client.read_exact(&mut [0; 3]).await.unwrap();
        app.write_all(&[2; 200 << 10]).await.unwrap();
        drop(app);
        assert!(client.read(&mut [0]).now_or_never().is_none());
    }

    #[tokio::test]
    async fn a_client_that_has_gone_is_not_noticed_where_nothing_arrives() {
        let (client, mut app) = Link::pair(LinkFaults {
            to_app: LaneFaults {
                swallow_from: Some(0),
                ..LaneFaults::default()
            },
            ..LinkFaults::default()
        });
        client.cut();
        app.write_all(&[1; 200 << 10]).await.unwrap();
        assert!(app.read(&mut [0]).now_or_never().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn latency_stalls_and_trickles_delay_bytes() {
        let (mut client, mut app) = to_client(LaneFaults {
            latency: Duration::from_millis(10),
            stall: Some((2, Duration::from_millis(500))),
            trickle: Some((
                4,
                Trickle {
                    bytes: 1,
                    every: Duration::from_millis(100),
                },
            )),
            ..LaneFaults::default()
        });
        let began = Instant::now();
        app.write_all(b"abcdefg").await.unwrap();
        let mut arrived = Vec::new();
        for _ in 0..7 {
            let letter = client.read_u8().await.unwrap();
            arrived.push((char::from(letter), began.elapsed().as_millis()));
        }
        assert_eq!(
            arrived,
            [
                ('a', 10),
                ('b', 10),
                ('c', 510),
                ('d', 510),
                ('e', 510),
                ('f', 610),
                ('g', 710)
            ]
        );
        assert!(client.was_disturbed() && !client.was_cut_by_fault());
    }

    #[tokio::test(start_paused = true)]
    async fn a_frozen_link_delivers_after_it_was_thawed() {
        let (mut client, mut app) = Link::pair(LinkFaults::default());
        client.freeze(true);
        client.write_all(b"a").await.unwrap();
        app.write_all(b"b").await.unwrap();
        let read = tokio::spawn(async move { app.read_u8().await.unwrap() });
        sleep(Duration::from_secs(1)).await;
        assert!(!read.is_finished());
        assert!(client.read(&mut [0]).now_or_never().is_none());
        client.freeze(false);
        assert_eq!(
            (read.await.unwrap(), client.read_u8().await.unwrap()),
            (b'a', b'b')
        );
    }
}
