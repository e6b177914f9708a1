//! Deliveries of events in the contract, and in what is made of it.

use std::hash::Hash;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use zocket::{
    Contract, Delivery, Outgoing, Zocket,
    contract::{Compatibility, Info},
};

/// Position of a player.
#[derive(Serialize, JsonSchema)]
struct Moved {
    player: u32,
    x: f64,
}

impl Outgoing for Moved {
    const TYPE: &'static str = "game.moved";
    const DELIVERY: Delivery = Delivery::Latest;

    fn delivery_key(&self) -> impl Hash {
        self.player
    }
}

#[derive(Serialize, JsonSchema)]
struct Ping;

impl Outgoing for Ping {
    const TYPE: &'static str = "game.ping";
    const DELIVERY: Delivery = Delivery::Volatile;
}

#[derive(Serialize, JsonSchema)]
struct Said(String);

impl Outgoing for Said {
    const TYPE: &'static str = "game.said";
}

fn contract() -> Contract {
    let zo = Zocket::builder().build();
    let router = zo.router().outgoing::<Moved>().outgoing::<Ping>();
    router.outgoing::<Said>().contract()
}

/// Returns the contract with another delivery of `game.said`.
fn said_is(delivery: &str) -> Contract {
    let mut json: Value = serde_json::from_str(&contract().to_json()).unwrap();
    json["outgoing"]["game.said"]["delivery"] = json!(delivery);
    Contract::from_json(&json.to_string()).unwrap()
}

#[test]
fn a_delivery_stands_in_the_contract_unless_it_is_reliable() {
    let json: Value = serde_json::from_str(&contract().to_json()).unwrap();
    assert_eq!(json["outgoing"]["game.moved"]["delivery"], "latest");
    assert_eq!(json["outgoing"]["game.ping"]["delivery"], "volatile");
    let said = json["outgoing"]["game.said"].as_object().unwrap();
    assert_eq!(said.keys().collect::<Vec<_>>(), ["payload"]);
    assert_eq!(said_is("reliable"), contract());
}

#[test]
fn the_hash_covers_a_delivery() {
    let hashes = ["reliable", "latest", "volatile"].map(|delivery| said_is(delivery).hash());
    assert_eq!(hashes[0], contract().hash());
    assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2] && hashes[0] != hashes[2]);
}

#[test]
fn a_weaker_delivery_breaks_clients_and_a_stronger_one_does_not() {
    let promises = ["volatile", "latest", "reliable"];
    for (one, old) in promises.iter().enumerate() {
        for (other, new) in promises.iter().enumerate() {
            let diff = said_is(new).diff(&said_is(old));
            if one == other {
                assert!(diff.is_empty());
                continue;
            }
            let expected = match other < one {
                true => Compatibility::Breaking,
                false => Compatibility::Additive,
            };
            assert_eq!(diff.compatibility(), expected, "{old} to {new}");
            let message = format!("outgoing `game.said`: delivery was {old} and is {new} now");
            assert_eq!(diff.changes()[0].message, message);
        }
    }
}

#[test]
fn asyncapi_has_a_delivery_as_an_extension() {
    let document = contract().asyncapi(&Info::new("Game", "1.0.0"));
    let messages = &document["channels"]["socket"]["messages"];
    assert_eq!(messages["game.moved.event"]["x-delivery"], "latest");
    assert_eq!(messages["game.ping.event"]["x-delivery"], "volatile");
    assert_eq!(messages["game.said.event"].get("x-delivery"), None);
}

#[test]
fn typescript_tells_of_a_delivery() {
    let client = contract().typescript();
    let declared = |member: &str| {
        let end = client.find(&format!("readonly {member}: EventSource<")).unwrap();
        let begin = client[..end].rfind("EventSource<").map_or(0, |other| other + 1);
        client[begin..end].to_owned()
    };
    let moved = declared("moved");
    assert!(moved.contains("Position of a player.\n"), "{moved}");
    assert!(
        moved.contains("* Latest: a newer one replaces an older one"),
        "{moved}"
    );
    assert!(declared("ping").contains("/** Volatile: dropped while"));
    assert!(!declared("said").contains("/**"));
}
