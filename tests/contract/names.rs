//! Names of types: no two types of a contract share one, whatever they are called in Rust.

use std::collections::{BTreeMap, BTreeSet};

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zocket::{Context, Contract, Outgoing, Router, Zocket, contract::Info};

fn app() -> Zocket {
    Zocket::builder().build()
}

/// Returns each object type of a contract's output by the names of its members. Fails if a reference leads nowhere.
fn members(contract: &Contract) -> BTreeMap<String, Vec<String>> {
    let json = contract.to_json();
    for reference in json.split("\"$ref\": \"").skip(1) {
        let reference = reference.split('"').next().unwrap();
        let (direction, name) = reference
            .strip_prefix("#/types/")
            .unwrap()
            .split_once('/')
            .unwrap();
        let types = if direction == "input" {
            &contract.types.input
        } else {
            &contract.types.output
        };
        assert!(types.contains_key(name), "{reference} leads nowhere: {json}");
    }
    let types = contract.types.output.iter();
    types
        .map(|(name, schema)| {
            let members = schema["properties"].as_object().into_iter().flatten();
            let mut members: Vec<_> = members.map(|(member, _)| member.clone()).collect();
            members.sort();
            (name.clone(), members)
        })
        .collect()
}

/// Asserts that a contract has a type with exactly each of these sets of members, and names that are identifiers.
#[track_caller]
fn assert_shapes(contract: &Contract, expected: &[&[&str]]) {
    let members = members(contract);
    for shape in expected {
        assert!(
            members.values().any(|members| members == shape),
            "{shape:?} is not in {members:?}"
        );
    }
    for name in members.keys() {
        let mut letters = name.chars();
        let first = letters.next().unwrap_or(' ');
        assert!(first.is_alphabetic() || first == '_', "`{name}` in {members:?}");
        assert!(
            letters.all(|letter| letter.is_alphanumeric() || letter == '_'),
            "`{name}`"
        );
    }
}

mod cases {
    use super::*;
    types! {
        struct Note { text: String }
        #[serde(rename = "note")] struct NoteRow { row: u8 }
        #[serde(rename = "note_")] struct NoteTrailing { trailing: u8 }
        #[serde(rename = "n-ote")] struct NoteHyphen { hyphen: u8 }
        #[schemars(rename = "NOte")] struct NoteUpper { upper: u8 }
        #[serde(rename = "nOte")] struct NoteCamel { camel: u8 }
        struct Pair { note: Note, row: NoteRow, trailing: NoteTrailing, hyphen: NoteHyphen, upper: NoteUpper, camel: NoteCamel }
    }

    #[test]
    fn types_whose_names_differ_by_case_and_punctuation_stay_apart() {
        let contract = events!(app(); "pair": Pair).contract();
        assert_shapes(
            &contract,
            &[
                &["text"],
                &["row"],
                &["trailing"],
                &["hyphen"],
                &["upper"],
                &["camel"],
            ],
        );
        assert_eq!(contract.types.output.len(), 7);
    }

    #[test]
    fn a_removed_member_of_a_type_with_a_similar_name_is_a_breaking_change() {
        let now = events!(app(); "pair": Pair).contract();
        let mut json = serde_json::to_value(&now).unwrap();
        let types = json["types"]["output"].as_object_mut().unwrap();
        let note = types
            .values_mut()
            .find(|schema| schema["properties"].get("text").is_some())
            .unwrap();
        *note = json!({ "type": "object" });
        let later = Contract::from_json(&json.to_string()).unwrap();
        assert_ne!(now.hash(), later.hash());
        assert!(
            later.diff(&now).to_string().starts_with("breaking: "),
            "{}",
            later.diff(&now)
        );
    }
}

mod modules {
    use super::*;
    mod one {
        use super::*;
        types! { struct Person { name: String } }
        pub(crate) type P = Person;
    }
    mod other {
        use super::*;
        types! { struct Person { age: u8 } }
        pub(crate) type P = Person;
    }
    types! {
        struct Both { one: one::P, other: other::P }
        #[serde(rename = "Person2")] struct Second { second: u8 }
        struct All { one: one::P, other: other::P, second: Second }
        struct AllReversed { second: Second, other: other::P, one: one::P }
        // The names that a clash makes.
        struct AlicePerson { alice: u8 }
        struct BobPerson { bob: u8 }
        #[serde(rename = "Alice_Person")] struct Punctuated { punctuated: u8 }
    }

    #[test]
    fn types_of_one_name_in_two_modules_stay_apart() {
        let contract = events!(app(); "both": Both).contract();
        assert_shapes(&contract, &[&["name"], &["age"]]);
        for contract in [
            events!(app(); "all": All).contract(),
            events!(app(); "all": AllReversed).contract(),
            events!(app(); "all": All, "reversed": AllReversed, "both": Both).contract(),
        ] {
            assert_shapes(&contract, &[&["name"], &["age"], &["second"]]);
        }
    }

