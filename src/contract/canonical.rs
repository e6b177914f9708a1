//! The canonical form of a contract: the form that is hashed, written and compared.

use serde_json::{Map, Number, Value};

use super::{Contract, IncomingContract, OutgoingContract, Types};

/// Sorts the members of every object, and writes each number in one form. Both depend on features of `serde_json`,
/// `preserve_order` and `arbitrary_precision`, which any crate of an app can switch on.
pub(super) fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(sorted_members(members)),
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        Value::Number(number) => Value::Number(in_one_form(number)),
        value => value,
    }
}

/// Returns a number with the fewest digits that mean the same `f32` or `f64`. With `arbitrary_precision`, a number keeps
/// the digits of its type, so the `f32` 0.1 is `0.1`. Otherwise it becomes the `f64` 0.10000000149011612.
fn in_one_form(number: Number) -> Number {
    if number.is_i64() || number.is_u64() {
        return number;
    }
    let Some(float) = number.as_f64() else {
        return number;
    };
    let single = float as f32;
    let shortest = match f64::from(single) == float {
        true => single.to_string().parse().unwrap_or(float),
        false => float,
    };
    Number::from_f64(shortest).unwrap_or(number)
}

fn sorted_members(members: impl IntoIterator<Item = (String, Value)>) -> Map<String, Value> {
    let mut members: Vec<_> = members.into_iter().collect();
    members.sort_by(|(one, _), (other, _)| one.cmp(other));
    members
        .into_iter()
        .map(|(name, value)| (name, sorted(value)))
        .collect()
}

impl Contract {
    /// Returns the contract with the members of every schema sorted.
    pub(super) fn canonical(&self) -> Self {
        let schema = |schema: &Value| sorted(schema.clone());
        let named = |types: &std::collections::BTreeMap<String, Value>| {
            types
                .iter()
                .map(|(name, of)| (name.clone(), schema(of)))
                .collect()
        };
        let incoming = |incoming: &IncomingContract| IncomingContract {
            doc: incoming.doc.clone(),
            input: incoming.input.as_ref().map(schema),
            output: incoming.output.as_ref().map(schema),
            errors: incoming.errors.clone(),
            error_data: named(&incoming.error_data),
        };
        let outgoing = |outgoing: &OutgoingContract| OutgoingContract {
            payload: schema(&outgoing.payload),
            delivery: outgoing.delivery,
        };
        Self {
            zocket: self.zocket,
            headers: schema(&self.headers),
            incoming: self
                .incoming
                .iter()
                .map(|(path, of)| (path.clone(), incoming(of)))
                .collect(),
            outgoing: self
                .outgoing
                .iter()
                .map(|(name, of)| (name.clone(), outgoing(of)))
                .collect(),
            types: Types {
                input: named(&self.types.input),
                output: named(&self.types.output),
            },
        }
    }

    /// Returns the text that the hash covers: the canonical form without documentation.
    pub(super) fn undocumented(&self) -> String {
        let mut contract = self.clone();
        strip_docs(&mut contract.headers);
        for incoming in contract.incoming.values_mut() {
            incoming.doc = None;
            incoming.input.iter_mut().for_each(strip_docs);
            incoming.output.iter_mut().for_each(strip_docs);
            incoming.error_data.values_mut().for_each(strip_docs);
        }
        for outgoing in contract.outgoing.values_mut() {
            strip_docs(&mut outgoing.payload);
        }
        let Types { input, output } = &mut contract.types;
        input.values_mut().chain(output.values_mut()).for_each(strip_docs);
        sorted(serde_json::to_value(contract).unwrap_or_default()).to_string()
    }
}

/// Removes documentation from a schema and the schemas in it, but not from data: constants and defaults.
fn strip_docs(schema: &mut Value) {
    match schema {
        Value::Object(keywords) => {
            keywords.retain(|keyword, value| match keyword.as_str() {
                "title" | "description" | "$comment" => !value.is_string(),
                "examples" => !value.is_array(),
                _ => true,
            });
            for (keyword, value) in keywords {
                match (keyword.as_str(), value) {
                    ("const" | "enum" | "default", _) => {}
                    // Members, patterns and types may have the names of keywords.
                    (
                        "properties" | "patternProperties" | "dependentSchemas" | "$defs",
                        Value::Object(schemas),
                    ) => schemas.values_mut().for_each(strip_docs),
                    (_, value) => strip_docs(value),
                }
            }
        }
        Value::Array(schemas) => schemas.iter_mut().for_each(strip_docs),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_sorted_whatever_order_they_come_in() {
        let members = || {
            [
                ("b", json!({ "y": 1, "x": [{ "d": 1, "c": 2 }] })),
                ("a", json!(1)),
                ("c", json!(null)),
            ]
        };
        let expected = r#"{"a":1,"b":{"x":[{"c":2,"d":1}],"y":1},"c":null}"#;
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let shuffled = order.map(|place| {
                let (name, value) = members()[place].clone();
                (name.to_owned(), value)
            });
            assert_eq!(Value::Object(sorted_members(shuffled)).to_string(), expected);
        }
    }

    #[test]
    fn a_number_has_one_form() {
        for (given, expected) in [
            (json!(0.1_f32), "0.1"),
            (json!(0.1_f64), "0.1"),
            (json!(0.5), "0.5"),
            (json!(1.0), "1.0"),
            (json!(1.0 / 3.0), "0.3333333333333333"),
            (json!(u64::MAX), "18446744073709551615"),
            (json!(i64::MIN), "-9223372036854775808"),
        ] {
            assert_eq!(sorted(json!([given]))[0].to_string(), expected);
        }
        assert_eq!(sorted(json!(f32::MAX)), json!(3.4028235e38_f64));
        let parsed: Value = serde_json::from_str("[1.50, 2e3, 1e0]").unwrap();
        assert_eq!(sorted(parsed).to_string(), "[1.5,2000.0,1.0]");
    }
}
