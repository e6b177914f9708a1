//! Sockets that come to a session, and sockets that break.

use std::{pin::pin, sync::Arc};

use futures_util::future::select;
use hyper::upgrade::Upgraded;
use tokio::time::sleep;
use tower::{BoxError, Service};
use zocket_layers::{Close, Frame, FrameResponse, Limits};

use super::{
    driver::Driver,
    session::{End, outbound::Outbound},
    timer::now,
    websocket::WebSocket,
};
use crate::core::{
    Arrived,
    closes::{NOT_RESUMABLE, REPLACED},
    meter,
};

impl<S> Driver<S>
where
    S: Service<Frame>,
    S::Response: Into<FrameResponse>,
    S::Error: Into<BoxError>,
{
    /// Takes over a socket that has arrived.
    ///
    /// # Errors
    /// The end of the session, if a handshake has asked for it.
    pub(super) fn attach(&mut self) -> Result<(), End> {
        let Some(slot) = self.session.slot().filter(|slot| slot.take_news()) else {
            return Ok(());
        };
        if slot.is_end_requested() {
            return Err(match slot.has_moved() {
                true => End::Moved,
                false => End::Replaced,
            });
        }
        let (gives_up, arrived) = (slot.take_give_up(), slot.take_arrived());
        if gives_up {
            self.session.outbound().forget_kept();
            meter::record_given_up();
            // Nothing can resume it any more.
            if self.session.is_parked() {
                return Err(End::Expired);
            }
        }
        if let Some(arrived) = arrived {
            self.take_over(*arrived);
        }
        Ok(())
    }

    fn take_over(&mut self, arrived: Arrived) {
        let n = arrived.n;
        let Some(slot) = self.session.slot().cloned() else {
            return;
        };
        // The record may have moved on since the handshake was admitted.
        if self.closing.is_some() || !self.session.outbound().can_resume(n) {
            tokio::spawn(dismiss(
                arrived.upgraded,
                NOT_RESUMABLE,
                self.session.shared_limits(),
            ));
            return;
        }
        // Nothing more is read from the old socket as the session, before the welcome says what was received.
        if let Some(old) = self.socket.take() {
            let begun = self.session.outbound().copy_begun();
            tokio::spawn(close(old, begun, REPLACED, self.session.shared_limits()));
        }
        let upgraded = arrived.accepted(&slot, self.session.has_events());
        let socket = WebSocket::new(upgraded, &self.session.shared_limits());
        let welcome = self.session.welcome_back();
        self.session.resume(n, welcome, now());
        self.socket = Some(socket);
        self.timer.set_earlier(&self.session);
        // The new socket has no waker yet.
        self.io_wake_flag.set();
        meter::session_resumed();
        tracing::debug!(client = %self.session.client_id(), "session resumed");
    }

    /// Parks the session, if it survives this end of its connection. Otherwise returns the end.
    pub(super) fn park(&mut self, end: End) -> Option<End> {
        if self.opening.is_some() || self.socket.is_none() || !self.session.survives(&end) {
            return Some(end);
        }
        let socket = self.socket.take();
        if let (End::ByPeer(_), Some(mut socket)) = (end, socket) {
            let (mut begun, limits) = (self.session.outbound().copy_begun(), self.session.shared_limits());
            tokio::spawn(async move {
                let answer = pin!(socket.answer_close(&mut begun));
                select(answer, pin!(sleep(limits.close_within))).await;
            });
        }
        self.closing = None;
        self.session.park(now());
        self.timer.set_earlier(&self.session);
        tracing::debug!(client = %self.session.client_id(), "session parked");
        None
    }

    /// Admits no socket any more, and closes one that has arrived. A client that does not know of the end yet is told when
    /// it comes back.
    pub(super) fn detach(&self, end: &End) {
        let Some(slot) = self.session.slot() else {
            return;
        };
        if let (End::ByServer(close), Some(until)) = (end, self.session.window_end()) {
            slot.leave_close(close.clone(), until);
        }
        if let Some(arrived) = slot.end(self.session.received()) {
            tokio::spawn(dismiss(
                arrived.upgraded,
                NOT_RESUMABLE,
                self.session.shared_limits(),
            ));
        }
    }
}

/// Closes a socket that no session takes.
pub(crate) async fn dismiss(upgraded: Upgraded, reason: Close, limits: Arc<Limits>) {
    let socket = WebSocket::new(upgraded, &limits);
    close(socket, Outbound::default(), reason, limits).await;
}

/// Completes the frame that has begun on a socket, and closes it.
async fn close(mut socket: WebSocket, mut begun: Outbound, reason: Close, limits: Arc<Limits>) {
    let closed = pin!(socket.close(&mut begun, reason));
    select(closed, pin!(sleep(limits.close_within))).await;
}
