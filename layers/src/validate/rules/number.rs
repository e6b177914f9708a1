//! Check of JSON numbers against the ranges of Rust's integers.

use serde_json::{Number, Value};

/// Position of a number relative to the range of an integer type.
pub(super) enum Range {
    Within,
    NoInteger,
    Below(i128),
    Above(i128),
}

/// Compares a number with the range of an integer type. serde refuses a number with a fraction as an integer, even
/// `.0`. serde_json parses an integer that is too large for 64 bits as a float.
pub(super) fn out_of(number: &Number, bounds: Option<(i128, i128)>) -> Range {
    let exact = number
        .as_i64()
        .map(i128::from)
        .or_else(|| number.as_u64().map(i128::from));
    match (exact, bounds) {
        (Some(exact), Some((min, _))) if exact < min => Range::Below(min),
        (Some(exact), Some((_, max))) if exact > max => Range::Above(max),
        (Some(_), _) => Range::Within,
        (None, bounds) => {
            let float = number.as_f64().unwrap_or_default();
            let huge = float.abs() >= 9_007_199_254_740_992.0;
            match bounds {
                Some((min, _)) if huge && float < 0.0 => Range::Below(min),
                Some((_, max)) if huge => Range::Above(max),
                None if huge => Range::Within,
                _ => Range::NoInteger,
            }
        }
    }
}

pub(super) fn number_of(number: i128) -> Value {
    match (i64::try_from(number), u64::try_from(number)) {
        (Ok(number), _) => number.into(),
        (_, Ok(number)) => number.into(),
        _ => Value::Null,
    }
}
