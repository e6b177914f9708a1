//! Decode: turns frames into messages, and their outcomes into frames.
//!
//! [`DecodeLayer`] is the outermost layer of the stack, around [`RescueLayer`](crate::RescueLayer). It refuses a
//! [`Frame`](crate::Frame) that is not a message with PARSE_ERROR, without calling the layers inside.
//!
//! ```
//! use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
//! use zocket_layers::{Connection, DecodeLayer, Frame, Message, Outcome, RawPayload, Reply};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BoxError> {
//! let echo = ServiceBuilder::new().layer(DecodeLayer::json()).service(service_fn(
//!     async |message: Message| {
//!         let (_, (), payload): (_, _, RawPayload) = message.into_parts();
//!         Ok::<_, BoxError>(Outcome::Reply(Reply::with_payload(payload)))
//!     },
//! ));
//! let frame = Frame::new(Connection::detached(()), r#"{"type":"echo","payload":[1],"rpcId":7}"#);
//! let answer = echo.oneshot(frame).await?;
//! assert_eq!(answer.bytes(), Some(br#"{"type":"__rpc_res","payload":[1],"rpcId":7}"#.as_slice()));
//! # Ok(()) }
//! ```

mod future;
mod layer;
mod reply_address;
mod service;

pub use self::{future::DecodeFuture, layer::DecodeLayer, service::DecodeService};
