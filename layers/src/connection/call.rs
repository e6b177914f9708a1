use std::future::Future;

use serde::{Serialize, de::DeserializeOwned};
use tower::{Service, ServiceExt};

use super::Connection;
use crate::{
    error::Error,
    message::{Incoming, Message, Reply},
    protocol::RpcId,
    rescue::explain,
};

impl Connection {
    /// Calls a service of messages as this client, and returns the answer in its type: a router, a procedure, or a stack
    /// composed by hand. A failure is the refusal that the client would receive: [`explain`] has made it. A panic goes on to
    /// the caller.
    ///
    /// Routers and procedures of `zocket` turn a refusal that the procedure does not declare into INTERNAL_SERVER_ERROR. A
    /// stack composed by hand has no declarations.
    ///
    /// Any message can be passed to any service. A router refuses a route that it does not have with NOT_FOUND.
    /// `zocket::Procedure::call_as` calls a procedure with its own message only: any other does not compile.
    ///
    /// The service performs effects only if it has a [`FanoutLayer`](crate::FanoutLayer), as the routes of a router do.
    /// Those of a [`detached`](Self::detached) connection go to its own hub. [`Message::of`] makes the message for a
    /// test that reads [`Reply::effects`].
    ///
    /// ```
    /// use garde::Validate;
    /// use schemars::JsonSchema;
    /// use serde::{Deserialize, Serialize};
    /// use tower::ServiceBuilder;
    /// use zocket_layers::{Code, Connection, Context, ContextLayer, Error, Incoming, ValidateLayer, handler_fn};
    ///
    /// #[derive(Serialize, Deserialize, JsonSchema, Validate)]
    /// struct Bid { #[garde(range(min = 1))] cents: u64 }
    /// #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    /// struct Price { cents: u64 }
    /// impl Incoming for Bid { const TYPE: &'static str = "lot.bid"; type Answer = Price; }
    ///
    /// async fn bid(_: Context<()>, bid: Bid) -> Result<Price, Error> {
    ///     Ok(Price { cents: bid.cents })
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Error> {
    /// let bid = ServiceBuilder::new()
    ///     .layer(ValidateLayer::<Bid>::new())
    ///     .layer(ContextLayer::<()>::new())
    ///     .service(handler_fn(bid));
    /// let ann = Connection::detached(());
    /// assert_eq!(ann.call(&bid, &Bid { cents: 7 }).await?, Price { cents: 7 });
    /// assert_eq!(ann.call(&bid, &Bid { cents: 0 }).await.unwrap_err().code(), Code::BAD_REQUEST);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The refusal. INTERNAL_SERVER_ERROR also if the message can't be encoded, or if the answer does not fit its type.
    pub fn call<S, M>(
        &self,
        service: &S,
        message: &M,
    ) -> impl Future<Output = Result<M::Answer, Error>> + use<S, M>
    where
        S: Service<Message, Response = Reply, Error: Into<tower::BoxError>> + Clone,
        M: Incoming<Answer: DeserializeOwned> + Serialize + ?Sized,
    {
        let service = service.clone();
        let message = Message::of(self.clone(), message);
        async move {
            let mut message = message?;
            message.parts_mut().set_rpc_id(RpcId::string("call").ok());
            let reply = service.oneshot(message).await;
            let reply = reply.map_err(|error| explain(error.into()))?;
            reply.answer_as().map_err(|error| {
                let expected = std::any::type_name::<M::Answer>();
                let detail = format!("the answer of `{}` does not fit `{expected}`: {error}", M::TYPE);
                Error::internal(detail)
            })
        }
    }
}
