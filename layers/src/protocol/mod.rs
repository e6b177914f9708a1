//! The wire protocol: names, ids, payloads, envelopes and codecs.
//!
//! The [`Head`] of a frame, the envelope in both directions, the reserved [`words`] and the [`FrameHeader`] are defined
//! here, and nowhere else. A codec's envelope is one file. [`Json`](Codec::Json) is the only codec so far, and payloads are
//! JSON in other folders too: validation and idempotency read them.

mod any_number;
mod codec;
mod data_frame;
mod finite;
mod form;
mod head;
mod header;
mod json;
mod name;
mod payload;
mod rpc_id;
pub mod words;

pub(crate) use self::{
    any_number::{AnyNumber, from_json},
    finite::write_value,
};
pub use self::{
    data_frame::{DataFrame, Kind},
    form::{Codec, Form, Level},
    head::{Head, Malformed, ProtocolFrame},
    header::FrameHeader,
    name::Name,
    payload::RawPayload,
    rpc_id::{InvalidRpcId, RpcId},
};
