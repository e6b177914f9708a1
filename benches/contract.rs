//! Generates clients for a large contract: 500 routes and 500 events with their own types. `cargo bench --bench
//! contract` leaves the files in `target/large`, and `node tests/clients/figures.mjs` measures the compilers on them.

use std::path::Path;

use divan::Bencher;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zocket::{Context, Contract, Router, Zocket, contract::Info};

const ROUTES: usize = 500;

fn main() {
    divan::main();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/large");
    large()
        .export_all(&folder, &Info::new("Large", "1.0.0"))
        .expect("the target folder can be written");
}

#[derive(Serialize, Deserialize, JsonSchema, Validate)]
struct Flat {
    #[garde(skip)]
    id: u64,
    #[garde(length(min = 1))]
    name: String,
    #[garde(skip)]
    tags: Vec<String>,
}

fn path(route: usize) -> String {
    format!("module{}.route{route}", route % 20)
}

/// The routes share their types, since hundreds of Rust types would need generated code.
fn router() -> Router<()> {
    let zo = Zocket::builder().build();
    (0..ROUTES).fold(zo.router(), |router, route| {
        let procedure = zo
            .message()
            .doc("What it is for.")
            .input::<Flat>()
            .handle(async |_: Context<()>, flat: Flat| Ok(vec![flat]));
        router.incoming(&path(route), procedure)
    })
}

fn object(doc: &str) -> Value {
    json!({
        "description": doc,
        "type": "object",
        "properties": {
            "roomId": { "type": "string", "minLength": 1, "maxLength": 64 },
            "at": { "type": "integer", "format": "uint64", "minimum": 0 },
            "tags": { "type": "array", "items": { "type": "string" } },
            "kind": { "oneOf": [
                { "type": "object", "properties": { "type": { "const": "text" }, "text": { "type": "string" } }, "required": ["type", "text"] },
                { "type": "object", "properties": { "type": { "const": "image" }, "url": { "type": "string", "format": "uri" } }, "required": ["type", "url"] },
            ] },
            "note": { "type": ["string", "null"] },
        },
        "required": ["roomId", "at", "tags", "kind"],
    })
}

/// Returns a contract with 1,500 types.
fn large() -> Contract {
    let mut incoming = serde_json::Map::new();
    let mut outgoing = serde_json::Map::new();
    let mut inputs = serde_json::Map::new();
    let mut outputs = serde_json::Map::new();
    for route in 0..ROUTES {
        inputs.insert(format!("Input{route}"), object("What a client sends."));
        outputs.insert(format!("Output{route}"), object("What it is answered."));
        outputs.insert(format!("Event{route}"), object("What everyone is told."));
        incoming.insert(
            path(route),
            json!({
                "doc": "What it is for.",
                "input": { "$ref": format!("#/types/input/Input{route}") },
                "output": { "$ref": format!("#/types/output/Output{route}") },
                "errors": ["NO_SUCH_ROOM"],
            }),
        );
        outgoing.insert(
            format!("module{}.event{route}", route % 20),
            json!({ "payload": { "$ref": format!("#/types/output/Event{route}") } }),
        );
    }
    let headers =
        json!({ "type": "object", "properties": { "name": { "type": "string" } }, "required": ["name"] });
    let types = json!({ "input": inputs, "output": outputs });
    let contract = json!({
        "zocket": Contract::FORMAT,
        "headers": headers,
        "incoming": incoming,
        "outgoing": outgoing,
        "types": types,
    });
    Contract::from_json(&contract.to_string()).expect("it is a contract")
}

#[divan::bench]
fn gather(bencher: Bencher<'_, '_>) {
    let router = router();
    bencher.bench_local(|| router.contract());
}

#[divan::bench]
fn typescript(bencher: Bencher<'_, '_>) {
    let contract = large();
    bencher.bench_local(|| contract.typescript());
}

#[divan::bench]
fn asyncapi(bencher: Bencher<'_, '_>) {
    let (contract, info) = (large(), Info::new("Large", "1.0.0"));
    bencher.bench_local(|| contract.asyncapi(&info));
}

#[divan::bench]
fn hash(bencher: Bencher<'_, '_>) {
    let contract = large();
    bencher.bench_local(|| contract.hash());
}

#[divan::bench]
fn diff(bencher: Bencher<'_, '_>) {
    let (new, old) = (large(), large());
    bencher.bench_local(|| new.diff(&old));
}
