//! Values of the app that panic where the framework uses them: errors, panic payloads, futures, inputs, answers, keys.

mod values;

use std::{panic::panic_any, sync::Arc};

use serde_json::{Value, json};
use tokio::sync::Notify;
use tower::{BoxError, ServiceBuilder, layer::layer_fn};
use zocket::{
    ClientId, Code, Context, Error, NoHeaders, Reason, Zocket,
    layers::{
        AuditLayer, Audited, ContextLayer, DecodeLayer, FanoutLayer, IdempotencyLayer, Parts, Quota,
        QuotaLayer, RescueLayer, ValidateLayer, handler_fn,
    },
};

use self::values::{Bomb, Evil, Key, Mined, Ruled, Undroppable, Unreadable, Unwritable};
use crate::common::{Client, serve};

type Gate = Arc<Notify>;

fn quota_key(parts: &Parts) -> Key {
    match &**parts.route() {
        "quota.hash" => Key("quota.hash"),
        "quota.eq" => Key("quota.eq"),
        "quota.key" => panic!("as asked for, in a quota's key"),
        _ => Key("any"),
    }
}

async fn evil(place: &'static str) -> Result<(), Error> {
    tokio::task::yield_now().await;
    Err(Error::internal(Evil(place)))
}

/// Begins a call that waits, makes each of these calls fail, and then has the first one answered.
async fn assert_only_the_message_fails(client: &mut Client, gate: &Gate, routes: &[&str]) {
    let waiting = client.begin("wait", Value::Null).await;
    for round in 0..2 {
        for route in routes {
            let result = client.call(route, json!("x")).await;
            let refusal = result.err().unwrap_or_else(|| panic!("{route} is answered"));
            assert_eq!(refusal.code(), "INTERNAL_SERVER_ERROR", "{route}, {round}");
        }
    }
    assert_eq!(client.call("fine", Value::Null).await, Ok(Some(json!("fine"))));
    gate.notify_one();
    assert_eq!(client.answer(&waiting).await, Ok(Some(json!("waited"))));
}

#[tokio::test]
async fn only_the_message_fails() {
    let gate = Gate::default();
    let zo = Zocket::builder()
        .on_connect_with(gate.clone(), async |gate: Gate, _: NoHeaders, _: ClientId| {
            Ok(gate)
        })
        .layer(QuotaLayer::by(
            Quota::new(1_000, std::time::Duration::from_secs(1)),
            quota_key,
        ))
        .layer(AuditLayer::new(|audited: &Audited<'_>| {
            assert!(audited.route != Some("audit"), "as asked for, in a sink");
        }))
        .layer(IdempotencyLayer::new(|message: &zocket::layers::Message| {
            assert!(&**message.parts().route() != "key", "as asked for, in a key");
            None
        }))
        .build();
    let plain = || zo.message();
    let router = zo
        .router()
        .outgoing::<Unwritable>()
        .incoming(
            "wait",
            plain().concurrent().handle(async |cx: Context<Gate>| {
                cx.notified().await;
                Ok("waited")
            }),
        )
        .incoming("fine", plain().handle(async |_: Context<Gate>| Ok("fine")))
        .incoming(
            "display",
            plain().handle(async |_: Context<Gate>| evil("display").await),
        )
        .incoming(
            "source",
            plain().handle(async |_: Context<Gate>| evil("source").await),
        )
        .incoming(
            "drop",
            plain().handle(async |_: Context<Gate>| evil("drop").await),
        )
        .incoming(
            "deep",
            plain().handle(async |_: Context<Gate>| {
                let inner = Error::new(Code::CONFLICT, "no").with_source(Evil("display"));
                Err::<(), _>(Error::internal(inner))
            }),
        )
        .incoming(
            "bomb",
            plain().handle(async |_: Context<Gate>| -> Result<(), Error> { panic_any(Bomb(1)) }),
        )
        .incoming(
            "chain",
            plain().handle(async |_: Context<Gate>| -> Result<(), Error> {
                tokio::task::yield_now().await;
                panic_any(Bomb(3))
            }),
        )
        .incoming(
            "rule",
            plain()
                .input::<Ruled>()
                .handle(async |_: Context<Gate>, _: Ruled| Ok(())),
        )
        .incoming(
            "deserialize",
            plain()
                .input::<Unreadable>()
                .handle(async |_: Context<Gate>, _: Unreadable| Ok(())),
        )
        .incoming(
            "input",
            plain()
                .input::<Undroppable>()
                .handle(async |_: Context<Gate>, _: Undroppable| Ok(())),
        )
        .incoming(
            "serialize",
            plain().handle(async |_: Context<Gate>| Ok(Unwritable)),
        )
        .incoming(
            "event",
            plain().handle(async |cx: Context<Gate>| {
                cx.send(Unwritable).broadcast();
                Ok(())
            }),
        )
        .incoming(
            "audit",
            plain().handle(async |cx: Context<Gate>| cx.rooms().join("room")),
        )
        .incoming("key", plain().handle(async |_: Context<Gate>| Ok(())))
        .incoming("quota.hash", plain().handle(async |_: Context<Gate>| Ok(())))
        .incoming("quota.eq", plain().handle(async |_: Context<Gate>| Ok(())))
        .incoming("quota.key", plain().handle(async |_: Context<Gate>| Ok(())));
    let server = serve(zo.serve(router)).await;
    let mut client = server.connect("").await;
    let routes = [
        "display",
        "source",
        "drop",
        "deep",
        "bomb",
        "chain",
        "deserialize",
        "input",
        "serialize",
        "event",
        "audit",
        "key",
        "quota.hash",
        "quota.eq",
        "quota.key",
    ];
    assert_only_the_message_fails(&mut client, &gate, &routes).await;
    let ruled = client.call("rule", json!({ "ruled": "x" })).await.unwrap_err();
    assert_eq!(ruled.code(), "INTERNAL_SERVER_ERROR");
    client.expect_nothing().await;
}

