//! Refusals with data in the contract: its JSON, its hash, and the classification of changes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zocket::{Code, Context, Contract, Error, Refusal, Zocket, contract::Compatibility};

/// The bid was too low.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Outbid {
    /// In cents.
    pub(crate) least: u32,
    pub(crate) by: Bidder,
}

#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Bidder {
    pub(crate) name: String,
}

impl Refusal for Outbid {
    const CODE: Code = Code::app("OUTBID");
}

pub(crate) fn contract() -> Contract {
    let zo = Zocket::builder().build();
    let bid = zo
        .message()
        .refuses::<Outbid>()
        .declare_code(Code::app("LOT_CLOSED"));
    zo.router()
        .incoming("lot.bid", bid.handle(async |_: Context<()>| Ok::<_, Error>(())))
        .contract()
}

/// Returns the contract with an edited JSON.
fn edited(edit: impl FnOnce(&mut Value)) -> Contract {
    let mut json = serde_json::to_value(contract()).unwrap();
    edit(&mut json);
    Contract::from_json(&json.to_string()).unwrap()
}

#[track_caller]
fn assert_change(old: &Contract, new: &Contract, expected: Compatibility, message: &str) {
    let diff = new.diff(old);
    let changes: Vec<_> = diff
        .changes()
        .iter()
        .map(|change| change.message.as_str())
        .collect();
    assert_eq!((diff.compatibility(), changes), (expected, vec![message]));
}

#[test]
fn a_route_has_the_schemas_of_its_data_by_code_and_codes_without_data_have_none() {
    let contract = serde_json::to_value(contract()).unwrap();
    assert_eq!(
        contract["incoming"]["lot.bid"],
        json!({ "errors": ["LOT_CLOSED", "OUTBID"], "errorData": { "OUTBID": { "$ref": "#/types/output/Outbid" } } })
    );
    assert_eq!(
        contract["types"]["output"]["Outbid"]["properties"]["by"],
        json!({ "$ref": "#/types/output/Bidder" })
    );
}

#[test]
fn a_contract_file_without_data_of_refusals_is_read() {
    let old = edited(|json| {
        let route = json["incoming"]["lot.bid"].as_object_mut().unwrap();
        route.remove("errorData").unwrap();
    });
    assert!(old.incoming["lot.bid"].error_data.is_empty());
    assert_eq!(Contract::from_json(&old.to_json()).unwrap(), old);
    assert!(!old.to_json().contains("errorData"));
}

#[test]
fn the_hash_covers_the_data_of_refusals_without_its_documentation() {
    let hash = contract().hash();
    let documented = edited(|json| json["types"]["output"]["Outbid"]["description"] = json!("Another text."));
    assert_eq!(documented.hash(), hash);
    for (what, change) in [
        (
            "another type",
            json!({ "OUTBID": { "$ref": "#/types/output/Bidder" } }),
        ),
        ("a type in place", json!({ "OUTBID": { "type": "integer" } })),
        ("no data", json!({})),
    ] {
        let other = edited(|json| json["incoming"]["lot.bid"]["errorData"] = change);
        assert_ne!(other.hash(), hash, "{what}");
    }
    let in_place = |doc: &str| {
        edited(|json| {
            let data = json!({ "OUTBID": { "type": "integer", "description": doc } });
            json["incoming"]["lot.bid"]["errorData"] = data;
        })
    };
    assert_eq!(in_place("One text.").hash(), in_place("Another text.").hash());
    let member =
        edited(|json| json["types"]["output"]["Bidder"]["properties"]["name"]["type"] = json!("integer"));
    assert_ne!(member.hash(), hash);
}

#[test]
fn data_that_is_added_to_a_code_is_additive_and_data_that_is_removed_is_breaking() {
    let without = edited(|json| json["incoming"]["lot.bid"]["errorData"] = json!({}));
    assert_change(
        &without,
        &contract(),
        Compatibility::Additive,
        "incoming `lot.bid` refusal OUTBID: data was added",
    );
    assert_change(
        &contract(),
        &without,
        Compatibility::Breaking,
        "incoming `lot.bid` refusal OUTBID: data was removed",
    );
}

#[test]
fn a_new_code_with_data_is_additive_and_a_removed_one_is_compatible() {
    let without = edited(|json| json["incoming"]["lot.bid"] = json!({ "errors": ["LOT_CLOSED"] }));
    assert_change(
        &without,
        &contract(),
        Compatibility::Additive,
        "incoming `lot.bid` may be refused with OUTBID, with data",
    );
    assert_change(
        &contract(),
        &without,
        Compatibility::Compatible,
        "incoming `lot.bid` is no longer refused with OUTBID",
    );
}

#[test]
fn changed_data_is_compared_as_a_value_that_the_server_sends() {
    let optional = edited(|json| json["types"]["output"]["Outbid"]["required"] = json!(["by"]));
    assert_change(
        &contract(),
        &optional,
        Compatibility::Breaking,
        "incoming `lot.bid` refusal OUTBID: least may now be missing, which the old contract excludes",
    );
    assert_change(
        &optional,
        &contract(),
        Compatibility::Additive,
        "incoming `lot.bid` refusal OUTBID: least is now always there",
    );
    let nullable = edited(|json| {
        json["types"]["output"]["Bidder"]["properties"]["name"]["type"] = json!(["string", "null"]);
    });
    assert_change(
        &contract(),
        &nullable,
        Compatibility::Breaking,
        "incoming `lot.bid` refusal OUTBID: by.name may now be null, which the old contract excludes",
    );
}

#[test]
fn a_type_that_only_changed_its_name_or_documentation_is_compatible() {
    let renamed = edited(|json| {
        let types = json["types"]["output"].as_object_mut().unwrap();
        let outbid = types.remove("Outbid").unwrap();
        types.insert("TooLow".to_owned(), outbid);
        json["incoming"]["lot.bid"]["errorData"]["OUTBID"]["$ref"] = json!("#/types/output/TooLow");
    });
    assert_eq!(
        renamed.diff(&contract()).compatibility(),
        Compatibility::Compatible
    );
}
