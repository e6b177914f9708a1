//! Equality of JSON values as JSON Schema defines it: numbers are equal if their values are, so 1 is 1.0.

use std::{
    cmp::Ordering,
    collections::HashSet,
    hash::{Hash, Hasher},
};

use serde_json::{Number, Value};

use super::number::{compare, integer};

pub(super) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => compare(left, right) == Some(Ordering::Equal),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, left)| right.get(key).is_some_and(|right| equal(left, right)))
        }
        (left, right) => left == right,
    }
}

/// Returns true if no two items are equal, in time proportional to their size.
pub(super) fn unique(items: &[Value]) -> bool {
    let mut seen = HashSet::with_capacity(items.len());
    items.iter().all(|item| seen.insert(Item(item)))
}

struct Item<'a>(&'a Value);

impl PartialEq for Item<'_> {
    fn eq(&self, other: &Self) -> bool {
        equal(self.0, other.0)
    }
}

impl Eq for Item<'_> {}

impl Hash for Item<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self.0).hash(state);
        match self.0 {
            Value::Null => {}
            Value::Bool(value) => value.hash(state),
            Value::Number(number) => hash_number(number, state),
            Value::String(text) => text.hash(state),
            Value::Array(items) => {
                state.write_usize(items.len());
                items.iter().for_each(|item| Item(item).hash(state));
            }
            Value::Object(members) => {
                // Sorted, in case serde_json keeps the order of the payload.
                let mut members: Vec<_> = members.iter().collect();
                members.sort_unstable_by_key(|(key, _)| *key);
                state.write_usize(members.len());
                for (key, member) in members {
                    key.hash(state);
                    Item(member).hash(state);
                }
            }
        }
    }
}

/// Hashes a float without a fraction as the integer that it equals.
fn hash_number<H: Hasher>(number: &Number, state: &mut H) {
    let float = number.as_f64().unwrap_or_default();
    match integer(number) {
        Some(integer) => integer.hash(state),
        None if float.fract() == 0.0 => (float as i128).hash(state),
        None => float.to_bits().hash(state),
    }
}
