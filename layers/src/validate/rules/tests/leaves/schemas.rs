//! Keywords that are not allowed or not known.

use serde_json::json;

use super::{super::standard, compare, issues};

#[test]
fn a_keyword_that_cannot_be_compiled_does_not_disable_the_others() {
    let broken = [
        json!({"pattern": "(?=a)b"}),
        json!({"pattern": "(a)\\1"}),
        json!({"pattern": "("}),
        json!({"pattern": "\\a"}),
        json!({"pattern": 1}),
        json!({"format": 1}),
        json!({"multipleOf": 0}),
        json!({"multipleOf": -1}),
        json!({"minimum": "1"}),
        json!({"maxItems": -1}),
        json!({"minProperties": 1.5}),
        json!({"enum": 1}),
        json!({"uniqueItems": 1}),
    ];
    for mut schema in broken {
        assert!(standard::validator(&schema).is_none(), "{schema}");
        schema["maxLength"] = json!(1);
        let codes: Vec<_> = issues(&schema, &json!("bb"))
            .into_iter()
            .map(|issue| issue.code)
            .collect();
        assert_eq!(codes, ["max_length"], "{schema}");
    }
}

#[test]
fn unknown_keywords_and_formats_constrain_nothing() {
    let schemas = [
        json!({"x-rule": 1}),
        json!({"minimun": 5}),
        json!({"format": "partial-date-time"}),
        json!({"format": "zoned-date-time"}),
        json!({"format": "of-the-app"}),
        json!({"contentEncoding": "base64", "contentMediaType": "application/json"}),
    ];
    assert_eq!(
        compare(&schemas, &[json!("x"), json!(1), json!(null), json!({"a": [1]})]),
        0
    );
}
