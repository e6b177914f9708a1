//! A whole app in memory, for tests: with handshake, pipeline and rooms, but without a port.
//!
//! ```
//! use garde::Validate;
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//! use zocket::{ClientId, Code, Context, Error, Incoming, Outgoing, Refusal, Zocket, testing::TestApp};
//!
//! #[derive(Serialize, Deserialize, JsonSchema, Validate)]
//! struct Headers { #[garde(length(chars, min = 1))] name: String }
//! #[derive(Serialize, Deserialize, JsonSchema, Validate)]
//! struct Post { #[garde(length(chars, min = 1))] text: String }
//! impl Incoming for Post { const TYPE: &'static str = "chat.post"; type Answer = usize; }
//! #[derive(Serialize, Deserialize, JsonSchema)]
//! struct Said { text: String, from: String }
//! impl Outgoing for Said { const TYPE: &'static str = "chat.message"; }
//! #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
//! struct TooLong { limit: usize }
//! impl Refusal for TooLong { const CODE: Code = Code::app("TOO_LONG"); }
//!
//! async fn post(cx: Context<Headers>, input: Post) -> Result<usize, Error> {
//!     let length = input.text.len();
//!     if length > 100 {
//!         return Err(Error::refuse(TooLong { limit: 100 }));
//!     }
//!     cx.send(Said { text: input.text, from: cx.name.clone() }).to_room("lobby");
//!     Ok(length)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let zo = Zocket::builder()
//!     .on_connect(async |headers: Headers, _: ClientId| Ok(headers))
//!     .on_open(async |cx: Context<Headers>| cx.rooms().join("lobby"))
//!     .build();
//! let post = zo.message().refuses::<TooLong>().handle(post);
//! let app = TestApp::new(zo.serve(zo.router().outgoing::<Said>().receive::<Post>(post)));
//!
//! let mut ann = app.connect(&Headers { name: "Ann".into() }).await?;
//! let mut bob = app.connect(&Headers { name: "Bob".into() }).await?;
//! assert_eq!(ann.call(&Post { text: "hi".into() }).await?, 2);
//! assert_eq!(bob.expect::<Said>().await.from, "Ann");
//! bob.expect_nothing().await;
//!
//! let error = bob.call(&Post { text: String::new() }).await.unwrap_err();
//! assert!(error.refusal().is_some_and(|refusal| refusal.is(Code::BAD_REQUEST)));
//! let error = bob.call(&Post { text: "x".repeat(101) }).await.unwrap_err();
//! assert_eq!(error.data::<TooLong>()?, Some(TooLong { limit: 100 }));
//! # Ok(()) }
//! ```
//!
//! # Time
//!
//! Nothing here waits for a socket of the operating system, so tokio's clock can be paused. Under
//! `#[tokio::test(start_paused = true)]` (feature `test-util` of tokio) an hour of silence takes no time, and a
//! time-out fires once all tasks are idle.
//!
//! # Bad connections
//!
//! [`TestClient::cut`] cuts the connection. [`TestClient::freeze`] keeps it open and holds up all data. A cut ends the
//! session at once, unless [`TestApp::resume_within`] has the app wait for its clients. Then [`TestClient::resume`]
//! comes back: see the guide's page on [testing](crate::guide::testing#a-client-that-comes-back).
//!
//! # Single procedures
//!
//! `zo.detached(user).call(&procedure, &Post { .. })` runs a procedure without a socket, and returns its answer or its
//! refusal: see [`Connection::call`](crate::Connection::call). A procedure is a service, too:
//! `procedure.oneshot(Message::of(zo.detached(user), &Post { .. })?)` returns a [`Reply`](crate::Reply), which has the
//! effects that were not executed.

#[doc(hidden)]
pub mod internal;
pub mod sim;

mod app;
mod client;
mod link;
mod record;

pub use self::{
    app::{Handshake, TestApp},
    client::{Pending, TestClient},
};
