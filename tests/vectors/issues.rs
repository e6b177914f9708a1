//! Payloads with one rule for each issue code.

use std::collections::{BTreeMap, HashSet};

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

/// Known members only.
#[derive(Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[expect(dead_code, reason = "it is only read")]
pub struct Members {
    needed: String,
    more: Option<String>,
}

/// Values with one rule each. garde checks its own rules, and serde the others.
#[derive(Default, Deserialize, JsonSchema, Validate)]
#[serde(default)]
#[garde(allow_unvalidated)]
pub struct Values {
    #[garde(length(chars, min = 2, max = 4))]
    text: Option<String>,
    #[garde(length(min = 1, max = 2))]
    items: Option<Vec<u8>>,
    #[garde(inner(length(chars, min = 1)))]
    texts: Vec<String>,
    #[garde(range(min = 1, max = 10))]
    number: Option<i32>,
    #[garde(pattern("^[a-z]+$"))]
    slug: Option<String>,
    #[garde(email)]
    email: Option<String>,
    #[garde(url)]
    url: Option<String>,
    #[garde(ip)]
    ip: Option<String>,
    #[garde(custom(is_even))]
    even: Option<i32>,
    #[serde(deserialize_with = "one_or_two")]
    #[schemars(extend("minProperties" = 1, "maxProperties" = 2))]
    map: Option<BTreeMap<String, u8>>,
    #[serde(deserialize_with = "unique")]
    #[schemars(extend("uniqueItems" = true))]
    unique: Option<Vec<u8>>,
    #[serde(deserialize_with = "between")]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 10))]
    between: Option<f64>,
    #[serde(deserialize_with = "fives")]
    #[schemars(extend("multipleOf" = 5))]
    fives: Option<i32>,
    #[serde(deserialize_with = "fixed")]
    #[schemars(extend("const" = "fixed"))]
    fixed: Option<String>,
    colour: Option<Colour>,
    either: Option<Either>,
    any: Value,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Colour {
    Red,
    Green,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is only read")]
enum Either {
    Left { at: u8, left: u8 },
    Right { at: u8, right: u8 },
}

fn is_even(number: &Option<i32>, (): &()) -> garde::Result {
    match number {
        Some(number) if number % 2 != 0 => Err(garde::Error::new("expected an even number")),
        _ => Ok(()),
    }
}

/// Deserializes a value, and refuses it if the rule does.
fn ruled<'de, D, T>(deserializer: D, accepts: impl Fn(&T) -> bool) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let value = T::deserialize(deserializer)?;
    if accepts(&value) {
        Ok(Some(value))
    } else {
        Err(D::Error::custom("the rule says no"))
    }
}

fn one_or_two<'de, D: Deserializer<'de>>(from: D) -> Result<Option<BTreeMap<String, u8>>, D::Error> {
    ruled(from, |map: &BTreeMap<_, _>| (1..=2).contains(&map.len()))
}

fn unique<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
    ruled(from, |items: &Vec<u8>| {
        items.iter().collect::<HashSet<_>>().len() == items.len()
    })
}

fn between<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    ruled(from, |number| *number > 0.0 && *number < 10.0)
}

fn fives<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i32>, D::Error> {
    ruled(from, |number| number % 5 == 0)
}

fn fixed<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    ruled(from, |text| text == "fixed")
}
