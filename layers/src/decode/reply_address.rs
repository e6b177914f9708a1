use crate::{
    error::{Code, Error},
    message::{FrameResponse, Outcome},
    protocol::{Codec, DataFrame, Form, Name, RpcId},
};

/// Address of the answer to a message. It decides which frame is sent back.
#[derive(Debug)]
pub(super) enum ReplyAddress {
    /// The sender matches the answer by this id.
    Id(RpcId),
    /// The sender expects no answer. A failure is reported with this message type.
    Type(Name),
    /// The sender receives no frame.
    None,
}

impl ReplyAddress {
    pub(super) fn of(form: Form, rpc_id: Option<&RpcId>, route: &Name) -> Self {
        match rpc_id {
            Some(rpc_id) => Self::Id(rpc_id.clone()),
            None if form.is_extended() => Self::Type(route.clone()),
            None => Self::None,
        }
    }

    /// Writes the frame for the outcome of a message, if the sender receives one. An answer of more than `limit` bytes
    /// becomes a refusal.
    pub(super) fn respond(&self, outcome: Outcome, codec: Codec, limit: usize) -> FrameResponse {
        match (self, outcome) {
            (Self::Id(rpc_id), outcome) => {
                FrameResponse::One(answer_or_refusal(outcome, rpc_id, codec, limit))
            }
            (Self::Type(route), Outcome::Refused(error)) => {
                FrameResponse::One(codec.error(&error, Some(route)))
            }
            (Self::Type(_), Outcome::Reply(_)) | (Self::None, _) => FrameResponse::None,
        }
    }
}

fn answer_or_refusal(outcome: Outcome, rpc_id: &RpcId, codec: Codec, limit: usize) -> DataFrame {
    match outcome {
        Outcome::Reply(reply) => {
            let frame = codec.answer(reply.answer, rpc_id);
            let bytes = frame.bytes().len();
            if bytes <= limit {
                return frame;
            }
            tracing::error!(bytes, limit, "answer not sent: it exceeded Limits::message");
            let message = format!("answer: expected at most {limit} bytes, got {bytes}");
            codec.refusal(&Error::new(Code::PAYLOAD_TOO_LARGE, message), rpc_id)
        }
        Outcome::Refused(error) => codec.refusal(&error, rpc_id),
    }
}
