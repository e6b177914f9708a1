use super::*;

fn refused(frame: &str) -> (Option<String>, String) {
    let Malformed { rpc_id, error } = read_text(frame).unwrap_err();
    (rpc_id.map(|id| id.to_string()), error.to_string())
}

#[test]
fn members_are_read_in_any_order() {
    let frame = r#" {"payload": {"a":[1]} ,"type":"chat.post","rpcId":"x"}"#;
    let head = read_text(frame).unwrap();
    assert_eq!(head.rpc_id.unwrap().as_json(), "\"x\"");
    assert_eq!(head.route, "chat.post");
    assert_eq!(&frame[head.payload.unwrap()], r#"{"a":[1]}"#);
}

#[test]
fn an_escaped_type_is_read() {
    let head = read_text(r#"{"type":"chat\u002epost"}"#).unwrap();
    assert_eq!(head.route, "chat.post");
}

#[test]
fn a_missing_or_invalid_type_is_refused_under_the_messages_id() {
    assert_eq!(
        refused(r#"{"rpcId":1}"#),
        (
            Some("1".into()),
            "PARSE_ERROR: type: expected a string, got nothing".into()
        )
    );
    assert_eq!(
        refused(r#"{"type":[],"rpcId":1}"#),
        (
            Some("1".into()),
            "PARSE_ERROR: type: expected a string, got an array".into()
        )
    );
}

#[test]
fn a_value_that_is_not_an_object_is_refused() {
    for frame in ["", "[\"chat.post\"]", "null", "{", "{} {}", "\u{feff}{}"] {
        assert!(
            refused(frame)
                .1
                .starts_with("PARSE_ERROR: expected a JSON object"),
            "{frame}"
        );
    }
}

#[test]
fn the_fast_path_parses_the_same_head_as_the_slow_path() {
    let usual = [
        r#"{"type":"chat.post","payload":{"a":"b\"c","n":[1,2.5e3,null]},"rpcId":"a-17"}"#,
        r#"{"type":"a","payload":"x","rpcId":7}"#,
        r#"{"type":"a","payload":{"rpcId":"x"}}"#,
        r#"{"type":"a","rpcId":""}"#,
        r#"{"type":"a","payload":null,"rpcId":10}"#,
        r#"{"type":"é","payload":[]}"#,
        r#"{"type":""}"#,
    ];
    let bytes = br#"{}[]",:\01x e"#;
    let (mut read_so, mut random) = (0, 1_u64);
    let mut below = |limit: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) as usize % limit
    };
    for round in 0..40_000 {
        let mut frame = usual[round % usual.len()].as_bytes().to_vec();
        for _ in 0..round % 4 {
            let at = below(frame.len());
            match below(3) {
                0 => drop(frame.remove(at)),
                1 => frame[at] = bytes[below(bytes.len())],
                _ => frame.insert(at, bytes[below(bytes.len())]),
            }
        }
        let Ok(frame) = String::from_utf8(frame) else {
            continue;
        };
        let Some(head) = read_usual(&frame) else {
            assert!(round % 4 > 0, "{frame}");
            continue;
        };
        match read_by_keys(&frame) {
            Ok(by_keys) => assert_eq!(head, by_keys, "{frame}"),
            Err(Malformed { error, .. }) => panic!("{frame} is refused by its keys: {error}"),
        }
        read_so += 1;
    }
    // A quarter of the rounds, which change nothing, and those that do no harm.
    assert_eq!(read_so, 10_000 + 1_448);
}

#[test]
fn invalid_utf_8_is_refused_under_the_messages_id() {
    let Malformed { rpc_id, error } = read(b"{\"rpcId\":1,\"payload\":\"\xff\",\"type\":\"a\"}").unwrap_err();
    assert_eq!(rpc_id.unwrap().as_json(), "1");
    assert!(error.message().contains("utf-8"));
}

#[test]
fn a_member_named_twice_is_refused() {
    assert!(
        refused(r#"{"type":"a","type":"b"}"#)
            .1
            .contains("duplicate field")
    );
}

#[test]
fn an_event_encodes_the_same_from_a_value_and_from_its_payload() {
    for length in [0, 1, 90, 91, 130, 65_500, 70_000] {
        let value = vec!["x".repeat(length)];
        let (wire, payload) = event_of("chat \"a\"", &value).unwrap();
        let raw = RawPayload::of(&value).unwrap();
        assert_eq!(Some(&wire[payload]), raw.bytes());
        assert_eq!(wire, event("chat \"a\"", &raw));
        let header = FrameHeader::of(&wire).unwrap();
        let head = read(&wire[header.len()..]).unwrap();
        assert_eq!(head.route, "chat \"a\"");
    }
}

#[test]
fn an_answer_encodes_the_same_from_shared_and_owned_payloads() {
    let id = RpcId::string("a").unwrap();
    for length in [0, 1, 60, 100, 126, 5_000] {
        let value = "x".repeat(length);
        let owned = RawPayload::of(&value).unwrap();
        let shared = RawPayload::json(owned.to_bytes().unwrap());
        let expected = format!(r#"{{"type":"__rpc_res","payload":"{value}","rpcId":"a"}}"#);
        assert_eq!(answer(owned, &id).as_text(), Some(&*expected));
        assert_eq!(answer(shared, &id).as_text(), Some(&*expected));
    }
    let expected = r#"{"type":"__rpc_res","rpcId":"a"}"#;
    assert_eq!(answer(RawPayload::absent(), &id).as_text(), Some(expected));
    assert_eq!(answer(RawPayload::json(""), &id).as_text(), Some(expected));
}
