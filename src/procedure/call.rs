//! Calls of a procedure without a router: in tests, and in stacks composed by hand.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use pin_project::pin_project;
use serde::{Serialize, de::DeserializeOwned};
use tower::{BoxError, Service};
use zocket_layers::{Connection, Error, Incoming, InputIs, Message, Reply};

use super::Procedure;
use crate::router::{
    AnswerIs,
    refusals::Refuser,
    route::{Refusals, check},
};

impl<C0, S, I, A> Procedure<C0, S, I, A> {
    /// Calls the procedure as this client, and returns the answer in its type. A failure is the refusal that the client
    /// would receive. The procedure performs no effects. For a test of effects, and of a router, see
    /// [`Connection::call`].
    ///
    /// The message is the input of the procedure, and its answer that of the procedure, as
    /// [`Router::receive`](crate::Router::receive) requires it. Any other message does not compile. For a message with
    /// members and a procedure without input, `cargo build` and `cargo test` report it, and `cargo check` does not.
    ///
    /// ```
    /// use garde::Validate;
    /// use schemars::JsonSchema;
    /// use serde::{Deserialize, Serialize};
    /// use zocket::{Code, Context, Error, Incoming, Refusal, Zocket};
    ///
    /// #[derive(Serialize, Deserialize, JsonSchema, Validate)]
    /// struct Bid { #[garde(skip)] cents: u64 }
    /// impl Incoming for Bid { const TYPE: &'static str = "lot.bid"; type Answer = u64; }
    ///
    /// #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    /// struct Outbid { least: u64 }
    /// impl Refusal for Outbid { const CODE: Code = Code::app("OUTBID"); }
    ///
    /// async fn bid(_: Context<()>, bid: Bid) -> Result<u64, Error> {
    ///     match bid.cents {
    ///         0..100 => Err(Error::refuse(Outbid { least: 100 })),
    ///         cents => Ok(cents),
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let zo = Zocket::builder().build();
    /// let ann = zo.detached(());
    /// let declared = zo.message().refuses::<Outbid>().handle(bid);
    /// assert_eq!(declared.call_as(&ann, &Bid { cents: 100 }).await?, 100);
    /// let error = declared.call_as(&ann, &Bid { cents: 7 }).await.unwrap_err();
    /// assert_eq!(error.data()?, Some(Outbid { least: 100 }));
    ///
    /// // No client can know what the procedure does not declare.
    /// let undeclared = zo.message().handle(bid);
    /// let error = undeclared.call_as(&ann, &Bid { cents: 7 }).await.unwrap_err();
    /// assert_eq!(error.code(), Code::INTERNAL_SERVER_ERROR);
    /// # Ok(()) }
    /// ```
    ///
    /// A procedure without input is called with a message without members:
    ///
    /// ```
    /// # use serde::Serialize;
    /// # use zocket::{Context, Error, Incoming, Zocket};
    /// #[derive(Serialize)]
    /// struct Close;
    /// impl Incoming for Close { const TYPE: &'static str = "lot.close"; type Answer = u32; }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Error> {
    /// let zo = Zocket::builder().build();
    /// let close = zo.message().handle(async |_: Context<()>| Ok(7));
    /// assert_eq!(close.call_as(&zo.detached(()), &Close).await?, 7);
    /// # Ok(()) }
    /// ```
    ///
    /// With members it does not compile:
    ///
    /// ```compile_fail
    /// # use serde::Serialize;
    /// # use zocket::{Context, Error, Incoming, Zocket};
    /// #[derive(Serialize)]
    /// struct Close { reason: String }
    /// # impl Incoming for Close { const TYPE: &'static str = "lot.close"; type Answer = u32; }
    /// #
    /// # let zo = Zocket::builder().build();
    /// # let close = zo.message().handle(async |_: Context<()>| Ok(7));
    /// # let reason = "sold".into();
    /// drop(close.call_as(&zo.detached(()), &Close { reason }));
    /// ```
    ///
    /// # Errors
    /// Those of [`Connection::call`].
    pub fn call_as<M>(
        &self,
        client: &Connection,
        message: &M,
    ) -> impl Future<Output = Result<M::Answer, Error>> + use<C0, S, I, A, M>
    where
        S: Service<Message, Response = Reply, Error: Into<BoxError>> + Clone,
        M: Incoming<Answer: DeserializeOwned> + Serialize,
        I: InputIs<M>,
        A: AnswerIs<M::Answer>,
    {
        const { I::IGNORES_NOTHING }
        client.call(self, message)
    }

    fn refusals(&self) -> Refusals {
        let declared = &*self.traits.refusals;
        Refusals {
            refuser: Refuser::Procedure,
            declared: (!declared.is_empty()).then(|| declared.into()),
        }
    }
}

/// A router does not call the procedure, but its stack, and checks the refusals itself. So they are checked once.
impl<C0, S, I, A> Service<Message> for Procedure<C0, S, I, A>
where
    S: Service<Message, Response = Reply>,
    S::Error: Into<BoxError>,
{
    type Response = Reply;
    type Error = BoxError;
    type Future = ProcedureFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        let ready = self.service.poll_ready(cx);
        ready.map_err(|error| check(error.into(), &self.refusals()))
    }

    fn call(&mut self, message: Message) -> Self::Future {
        ProcedureFuture {
            called: self.service.call(message),
            refusals: self.refusals(),
        }
    }
}

/// The future of a [`Procedure`] that is called without a router.
#[pin_project]
pub struct ProcedureFuture<F> {
    #[pin]
    called: F,
    refusals: Refusals,
}

impl<F, E> Future for ProcedureFuture<F>
where
    F: Future<Output = Result<Reply, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Reply, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.called.poll(cx));
        Poll::Ready(result.map_err(|error| check(error.into(), this.refusals)))
    }
}

impl<F> fmt::Debug for ProcedureFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcedureFuture").finish_non_exhaustive()
    }
}
