//! The contract as an AsyncAPI document.

use serde_json::{Map, Value, json};
use zocket_layers::{Code, protocol::words};

use super::{Contract, IncomingContract, names::Names};

/// Metadata of an AsyncAPI document that the contract does not contain.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// The app's name.
    pub title: String,
    /// The version of the app's interface.
    pub version: String,
    /// The app's purpose, in CommonMark.
    pub description: Option<String>,
    /// The app's address, as host and path: `chat.example.org/ws`.
    pub address: Option<String>,
}

impl Info {
    /// Creates metadata with a title and a version, without a description and an address.
    pub fn new(title: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            version: version.into(),
            description: None,
            address: None,
        }
    }

    /// Sets the [`description`](field@Self::description).
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Sets the [`address`](field@Self::address).
    #[must_use]
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }
}

const CHANNEL: &str = "#/channels/socket";

pub(super) fn document(contract: &Contract, info: &Info) -> Value {
    let names = Names::new(&contract.types, &["Error", "RpcId"]);
    let draft = Draft07 { names: &names };
    let mut messages = Map::new();
    let mut operations = Map::new();

    for (path, incoming) in &contract.incoming {
        let answer = format!("{path}.answer");
        let refusal = format!("{path}.refusal");
        let needs_payload = contract.input_of(incoming).is_some();
        messages.insert(path.clone(), draft.call(path, incoming, needs_payload));
        messages.insert(answer.clone(), draft.answer(path, incoming));
        messages.insert(refusal.clone(), draft.refused(path, incoming));
        operations.insert(
            format!("receive.{path}"),
            json!({
                "action": "receive",
                "channel": { "$ref": CHANNEL },
                "messages": [message_ref(path)],
                "reply": { "channel": { "$ref": CHANNEL }, "messages": [message_ref(&answer), message_ref(&refusal)] },
            }),
        );
    }
    for (name, outgoing) in &contract.outgoing {
        let mut key = format!("{name}.event");
        // A route may be called like that.
        while messages.contains_key(&key) {
            key.push('_');
        }
        let payload = draft.schema(&outgoing.payload);
        let frame = frame(name, [("payload", payload, true)]);
        let mut message = json!({ "name": name, "contentType": "application/json", "payload": frame });
        if !outgoing.delivery.is_reliable() {
            message["x-delivery"] = json!(outgoing.delivery);
        }
        messages.insert(key.clone(), message);
        operations.insert(
            format!("send.{name}"),
            json!({ "action": "send", "channel": { "$ref": CHANNEL }, "messages": [message_ref(&key)] }),
        );
    }

    let mut schemas: Map<String, Value> = names
        .types(&contract.types)
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), draft.schema(schema)))
        .collect();
    schemas.insert("RpcId".to_owned(), json!({ "type": ["string", "number"], "description": "What an answer is recognised by: at most 128 bytes, or a number." }));
    schemas.insert("Error".to_owned(), error_schema());

    let mut about = json!({ "title": info.title, "version": info.version });
    if let Some(description) = &info.description {
        about["description"] = json!(description);
    }
    let mut document = json!({
        "asyncapi": "3.0.0",
        "info": about,
        "defaultContentType": "application/json",
        "channels": {
            "socket": {
                "description": "One WebSocket. The connect headers are header fields or query parameters.",
                "messages": messages,
                "bindings": { "ws": { "method": "GET", "query": draft.schema(&resolve(contract, &contract.headers)), "bindingVersion": "0.1.0" } },
            },
        },
        "operations": operations,
        "components": { "schemas": schemas },
    });
    if let Some(address) = &info.address {
        let (host, path) = address.split_once('/').unwrap_or((address, ""));
        document["servers"] = json!({ "app": { "host": host, "protocol": "ws" } });
        document["channels"]["socket"]["address"] = json!(format!("/{path}"));
    }
    document
}

/// Resolves a reference to an input type: a binding requires an object schema, not a reference to one.
fn resolve(contract: &Contract, schema: &Value) -> Value {
    schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|reference| {
            contract
                .types
                .input
                .get(reference.strip_prefix("#/types/input/")?)
        })
        .unwrap_or(schema)
        .clone()
}

fn message_ref(key: &str) -> Value {
    json!({ "$ref": format!("{CHANNEL}/messages/{key}") })
}

