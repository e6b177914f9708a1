//! Oversized input: bytes, nesting, and errors in one message.

use serde_json::json;

use super::{
    ask, assert_connection_works, call,
    common::raw::{BINARY, CONTINUATION, FIN, PING, TEXT, frame, head},
    send,
    site::Site,
};

#[tokio::test]
async fn ten_megabytes_are_refused_in_one_frame_and_in_fragments() {
    const MUCH: usize = 10 << 20;
    let site = Site::new().await;
    let payload = vec![b'x'; MUCH];
    let part = &payload[..64 << 10];
    let ways: [(&str, Vec<Vec<u8>>); 5] = [
        ("in one frame", vec![frame(FIN | BINARY, &payload)]),
        (
            "as a message",
            vec![frame(
                FIN | TEXT,
                format!(r#"{{"type":"here","rpcId":1,"payload":"{}"}}"#, "x".repeat(MUCH)).as_bytes(),
            )],
        ),
        ("announced", vec![head(FIN | TEXT, MUCH as u64)]),
        (
            "in fragments",
            std::iter::once(frame(TEXT, part))
                .chain((0..MUCH / part.len()).map(|_| frame(CONTINUATION, part)))
                .collect(),
        ),
        (
            "in fragments, with pings between",
            std::iter::once(frame(TEXT, part))
                .chain(
                    (0..MUCH / part.len()).flat_map(|_| [frame(FIN | PING, b"?"), frame(CONTINUATION, part)]),
                )
                .collect(),
        ),
    ];
    for (way, frames) in ways {
        let mut raw = site.server.raw().await;
        for frame in frames {
            // The server may stop reading before the end.
            if raw.try_write(&frame).await.is_err() {
                break;
            }
        }
        assert_eq!(
            raw.closed().await,
            (1009, "message-too-large".to_owned()),
            "{way}"
        );
    }
    site.assert_unaffected().await;
}

#[tokio::test]
async fn json_nested_a_hundred_thousand_deep_is_refused_or_ignored() {
    const DEEP: usize = 100_000;
    let (site, mut raw) = Site::with_attacker().await;
    let arrays = format!("{}{}", "[".repeat(DEEP), "]".repeat(DEEP));
    let objects = format!("{}1{}", r#"{"a":"#.repeat(DEEP), "}".repeat(DEEP));
    for deep in [&arrays, &objects] {
        for (route, code) in [("any", "too_deep"), ("small", "too_deep"), ("texts", "too_deep")] {
            let payload = if route == "any" {
                format!(r#"{{"any":{deep}}}"#)
            } else {
                deep.clone()
            };
            let told = call(&mut raw, route, &payload).await;
            assert_eq!(told["error"]["code"], "BAD_REQUEST", "{route}: {told}");
            assert_eq!(told["error"]["issues"][0]["code"], code, "{route}: {told}");
        }
        // A payload of a route without input, and an unknown member.
        let told = call(&mut raw, "here", deep).await;
        assert_eq!(told["payload"], "here");
        let told = ask(&mut raw, &format!(r#"{{"type":"here","rpcId":1,"more":{deep}}}"#)).await;
        assert_eq!(told["payload"], "here");
        let told = ask(&mut raw, &format!(r#"{{"type":{deep},"rpcId":1}}"#)).await;
        assert_eq!(told["error"]["code"], "PARSE_ERROR");
        send(&mut raw, &format!(r#"{{"type":"here","rpcId":{deep}}}"#)).await;
        send(&mut raw, deep).await;
        send(&mut raw, &deep[..DEEP]).await;
        assert_connection_works(&mut raw).await;
    }
    site.assert_unaffected_without(raw).await;
}

#[tokio::test]
async fn a_hundred_thousand_errors_are_reported_as_a_hundred_issues() {
    let site = Site::new().await;
    let mut client = site.server.connect("").await;
    for text in [json!(""), json!(1)] {
        let payload = json!({ "texts": vec![text; 100_000] });
        let refusal = client.call("texts", payload).await.unwrap_err();
        assert_eq!(refusal.code(), "BAD_REQUEST");
        assert_eq!(refusal.issues().len(), 100);
        assert!(refusal.0.to_string().len() < 50_000);
    }
    client.close().await;
    site.assert_unaffected().await;
}

#[tokio::test]
async fn a_refusal_does_not_echo_the_payload() {
    let (site, mut raw) = Site::with_attacker().await;
    let long = "x".repeat(500_000);
    for text in [
        format!(r#"{{"rpcId":1,"type":"{long}"}}"#),
        format!(r#"{{"rpcId":1,"type":["{long}"]}}"#),
        format!(r#"{{"rpcId":1,"type":"small","payload":"{long}"}}"#),
        format!(r#"{{"rpcId":1,"type":"small","payload":{{"{long}":1}}}}"#),
        format!(r#"{{"rpcId":1,"type":"small","payload":{{"n":"{long}"}}}}"#),
        format!(r#"{{"rpcId":1,"type":"small","payload":{{"n":1,"n":1,"{long}":1}}}}"#),
        format!(
            r#"{{"rpcId":1,"type":"numbers","payload":{{"integer":{}}}}}"#,
            "1".repeat(500_000)
        ),
    ] {
        let told = ask(&mut raw, &text).await;
        assert!(told["error"]["code"].is_string(), "{:.200}", told.to_string());
        assert!(told.to_string().len() < 2_000, "{:.200}", told.to_string());
    }
    site.assert_unaffected_without(raw).await;
}
