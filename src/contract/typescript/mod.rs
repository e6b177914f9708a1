//! The contract as TypeScript: the types, then the client's runtime, in one file without dependencies.

mod surface;
mod types;

use std::fmt::Write;

use self::{surface::Surface, types::Writer};
use super::{Contract, names::Names};

/// The client's runtime, appended to the types unchanged.
const RUNTIME: &str = include_str!("runtime.ts");
/// The runtime as JavaScript: the output of TypeScript's compiler.
const RUNTIME_JS: &str = include_str!("runtime.js");
/// The runtime's declarations: the output of TypeScript's compiler.
const RUNTIME_DTS: &str = include_str!("runtime.d.ts");
/// Hooks for React.
pub(super) const REACT: &str = include_str!("react.tsx");

/// Names that the runtime declares or uses. No type of the app may have one of them.
const RESERVED: &[&str] = &[
    "CONTRACT",
    "Calls",
    "IteratorResult",
    "Json",
    "Listeners",
    "Parameters",
    "PendingCall",
    "Pick",
    "AbortSignalLike",
    "Array",
    "AsyncIterable",
    "AsyncIterator",
    "Boolean",
    "Call",
    "CallArguments",
    "CallOptions",
    "CallResult",
    "Client",
    "ClientBase",
    "ClientCode",
    "Clock",
    "Closed",
    "Contract",
    "Date",
    "Error",
    "ErrorCode",
    "ErrorDetails",
    "EventSource",
    "EventTargetLike",
    "Headers",
    "HeadersOption",
    "HeadersSource",
    "InputOf",
    "Iterable",
    "Listener",
    "Map",
    "Number",
    "Object",
    "Options",
    "OptionsBase",
    "OutputOf",
    "Partial",
    "PayloadIssue",
    "PayloadOf",
    "Promise",
    "PromiseLike",
    "ProtocolCode",
    "Readonly",
    "Record",
    "Set",
    "SocketEvent",
    "Status",
    "String",
    "Symbol",
    "TextEncoder",
    "URL",
    "Unsubscribe",
    "Validate",
    "WebSocket",
    "WebSocketConstructor",
    "WebSocketLike",
    "ZocketError",
    "ZocketErrorConstructor",
];

/// Returns the content of `zocket.ts`.
pub(super) fn typescript(contract: &Contract) -> String {
    let mut text = banner(contract);
    text.push_str(&declarations(contract));
    text.push_str(&constants(contract, ": Contract"));
    text.push('\n');
    text.push_str(RUNTIME);
    text
}

/// Returns the content of `zocket.js`.
pub(super) fn javascript(contract: &Contract) -> String {
    let mut text = banner(contract);
    text.push_str(&constants(contract, ""));
    text.push('\n');
    text.push_str(RUNTIME_JS);
    text
}

/// Returns the content of `zocket.d.ts`.
pub(super) fn javascript_declarations(contract: &Contract) -> String {
    let mut text = banner(contract);
    text.push_str(&declarations(contract));
    text.push_str(RUNTIME_DTS);
    text
}

fn banner(contract: &Contract) -> String {
    format!(
        "// Made by zocket from the server's contract {}. Changes are lost when it is made again.\n\n",
        contract.hash()
    )
}

/// Returns the declarations of the app's types and its client.
fn declarations(contract: &Contract) -> String {
    // Most apps call the type of their connect headers `Headers`. It then serves as the client's `Headers`.
    let is_own = contract
        .headers
        .get("$ref")
        .is_some_and(|to| to == "#/types/input/Headers")
        && !contract.types.output.contains_key("Headers");
    let mut reserved = RESERVED.to_vec();
    reserved.retain(|name| !(is_own && *name == "Headers"));
    let names = Names::new(&contract.types, &reserved);
    let writer = Writer { names: &names };
    let mut text = writer.declarations(&contract.types);
    if !is_own {
        let headers = writer.type_of(&contract.headers, "");
        let _ = writeln!(
            text,
            "/** What a client says of itself when it connects. */\nexport type Headers = {headers};\n"
        );
    }
    text.push_str(&Surface::of(contract).interface(contract, &writer));
    text
}

/// Returns the constant `CONTRACT`, which the runtime reads.
fn constants(contract: &Contract, annotation: &str) -> String {
    let incoming: String = contract
        .incoming
        .iter()
        .map(|(path, incoming)| format!("\n    {}: {},", types::property(path), incoming.input.is_some()))
        .collect();
    let outgoing: String = contract
        .outgoing
        .keys()
        .map(|name| format!("\n    {},", types::literal(name)))
        .collect();
    let (version, hash) = (env!("CARGO_PKG_VERSION"), contract.hash());
    format!(
        "const CONTRACT{annotation} = {{\n  version: \"{version}\",\n  hash: \"{hash}\",\n  incoming: {{{incoming}\n  }},\n  outgoing: [{outgoing}\n  ],\n}};\n"
    )
}
