//! Keywords about single values agree with the standard, as `jsonschema` reads it, to the byte of every issue.

mod numbers;
mod schemas;
mod texts;
mod values;

use serde_json::{Value, json};

use super::{
    super::{schema::Graph, walk},
    standard,
};
use crate::error::Issue;

/// Parses each line as JSON, so that a number keeps the form in which it is written.
fn parsed(lines: &str) -> Vec<Value> {
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn issues(schema: &Value, value: &Value) -> Vec<Issue> {
    walk::issues(&Graph::new(schema), value, value.to_string().len(), 100)
}

/// Compares the issues of each value under each schema. Returns the number of refusals.
fn compare(schemas: &[Value], values: &[Value]) -> usize {
    let mut refusals = 0;
    for schema in schemas {
        let standard = standard::validator(schema).unwrap_or_else(|| panic!("not allowed: {schema}"));
        let graph = Graph::new(schema);
        for value in values {
            let expected = standard::issues(&standard, value);
            let found = walk::issues(&graph, value, value.to_string().len(), 100);
            assert_eq!(found, expected, "{schema} about {value}");
            refusals += usize::from(!found.is_empty());
        }
    }
    refusals
}

/// A xorshift generator: the same values in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    fn number(&mut self) -> Value {
        let (bits, small) = (self.next(), self.below(2_000) as i64 - 1_000);
        match self.below(6) {
            0 => json!(small),
            1 => json!(bits),
            2 => json!(bits.cast_signed()),
            // A decimal with up to three places, as people write them.
            3 => format!("{}e-{}", small, self.below(4))
                .parse::<f64>()
                .unwrap()
                .into(),
            4 => (bits as f64).into(),
            _ => json!(f64::from_bits(bits % (0x43e << 52)).copysign(small as f64)),
        }
    }

    fn text(&mut self) -> Value {
        let letters = [
            "a", "b", "z", "A", "0", "9", "_", "-", ".", " ", "\n", "\r", "\u{a0}", "\u{feff}", "é",
            "e\u{301}", "ß", "٣", "\u{2028}", "日", "😀", "&", "~", "[", "]", "\\",
        ];
        let text: String = (0..self.below(7)).map(|_| *self.pick(&letters)).collect();
        text.into()
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 4 } else { 6 }) {
            0 => Value::Null,
            1 => json!(self.below(2) == 0),
            2 => self.number(),
            3 => self.text(),
            4 => (0..self.below(20)).map(|_| self.value(depth - 1)).collect(),
            _ => {
                let keys = ["a", "b", "ä", "1"];
                let members = (0..self.below(5)).map(|_| (*self.pick(&keys), self.value(depth - 1)));
                json!(members.collect::<std::collections::BTreeMap<_, _>>())
            }
        }
    }
}

/// Numbers at the edges of 64 bits, of exact floats, and of floats at all.
const EDGES: &str = "
    0\n-0\n-0.0\n0.0\n1\n-1\n1.0\n3.0\n1e2\n100\n0.1\n0.2\n0.3\n0.30000000000000004\n1.1\n-0.3\n2.5\n1e-7\n
    9007199254740991\n9007199254740992\n9007199254740992.0\n9007199254740993\n-9007199254740993\n
    9223372036854775807\n9223372036854775808\n9223372036854775808.0\n-9223372036854775808\n
    -9223372036854775809\n-9223372036854775808.0\n18446744073709551614\n18446744073709551615\n
    18446744073709551615.0\n18446744073709551616\n1e19\n1e20\n1e22\n1e23\n1070468.14\n4.35\n19.99\n
    1.7976931348623157e308\n-1.7976931348623157e308\n2.2250738585072014e-308\n5e-324\n-5e-324\n0.5\n1e300";
