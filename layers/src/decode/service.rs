use std::task::{Context as Task, Poll};

use tower::Service;

use super::{DecodeFuture, reply_address::ReplyAddress};
use crate::{
    message::{Frame, FrameResponse, Message},
    meter,
    protocol::Codec,
    service::{IsOutcome, report_codec},
};

/// The service of [`DecodeLayer`](super::DecodeLayer). It responds with the frame to send back, if the sender receives
/// one. A frame that it refuses itself holds no permit: the inner service, which was ready for it, is replaced by a
/// fresh clone.
#[derive(Debug)]
pub struct DecodeService<S> {
    inner: S,
    codec: Codec,
}

impl<S> DecodeService<S> {
    pub(super) const fn new(inner: S, codec: Codec) -> Self {
        Self { inner, codec }
    }
}

impl<S: Clone> Clone for DecodeService<S> {
    fn clone(&self) -> Self {
        report_codec(self.codec);
        Self::new(self.inner.clone(), self.codec)
    }
}

impl<S: Service<Message> + Clone> Service<Frame> for DecodeService<S>
where
    S::Response: IsOutcome,
{
    type Response = FrameResponse;
    type Error = S::Error;
    type Future = DecodeFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, frame: Frame) -> Self::Future {
        match frame.into_message() {
            Ok(message) => {
                let parts = message.parts();
                let form = parts.connection().form();
                let limit = parts.connection().limits().message;
                let reply_address = ReplyAddress::of(form, parts.rpc_id(), parts.route());
                DecodeFuture::inner(self.inner.call(message), reply_address, form, limit)
            }
            Err(malformed) => {
                let (connection, error) = (malformed.connection(), malformed.error());
                // Otherwise an idle connection that has sent a malformed frame would hold a permit of a shared limit.
                self.inner = self.inner.clone();
                meter::refused(error);
                tracing::info!(client = %connection.client_id(), %error, "frame refused");
                let form = connection.form();
                let response = match malformed.rpc_id() {
                    Some(rpc_id) => FrameResponse::One(form.refusal(error, rpc_id)),
                    None if form.is_extended() => FrameResponse::One(form.codec.error(error, None)),
                    None => FrameResponse::None,
                };
                DecodeFuture::refused(response)
            }
        }
    }
}
