//! Messages of one connection share no effects and no ids.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as a test may")]

use std::sync::Arc;

use parking_lot::Mutex;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};
use zocket_layers::{
    Connection, Context, ContextLayer, DecodeLayer, Error, FanoutLayer, Frame, FrameResponse, RescueLayer,
    ValidateLayer, handler_fn,
};

/// The handler's input: the room to join, `fail` to end with an error, `keep` to store the context.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema, garde::Validate)]
#[garde(allow_unvalidated)]
struct Enter {
    room: String,
    fail: bool,
    keep: bool,
}

type Kept = Arc<Mutex<Vec<Context<()>>>>;

fn service(
    layer: FanoutLayer,
    kept: Kept,
) -> impl Service<Frame, Response = FrameResponse, Error = BoxError> + Clone {
    ServiceBuilder::new()
        .layer(DecodeLayer::json())
        .layer(RescueLayer::new())
        .layer(layer)
        .layer(ValidateLayer::<Enter>::new())
        .layer(ContextLayer::<()>::new())
        .service(handler_fn(move |cx: Context<()>, enter: Enter| {
            let kept = kept.clone();
            async move {
                cx.rooms().join(enter.room)?;
                if enter.keep {
                    kept.lock().push(cx);
                }
                if enter.fail {
                    return Err(Error::conflict("as asked"));
                }
                Ok(())
            }
        }))
}

fn enter(id: u32, room: &str, fail: bool, keep: bool) -> String {
    format!(r#"{{"type":"enter","payload":{{"room":"{room}","fail":{fail},"keep":{keep}}},"rpcId":{id}}}"#)
}

async fn answer(
    service: &(impl Service<Frame, Response = FrameResponse, Error = BoxError> + Clone),
    frame: Frame,
) -> String {
    let answer = service.clone().oneshot(frame).await.unwrap();
    String::from_utf8(answer.bytes().unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn effects_of_a_failed_message_do_not_leak_into_the_next() {
    let connection = Connection::detached(());
    let (hub, client) = (connection.hub().clone(), connection.client_id());
    let service = service(FanoutLayer::new().atomic(), Kept::default());
    for id in 0..4 {
        let failed = answer(
            &service,
            Frame::read_text(connection.clone(), enter(id, "never", true, false)),
        )
        .await;
        assert!(failed.contains("CONFLICT"), "{failed}");
        let room = format!("room-{id}");
        let done = answer(
            &service,
            Frame::read_text(connection.clone(), enter(100 + id, &room, false, false)),
        )
        .await;
        assert!(done.ends_with(&format!(r#""rpcId":{}}}"#, 100 + id)), "{done}");
        assert!(hub.has(&client, &room));
        assert!(!hub.has(&client, "never"));
    }
}

#[tokio::test]
async fn a_stored_context_stays_bound_to_its_message() {
    let connection = Connection::detached(());
    let (hub, client) = (connection.hub().clone(), connection.client_id());
    let kept = Kept::default();
    let service = service(FanoutLayer::new().atomic(), kept.clone());
    answer(
        &service,
        Frame::read_text(connection.clone(), enter(1, "first", false, true)),
    )
    .await;
    answer(
        &service,
        Frame::read_text(connection.clone(), enter(2, "second", true, true)),
    )
    .await;
    answer(
        &service,
        Frame::read_text(connection.clone(), enter(3, "third", false, false)),
    )
    .await;
    let kept = kept.lock();
    let [first, second] = &kept[..] else {
        panic!("two are kept")
    };
    first.rooms().join("late").unwrap();
    assert!(hub.has(&client, "late"), "the first message has succeeded");
    second.rooms().join("too-late").unwrap();
    assert!(!hub.has(&client, "too-late"), "the second one has failed");
    assert!(!hub.has(&client, "second"));
    assert!(hub.has(&client, "third"));
}

#[tokio::test]
async fn an_answer_carries_its_own_messages_id_in_any_frame_order() {
    let connection = Connection::detached(());
    let service = service(FanoutLayer::new(), Kept::default());
    // The frames are read in order and handled in reverse order.
    let both = [1, 2].map(|id| Frame::read_text(connection.clone(), enter(id, "room", false, false)));
    for (frame, id) in both.into_iter().rev().zip([2, 1]) {
        let done = answer(&service, frame).await;
        assert!(done.ends_with(&format!(r#""rpcId":{id}}}"#)), "{done}");
    }
    let refused = answer(&service, Frame::read_text(connection.clone(), "{\"rpcId\":3}")).await;
    assert!(
        refused.contains("PARSE_ERROR") && refused.contains("\"rpcId\":3"),
        "{refused}"
    );
    let done = answer(
        &service,
        Frame::read_text(connection.clone(), enter(4, "room", false, false)),
    )
    .await;
    assert!(done.ends_with(r#""rpcId":4}"#), "{done}");
}
