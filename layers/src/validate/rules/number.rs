//! Numbers on the wire: the ranges of Rust's integers, exact comparison, multiples.

use std::cmp::Ordering;

use serde_json::{Number, Value};

/// The first integer above which a float skips some.
const EXACT: f64 = 9_007_199_254_740_992.0;

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
    match (integer(number), bounds) {
        (Some(exact), Some((min, _))) if exact < min => Range::Below(min),
        (Some(exact), Some((_, max))) if exact > max => Range::Above(max),
        (Some(_), _) => Range::Within,
        (None, bounds) => {
            let float = number.as_f64().unwrap_or_default();
            let huge = float.abs() >= EXACT;
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

/// Returns the value of a number that was parsed as an integer.
pub(super) fn integer(number: &Number) -> Option<i128> {
    number
        .as_i64()
        .map(i128::from)
        .or_else(|| number.as_u64().map(i128::from))
}

/// Compares two numbers by their exact values: an integer above 2^53 is not rounded to a float first. Returns `None`
/// for a number that has no finite value.
pub(super) fn compare(left: &Number, right: &Number) -> Option<Ordering> {
    match (integer(left), integer(right)) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        (Some(left), None) => compare_with_float(left, right.as_f64()?),
        (None, Some(right)) => compare_with_float(right, left.as_f64()?).map(Ordering::reverse),
        (None, None) => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

fn compare_with_float(integer: i128, float: f64) -> Option<Ordering> {
    // The cast saturates beyond 128 bits, which is still beyond any integer of 64 bits.
    let by_integer = integer.cmp(&(float.trunc() as i128));
    Some(by_integer.then(0.0.partial_cmp(&float.fract())?))
}

/// Returns true if `number` is a multiple of `factor`, which is greater than zero. A factor with a fraction, and a
/// number beside it, are the decimals that they are written as: 0.3 is a multiple of 0.1.
pub(super) fn is_multiple(number: &Number, factor: f64) -> bool {
    if factor.fract() != 0.0 {
        return number
            .as_f64()
            .and_then(|number| Some(divides(&decimal(factor)?, &decimal(number)?)))
            .unwrap_or(false);
    }
    match integer(number) {
        Some(integer) if factor <= EXACT => integer % (factor as i128) == 0,
        _ => number.as_f64().is_some_and(|number| number % factor == 0.0),
    }
}

/// A number without its sign: `digits × 10^exponent`. A float has at most 17 digits.
struct Decimal {
    digits: u128,
    exponent: i32,
}

/// Returns the shortest decimal that is read as `float`.
fn decimal(float: f64) -> Option<Decimal> {
    let text = format!("{:e}", float.abs());
    let (digits, exponent) = text.split_once('e')?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    Some(Decimal {
        digits: format!("{whole}{fraction}").parse().ok()?,
        exponent: exponent.parse::<i32>().ok()? - i32::try_from(fraction.len()).ok()?,
    })
}

fn divides(factor: &Decimal, number: &Decimal) -> bool {
    if number.digits == 0 {
        return true;
    }
    let shift = number.exponent - factor.exponent;
    if shift >= 0 {
        // Of the power of ten too, only the remainder matters; two remainders below 10^17 multiply within 128 bits.
        let remainder = (0..shift).fold(number.digits % factor.digits, |remainder, _| {
            remainder * 10 % factor.digits
        });
        return remainder == 0;
    }
    10_u128
        .checked_pow(shift.unsigned_abs())
        .and_then(|power| factor.digits.checked_mul(power))
        .is_some_and(|factor| number.digits.is_multiple_of(factor))
}