    #[test]
    fn names_that_a_clash_makes_do_not_clash() {
        let shapes: [&[&str]; 5] = [&["name"], &["age"], &["alice"], &["bob"], &["punctuated"]];
        let contract = events!(app(); "alice": one::P, "bob": other::P, "a": AlicePerson, "b": BobPerson, "c": Punctuated)
            .contract();
        assert_shapes(&contract, &shapes);
        assert_eq!(contract.types.output.len(), 5);
        // The names of types without a clash stay, and the order of declaration has no effect.
        assert!(contract.types.output.contains_key("BobPerson"));
        let other = events!(app(); "c": Punctuated, "b": BobPerson, "a": AlicePerson, "bob": other::P, "alice": one::P)
            .contract();
        assert_eq!(contract, other);
        // Two owners can also be the same after renaming.
        let contract = events!(app(); "a.b": one::P, "aB": other::P, "a-b": Second).contract();
        assert_shapes(&contract, &[&["name"], &["age"], &["second"]]);
    }
}

mod generics {
    use super::*;
    mod inner {
        use super::*;
        types! { struct Line { inner: u8 } }
        pub(crate) type L = Line;
    }
    types! {
        struct Line { text: String }
        struct Page<T> { items: Vec<T> }
        #[serde(rename = "Page_for_Line")] struct Page2 { two: u8 }
        #[serde(rename = "PageForLine")] struct Page3 { three: u8 }
        #[schemars(rename = "Sheet")] struct Sheet<T> { sheet: T }
        struct All { a: Page<Line>, b: Page<inner::L>, c: Page2, d: Page3, e: Sheet<u8>, f: Sheet<String>, g: Page<u8> }
    }

    #[test]
    fn generic_types_stay_apart() {
        let contract = events!(app(); "all": All).contract();
        assert_shapes(
            &contract,
            &[
                &["text"],
                &["inner"],
                &["two"],
                &["three"],
                &["items"],
                &["sheet"],
            ],
        );
        // Three pages, two sheets, two lines, the two with names like a page's, and the root.
        assert_eq!(
            contract.types.output.len(),
            10,
            "{:?}",
            contract.types.output.keys()
        );
        let sheets = contract
            .types
            .output
            .values()
            .filter_map(|schema| schema["properties"].get("sheet"));
        let types: BTreeSet<_> = sheets.map(|sheet| sheet["type"].as_str().unwrap()).collect();
        assert_eq!(types, BTreeSet::from(["integer", "string"]));
    }
}

mod unusual {
    use super::*;
    types! {
        #[serde(rename = "a/b")] struct Slash { slash: u8 }
        #[serde(rename = "a~b")] struct Tilde { tilde: u8 }
        #[serde(rename = "a b%")] struct Space { space: u8 }
        #[serde(rename = "größe\t")] struct Umlaut { umlaut: u8 }
        #[serde(rename = "--")] struct Nothing { nothing: u8 }
        #[serde(rename = "")] struct Empty { empty: u8 }
        #[serde(rename = "2nd")] struct Digit { digit: u8 }
        #[serde(rename = "x²")] struct Squared { squared: u8 }
        struct All { a: Slash, b: Tilde, c: Space, d: Umlaut, e: Nothing, f: Empty, g: Digit, h: Squared }
    }

    #[test]
    fn names_of_any_letters_become_identifiers_and_references_lead_to_them() {
        let contract = events!(app(); "all": All).contract();
        let shapes: [&[&str]; 8] = [
            &["slash"],
            &["tilde"],
            &["space"],
            &["umlaut"],
            &["nothing"],
            &["empty"],
            &["digit"],
            &["squared"],
        ];
        assert_shapes(&contract, &shapes);
        let names: Vec<_> = contract.types.output.keys().cloned().collect();
        assert!(names.iter().all(|name| !name.contains('²')), "{names:?}");
    }
}

