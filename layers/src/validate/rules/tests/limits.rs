//! Bounds on the work for one payload, and on the length of its issues.

use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Checker, refusal};

#[derive(Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
struct Many {
    #[garde(inner(range(min = 5)))]
    #[serde(default)]
    list: Vec<u8>,
    #[garde(skip)]
    #[serde(default)]
    any: serde_json::Value,
    #[garde(skip)]
    #[serde(default)]
    text: String,
    #[garde(skip)]
    #[serde(default)]
    one: Option<Either>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Either {
    Left { x: Box<Self> },
    Right { x: Box<Self>, y: Option<u8> },
    End(u8),
}

fn issues(json: &str) -> Vec<crate::Issue> {
    let Err(issues) = Checker::<Many>::new().check(json.as_bytes()) else {
        panic!("accepted")
    };
    issues
}

#[test]
fn at_most_a_hundred_issues_are_reported() {
    let list = |item: &str| {
        format!(
            r#"{{"list":[{}0]}}"#,
            format!("{item},").repeat((1 << 20) / (item.len() + 1))
        )
    };
    for json in [list(r#""""#), list("1"), list("999")] {
        let told = issues(&json);
        assert_eq!(told.len(), 100);
        assert!(serde_json::to_string(&told).unwrap().len() < 20_000);
    }
    let keys: Vec<String> = (0..100_000).map(|i| format!(r#""k{i}":1"#)).collect();
    assert_eq!(issues(&format!("{{{}}}", keys.join(","))).len(), 100);
    let last = format!(r#"{{"list":[{}"x"]}}"#, "9,".repeat(1 << 19));
    assert_eq!(issues(&last).len(), 1);
}

#[test]
fn issues_do_not_repeat_the_input() {
    let long = "x".repeat(1 << 20);
    for json in [
        format!(r#"{{"list":"{long}"}}"#),
        format!(r#"{{"{long}":1}}"#),
        format!(r#"{{"one":{{"{long}":1}}}}"#),
    ] {
        let told = issues(&json);
        assert!(serde_json::to_string(&told).unwrap().len() < 1_000, "{told:?}");
    }
}

#[test]
fn too_deep_nesting_is_one_issue() {
    let deep = format!(r#"{{"any":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    assert_eq!(
        refusal::<Many>(deep),
        ["too_deep any: expected at most 127 levels of arrays and objects, got more"]
    );
}

#[test]
fn checking_a_recursive_untagged_enum_stops_in_bounded_time() {
    let json = format!(r#"{{"one":{}"z"{}}}"#, r#"{"x":"#.repeat(14), "}".repeat(14));
    assert_eq!(issues(&json).len(), 1);
}

#[test]
fn arbitrary_bytes_never_panic() {
    let seed = br#"{"list":[1,9,"a"],"any":{"a":[null]},"text":"\u00e9\ud83d\ude00","one":{"x":{"x":1,"y":2}},"z":1e3}"#;
    let checker = Checker::<Many>::new();
    for at in 0..seed.len() {
        drop(checker.check(&seed[..at]));
        for byte in [0, b'"', b'\\', b'{', b']', b'9', b'-', b'.', 0xff, b'\x1f'] {
            let mut bytes = seed.to_vec();
            bytes[at] = byte;
            assert!(checker.check(&bytes).is_err());
        }
    }
}
