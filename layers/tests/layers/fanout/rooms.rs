//! Rooms of the client, as its handler sees them.

use tower::{ServiceBuilder, ServiceExt};
use zocket_layers::{Code, FanoutLayer, Limits};

use super::{Cx, World, route};

#[tokio::test]
async fn joins_and_leaves_are_visible_at_once_in_both_modes() {
    let world = World::new();
    for layer in [FanoutLayer::new(), FanoutLayer::new().atomic()] {
        let service = ServiceBuilder::new().layer(layer).service(route(async |cx: Cx| {
            let rooms = cx.rooms();
            rooms.join("a")?;
            rooms.join("b")?;
            rooms.leave("b");
            assert!(rooms.has("a") && !rooms.has("b"));
            assert_eq!(rooms.current(), ["a".into()]);
            assert_eq!(rooms.members("a").await, [cx.client_id()]);
            assert_eq!((rooms.size("a").await, rooms.size("b").await), (1, 0));
            rooms.leave("a");
            assert!(!rooms.has("a") && rooms.current().is_empty());
            Ok(())
        }));
        service.oneshot(world.message()).await.unwrap();
        assert!(!world.has("a"));
    }
}

#[tokio::test]
async fn the_limits_of_rooms_and_of_their_names_hold_in_both_modes() {
    for atomic in [false, true] {
        let world = World::with_limits(Limits::default().rooms(2).room_name(3));
        let layer = if atomic {
            FanoutLayer::new().atomic()
        } else {
            FanoutLayer::new()
        };
        let service = ServiceBuilder::new().layer(layer).service(route(async |cx: Cx| {
            let rooms = cx.rooms();
            let refused = |room: &str| rooms.join(room).unwrap_err().code();
            assert_eq!(refused("four"), Code::BAD_REQUEST);
            rooms.join("a")?;
            rooms.join("b")?;
            rooms.join("b")?;
            assert_eq!(refused("c"), Code::PRECONDITION_FAILED);
            rooms.leave("a");
            rooms.join("c")
        }));
        service.oneshot(world.message()).await.unwrap();
        assert!(world.has("b") && world.has("c") && !world.has("a"));
    }
}