mod directions {
    use super::*;
    types! {
        struct Line { text: String, #[serde(default)] more: u8 }
        struct LineInput { other: u8 }
        struct In { line: Line, input: LineInput }
    }

    #[test]
    fn the_two_variants_of_a_type_stay_apart_from_types_with_their_names() {
        let zo = app();
        let procedure = zo
            .message()
            .input::<In>()
            .handle(async |_: Context<()>, input: In| Ok(input));
        let contract = zo.router().incoming("say", procedure).contract();
        let text = contract.typescript();
        let declared: Vec<_> = text
            .lines()
            .take_while(|line| !line.contains("interface Client "))
            .filter_map(|line| line.strip_prefix("export interface ")?.split(' ').next())
            .collect();
        assert_eq!(
            declared.len(),
            declared.iter().collect::<BTreeSet<_>>().len(),
            "{declared:?}"
        );
        for name in ["Line", "LineInput", "LineInput_"] {
            assert!(declared.contains(&name), "{name} is not in {declared:?}");
        }
        assert_shapes(&contract, &[&["more", "text"], &["other"]]);
    }

    #[test]
    fn messages_of_an_asyncapi_document_stay_apart() {
        let zo = app();
        let procedure = || zo.message().handle(async |_: Context<()>| Ok(()));
        let router = events!(zo; "job": Line)
            .incoming("job.event", procedure())
            .incoming("job_.event", procedure());
        let document = router.contract().asyncapi(&Info::new("Names", "1.0.0"));
        let messages = document["channels"]["socket"]["messages"].as_object().unwrap();
        // The two routes with their answers and refusals, and the event.
        assert_eq!(messages.len(), 7, "{:?}", messages.keys());
        let reference = document["operations"]["send.job"]["messages"][0]["$ref"]
            .as_str()
            .unwrap();
        let key = reference.rsplit('/').next().unwrap();
        assert_eq!(messages[key]["name"], "job");
        assert_eq!(
            messages[key]["payload"]["properties"]["payload"]["$ref"],
            "#/components/schemas/Line"
        );
    }
}

/// Keywords of JavaScript and TypeScript, and names that are no identifiers.
const MEMBERS: [&str; 27] = [
    "await",
    "class",
    "default",
    "delete",
    "enum",
    "export",
    "function",
    "get",
    "import",
    "in",
    "instanceof",
    "new",
    "null",
    "private",
    "readonly",
    "return",
    "set",
    "static",
    "super",
    "this",
    "typeof",
    "undefined",
    "void",
    "yield",
    "1",
    "with space",
    "quote\"",
];

/// Returns a contract whose events have types with these names.
fn named(names: &BTreeSet<String>) -> Contract {
    let schemas: serde_json::Map<String, Value> = names
        .iter()
        .map(|name| {
            (
                name.clone(),
                json!({ "type": "object", "required": ["own"], "properties": { "own": { "const": name } } }),
            )
        })
        .collect();
    let outgoing: serde_json::Map<String, Value> = names
        .iter()
        .map(|name| {
            (
                format!("e.{name}"),
                json!({ "payload": { "$ref": format!("#/types/output/{name}") } }),
            )
        })
        .collect();
    // Members of any name.
    let incoming: serde_json::Map<String, Value> = MEMBERS
        .iter()
        .map(|name| (format!("m.{name}"), json!({ "input": { "type": "string" } })))
        .collect();
    let json = json!({ "zocket": 1, "headers": { "type": "object", "required": ["own"], "properties": { "own": { "type": "string" } } },
        "incoming": incoming, "outgoing": outgoing, "types": { "input": {}, "output": schemas } });
    Contract::from_json(&json.to_string()).unwrap()
}

#[test]
fn types_with_the_names_that_the_client_uses_are_written_for_the_type_tests() {
    // Every word of the runtime that begins with a capital letter, comments included.
    let runtime = include_str!("../../src/contract/typescript/runtime.ts");
    let react = include_str!("../../src/contract/typescript/react.tsx");
    let words = [runtime, react]
        .into_iter()
        .flat_map(|text| text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_'));
    let names: BTreeSet<_> = words
        .filter(|word| word.starts_with(|first: char| first.is_ascii_uppercase()))
        .map(str::to_owned)
        .collect();
    assert!(
        names.contains("ZocketError") && names.contains("Infinity") && names.len() > 80,
        "{names:?}"
    );
    let contract = named(&names);
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("names");
    contract
        .export_all(&folder, &Info::new("Names", "1.0.0"))
        .unwrap();
    let mut checks = "import { createClient, type Client, type PayloadOf } from \"./zocket.js\";\n\
        export const client: Client = createClient(\"/ws\", { headers: { own: \"x\" } });\n\
        function take<T>(_: T): void {}\n"
        .to_owned();
    for name in &names {
        checks += &format!("take<PayloadOf<Client[\"on\"][\"e\"][{name:?}]>>({{ own: {name:?} }});\n");
        checks += &format!(
            "// @ts-expect-error\ntake<PayloadOf<Client[\"on\"][\"e\"][{name:?}]>>({{ own: \"-\" }});\n"
        );
    }
    for name in MEMBERS {
        checks += &format!("void client.m[{name:?}](\"x\");\n");
    }
    std::fs::write(folder.join("names.ts"), checks).unwrap();
}
