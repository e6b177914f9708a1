//! Sizes and equality of values.

use serde_json::{Value, json};

use super::{EDGES, Random, compare, issues, parsed};

#[test]
fn sizes_are_counted_in_characters_items_and_members() {
    let mut random = Random(3);
    let mut values: Vec<Value> = (0..1_000).map(|_| random.value(2)).collect();
    values.extend(["", "é", "e\u{301}", "😀😀", "👩‍👩‍👧", "ßß"].map(Value::from));
    let mut schemas = Vec::new();
    for keyword in [
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "minProperties",
        "maxProperties",
    ] {
        for limit in ["0", "1", "2", "2.0", "3e0", "7", "18446744073709551615", "1e30"] {
            schemas.push(json!({ keyword: parsed(limit)[0] }));
        }
    }
    schemas.push(json!({"minLength": 2, "maxLength": 1, "pattern": "x", "minItems": 3, "uniqueItems": true,
        "minimum": 5, "multipleOf": 2, "minProperties": 2, "enum": ["a", 1, [], {}], "const": "a", "format": "uuid"}));
    let refusals = compare(&schemas, &values);
    assert!(refusals > 4_000, "{refusals}");
}

#[test]
fn equality_is_that_of_values() {
    let mut random = Random(4);
    let mut values: Vec<Value> = (0..300).map(|_| random.value(3)).collect();
    values.extend(parsed(EDGES));
    let mut schemas: Vec<Value> = (0..100).map(|_| json!({"const": random.pick(&values)})).collect();
    schemas.extend((0..50).map(|_| json!({"enum": [random.pick(&values), random.pick(&values)]})));
    schemas.push(json!({"enum": []}));
    // The same values in other forms: numbers as floats, members in another order.
    values.extend(parsed(
        r#"[1.0, {"a": 2.0}]
        [1, {"a": 2}]
        {"b": 1, "a": [0]}
        {"a": [-0.0], "b": 1.0}
        {"a": [0], "c": 1}"#,
    ));
    schemas.extend(
        values[values.len() - 5..]
            .iter()
            .map(|value| json!({ "const": value })),
    );
    assert!(compare(&schemas, &values) > 10_000);
}

#[test]
fn repeated_items_are_found_in_any_form() {
    let mut random = Random(5);
    let (edges, mut lists) = (parsed(EDGES), Vec::new());
    for length in [0, 1, 2, 3, 5, 14, 15, 16, 17, 40] {
        for _ in 0..30 {
            let few: Vec<Value> = (0..length).map(|_| random.pick(&edges).clone()).collect();
            lists.push(Value::from(few));
            lists.push(
                (0..length)
                    .map(|index| json!({"a": [index], "b": random.value(1)}))
                    .collect(),
            );
            lists.push((0..length).map(|_| random.value(2)).collect());
        }
    }
    lists.extend([json!(1), json!({"a": 1})]);
    let refusals = compare(&[json!({"uniqueItems": true})], &lists);
    assert!(refusals > 100 && lists.len() - refusals > 100, "{refusals}");
    assert_eq!(compare(&[json!({"uniqueItems": false})], &lists), 0);
}

#[test]
fn a_long_list_is_compared_in_one_pass() {
    let items: Value = (0..100_000_u64).map(|index| u64::MAX - index).collect();
    assert!(issues(&json!({"uniqueItems": true}), &items).is_empty());
}

#[test]
fn a_value_that_fits_a_forbidden_schema_is_reported() {
    let schemas = [
        json!({"not": {"const": 0}}),
        json!({"minimum": 5, "multipleOf": 2, "not": {"enum": [1, "a", null]}}),
        json!({"not": {"type": "array", "items": {"minimum": 1, "type": "number"}, "minItems": 1}}),
        json!({"not": {"not": {"type": "string", "minLength": 1}}}),
        json!({"not": true}),
        json!({"not": false}),
    ];
    let values = parsed("0\n-0.0\n0.0\n1\n2\n6\n\"a\"\n\"\"\nnull\n[]\n[1]\n[1,0]\n{}");
    assert!(compare(&schemas, &values) > 20);
}

#[test]
fn deep_values_are_compared_completely() {
    let deep = |end: &str| parsed(&format!("{}{end}{}", "[{\"a\":".repeat(60), "}]".repeat(60)))[0].clone();
    let values = [deep("1"), deep("1.0"), deep("2"), deep("\"1\"")];
    let schemas = [
        json!({"const": values[0]}),
        json!({"enum": [values[1], 5]}),
        json!({"uniqueItems": true}),
    ];
    assert_eq!(compare(&schemas, &values), 4);
    assert_eq!(
        compare(
            &schemas[2..],
            &[json!([values[0], values[1]]), json!([values[0], values[2]])]
        ),
        1
    );
}
