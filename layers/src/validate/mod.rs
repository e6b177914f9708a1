//! Validate: parses a raw payload into a typed one, or reports each of its issues to the sender.
//!
//! serde defines the shape, and [garde](https://docs.rs/garde) the constraints. [`normalize`](crate::normalize) cleans
//! texts before their constraints are checked. [`ValidateLayer`] parses a valid payload once. Only a payload that fails
//! is checked again, to find every issue.
//!
//! ```
//! use garde::Validate;
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//! use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
//! use zocket_layers::{Connection, Error, Message, RawPayload, Reply, ValidateLayer};
//!
//! #[derive(Deserialize, JsonSchema, Validate)]
//! #[serde(rename_all = "camelCase")]
//! struct Post {
//!     #[garde(length(chars, min = 1, max = 64))]
//!     room_id: String,
//!     #[garde(length(chars, min = 1, max = 500))]
//!     text: String,
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BoxError> {
//! let post = ServiceBuilder::new().layer(ValidateLayer::<Post>::new()).service(service_fn(
//!     async |message: Message<Post>| Ok::<_, BoxError>(Reply::of(&message.payload().text.len())?),
//! ));
//! let payload = RawPayload::json(r#"{"roomId":"","text":7}"#);
//! let refusal = post.oneshot(Message::new(Connection::detached(()), "post", payload)).await.unwrap_err();
//! let refusal = refusal.downcast::<Error>()?;
//! let issues = refusal.issues().iter().map(ToString::to_string).collect::<Vec<_>>();
//! assert_eq!(issues, ["roomId: at least 1 character, got 0", "text: expected a string, got a number"]);
//! # Ok(()) }
//! ```

mod layer;
mod rules;
mod service;

pub use self::{
    layer::ValidateLayer,
    rules::{Checker, Input},
    service::ValidateService,
};