/// Returns the schema of a frame of this type. Each further member has a name, a schema, and true if it is required.
fn frame<const N: usize>(frame_type: &str, members: [(&str, Value, bool); N]) -> Value {
    let mut properties = Map::from_iter([(
        "type".to_owned(),
        json!({ "type": "string", "const": frame_type }),
    )]);
    let mut required = vec!["type"];
    for (name, schema, always) in members {
        properties.insert(name.to_owned(), schema);
        if always {
            required.push(name);
        }
    }
    json!({ "type": "object", "properties": properties, "required": required })
}

fn rpc_id() -> Value {
    json!({ "$ref": "#/components/schemas/RpcId" })
}

fn correlated(name: &str, doc: Option<&String>, payload: Value) -> Value {
    let mut message = json!({
        "name": name,
        "contentType": "application/json",
        "correlationId": { "location": "$message.payload#/rpcId" },
        "payload": payload,
    });
    if let Some(doc) = doc {
        message["summary"] = json!(doc);
    }
    message
}

/// Returns the schema of an error whose members have these schemas.
fn error_with(members: Value) -> Value {
    json!({
        "allOf": [
            { "$ref": "#/components/schemas/Error" },
            { "type": "object", "properties": members },
        ],
    })
}

fn error_schema() -> Value {
    json!({
        "type": "object",
        "required": ["code", "message"],
        "properties": {
            "code": { "type": "string" },
            "message": { "type": "string" },
            "retryAfterMs": { "type": "integer", "minimum": 0 },
            "issues": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["path", "code", "message"],
                    "properties": {
                        "path": { "type": "array", "items": { "type": ["string", "integer"] } },
                        "code": { "type": "string" },
                        "message": { "type": "string" },
                        "params": { "type": "object" },
                    },
                },
            },
        },
    })
}

/// Converts the contract's schemas to draft 07.
struct Draft07<'a> {
    names: &'a Names,
}

impl Draft07<'_> {
    fn call(&self, path: &str, incoming: &IncomingContract, needs_payload: bool) -> Value {
        let id = ("rpcId", rpc_id(), false);
        let payload = match &incoming.input {
            Some(input) => frame(path, [("payload", self.schema(input), needs_payload), id]),
            None => frame(path, [id]),
        };
        correlated(path, incoming.doc.as_ref(), payload)
    }

    fn answer(&self, path: &str, incoming: &IncomingContract) -> Value {
        let id = ("rpcId", rpc_id(), true);
        let payload = match &incoming.output {
            Some(output) => frame(words::ANSWER, [("payload", self.schema(output), true), id]),
            None => frame(words::ANSWER, [id]),
        };
        correlated(&format!("{path}.answer"), None, payload)
    }

    fn refused(&self, path: &str, incoming: &IncomingContract) -> Value {
        let codes: Vec<_> = Code::PROTOCOL
            .iter()
            .map(|code| code.as_str())
            .chain(incoming.errors.iter().map(String::as_str))
            .filter(|code| !incoming.error_data.contains_key(*code))
            .collect();
        let mut error = error_with(json!({ "code": { "enum": codes } }));
        if !incoming.error_data.is_empty() {
            let mut variants = vec![error];
            for (code, data) in &incoming.error_data {
                // Not required, since the message is the same in both protocols.
                let mut variant = error_with(json!({ "code": { "const": code }, "data": self.schema(data) }));
                variant["description"] = json!("Clients of the base protocol do not receive `data`.");
                variants.push(variant);
            }
            error = json!({ "oneOf": variants });
        }
        let payload = frame(
            words::REFUSAL,
            [("rpcId", rpc_id(), true), ("error", error, true)],
        );
        correlated(&format!("{path}.refusal"), None, payload)
    }

    /// Converts a schema. References point at the components. Draft 07 ignores the keywords beside a reference, so
    /// `allOf` combines them with it. Tuples are written as `items`.
    fn schema(&self, schema: &Value) -> Value {
        match schema {
            Value::Object(members) => {
                let mut written: Map<String, Value> = members
                    .iter()
                    .map(|(keyword, value)| (keyword.clone(), self.schema(value)))
                    .collect();
                if let Some(items) = written.remove("prefixItems") {
                    written.insert("items".to_owned(), items);
                }
                let reference = match members.get("$ref").and_then(Value::as_str) {
                    Some(reference) => self.names.of(reference),
                    None => None,
                };
                if let Some(name) = reference {
                    let reference = json!({ "$ref": format!("#/components/schemas/{name}") });
                    written.remove("$ref");
                    if written.is_empty() {
                        return reference;
                    }
                    return json!({ "allOf": [reference, written] });
                }
                Value::Object(written)
            }
            Value::Array(items) => items.iter().map(|item| self.schema(item)).collect(),
            other => other.clone(),
        }
    }
}
