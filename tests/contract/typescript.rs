//! TypeScript from the contract. This test writes the files into Cargo's temporary folder; `tests/clients` compiles
//! them.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use zocket::{Context, Contract, Outgoing, Router, Zocket, contract::Info};

/// A table of tricky types, each with values that serde produces and values that do not fit.
struct Truth {
    zo: Zocket,
    router: Router<()>,
    checks: String,
}

macro_rules! tricky {
    ($($item:item)*) => {
        $(
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
            #[garde(allow_unvalidated)]
            $item
        )*
    };
}

tricky! {
    #[serde(rename_all = "camelCase")]
    struct Renamed { first_name: String, #[serde(rename = "x-y")] other: bool }
    #[serde(rename_all(serialize = "camelCase", deserialize = "kebab-case"))]
    struct Asymmetric { first_name: String }
    #[serde(tag = "kind", rename_all = "camelCase")]
    enum Tagged { Circle { r: f32 }, Empty, Wrapped(Inner) }
    #[serde(tag = "t", content = "c")]
    enum Adjacent { A(u8), B { x: String }, Unit }
    #[serde(untagged)]
    enum Untagged { Number(i64), Text(String), Object { a: bool } }
    enum External { A(u8, String), B { x: String }, Unit, Wrapped(Inner) }
    enum Plain { A, #[serde(rename = "b \" */ \u{2028}")] B }
    struct Inner { #[serde(default)] a: Option<String>, #[serde(skip_serializing_if = "Option::is_none")] b: Option<u64> }
    struct Newtype(String);
    struct Tuple(u8, String, Option<bool>);
    struct Unit {}
    struct Recursive { children: Vec<Self>, next: Option<Box<Self>> }
    struct Page<T: JsonSchema> { items: Vec<T>, #[serde(default)] total: u32 }
    struct Flat { z: u8, #[serde(flatten)] inner: Inner, #[serde(flatten)] more: Tagged }
    struct FlatMap { z: u8, #[serde(flatten)] rest: BTreeMap<String, u8> }
    struct Maps { by_number: BTreeMap<i32, String>, by_text: HashMap<String, Option<u8>> }
    struct Numbers { i: i64, u: u64, f: f32, byte: u8, bytes: Vec<u8>, array: [f64; 3] }
    struct Defaults { #[serde(default)] count: u32, #[serde(default)] tags: Vec<String>, must: bool }
    struct Options { option: Option<u8>, nested: Option<Option<u8>>, list: Vec<Option<u8>> }
    struct Times { at: chrono::DateTime<chrono::Utc>, id: uuid::Uuid, set: BTreeSet<String>, any: Value, letter: char }
    #[serde(deny_unknown_fields)]
    struct Strict { a: u8 }
    struct Reserved { class: String, #[serde(rename = "*/ 1")] comment: u8, #[serde(rename = "")] empty: u8 }
}

impl Truth {
    /// Adds a type: `right` are values of it, `wrong` is JSON that its output never has.
    fn check<T>(mut self, route: &'static str, right: &[T], wrong: &[Value]) -> Self
    where
        T: Clone
            + PartialEq
            + std::fmt::Debug
            + Serialize
            + DeserializeOwned
            + JsonSchema
            + Validate<Context = ()>
            + Send
            + Sync
            + 'static,
    {
        let procedure = self
            .zo
            .message()
            .input::<T>()
            .handle(async |_: Context<()>, value: T| Ok(value));
        self.router = self.router.incoming(route, procedure);
        let call = call(route);
        for value in right {
            let json = serde_json::to_value(value).unwrap();
            let _ = writeln!(self.checks, "take<OutputOf<{call}>>({json});");
            // A value that it outputs is accepted as input, unless its two directions differ by name.
            if serde_json::from_value::<T>(json.clone()).is_ok() {
                let _ = writeln!(self.checks, "take<InputOf<{call}>>({json});");
            }
        }
        for json in wrong {
            let _ = writeln!(
                self.checks,
                "// @ts-expect-error\ntake<OutputOf<{call}>>({json});"
            );
        }
        self
    }

    /// Adds JSON that the input accepts, and JSON that it refuses.
    fn input(mut self, route: &'static str, right: &[Value], wrong: &[Value]) -> Self {
        let call = call(route);
        for json in right {
            let _ = writeln!(self.checks, "take<InputOf<{call}>>({json});");
        }
        for json in wrong {
            let _ = writeln!(self.checks, "// @ts-expect-error\ntake<InputOf<{call}>>({json});");
        }
        self
    }
}

/// Returns the type of a route's client member.
fn call(route: &str) -> String {
    let members = route.split('.').map(|segment| format!("[{segment:?}]"));
    format!("Client{}", members.collect::<String>())
}

fn inner() -> Inner {
    Inner {
        a: Some("x".into()),
        b: Some(1),
    }
}

fn table() -> Truth {
    let zo = Zocket::builder().build();
    let truth = Truth {
        router: zo.router(),
        zo,
        checks: String::new(),
    };
    let leaf = Recursive {
        children: vec![],
        next: None,
    };
    let recursive = Recursive {
        children: vec![leaf.clone()],
        next: Some(Box::new(leaf.clone())),
    };
    truth
        .check(
            "t.renamed",
            &[Renamed {
                first_name: "A".into(),
                other: true,
            }],
            &[
                json!({ "first_name": "A", "x-y": true }),
                json!({ "firstName": "A" }),
            ],
        )
        .check(
            "t.asymmetric",
            &[Asymmetric {
                first_name: "A".into(),
            }],
            &[json!({ "first-name": "A" })],
        )
        .input(
            "t.asymmetric",
            &[json!({ "first-name": "A" })],
            &[json!({ "firstName": "A" })],
        )
        .check(
            "t.tagged",
            &[
                Tagged::Circle { r: 0.5 },
                Tagged::Empty,
                Tagged::Wrapped(inner()),
                Tagged::Wrapped(Inner { a: None, b: None }),
            ],
            &[
                json!({ "kind": "circle" }),
                json!({ "kind": "square" }),
                json!({ "r": 1 }),
                json!({ "kind": "empty", "r": 1 }),
            ],
        )
        .check(
            "t.adjacent",
            &[Adjacent::A(1), Adjacent::B { x: "x".into() }, Adjacent::Unit],
            &[
                json!({ "t": "A", "c": "1" }),
                json!({ "t": "A" }),
                json!({ "t": "D" }),
            ],
        )
        .check(
            "t.untagged",
            &[
                Untagged::Number(1),
                Untagged::Text("x".into()),
                Untagged::Object { a: true },
            ],
            &[json!(true), json!({ "a": 1 }), json!(null)],
        )
        .check(
            "t.external",
            &[
                External::A(1, "x".into()),
                External::B { x: "x".into() },
                External::Unit,
                External::Wrapped(inner()),
            ],
            &[
                json!("A"),
                json!({ "A": [1] }),
                json!({ "C": 1 }),
                json!("Nothing"),
            ],
        )
        .check("t.plain", &[Plain::A, Plain::B], &[json!("B"), json!(0)])
        .check("t.newtype", &[Newtype("x".into())], &[json!(1), json!(["x"])])
        .check(
            "t.tuple",
            &[Tuple(1, "x".into(), None), Tuple(1, "x".into(), Some(true))],
            &[json!([1, "x"]), json!(["x", 1, null]), json!([1, "x", null, 1])],
        )
        .check("t.unit", &[Unit {}], &[json!(1)])
        .check(
            "t.recursive",
            &[recursive],
            &[
                json!({ "children": [{}], "next": null }),
                json!({ "children": [] }),
            ],
        )
        .check(
            "t.page",
            &[Page {
                items: vec![Plain::A],
                total: 1,
            }],
            &[json!({ "items": ["x"], "total": 1 }), json!({ "items": [] })],
        )
        .check(
            "t.pages",
            &[Page {
                items: vec![1_u8],
                total: 1,
            }],
            &[json!({ "items": ["A"], "total": 1 })],
        )
        .input("t.page", &[json!({ "items": ["A"] })], &[json!({ "total": 1 })])
        .check(
            "t.flat",
            &[Flat {
                z: 1,
                inner: inner(),
                more: Tagged::Circle { r: 1.0 },
            }],
            &[json!({ "z": 1 }), json!({ "z": 1, "a": "x", "kind": "circle" })],
        )
        .check(
            "t.flatMap",
            &[FlatMap {
                z: 1,
                rest: BTreeMap::from([("k".into(), 2)]),
            }],
            &[json!({ "k": 2 })],
        )
        .check(
            "t.maps",
            &[Maps {
                by_number: BTreeMap::from([(-1, "x".into())]),
                by_text: HashMap::from([("k".into(), None), ("l".into(), Some(1))]),
            }],
            &[json!({ "by_number": { "1": 1 }, "by_text": {} })],
        )
        .check(
            "t.numbers",
            &[Numbers {
                i: i64::MIN,
                u: u64::MAX,
                f: 0.1,
                byte: 255,
                bytes: vec![0, 1],
                array: [0.0, 1.0, 2.0],
            }],
            &[
                json!({ "i": "1", "u": 1, "f": 1, "byte": 1, "bytes": [], "array": [0, 0, 0] }),
                json!({ "i": 1, "u": 1, "f": 1, "byte": 1, "bytes": [], "array": [0, 0] }),
            ],
        )
        .check(
            "t.defaults",
            &[Defaults {
                count: 1,
                tags: vec![],
                must: true,
            }],
            &[
                json!({ "must": true }),
                json!({ "count": 1, "tags": null, "must": true }),
            ],
        )
        .input(
            "t.defaults",
            &[json!({ "must": true }), json!({ "must": true, "count": 1 })],
            &[json!({ "count": 1 }), json!({ "must": true, "count": null })],
        )
        .check(
            "t.options",
            &[
                Options {
                    option: None,
                    nested: None,
                    list: vec![None, Some(1)],
                },
                Options {
                    option: Some(1),
                    nested: Some(Some(1)),
                    list: vec![],
                },
            ],
            &[
                json!({ "nested": null, "list": [] }),
                json!({ "option": "x", "nested": null, "list": [] }),
            ],
        )
        .input(
            "t.options",
            &[json!({ "list": [] }), json!({ "option": null, "list": [] })],
            &[json!({})],
        )
        .check(
            "t.times",
            &[Times {
                at: chrono::DateTime::UNIX_EPOCH,
                id: uuid::Uuid::nil(),
                set: BTreeSet::from(["x".into()]),
                any: json!({ "a": [1] }),
                letter: 'ß',
            }],
            &[json!({ "at": 1, "id": "", "set": [], "any": null, "letter": "x" })],
        )
        .check("t.strict", &[Strict { a: 1 }], &[json!({ "a": 1, "b": 2 })])
        .check(
            "t.reserved",
            &[Reserved {
                class: "x".into(),
                comment: 1,
                empty: 2,
            }],
            &[json!({ "class": "x" })],
        )
}

/// An event with a comment that would end a comment: */ `code`
#[derive(Serialize, JsonSchema)]
struct Said {
    /// Of whom.
    from: String,
}

impl Outgoing for Said {
    const TYPE: &'static str = "chat.message";
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn the_generated_client_is_written_for_the_type_tests() {
    let Truth { router, checks, .. } = table();
    let folder = folder("truth");
    let info = Info::new("Truth", "1.0.0");
    router.contract().export_all(&folder, &info).unwrap();
    let head =
        "import type { Client, InputOf, OutputOf } from \"./zocket.js\";\nfunction take<T>(_: T): void {}\n";
    // The TypeScript compiler counts U+2028 as a line break, within strings too.
    let checks = checks.replace('\u{2028}', "\\u2028");
    fs::write(folder.join("truth.ts"), format!("{head}{checks}{UNDEFINED}")).unwrap();
    assert!(checks.lines().count() > 100);
}

/// `undefined` for members of inputs. JSON omits it.
const UNDEFINED: &str = r#"take<InputOf<Client["t"]["defaults"]>>({ must: true, count: undefined, tags: undefined });
take<InputOf<Client["t"]["options"]>>({ option: undefined, nested: undefined, list: [] });
take<InputOf<Client["t"]["flat"]>>({ z: 1, a: undefined, b: undefined, kind: "empty" });
take<InputOf<Client["t"]["tagged"]>>({ kind: "wrapped", a: undefined, b: undefined });
take<InputOf<Client["t"]["recursive"]>>({ children: [{ children: [], next: undefined }], next: undefined });
take<InputOf<Client["t"]["pages"]>>({ items: [1], total: undefined });
// @ts-expect-error
take<InputOf<Client["t"]["defaults"]>>({ must: undefined });
// @ts-expect-error
take<InputOf<Client["t"]["options"]>>({ list: [undefined] });
// @ts-expect-error
take<InputOf<Client["t"]["tuple"]>>([1, "x", undefined]);
"#;

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
                .code(zocket::Code::app("NOBODY"))
                .handle(async |_: Context<()>| Ok("x".to_owned())),
        )
        .contract()
}

#[test]
fn routes_and_events_are_members_with_their_comments() {
    let text = small().typescript();
    for part in [
        "  readonly chat: {\n    /** Says something. */\n    readonly post: Call<Defaults, void>;\n  };\n",
        "  readonly whoami: Call<void, string, \"NOBODY\">;\n",
        "    readonly chat: {\n      /** An event with a comment that would end a comment: *\\/ `code` */\n      readonly message: EventSource<Said>;\n    };\n",
        "/** An event with a comment that would end a comment: *\\/ `code` */\nexport interface Said {\n  /** Of whom. */\n  from: string;\n}\n",
        "  /** @default 0 */\n  count?: number | undefined;\n",
    ] {
        assert!(text.contains(part), "{part}\nis not in\n{text}");
    }
}

#[test]
fn a_file_is_written_only_when_it_changed() {
    let file = folder("once").join("zocket.ts");
    let _ = fs::remove_file(&file);
    assert!(small().export(&file).unwrap());
    assert!(!small().export(&file).unwrap());
    fs::write(&file, "else").unwrap();
    assert!(small().export(&file).unwrap());
    let nowhere = small().export(file.join("below.ts")).unwrap_err();
    assert!(nowhere.to_string().contains("below.ts"), "{nowhere}");
}

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

#[test]
fn export_all_writes_nothing_that_needs_react() {
    let folder = folder("all");
    let _ = fs::remove_dir_all(&folder);
    small().export_all(&folder, &Info::new("A", "1")).unwrap();
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    files.sort();
    assert_eq!(
        files,
        [
            "asyncapi.json",
            "contract.json",
            "zocket.d.ts",
            "zocket.js",
            "zocket.ts"
        ]
    );
}

#[test]
fn the_react_export_has_typescript_and_no_javascript() {
    let folder = folder("react");
    let _ = fs::remove_dir_all(&folder);
    small().export_react(&folder).unwrap();
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    files.sort();
    assert_eq!(files, ["zocket-react.tsx", "zocket.ts"]);
    assert_eq!(
        fs::read_to_string(folder.join("zocket.ts")).unwrap(),
        small().typescript()
    );
}

/// The client's headers.
#[derive(Deserialize, JsonSchema, Validate)]
struct Headers {
    #[garde(skip)]
    _name: String,
}

#[test]
fn a_connect_header_named_headers_is_typed() {
    let zo = Zocket::builder()
        .on_connect(async |_: Headers, _: zocket::ClientId| Ok(()))
        .build();
    let text = zo.router().contract().typescript();
    assert!(
        text.contains("/** The client's headers. */\nexport interface Headers {\n  _name: string;\n}\n"),
        "{text}"
    );
    assert!(
        !text.contains("type Headers =") && !text.contains("Headers_"),
        "{text}"
    );
    assert!(small().typescript().contains("export type Headers ="));
}
