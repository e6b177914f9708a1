//! Atomic procedures: their effects wait for their success.

use serde_json::{Value, json};
use zocket::Limits;

use super::{does, hears, start, start_limited};

#[tokio::test]
async fn an_atomic_procedures_effects_wait_for_its_success() {
    let world = start().await;
    let [(mut ann, _), (mut bob, _)] = world.clients().await;
    does(&mut bob, json!([{ "join": "a" }])).await;
    let steps = json!([{ "join": "a" }, { "room": ["a", "held"] }, "wait", { "broadcast": "too" }]);
    let id = ann.begin("run.atomic", steps).await;
    world.waiting.acquire().await.unwrap().forget();
    bob.expect_nothing().await;
    assert_eq!(world.zo.emitter().size("a").await, 1);
    world.gate.add_permits(1);
    assert_eq!(hears(&mut bob, 2).await, ["held", "too"]);
    assert_eq!(hears(&mut ann, 2).await, ["held", "too"]);
    let answer = ann.next().await;
    assert_eq!(
        (&answer["rpcId"], &answer["payload"]["rooms"]),
        (&id, &json!(["a"]))
    );
    assert_eq!(world.zo.emitter().size("a").await, 2);
}

#[tokio::test]
async fn an_atomic_procedures_effects_are_dropped_when_it_fails_or_takes_too_long() {
    const MESSAGE: usize = 10_000;
    let limits = Limits::default().message(MESSAGE);
    let world = start_limited(limits).await;
    let [(mut ann, _), (mut bob, bob_id)] = world.clients().await;
    does(&mut bob, json!([{ "join": "a" }])).await;
    does(&mut ann, json!([{ "join": "b" }])).await;
    let effects = [
        json!({ "join": "a" }),
        json!({ "leave": "b" }),
        json!({ "room": ["a", "lost"] }),
        json!({ "direct": [bob_id, "lost"] }),
        json!({ "broadcast": "lost" }),
    ];
    for (route, end, code) in [
        ("run.atomic", json!("fail"), "CONFLICT"),
        ("run.atomic", json!("panic"), "INTERNAL_SERVER_ERROR"),
        ("run.quickly", json!("wait"), "TIMEOUT"),
        ("module.quickly", json!("wait"), "TIMEOUT"),
        // An event that can't be sent fails the message as well.
        ("run.atomic", json!({ "large": MESSAGE }), "PAYLOAD_TOO_LARGE"),
    ] {
        let mut steps = effects.to_vec();
        steps.push(end);
        let refusal = ann.call(route, Value::Array(steps)).await.unwrap_err();
        assert_eq!(refusal.code(), code);
        assert_eq!(does(&mut ann, json!([])).await, ["b"]);
        bob.expect_nothing().await;
        ann.expect_nothing().await;
    }
    // In passing mode, sent events stay sent.
    let mut steps = effects.to_vec();
    steps.push(json!("fail"));
    assert_eq!(
        ann.call("run.now", Value::Array(steps)).await.unwrap_err().code(),
        "CONFLICT"
    );
    assert_eq!(hears(&mut bob, 3).await, ["lost"; 3]);
}
