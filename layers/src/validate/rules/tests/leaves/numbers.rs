//! Bounds and multiples of numbers.

use serde_json::{Value, json};

use super::{EDGES, Random, compare, issues, parsed};

#[test]
fn numbers_compare_by_their_exact_values() {
    let edges = parsed(EDGES);
    let mut values = edges.clone();
    values.extend([json!("1"), json!(null), json!([1])]);
    let mut random = Random(1);
    values.extend((0..200).map(|_| random.number()));
    let keywords = [
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "const",
    ];
    let limits: Vec<Value> = values.iter().filter(|value| value.is_number()).cloned().collect();
    for keyword in keywords {
        let schemas: Vec<Value> = limits.iter().map(|limit| json!({ keyword: limit })).collect();
        let refusals = compare(&schemas, &values);
        assert!(refusals > 20_000, "{keyword}: {refusals}");
    }
    let sets: Vec<Value> = (0..50)
        .map(|_| json!({"enum": [random.pick(&values), random.pick(&values), random.pick(&values)]}))
        .collect();
    assert!(compare(&sets, &values) > 10_000);
}

#[test]
fn multiples_are_those_of_decimals() {
    let factors = parsed(
        "1\n2\n3\n5.0\n7\n10\n100\n1e2\n0.1\n0.01\n0.001\n0.5\n0.25\n1.5\n0.3\n0.7\n1.1\n2.54\n1e-7\n12345.678\n
        9007199254740992\n4294967296\n18446744073709551615",
    );
    let schemas: Vec<Value> = factors
        .iter()
        .map(|factor| json!({"multipleOf": factor}))
        .collect();
    let mut random = Random(2);
    // Beyond 128 bits, the standard's reader computes with rounded fractions. Beyond 64 bits, an integer is a float, but
    // not for the standard's reader with serde_json's feature `arbitrary_precision`.
    let small = |value: &Value| {
        let is_small = |float: f64| float == 0.0 || (1e-9..9e18).contains(&float.abs());
        value.is_i64() || value.is_u64() || value.as_f64().is_none_or(is_small)
    };
    let mut values: Vec<Value> = parsed(EDGES).into_iter().filter(small).collect();
    values.extend((0..2_000).map(|_| random.number()).filter(small));
    values.extend([json!("1"), json!(null)]);
    let refusals = compare(&schemas, &values);
    assert!(refusals > 10_000, "{refusals}");
    assert!(schemas.len() * values.len() - refusals > 2_000, "{refusals}");
}

#[test]
fn multiples_are_exact_for_any_float() {
    let accepts = |factor: &str, number: &str| {
        let schema = json!({"multipleOf": parsed(factor)[0]});
        issues(&schema, &parsed(number)[0]).is_empty()
    };
    for (factor, number) in [
        ("0.1", "1e300"),
        ("0.3", "3e300"),
        ("5e-324", "1.7e308"),
        ("0.7", "7e-1"),
        ("1e-300", "1"),
    ] {
        assert!(accepts(factor, number), "{number} is a multiple of {factor}");
        assert!(
            accepts(factor, &format!("-{number}")),
            "-{number} is a multiple of {factor}"
        );
    }
    for (factor, number) in [
        ("0.3", "1e300"),
        ("0.7", "1e-300"),
        ("1.5", "5e-324"),
        ("0.1", "1e-2"),
    ] {
        assert!(!accepts(factor, number), "{number} is no multiple of {factor}");
    }
}
