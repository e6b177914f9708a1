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

    /// Writes the frame for the outcome of a message, if the sender receives one. An answer, or a refusal with
    /// data, of more than `limit` bytes becomes another refusal.
    pub(super) fn respond(&self, outcome: Outcome, form: Form, limit: usize) -> FrameResponse {
        match (self, outcome) {
            (Self::Id(rpc_id), outcome) => {
                FrameResponse::One(answer_or_refusal(outcome, rpc_id, form, limit))
            }
            (Self::Type(route), Outcome::Refused(error)) => {
                FrameResponse::One(error_frame(&error, route, form.codec, limit))
            }
            (Self::Type(_), Outcome::Reply(_)) | (Self::None, _) => FrameResponse::None,
        }
    }
}

fn answer_or_refusal(outcome: Outcome, rpc_id: &RpcId, form: Form, limit: usize) -> DataFrame {
    let (kind, frame) = match outcome {
        Outcome::Reply(reply) => ("answer", form.codec.answer(reply.answer, rpc_id)),
        Outcome::Refused(error) if !form.is_extended() || !error.has_data() => {
            return form.refusal(&error, rpc_id);
        }
        Outcome::Refused(error) => ("refusal with data", form.refusal(&error, rpc_id)),
    };
    match check_size(kind, &frame, limit) {
        Ok(()) => frame,
        Err(error) => form.refusal(&error, rpc_id),
    }
}

fn error_frame(error: &Error, route: &Name, codec: Codec, limit: usize) -> DataFrame {
    let frame = codec.error(error, Some(route));
    if !error.has_data() {
        return frame;
    }
    match check_size("refusal with data", &frame, limit) {
        Ok(()) => frame,
        Err(error) => codec.error(&error, Some(route)),
    }
}

/// Checks the size of a frame. Its content is bounded by nothing else.
///
/// # Errors
/// The refusal that is sent in its place.
fn check_size(kind: &'static str, frame: &DataFrame, limit: usize) -> Result<(), Error> {
    let bytes = frame.bytes().len();
    if bytes <= limit {
        return Ok(());
    }
    tracing::error!(bytes, limit, "{kind} not sent: it exceeded Limits::message");
    let message = format!("{kind}: expected at most {limit} bytes, got {bytes}");
    Err(Error::new(Code::PAYLOAD_TOO_LARGE, message))
}
