//! Refusals with data as TypeScript. This test writes the client into Cargo's temporary folder. `tests/clients` compiles
//! its programs with it.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use zocket::{Code, Context, Contract, Error, Zocket};

use super::folder;
use crate::refusals::Outbid;

#[derive(Serialize, Deserialize, JsonSchema, Validate)]
struct Bid {
    #[garde(range(min = 1))]
    cents: u32,
}

fn contract() -> Contract {
    let zo = Zocket::builder().build();
    let message = || zo.message();
    let closed = Code::app("LOT_CLOSED");
    let unit = async |_: Context<()>| Ok::<_, Error>(());
    zo.router()
        .incoming(
            "lot.bid",
            message()
                .declare_code(closed)
                .refuses::<Outbid>()
                .input::<Bid>()
                .handle(async |_: Context<()>, bid: Bid| Ok(bid)),
        )
        .incoming("lot.outbid", message().refuses::<Outbid>().handle(unit))
        .incoming("lot.leave", message().declare_code(closed).handle(unit))
        .incoming("lot.watch", message().handle(unit))
        .contract()
}

#[test]
fn a_call_has_its_codes_and_their_data() {
    let text = contract().typescript();
    for part in [
        "readonly bid: Call<Bid, Bid, \"LOT_CLOSED\" | Refused<\"OUTBID\", Outbid>>;\n",
        "readonly outbid: Call<void, void, Refused<\"OUTBID\", Outbid>>;\n",
        "readonly leave: Call<void, void, \"LOT_CLOSED\">;\n",
        "readonly watch: Call<void, void>;\n",
        "/** The bid was too low. */\nexport interface Outbid {\n  by: Bidder;\n  /** In cents. */\n  least: number;\n}\n",
    ] {
        assert!(text.contains(part), "{part}\nis not in\n{text}");
    }
}

#[test]
fn data_is_typed_as_a_value_that_the_server_sends() {
    let member =
        json!({ "type": "object", "properties": { "at": { "type": "integer", "format": "uint64" } } });
    let data =
        json!({ "A": { "$ref": "#/types/output/Same" }, "B": { "type": ["string", "null"] }, "C": member });
    let contract = json!({
        "zocket": 1, "headers": {}, "outgoing": {},
        "incoming": { "r": { "errors": ["A", "B", "C", "it's"], "errorData": data } },
        "types": { "input": { "Same": { "type": "string" } }, "output": { "Same": { "type": "number" } } },
    });
    let text = Contract::from_json(&contract.to_string()).unwrap().typescript();
    let part = "Call<void, void, Refused<\"A\", Same> | Refused<\"B\", string | null> | Refused<\"C\", {\n    \
        /** A 64-bit integer: beyond 2^53 - 1, JSON.parse rounds it. */\n    at?: number;\n  }> | \"it's\">;";
    assert!(text.contains(part), "{part}\nis not in\n{text}");
    assert!(text.contains("export type Same = number;"), "{text}");
}

#[test]
fn the_client_with_refusals_is_written_for_the_type_tests() {
    contract().export_react(folder("refusals")).unwrap();
}