#[tokio::test]
async fn a_completed_future_whose_drop_panics_is_answered_or_refused() {
    let zo = Zocket::builder().build();
    let router = zo
        .router()
        .incoming("fine", zo.message().handle(async |_: Context<()>| Ok("fine")))
        .incoming("now", zo.message().handle(|_: Context<()>| Mined(0)))
        .incoming("later", zo.message().handle(|_: Context<()>| Mined(2)))
        .incoming(
            "timed",
            zo.message()
                .layer(tower::timeout::TimeoutLayer::new(
                    std::time::Duration::from_millis(5),
                ))
                .handle(|_: Context<()>| Mined(usize::MAX)),
        );
    let server = serve(zo.serve(router)).await;
    let mut client = server.connect("").await;
    for _ in 0..3 {
        for route in ["now", "later", "timed"] {
            let _ = client.call(route, Value::Null).await;
            assert_eq!(client.call("fine", Value::Null).await, Ok(Some(json!("fine"))));
        }
    }
}

/// Fails outside of the rescue stage.
fn stack(
    failure: impl Fn(&str) -> Result<(), BoxError> + Clone + Send + Sync + 'static,
) -> impl tower::Service<
    zocket::layers::Frame,
    Response = zocket::layers::FrameResponse,
    Error = BoxError,
    Future: Send,
> + Clone
+ Send
+ Sync
+ 'static {
    ServiceBuilder::new()
        .layer(layer_fn(move |inner| {
            let failure = failure.clone();
            ServiceBuilder::new()
                .filter_async(move |frame: zocket::layers::Frame| {
                    let failure = failure.clone();
                    async move {
                        tokio::task::yield_now().await;
                        let route = frame.head().map(|head| head.route().to_string());
                        failure(&route.unwrap_or_default())?;
                        Ok::<_, BoxError>(frame)
                    }
                })
                .service(inner)
        }))
        .layer(DecodeLayer::json())
        .layer(RescueLayer::new())
        .layer(FanoutLayer::new())
        .layer(ValidateLayer::<()>::ignoring())
        .layer(ContextLayer::<()>::new())
        .service(handler_fn(async |_: Context<()>| Ok("fine")))
}

#[tokio::test]
async fn outside_of_the_rescue_stage_only_the_message_fails() {
    let zo = Zocket::builder().build();
    let server = serve(zo.serve_stack(stack(|route| match route {
        "display" => Err(Box::new(Evil("display"))),
        "source" => Err(Box::new(Evil("source"))),
        "drop" => Err(Box::new(Evil("drop"))),
        "bomb" => panic_any(Bomb(1)),
        "chain" => panic_any(Bomb(3)),
        _ => Ok(()),
    })))
    .await;
    let mut client = server.connect("").await;
    for _ in 0..2 {
        for route in ["display", "source", "drop", "bomb", "chain"] {
            let refusal = client.call(route, Value::Null).await.unwrap_err();
            assert_eq!(refusal.code(), "INTERNAL_SERVER_ERROR", "{route}");
            assert_eq!(client.call("fine", Value::Null).await, Ok(Some(json!("fine"))));
        }
    }
}

#[tokio::test]
async fn an_on_open_whose_panic_panics_closes_only_its_connection() {
    let zo = Zocket::builder()
        .on_connect(async |_: NoHeaders, _: ClientId| Ok(()))
        .on_open(async |_: Context<()>| -> Result<(), Error> {
            tokio::task::yield_now().await;
            panic_any(Bomb(1))
        })
        .build();
    let server = serve(zo.serve(zo.router())).await;
    let mut client = server.connect("").await;
    assert_eq!(client.closed().await, (1011, "internal-error".to_owned()));
}

#[tokio::test]
async fn an_on_open_that_fails_after_the_close_does_not_change_the_reason() {
    for fails in ["error", "panic"] {
        let (sender, mut reasons) = tokio::sync::mpsc::channel(1);
        let zo = Zocket::builder()
            .on_connect(async |_: NoHeaders, _: ClientId| Ok(()))
            .on_open(move |cx: Context<()>| async move {
                cx.closed().await;
                match fails {
                    "error" => Err(Error::internal(Evil("drop"))),
                    _ => panic_any(Bomb(1)),
                }
            })
            .on_disconnect(move |_: Context<()>, reason: Reason| {
                let sender = sender.clone();
                async move { sender.send(reason).await.unwrap() }
            })
            .build();
        let server = serve(zo.serve(zo.router())).await;
        let client = server.connect("").await;
        client.close().await;
        let reason = reasons.recv().await.unwrap();
        assert!(matches!(reason, Reason::ClosedByPeer(_)), "{fails}: {reason:?}");
    }
}

#[tokio::test]
async fn an_on_connect_whose_panic_or_error_panics_is_a_500() {
    let zo = Zocket::builder()
        .on_connect(
            async |_: NoHeaders, _: ClientId, parts: http::request::Parts| match parts.uri.query() {
                Some("bomb") => panic_any(Bomb(1)),
                Some("chain") => panic_any(Bomb(3)),
                Some(_) => Err(Error::internal(Evil("display"))),
                None => Ok(()),
            },
        )
        .any_origin()
        .build();
    let server = serve(zo.serve(zo.router())).await;
    for query in ["bomb", "chain", "display"] {
        let (status, _) = server.try_connect(query, &[]).await.err().expect("it panics");
        assert_eq!(status, 500, "{query}");
    }
}
