//! Authorization at typed and raw positions.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as a test may")]

use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use zocket_layers::{
    AuthorizeLayer, Code, Connection, Context, ContextLayer, Error, Message, RawPayload, Reply,
    ValidateLayer, handler_fn,
};

struct User {
    name: &'static str,
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Days(#[garde(range(max = 1000))] u32);

fn message(name: &'static str, payload: &'static str) -> Message {
    Message::new(
        Connection::detached(User { name }),
        "chat.clear",
        RawPayload::json(payload),
    )
}

async fn refusal<S>(service: S, message: Message) -> Error
where
    S: Service<Message, Response = Reply, Error = BoxError>,
{
    *service.oneshot(message).await.unwrap_err().downcast().unwrap()
}

fn is_ann(cx: &Context<User>) -> bool {
    cx.name == "Ann"
}

#[tokio::test]
async fn a_typed_predicate_can_decide_by_context() {
    let stack = ServiceBuilder::new()
        .layer(ValidateLayer::<Days>::new())
        .layer(ContextLayer::<User>::new())
        .layer(AuthorizeLayer::context(is_ann))
        .service(handler_fn(async |_: Context<User>, input: Days| Ok(input.0)));
    let reply = stack.clone().oneshot(message("Ann", "7")).await.unwrap();
    assert_eq!(reply.answer.as_json(), b"7");
    let refusal = refusal(stack, message("Bob", "7")).await;
    assert_eq!(refusal.code(), Code::FORBIDDEN);
}

#[tokio::test]
async fn a_typed_predicate_can_decide_by_input() {
    let stack = ServiceBuilder::new()
        .layer(ValidateLayer::<Days>::new())
        .layer(ContextLayer::<User>::new())
        .layer(AuthorizeLayer::new(|message: &Message<Days, Context<User>>| {
            message.payload().0 < 10 || is_ann(message.context())
        }))
        .service(handler_fn(async |_: Context<User>, input: Days| Ok(input.0)));
    assert!(stack.clone().oneshot(message("Bob", "7")).await.is_ok());
    assert!(stack.clone().oneshot(message("Ann", "70")).await.is_ok());
    assert_eq!(refusal(stack, message("Bob", "70")).await.code(), Code::FORBIDDEN);
}

#[tokio::test]
async fn a_raw_predicate_refuses_before_the_payload_is_parsed() {
    let service = ServiceBuilder::new()
        .layer(AuthorizeLayer::new(|message: &Message| {
            let user = message.parts().connection().context::<User>();
            user.is_some_and(|user| user.name == "Ann")
        }))
        .layer(ValidateLayer::<Days>::new())
        .service(service_fn(async |_: Message<Days>| {
            Ok::<_, BoxError>(Reply::empty())
        }));
    let refused = refusal(service.clone(), message("Bob", "no number")).await;
    assert_eq!(refused.to_string(), "FORBIDDEN: not allowed");
    let allowed = refusal(service, message("Ann", "no number")).await;
    assert_eq!(allowed.code(), Code::BAD_REQUEST);
}

#[tokio::test]
async fn a_refusal_may_be_configured_as_unauthorized() {
    let service = AuthorizeLayer::new(|_: &Message| false)
        .unauthorized()
        .layer(service_fn(async |_: Message| Ok::<_, BoxError>(Reply::empty())));
    assert_eq!(
        refusal(service, message("Bob", "1")).await.code(),
        Code::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_predicate_can_return_its_own_error() {
    const MUTED: Code = Code::app("MUTED");
    let service = AuthorizeLayer::new(|message: &Message| match &**message.parts().route() {
        "chat.clear" => Err(Error::new(MUTED, "until tomorrow")),
        _ => Ok(()),
    })
    .layer(service_fn(async |_: Message| Ok::<_, BoxError>(Reply::empty())));
    let refusal = refusal(service, message("Bob", "1")).await;
    assert_eq!(refusal.to_string(), "MUTED: until tomorrow");
}
