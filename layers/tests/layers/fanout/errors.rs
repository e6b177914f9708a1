//! Errors of effects, which fail the message that has recorded them.

use tower::{ServiceBuilder, ServiceExt};
use zocket_layers::{Code, FanoutLayer, Limits};

use super::{Cx, World, code, route, say};
use crate::support::{Said, pull};

#[tokio::test]
async fn an_undeclared_event_fails_the_message_at_its_end() {
    let world = World::new();
    world.declared.extend(["other"]);
    for layer in [FanoutLayer::new(), FanoutLayer::new().atomic()] {
        let service = ServiceBuilder::new().layer(layer).service(route(async |cx: Cx| {
            say(&cx, 1);
            Ok(())
        }));
        let error = service.oneshot(world.message()).await.unwrap_err();
        assert_eq!(code(&error), Code::INTERNAL_SERVER_ERROR);
        assert!(pull(&world.mailbox).is_empty());
    }
}

#[tokio::test]
async fn an_error_reported_by_flush_is_not_reported_at_the_end() {
    let world = World::new();
    world.declared.extend(["other"]);
    for layer in [FanoutLayer::new(), FanoutLayer::new().atomic()] {
        let service = ServiceBuilder::new().layer(layer).service(route(async |cx: Cx| {
            say(&cx, 1);
            assert!(cx.flush().await.is_err());
            cx.flush().await
        }));
        assert_eq!(
            service
                .oneshot(world.message())
                .await
                .err()
                .map(|error| code(&error)),
            None
        );
    }
}

#[tokio::test]
async fn a_full_hub_is_reported_as_overloaded() {
    let world = World::with_limits(Limits::default().room_backlog(0));
    for layer in [FanoutLayer::new(), FanoutLayer::new().atomic()] {
        let service = ServiceBuilder::new().layer(layer).service(route(async |cx: Cx| {
            cx.rooms().join("a")?;
            cx.send(Said(1)).to_room("a");
            cx.send(Said(2)).to_room("a");
            Ok(())
        }));
        let error = service.oneshot(world.message()).await.unwrap_err();
        assert_eq!(code(&error), Code::OVERLOADED);
        assert_eq!(pull(&world.mailbox), [1]);
    }
}
