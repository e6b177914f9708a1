//! Edge cases of JSON.

use serde_json::{Value, json};

use super::{
    answer, ask, assert_connection_works, call,
    common::raw::{BINARY, FIN, frame},
    send,
    site::Site,
};

#[tokio::test]
async fn a_duplicate_reserved_member_is_refused() {
    let (site, mut raw) = Site::with_attacker().await;
    let told = call(&mut raw, "small", r#"{"n":1,"n":2}"#).await;
    assert_eq!(told["error"]["code"], "BAD_REQUEST");
    assert_eq!(told["error"]["issues"][0]["code"], "duplicate_key", "{told}");
    assert_eq!(told["error"]["issues"][0]["path"], json!(["n"]), "{told}");
    // A duplicate member of the envelope is ambiguous.
    for text in [
        r#"{"type":"here","type":"panic","rpcId":1}"#,
        r#"{"type":"here","rpcId":1,"payload":1,"payload":2}"#,
        r#"{"type":"here","rpcId":1,"\u0074ype":"panic"}"#,
    ] {
        let told = ask(&mut raw, text).await;
        assert_eq!(told["error"]["code"], "PARSE_ERROR", "{told}");
    }
    // With two ids, there is no id to answer under.
    send(&mut raw, r#"{"type":"here","rpcId":1,"rpcId":2}"#).await;
    assert_connection_works(&mut raw).await;
    let told = ask(&mut raw, r#"{"type":"here","more":1,"more":2,"rpcId":1}"#).await;
    assert_eq!(told["payload"], "here");
    site.assert_unaffected_without(raw).await;
}

#[tokio::test]
async fn unusual_text_is_either_data_or_a_refusal() {
    let (site, mut raw) = Site::with_attacker().await;
    let any = |value: &str| format!(r#"{{"type":"any","rpcId":1,"payload":{{"any":{value}}}}}"#);
    for value in [
        r#""\u0000""#,
        r#""\ud83d\ude00""#,
        r#"{"__proto__":{"admin":true}}"#,
        r#"{"constructor":{"prototype":1}}"#,
        r#"{"":"","\u0000":0}"#,
        r#""\u202e\ufeff\uffff""#,
        r#"{"$serde_json::private::Number":"1"}"#,
    ] {
        let told = ask(&mut raw, &any(value)).await;
        let sent: Value = serde_json::from_str(value).unwrap();
        assert_eq!(told["payload"]["any"], sent, "{value}: {told}");
    }
    for value in [r#""\ud800""#, r#""\udc00\ud800""#, r#"{"\ud800":1}"#] {
        let told = ask(&mut raw, &any(value)).await;
        assert_eq!(told["error"]["code"], "BAD_REQUEST", "{value}: {told}");
        // A route without input ignores its payload.
        let told = call(&mut raw, "here", value).await;
        assert_eq!(told["payload"], "here");
    }
    // As a raw byte, the control character makes the frame invalid JSON.
    send(&mut raw, "{\"type\":\"here\",\"rpcId\":\"\0\"}").await;
    assert_connection_works(&mut raw).await;
    let told = call(&mut raw, "join", r#"{"room":"a\u0000b"}"#).await;
    assert_eq!(told, json!({ "type": "__rpc_res", "rpcId": 1 }));
    site.assert_unaffected_without(raw).await;
}

#[tokio::test]
async fn numbers_out_of_range_are_refused_with_an_issue() {
    let (site, mut raw) = Site::with_attacker().await;
    for (route, number) in [
        ("small", r#"{"n":300}"#),
        ("small", r#"{"n":-1}"#),
        ("small", r#"{"n":1.5}"#),
        ("small", r#"{"n":1e400}"#),
        ("numbers", r#"{"natural":18446744073709551616}"#),
        ("numbers", r#"{"natural":-1}"#),
        ("numbers", r#"{"integer":9223372036854775808}"#),
        ("numbers", r#"{"integer":-9223372036854775809}"#),
        ("numbers", r#"{"float":1e400}"#),
        ("numbers", r#"{"float":-1e400}"#),
    ] {
        let told = call(&mut raw, route, number).await;
        assert_eq!(told["error"]["code"], "BAD_REQUEST", "{route} {number}: {told}");
        assert!(
            told["error"]["issues"][0]["code"].is_string(),
            "{route} {number}: {told}"
        );
    }
    for (route, number, back) in [
        ("small", r#"{"n":255}"#, json!({ "n": 255 })),
        ("small", r#"{"n":1.0}"#, json!({ "n": 1 })),
        ("small", r#"{"n":-0}"#, json!({ "n": 0 })),
        ("small", r#"{"n":1e2}"#, json!({ "n": 100 })),
        (
            "numbers",
            r#"{"natural":18446744073709551615}"#,
            json!({ "natural": u64::MAX }),
        ),
        (
            "numbers",
            r#"{"integer":-9223372036854775808}"#,
            json!({ "integer": i64::MIN }),
        ),
        ("numbers", r#"{"natural":-0}"#, json!({ "natural": 0 })),
        ("numbers", r#"{"integer":-0}"#, json!({ "integer": 0 })),
        ("numbers", r#"{"float":1e308}"#, json!({ "float": 1e308 })),
        ("numbers", r#"{"float":1e-400}"#, json!({ "float": 0.0 })),
    ] {
        let told = call(&mut raw, route, number).await;
        assert_eq!(told["payload"], back, "{route} {number}: {told}");
    }
    site.assert_unaffected_without(raw).await;
}

#[tokio::test]
async fn invalid_utf_8_in_binary_messages_is_refused_without_a_close() {
    let (site, mut raw) = Site::with_attacker().await;
    for bytes in [
        &b"\xff\xfe\xfd"[..],
        b"",
        b"{\"type\":\"here\",\"rpcId\":\"\xc3\"}",
    ] {
        raw.write(&frame(FIN | BINARY, bytes)).await;
    }
    assert_connection_works(&mut raw).await;
    // The refusal has the id, if that is readable.
    for bytes in [
        &b"{\"type\":\"here\xff\",\"rpcId\":1}"[..],
        b"{\"type\":\"here\",\"rpcId\":1}\xff",
        b"{\"type\":\"any\",\"payload\":{\"any\":\"\xed\xa0\x80\"},\"rpcId\":1}",
    ] {
        raw.write(&frame(FIN | BINARY, bytes)).await;
        let told = answer(&mut raw).await;
        assert_eq!(
            (&told["rpcId"], &told["error"]["code"]),
            (&json!(1), &json!("PARSE_ERROR"))
        );
    }
    assert_connection_works(&mut raw).await;
    site.assert_unaffected_without(raw).await;
}

/// serde_json parses a string as JSON under a private key (`RawValue`), with a new recursion limit.
#[tokio::test]
async fn serde_jsons_raw_value_key_does_not_bypass_the_depth_limit() {
    let (site, mut raw) = Site::with_attacker().await;
    let mut value = "1".to_owned();
    for _ in 0..17 {
        let inner = format!("{}{value}{}", "[".repeat(120), "]".repeat(120));
        value = json!({ "$serde_json::private::RawValue": inner }).to_string();
    }
    assert!(value.len() < 1_000_000, "{}", value.len());
    for text in [
        format!(r#"{{"type":"any","rpcId":1,"payload":{{"any":{value}}}}}"#),
        format!(r#"{{"type":"small","rpcId":1,"payload":{{"n":{value}}}}}"#),
        format!(r#"{{"type":"small","rpcId":1,"payload":{value}}}"#),
    ] {
        let told = ask(&mut raw, &text).await;
        assert_eq!(told["error"]["code"], "BAD_REQUEST", "{told:.200}");
    }
    // The key does not make the server parse a string, either.
    let told = call(
        &mut raw,
        "any",
        r#"{"any":{"$serde_json::private::RawValue":"[1]"}}"#,
    )
    .await;
    assert_ne!(told["payload"]["any"], json!([1]), "{told}");
    site.assert_unaffected_without(raw).await;
}
