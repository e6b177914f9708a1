//! The client's members, nested like the routes' names.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::Value;
use zocket_layers::Delivery;

use super::types::{Writer, comment, doc_lines, literal, property, rounding};
use crate::contract::{Contract, IncomingContract, names::Names};

/// A level of the client: its calls and events, and the levels below.
#[derive(Debug, Default)]
pub(super) struct Surface<'a> {
    /// Full names of routes, keyed by their last segment: `chat.post` by `post`.
    calls: BTreeMap<&'a str, &'a str>,
    events: BTreeMap<&'a str, &'a str>,
    below: BTreeMap<&'a str, Self>,
}

impl<'a> Surface<'a> {
    pub(super) fn of(contract: &'a Contract) -> Self {
        let mut surface = Self::default();
        for path in contract.incoming.keys() {
            let (level, last) = surface.level(path);
            level.calls.insert(last, path);
        }
        for name in contract.outgoing.keys() {
            let (level, last) = surface.level(name);
            level.events.insert(last, name);
        }
        surface
    }

    fn level(&mut self, path: &'a str) -> (&mut Self, &'a str) {
        match path.split_once('.') {
            Some((first, rest)) => self.below.entry(first).or_default().level(rest),
            None => (self, path),
        }
    }

    /// Returns the declaration of `interface Client`.
    pub(super) fn interface(&self, contract: &Contract, names: &Names) -> String {
        let mut text =
            "/** The app's routes and events. */\nexport interface Client extends ClientBase {\n".to_owned();
        self.write_calls(contract, names, "  ", &mut text);
        text.push_str(
            "  /** Events of the server: call one with a listener, or iterate over it. */\n  readonly on: {\n",
        );
        self.write_events(contract, names, "    ", &mut text);
        text.push_str("  };\n}\n\n");
        text
    }

    fn write_calls(&self, contract: &Contract, names: &Names, indent: &str, text: &mut String) {
        for (name, path) in &self.calls {
            let Some(incoming) = contract.incoming.get(*path) else {
                continue;
            };
            let rounded = [&incoming.input, &incoming.output]
                .into_iter()
                .flatten()
                .chain(incoming.error_data.values())
                .find_map(rounding);
            let lines: Vec<_> = incoming.doc.iter().cloned().chain(rounded).collect();
            text.push_str(&comment(&lines.join("\n"), indent));
            let _ = writeln!(
                text,
                "{indent}readonly {}: {};",
                property(name),
                call(contract, incoming, names, indent)
            );
        }
        for (name, below) in self
            .below
            .iter()
            .filter(|(_, below)| below.has(|level| !level.calls.is_empty()))
        {
            let _ = writeln!(text, "{indent}readonly {}: {{", property(name));
            below.write_calls(contract, names, &format!("{indent}  "), text);
            let _ = writeln!(text, "{indent}}};");
        }
    }

    fn write_events(&self, contract: &Contract, names: &Names, indent: &str, text: &mut String) {
        for (name, event) in &self.events {
            let Some(outgoing) = contract.outgoing.get(*event) else {
                continue;
            };
            let lines = doc_lines(named(contract, &outgoing.payload));
            // Before the tags, which end the prose.
            let tags = lines.iter().position(|line| line.starts_with('@'));
            let (prose, tags) = lines.split_at(tags.unwrap_or(lines.len()));
            let delivery = delivery(outgoing.delivery).map(str::to_owned);
            let lines: Vec<_> = prose
                .iter()
                .cloned()
                .chain(delivery)
                .chain(tags.iter().cloned())
                .collect();
            text.push_str(&comment(&lines.join("\n"), indent));
            let writer = Writer {
                names,
                is_input: false,
            };
            let payload = writer.type_of(&outgoing.payload, indent);
            let _ = writeln!(
                text,
                "{indent}readonly {}: EventSource<{payload}>;",
                property(name)
            );
        }
        for (name, below) in self
            .below
            .iter()
            .filter(|(_, below)| below.has(|level| !level.events.is_empty()))
        {
            let _ = writeln!(text, "{indent}readonly {}: {{", property(name));
            below.write_events(contract, names, &format!("{indent}  "), text);
            let _ = writeln!(text, "{indent}}};");
        }
    }

    fn has(&self, is_there: fn(&Self) -> bool) -> bool {
        is_there(self) || self.below.values().any(|below| below.has(is_there))
    }
}

/// Returns the type of a call: `Call<Input, Output, "CODE" | Refused<"CODE", Data>>`.
fn call(contract: &Contract, incoming: &IncomingContract, names: &Names, indent: &str) -> String {
    let side = |schema: Option<&Value>, is_input| {
        let writer = Writer { names, is_input };
        schema.map_or_else(|| "void".to_owned(), |schema| writer.type_of(schema, indent))
    };
    let codes = incoming.errors.iter().map(|code| {
        let name = literal(code);
        match incoming.error_data.get(code) {
            Some(data) => format!("Refused<{name}, {}>", side(Some(data), false)),
            None => name,
        }
    });
    let codes: Vec<_> = codes.collect();
    let codes = if codes.is_empty() {
        String::new()
    } else {
        format!(", {}", codes.join(" | "))
    };
    format!(
        "Call<{}, {}{codes}>",
        side(contract.input_of(incoming), true),
        side(incoming.output.as_ref(), false)
    )
}

/// Returns a sentence about the events that a client which reads too slowly does not receive.
const fn delivery(delivery: Delivery) -> Option<&'static str> {
    match delivery {
        Delivery::Volatile => Some("Volatile: dropped while this client reads too slowly."),
        Delivery::Latest => {
            Some("Latest: a newer one replaces an older one that waits, while this client reads too slowly.")
        }
        _ => None,
    }
}

/// Returns the named type that a schema refers to, among those that the server sends (`#/types/output/…`). A schema
/// that is no such reference is returned unchanged.
fn named<'a>(contract: &'a Contract, schema: &'a Value) -> &'a Value {
    let reference = schema.get("$ref").and_then(Value::as_str);
    let name = reference.and_then(|reference| reference.strip_prefix("#/types/output/"));
    name.and_then(|name| contract.types.output.get(name))
        .unwrap_or(schema)
}
