use std::task::{Context as Task, Poll};

use tower::Service;

use super::{
    DecodeFuture, Frame,
    encode::{Recipient, error_frame, refusal_frame},
    frame::Unread,
};
use crate::{Message, Wire, stack::IsOutcome};

/// The service of [`DecodeLayer`](super::DecodeLayer). It answers with the frame to send back, if an answer is
/// wanted. A frame that it answers by itself leaves nothing behind: a permit that was taken for it goes back, by a
/// fresh clone of the rest of the stack.
#[derive(Debug, Clone)]
pub struct DecodeService<S> {
    inner: S,
}

impl<S> DecodeService<S> {
    /// Puts the stage around a service.
    pub const fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S: Service<Message> + Clone> Service<Frame> for DecodeService<S>
where
    S::Response: IsOutcome,
{
    type Response = Option<Vec<u8>>;
    type Error = S::Error;
    type Future = DecodeFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, frame: Frame) -> Self::Future {
        match frame.into_message() {
            Ok(message) => {
                let parts = message.parts();
                let to = Recipient::of(parts.connection().wire(), parts.rpc_id(), parts.route());
                let limit = parts.connection().limits().message;
                DecodeFuture::inner(self.inner.call(message), to, limit)
            }
            Err(Unread {
                connection,
                rpc_id,
                error,
            }) => {
                // Or an idle connection that has sent nonsense would hold a permit of a limit that all share.
                self.inner = self.inner.clone();
                metrics::counter!("zocket_messages_refused_total", "code" => error.code().as_str())
                    .increment(1);
                tracing::info!(client = %connection.client_id(), %error, "frame refused");
                let extended = connection.wire() == Wire::Extended;
                DecodeFuture::refused(match rpc_id {
                    Some(rpc_id) => Some(refusal_frame(&error, &rpc_id)),
                    None => extended.then(|| error_frame(&error, None)),
                })
            }
        }
    }
}
