//! TypeScript from the contract.

mod files;
mod members;
mod null;
mod optional;
mod refusals;
mod truth;

use std::{
    fs,
    path::{Path, PathBuf},
};

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zocket::{Context, Contract, Outgoing, Zocket};

/// An event with a comment that would end a comment: */ `code`
#[derive(Serialize, JsonSchema)]
struct Said {
    /// Of whom.
    from: String,
}

impl Outgoing for Said {
    const TYPE: &'static str = "chat.message";
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Defaults {
    #[serde(default)]
    count: u32,
    #[serde(default)]
    tags: Vec<String>,
    must: bool,
}

/// Returns a contract with an event and two routes.
fn small() -> Contract {
    let zo = Zocket::builder().build();
    let message = zo.message();
    zo.router()
        .outgoing::<Said>()
        .incoming(
            "chat.post",
            message
                .clone()
                .doc("Says something.")
                .input::<Defaults>()
                .handle(async |_: Context<()>, _: Defaults| Ok(())),
        )
        .incoming(
            "whoami",
            message
                .declare_code(zocket::Code::app("NOBODY"))
                .handle(async |_: Context<()>| Ok("x".to_owned())),
        )
        .contract()
}

/// Returns a folder in Cargo's temporary folder.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}
