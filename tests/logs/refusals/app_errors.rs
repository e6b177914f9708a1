//! Refusals by the app's handlers and middleware, with the protocol's codes and its own.

use std::{io, time::Duration};

use serde_json::json;
use zocket::{Code, Context, Error, Message, Next, Reply, from_fn};

use super::{State, app, code, connect, echo, echoing, log::Log, refusal_of};

const ROOM_FULL: Code = Code::app("ROOM_FULL");

#[tokio::test]
async fn a_handlers_refusal_keeps_its_code_and_message() {
    let zo = app(&State::default());
    let refuse = |error: fn() -> Error| {
        zo.message().handle(move |_: Context<State>| {
            let refusal = error();
            async move { Err::<(), _>(refusal) }
        })
    };
    let router = zo
        .router()
        .incoming("UNAUTHORIZED", refuse(|| Error::unauthorized("who are you?")))
        .incoming("FORBIDDEN", refuse(|| Error::forbidden("who are you?")))
        .incoming("NOT_FOUND", refuse(|| Error::not_found("who are you?")))
        .incoming("CONFLICT", refuse(|| Error::conflict("who are you?")))
        .incoming(
            "PRECONDITION_FAILED",
            refuse(|| Error::precondition_failed("who are you?")),
        );
    let mut client = connect(zo.serve(router)).await;
    for route in [
        "UNAUTHORIZED",
        "FORBIDDEN",
        "NOT_FOUND",
        "CONFLICT",
        "PRECONDITION_FAILED",
    ] {
        let refusal = refusal_of(&mut client, route).await;
        assert_eq!(refusal.0, json!({ "code": route, "message": "who are you?" }));
    }
}

#[tokio::test]
async fn the_source_of_a_refusal_is_not_sent() {
    let zo = app(&State::default());
    let refuse = zo.message().handle(async |_: Context<State>| {
        Err::<(), _>(Error::conflict("taken").with_source(io::Error::other("secret")))
    });
    let mut client = connect(zo.serve(zo.router().incoming("refuse", refuse))).await;
    let refusal = refusal_of(&mut client, "refuse").await;
    assert_eq!(refusal.0, json!({ "code": "CONFLICT", "message": "taken" }));
}

#[tokio::test]
async fn a_middlewares_refusal_keeps_the_handler_from_running() {
    async fn refuse_everyone(_: Context<State>) -> Result<(), Error> {
        Err(Error::forbidden("nobody may"))
    }
    async fn refuse_always(_: Message, _: Next) -> Result<Reply, Error> {
        Err(Error::precondition_failed("not now"))
    }
    async fn require_login(cx: Context<State>, _: ()) -> Result<(State, ()), Error> {
        let _ = cx;
        Err(Error::unauthorized("log in first"))
    }
    let state = State::default();
    let zo = app(&state);
    let count = |cx: Context<()>| async move {
        let _ = cx;
        Ok(())
    };
    let closed = echoing(&zo).layer(from_fn(refuse_always));
    let router = zo
        .router()
        .incoming("with", zo.message().with(refuse_everyone).handle(count))
        .incoming("with_input", zo.message().with_input(require_login).handle(echo))
        .nest("closed", closed);
    let mut client = connect(zo.serve(router)).await;
    assert_eq!(code(&mut client, "with").await, "FORBIDDEN");
    assert_eq!(code(&mut client, "with_input").await, "UNAUTHORIZED");
    assert_eq!(code(&mut client, "closed.echo").await, "PRECONDITION_FAILED");
    assert_eq!(state.runs(), 0);
}

#[tokio::test]
async fn an_apps_own_code_is_sent_if_declared_and_internal_otherwise() {
    async fn full(_: Context<State>) -> Result<(), Error> {
        Err(Error::new(ROOM_FULL, "this room holds 8 players"))
    }
    let log = Log::capture();
    let zo = app(&State::default());
    let router = zo
        .router()
        .incoming("declared", zo.message().declare_code(ROOM_FULL).handle(full))
        .incoming("undeclared", zo.message().handle(full))
        .incoming(
            "middleware",
            zo.message().with(full).handle(async |_: Context<()>| Ok(())),
        );
    let mut client = connect(zo.serve(router)).await;
    let refusal = refusal_of(&mut client, "declared").await;
    assert_eq!(
        refusal.0,
        json!({ "code": "ROOM_FULL", "message": "this room holds 8 players" })
    );
    for route in ["undeclared", "middleware"] {
        let refusal = refusal_of(&mut client, route).await;
        assert_eq!(refusal.code(), "INTERNAL_SERVER_ERROR");
        assert!(!refusal.message().contains("8 players"), "{refusal:?}");
        // The log says how to declare the code, and of which route and client this was.
        let line = log.line(&refusal);
        assert!(line.contains(".declare_code("), "{line}");
        assert!(
            line.contains(&format!("route=\"{route}\"")) && line.contains("client="),
            "{line}"
        );
        assert_eq!(line.matches("message").count(), 0, "{line}");
    }
}

#[tokio::test]
async fn an_undeclared_code_is_internal_through_a_layer_that_wraps_errors() {
    #[derive(Debug)]
    struct Wrapped(Error);
    impl std::fmt::Display for Wrapped {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("wrapped")
        }
    }
    impl std::error::Error for Wrapped {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    async fn full(_: Message<(), Context<State>>, _: Next<(), Context<State>>) -> Result<Reply, Wrapped> {
        Err(Wrapped(Error::new(ROOM_FULL, "this room holds 8 players")))
    }
    let zo = app(&State::default());
    let router = zo
        .router()
        .incoming(
            "declared",
            zo.message()
                .declare_code(ROOM_FULL)
                .layer(from_fn(full))
                .handle(echo),
        )
        .incoming("undeclared", zo.message().layer(from_fn(full)).handle(echo));
    let mut client = connect(zo.serve(router)).await;
    assert_eq!(code(&mut client, "declared").await, "ROOM_FULL");
    assert_eq!(code(&mut client, "undeclared").await, "INTERNAL_SERVER_ERROR");
}

#[tokio::test]
async fn a_rate_limit_sends_retry_after_ms() {
    async fn limited(_: Context<State>) -> Result<(), Error> {
        Err(Error::too_many_requests(Duration::from_micros(1_500_001)))
    }
    let zo = app(&State::default());
    let limited = zo.message().with(limited).handle(async |_: Context<()>| Ok(()));
    let mut client = connect(zo.serve(zo.router().incoming("limited", limited))).await;
    let refusal = refusal_of(&mut client, "limited").await;
    assert_eq!(refusal.code(), "TOO_MANY_REQUESTS");
    // The wait is rounded up, so that a client that waits so long is not early.
    assert_eq!(refusal.0["retryAfterMs"], 1501);
}
