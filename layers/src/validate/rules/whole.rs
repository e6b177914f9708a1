//! Integers that are written with a fraction or an exponent, as `3.0` and `1e2`. JSON Schema counts them as integers,
//! and serde_json does not.

/// Maximum number of digits of an integer. Those of 128 bits have up to 39.
const MOST_DIGITS: usize = 39;

/// Returns the JSON text with each such integer in its plain form, or none if it has no such integer.
pub(super) fn rewrite(json: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(&byte) = json.get(at) {
        match byte {
            b'"' => at = end_of_text(json, at),
            b'-' | b'0'..=b'9' => {
                let end = end_of_number(json, at);
                if let Some(integer) = plain(&json[at..end]) {
                    out.extend_from_slice(&json[copied..at]);
                    out.extend_from_slice(integer.as_bytes());
                    copied = end;
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    if copied == 0 {
        return None;
    }
    out.extend_from_slice(&json[copied..]);
    Some(out)
}

/// Returns the index after a text that begins at `at`.
pub(super) fn end_of_text(json: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    loop {
        match json.get(end) {
            None => return json.len(),
            Some(b'"') => return end + 1,
            Some(b'\\') => end += 2,
            Some(_) => end += 1,
        }
    }
}

/// Returns the index after a number that begins at `at`.
pub(super) fn end_of_number(json: &[u8], at: usize) -> usize {
    json[at..]
        .iter()
        .position(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
        .map_or(json.len(), |length| at + length)
}

/// Returns the plain form of a number whose fraction is zero. Returns none for a number that has its plain form, and for
/// any other.
fn plain(number: &[u8]) -> Option<String> {
    let number = std::str::from_utf8(number).ok()?;
    let (sign, number) = match number.strip_prefix('-') {
        Some(number) => ("-", number),
        None => ("", number),
    };
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (number, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_plain = whole.len() + fraction.len() == number.len();
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    match significant {
        // serde_json reads `-0` as a float.
        "" if !is_plain || sign == "-" && !digits.is_empty() => return Some("0".to_owned()),
        _ if is_plain => return None,
        _ => {}
    }
    // Index of the decimal point among the digits, without leading zeros.
    let leading = digits.len() - digits.trim_start_matches('0').len();
    let point = i64::try_from(whole.len()).ok()? + i64::from(exponent) - i64::try_from(leading).ok()?;
    let point = usize::try_from(point).ok()?;
    if significant.len() > point || point > MOST_DIGITS {
        return None;
    }
    Some(format!("{sign}{significant:0<point$}"))
}

#[cfg(test)]
mod tests {
    use super::rewrite;

    fn rewritten(json: &str) -> Option<String> {
        rewrite(json.as_bytes()).map(|json| String::from_utf8(json).unwrap())
    }

    #[test]
    fn integers_get_their_plain_form() {
        for (json, plain) in [
            ("3.0", "3"),
            ("-3.000", "-3"),
            ("1e2", "100"),
            ("1E+2", "100"),
            ("1.5e1", "15"),
            ("1200e-2", "12"),
            ("0.5e1", "5"),
            ("0.0012e4", "12"),
            ("-0.0", "0"),
            ("-0", "0"),
            ("0e9", "0"),
            ("1e19", "10000000000000000000"),
            ("9007199254740993.0", "9007199254740993"),
            (
                r#"{"a":[1.0,2.5],"3.0":"3.0 \" 3.0","b":3.0}"#,
                r#"{"a":[1,2.5],"3.0":"3.0 \" 3.0","b":3}"#,
            ),
        ] {
            assert_eq!(rewritten(json).as_deref(), Some(plain), "{json}");
        }
    }

    #[test]
    fn other_numbers_stay() {
        for json in [
            "3",
            "-3",
            "0",
            "1.5",
            "15e-1",
            "0.1e0",
            "1e40",
            "1e999999999",
            "1e99999999999",
            "\"1e2",
            "1e",
            "-",
            "[]",
        ] {
            assert_eq!(rewritten(json), None, "{json}");
        }
    }
}
