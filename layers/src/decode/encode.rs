//! Answers and refusals as frames.

use std::io::Write;

use serde::Serialize;

use crate::{Code, Error, Name, Outcome, Reply, RpcId, Wire};

/// What a message's sender is told by.
#[derive(Debug)]
pub(super) enum Recipient {
    /// Its answer is recognised by this id.
    Id(RpcId),
    /// It wants no answer, but is told what went wrong with a message of this type.
    Type(Name),
    /// It is not told.
    Nobody,
}

impl Recipient {
    pub(super) fn of(wire: Wire, rpc_id: Option<&RpcId>, route: &Name) -> Self {
        match (rpc_id, wire) {
            (Some(rpc_id), _) => Self::Id(rpc_id.clone()),
            (None, Wire::Extended) => Self::Type(route.clone()),
            (None, Wire::Base) => Self::Nobody,
        }
    }
}

/// The frame that tells what came of a message, at most `limit` bytes, if there is anything to tell.
pub(super) fn outcome_frame(outcome: Outcome, to: &Recipient, limit: usize) -> Option<Vec<u8>> {
    match (to, outcome) {
        (Recipient::Id(rpc_id), outcome) => Some(answer_or_refusal(outcome, rpc_id, limit)),
        (Recipient::Type(route), Outcome::Refused(error)) => Some(error_frame(&error, Some(route))),
        (Recipient::Type(_), Outcome::Reply(_)) | (Recipient::Nobody, _) => None,
    }
}

fn answer_or_refusal(outcome: Outcome, rpc_id: &RpcId, limit: usize) -> Vec<u8> {
    match outcome {
        Outcome::Reply(Reply { answer, .. }) => {
            let frame = answer.into_frame(rpc_id);
            if frame.len() <= limit {
                return frame;
            }
            tracing::error!(bytes = frame.len(), limit, "answer larger than Limits::message");
            let message = format!("the answer has {} bytes, more than {limit}", frame.len());
            refusal_frame(&Error::new(Code::PAYLOAD_TOO_LARGE, message), rpc_id)
        }
        Outcome::Refused(error) => refusal_frame(&error, rpc_id),
    }
}

/// The frame that refuses a message: `{"type":"__rpc_err","rpcId":…,"error":{"code":…,"message":…}}`.
#[must_use]
pub fn refusal_frame(error: &Error, rpc_id: &RpcId) -> Vec<u8> {
    let mut frame = Vec::with_capacity(128 + error.message().len());
    // Writing JSON into memory does not fail: the error holds strings and JSON values alone.
    let written = write!(frame, r#"{{"type":"__rpc_err","rpcId":{rpc_id},"error":"#)
        .map_err(serde_json::Error::io)
        .and_then(|()| serde_json::to_writer(&mut frame, error));
    debug_assert!(written.is_ok(), "{written:?}");
    frame.push(b'}');
    frame
}

/// The frame that tells of a failed message without an id, to a client of the extended protocol:
/// `{"type":"__error","payload":{"type":…,"code":…,"message":…}}`. The type is absent where it could not be read.
#[must_use]
pub fn error_frame(error: &Error, route: Option<&str>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Frame<'a> {
        r#type: &'static str,
        payload: Payload<'a>,
    }
    #[derive(Serialize)]
    struct Payload<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        r#type: Option<&'a str>,
        #[serde(flatten)]
        error: &'a Error,
    }
    let frame = Frame {
        r#type: "__error",
        payload: Payload { r#type: route, error },
    };
    // Strings and JSON values alone: this does not fail.
    serde_json::to_vec(&frame).unwrap_or_default()
}
