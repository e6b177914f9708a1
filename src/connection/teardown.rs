//! Teardown of a connection: the closing handshake, the last handlers, and `on_disconnect`.

use std::{
    future::{Future, poll_fn},
    mem,
    panic::AssertUnwindSafe,
    pin::pin,
    task::{Poll, ready},
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{Either, join, select},
};
use tokio::time::sleep;
use tower::{BoxError, Service};
use zocket_layers::{Error, Frame, FrameResponse};

use super::{
    handlers::{Handlers, begin},
    session::{End, Session},
    websocket::WebSocket,
};
use crate::core::{BoxFuture, Core, DisconnectGuard, contain::drop_contained};

/// Parts of a connection that has ended.
pub(super) struct Teardown<S: Service<Frame>> {
    /// `None` if the session was parked.
    pub(super) socket: Option<WebSocket>,
    pub(super) session: Session,
    pub(super) handlers: Handlers<S>,
    /// `on_open`, if it has not completed.
    pub(super) opening: Option<BoxFuture<Result<(), Error>>>,
}

impl<S> Teardown<S>
where
    S: Service<Frame>,
    S::Response: Into<FrameResponse>,
    S::Error: Into<BoxError>,
{
    /// Completes the messages that were read, and runs `on_disconnect`. The Close frame is sent at the same time, so
    /// that `on_disconnect` does not wait for a peer that answers it late. Handlers that do not end within
    /// `Limits::linger`, or until the end of a shutdown's grace period, are dropped.
    pub(super) async fn run<C: Send + Sync + 'static>(
        self,
        end: End,
        core: &Core<C>,
        guard: DisconnectGuard<C>,
    ) {
        let Self {
            socket,
            mut session,
            mut handlers,
            mut opening,
        } = self;
        let mut outbound = mem::take(session.outbound());
        // This future owns the socket and the unwritten frames. They are dropped when the closing handshake has ended,
        // not when the last handler has completed.
        let (close_frame, is_by_peer) = (end.close(), matches!(end, End::ByPeer(_)));
        let close = async move {
            let Some(mut socket) = socket else {
                return;
            };
            let close = async {
                match close_frame {
                    Some(close) => socket.close(&mut outbound, close).await,
                    None if is_by_peer => socket.answer_close(&mut outbound).await,
                    None => {}
                }
            };
            // Polled before the limit, so that a Close is written even at the end of the grace period.
            select(pin!(close), pin!(core.over(core.limits.close_within))).await;
        };
        let finish = async {
            let finished = async {
                if let Some(opening) = &mut opening {
                    let opened = AssertUnwindSafe(opening).catch_unwind().await;
                    if !matches!(opened, Ok(Ok(()))) {
                        session.drop_queue();
                    }
                    // An error of the app, or the payload of a panic.
                    drop_contained(opened);
                }
                finish(&mut session, &mut handlers, core.limits.stall).await;
            };
            let has_finished = {
                let limit = core.over(core.limits.linger);
                matches!(select(pin!(finished), pin!(limit)).await, Either::Left(_))
            };
            if !has_finished {
                let (client, count) = (session.client_id(), handlers.abandon());
                tracing::warn!(%client, count, "handlers dropped: they did not end after their client had gone");
            }
            drop_contained(opening);
            guard.run(end.into_reason()).await;
        };
        join(close, finish).await;
    }
}

/// Handles the messages that were read until all have completed. Nothing is sent to the peer any more, so their
/// responses are dropped. If the pipeline is not ready for longer than `stall`, the queued messages are dropped.
async fn finish<S>(session: &mut Session, handlers: &mut Handlers<S>, stall: Duration)
where
    S: Service<Frame>,
    S::Response: Into<FrameResponse>,
    S::Error: Into<BoxError>,
{
    let mut stalled = None;
    poll_fn(|cx| {
        loop {
            // Registers the task's waker, because a message that gives up its turn wakes the mailbox's reader.
            let _ = session.mailbox().poll_notified(cx);
            let mut is_waiting = false;
            let mut begun = false;
            if session.may_begin() {
                match handlers.poll_ready(cx) {
                    Poll::Pending => is_waiting = true,
                    Poll::Ready(Err(error)) => session.fail(error),
                    Poll::Ready(Ok(())) => {
                        if let Some(frame) = session.take_queued() {
                            begun = true;
                            let _ = begin(session, handlers, frame, cx);
                        }
                    }
                }
            }
            if begun || !is_waiting {
                stalled = None;
            }
            let polled = handlers.poll_next(cx);
            match polled {
                Poll::Ready(Some((message, handled))) => drop(session.end_in_flight(&message, handled)),
                Poll::Ready(None) if session.is_queue_empty() => return Poll::Ready(()),
                _ if begun => {}
                _ if is_waiting => {
                    session.report();
                    let stalled = stalled.get_or_insert_with(|| Box::pin(sleep(stall)));
                    ready!(stalled.as_mut().poll(cx));
                    let count = session.drop_queue();
                    tracing::warn!(client = %session.client_id(), count, "queued messages dropped: the app was not ready within Limits::stall");
                }
                _ => {
                    session.report();
                    return Poll::Pending;
                }
            }
            // Nobody reads the responses.
            session.outbound().forget();
        }
    })
    .await;
}
