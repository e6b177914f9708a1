use super::*;

fn id(frame: &str) -> Option<String> {
    find_id(frame.as_bytes()).map(|id| id.as_json().to_owned())
}

#[test]
fn the_id_of_a_frame_is_found_beside_what_json_forbids() {
    for frame in [
        r#"{"rpcId":103,"type":"a","payload":{"f":Infinity}}"#,
        r#"{"type":"a","payload":{"f":[NaN,-Infinity]},"rpcId":103}"#,
        r#"{"type":"a","payload":{"f":[1,2,],},"rpcId":103,}"#,
        r#"{"type":"a","payload":{"f":},"rpcId":103}"#,
        r#"{"type":"a","payload":{"f":[1,,2]},"rpcId":103}"#,
        r#"{"type":"a","payload":undefined,"rpcId":103}"#,
        r#"{"type":"a","payload":.5e,"rpcId" : 103 }"#,
        r#"{"type":"a","payload":01,"rpcId":103}"#,
        r#"{'type': 'a', 'payload': {'it': None, 'quote': '"'}, 'rpcId': 103}"#,
        r#"{type:"a",payload:{x:1},rpcId:103}"#,
        r#"{"type":"a",/* "rpcId":9, */"rpcId":103} // end"#,
        "{\"type\":\"a\", // \"rpcId\":9,\n\"rpcId\":103}",
        r#"{"type":"a","rpc\u0049d":103,"x":+1}"#,
        r#"{"type":"a","\ud83d":1,"rpcId":103}"#,
        r#"{"type":"a","payload":"\x","rpcId":103}"#,
        "{\"type\":\"a\",\"payload\":\"line\nbreak\",\"rpcId\":103}",
        "\u{feff}{\"type\":\"a\",\"rpcId\":103}",
        r#"{"type":"a","rpcId":103,"rpcId":103}"#,
        r#"{"type":"a","rpcId":103}{"type":"b","rpcId":104}"#,
        r#"{"type":"a","payload":{},"rpcId":103} x"#,
        r#"{"type":"a","rpcId":103}}"#,
        r#"{"type":"a","payload":{"a":[1,2},"rpcId":103}"#,
        r#"{"rpcId":103,"type":"a","payload":{"text":"cut he"#,
        r#"{"rpcId":103,"#,
        r#"{"type":"a","payload":{},"rpcId":103,"late":"#,
        r#"{"rpcId":103,"type":"a","payload":"she said "no", then left"}"#,
    ] {
        assert_eq!(id(frame).as_deref(), Some("103"), "{frame}");
    }
}

#[test]
fn ids_of_each_kind_are_found() {
    for (frame, expected) in [
        (r#"{"rpcId":"a-1","x":NaN}"#, r#""a-1""#),
        (r#"{"rpcId":"\u0061","x":NaN}"#, r#""a""#),
        (r#"{'rpcId':'a"b'}"#, r#""a\"b""#),
        (r#"{"rpcId":-0.5e+10,"x":NaN}"#, "-0.5e+10"),
        (r#"{"x":NaN,"rpcId":"cut after it""#, r#""cut after it""#),
    ] {
        assert_eq!(id(frame).as_deref(), Some(expected), "{frame}");
    }
}

#[test]
fn an_id_is_never_taken_from_the_payload() {
    for frame in [
        r#"{"type":"a","payload":{"rpcId":5,"f":NaN}}"#,
        r#"{"type":"a","payload":[{"rpcId":5},NaN]}"#,
        r#"{"type":"a","payload":{"x":1,"rpcId":5}"#,
        r#"{"type":"a","payload":{"x":{"y":1}},"rpcId":5},"z":1}"#,
        r#"{"type":"a","payload":{"x":1},"rpcId":5}}"#,
        r#"{"type":"a","payload":{"list":[{"a":1}},"rpcId":5}]}}"#,
        r#"{"payload":"type":"a","rpcId":5}}"#,
        r#"{"type":"a","payload":"she said "hi, "rpcId":5, "","f":NaN}"#,
        r#"{"type":"a","payload":"\"rpcId\":5,","f":NaN}"#,
        r#"{"type":"a","payload":"{'rpcId':5}","f":NaN}"#,
        r#"{"type":"rpcId","payload":"rpcId","f":NaN}"#,
        r#"[{"type":"a","rpcId":5},NaN]"#,
        r#""{\"rpcId\":5}"#,
    ] {
        assert_eq!(id(frame), None, "{frame}");
    }
}

#[test]
fn values_that_are_no_id_are_none() {
    for frame in [
        "",
        "{",
        r#"{"rpcId""#,
        r#"{"rpcId":"#,
        r#"{"rpcId":10"#,
        r#"{"rpcId":"cut"#,
        r#"{"rpcId":NaN}"#,
        r#"{"rpcId":007}"#,
        r#"{"rpcId":null,"f":NaN}"#,
        r#"{"rpcId":"","f":NaN}"#,
        r#"{"rpcId":"\ud83d","f":NaN}"#,
        r#"{"rpcId":{"a":1},"f":NaN}"#,
        r#"{"rpcId":1,"rpcId":2}"#,
    ] {
        assert_eq!(id(frame), None, "{frame}");
    }
}

#[test]
fn no_bytes_make_the_search_fail() {
    let frame = br#"{"type":"a","payload":{"b":["c\"",'d',{}],/**/"e":1},"rpcId":"f"}"#;
    for end in 0..=frame.len() {
        find_id(&frame[..end]);
        for byte in [b'\\', b'"', b'\'', b'{', b']', b'/', 0xff] {
            let mut other = frame.to_vec();
            if let Some(at) = other.get_mut(end) {
                *at = byte;
            }
            find_id(&other);
        }
    }
}
