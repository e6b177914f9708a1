//! Optional members of types that are sent, received, or both.

use std::{collections::BTreeMap, fs};

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zocket::{Context, Contract, Zocket, contract::Info};

use super::folder;

/// A type that clients send only.
#[derive(Deserialize, JsonSchema, Validate)]
struct Sent {
    #[garde(skip)]
    _text: Option<String>,
    #[garde(skip)]
    #[serde(default)]
    _parts: Vec<Part>,
}

/// A type that is sent and received.
#[derive(Serialize, Deserialize, JsonSchema, Validate)]
struct Part {
    #[garde(skip)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// A type that is received only.
#[derive(Serialize, JsonSchema)]
struct Received {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    parts: Vec<Part>,
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Wrapped(#[garde(skip)] BTreeMap<String, Sent>);

#[test]
fn optional_members_take_undefined_where_a_client_sends_them() {
    let zo = Zocket::builder().build();
    let message = zo.message();
    let contract = zo
        .router()
        .incoming(
            "send",
            message
                .clone()
                .input::<Sent>()
                .handle(async |_: Context<()>, _: Sent| {
                    Ok(Received {
                        text: None,
                        parts: vec![],
                    })
                }),
        )
        .incoming(
            "wrap",
            message
                .input::<Wrapped>()
                .handle(async |_: Context<()>, wrapped: Wrapped| Ok(wrapped.0.len())),
        )
        .contract();
    for text in [contract.typescript(), javascript_declarations(&contract)] {
        for part in [
            "  _parts?: Part[] | undefined;\n  _text?: string | null | undefined;\n}\n",
            "export interface Part {\n  note?: string | null | undefined;\n}\n",
            "export interface Received {\n  parts: Part[];\n  text?: string | null;\n}\n",
            "export type Wrapped = Record<string, Sent>;\n",
        ] {
            assert!(text.contains(part), "{part}\nis not in\n{text}");
        }
    }
}

/// Returns the content of `zocket.d.ts`.
fn javascript_declarations(contract: &Contract) -> String {
    let folder = folder("declarations");
    contract.export_all(&folder, &Info::new("A", "1")).unwrap();
    fs::read_to_string(folder.join("zocket.d.ts")).unwrap()
}
