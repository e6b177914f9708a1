//! Answers and refusals as frames.

use std::io::Write;

use bytes::Bytes;

use crate::{Code, Error, Outcome, RawPayload, Reply, RpcId};

/// The frame that answers a message, at most `limit` bytes.
pub(super) fn outcome_frame(outcome: &Outcome, rpc_id: &RpcId, limit: usize) -> Bytes {
    match outcome {
        Outcome::Reply(Reply { answer, .. }) => {
            let frame = answer_frame(answer, rpc_id);
            if frame.len() <= limit {
                return frame;
            }
            tracing::error!(bytes = frame.len(), limit, "answer larger than Limits::message");
            let message = format!("the answer has {} bytes, more than {limit}", frame.len());
            refusal_frame(&Error::new(Code::PAYLOAD_TOO_LARGE, message), rpc_id)
        }
        Outcome::Refused(error) => refusal_frame(error, rpc_id),
    }
}

/// `{"type":"__rpc_res","payload":…,"rpcId":…}`
fn answer_frame(answer: &RawPayload, rpc_id: &RpcId) -> Bytes {
    let payload: &[u8] = answer.bytes().map_or(&[], |bytes| bytes);
    let (name, comma): (&[u8], &[u8]) = if payload.is_empty() {
        (b"", b"")
    } else {
        (b"\"payload\":", b",")
    };
    let rpc_id = rpc_id.as_json().as_bytes();
    // Joined to measure: a vector with room to spare would cost `Bytes` one more allocation.
    [
        br#"{"type":"__rpc_res","#,
        name,
        payload,
        comma,
        br#""rpcId":"#,
        rpc_id,
        b"}",
    ]
    .concat()
    .into()
}

/// The frame that refuses a message: `{"type":"__rpc_err","rpcId":…,"error":{"code":…,"message":…}}`.
#[must_use]
pub fn refusal_frame(error: &Error, rpc_id: &RpcId) -> Bytes {
    let mut frame = Vec::with_capacity(128 + error.message().len());
    // Writing JSON into memory does not fail: the error holds strings and JSON values alone.
    let written = write!(frame, r#"{{"type":"__rpc_err","rpcId":{rpc_id},"error":"#)
        .map_err(serde_json::Error::io)
        .and_then(|()| serde_json::to_writer(&mut frame, error));
    debug_assert!(written.is_ok(), "{written:?}");
    frame.push(b'}');
    frame.into()
}
