//! The input of a procedure: declared by its builder, its middleware or its handler.

use serde_json::json;
use tower::ServiceExt;
use zocket::{Code, Connection, Context, Error, Message, RawPayload, Router, Zocket};

use super::{Post, code, post};

/// Middleware that takes the input, and hands its length on as the context.
async fn measured(_: Context<()>, post: Post) -> Result<(usize, Post), Error> {
    Ok((post.text.len(), post))
}

async fn length<C: Send + Sync>(_: Context<C>, post: Post) -> Result<usize, Error> {
    Ok(post.text.len())
}

fn router() -> Router<()> {
    let zo = Zocket::builder().build();
    let message = zo.message();
    let read = async |cx: Context<usize>| Ok(*cx);
    zo.router()
        .incoming("handler", message.clone().handle(length::<()>))
        .incoming(
            "closure",
            message
                .clone()
                .handle(async |_: Context<()>, post: Post| Ok(post.text.len())),
        )
        .incoming("middleware", message.clone().with_input(measured).handle(read))
        .incoming(
            "both",
            message.clone().with_input(measured).handle(length::<usize>),
        )
        .incoming(
            "builder",
            message
                .clone()
                .input::<Post>()
                .handle(async |_: Context<()>| Ok(4)),
        )
        .incoming(
            "all",
            message
                .clone()
                .input::<Post>()
                .with_input(measured)
                .handle(length::<usize>),
        )
        .incoming("ignored", message.handle(async |_: Context<()>| Ok(4)))
}

#[tokio::test]
async fn each_function_that_takes_an_input_declares_it() {
    let contract = router().contract();
    let service = router().into_service().unwrap();
    for route in ["handler", "closure", "middleware", "both", "builder", "all"] {
        assert_eq!(
            contract.incoming[route].input,
            Some(json!({ "$ref": "#/types/input/Post" })),
            "{route}"
        );
        let call = |text| {
            let payload = RawPayload::json(json!({ "text": text }).to_string());
            service
                .clone()
                .oneshot(Message::new(Connection::detached(()), route, payload))
        };
        assert_eq!(call("four").await.unwrap().answer.as_json(), b"4", "{route}");
        let error = call("much too long").await.unwrap_err();
        assert_eq!(code(&error), Code::BAD_REQUEST, "{route}");
    }
}

#[tokio::test]
async fn without_a_declaration_the_payload_is_ignored() {
    assert_eq!(router().contract().incoming["ignored"].input, None);
    let ignored = Zocket::<()>::builder()
        .build()
        .message()
        .handle(async |_: Context<()>| Ok(4));
    let reply = ignored.oneshot(post(Connection::detached(()), "much too long"));
    assert_eq!(reply.await.unwrap().answer.as_json(), b"4");
}
