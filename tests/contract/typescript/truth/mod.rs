//! A table of types, with values that fit them and values that do not. This test writes the files into Cargo's temporary
//! folder. `tests/clients` compiles them.

mod table;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Write,
    fs,
};

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use zocket::{Context, Router, Zocket, contract::Info};

use self::table::table;
use super::folder;

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
    struct Options { option: Option<u8>, nested: Option<Option<u8>>, list: Vec<Option<u8>> }
    struct Times { at: chrono::DateTime<chrono::Utc>, id: uuid::Uuid, set: BTreeSet<String>, any: Value, letter: char }
    #[serde(deny_unknown_fields)]
    struct Strict { a: u8 }
    struct Reserved { class: String, #[serde(rename = "*/ 1")] comment: u8, #[serde(rename = "")] empty: u8 }
}

/// A table of tricky types, each with values that serde produces and values that do not fit.
struct Truth {
    zo: Zocket,
    router: Router<()>,
    checks: String,
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
    fs::write(
        folder.join("truth.ts"),
        format!("{head}{checks}{UNDEFINED}{OPENED}"),
    )
    .unwrap();
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

/// Members of the value that `onOpen` listeners receive.
const OPENED: &str = r#"export const listen = (client: Client) => {
  take<boolean>(client.resumed);
  client.onOpen(({ clientId, resumed, lost }) => {
    take<string>(clientId);
    take<boolean>(resumed);
    take<string | undefined>(lost?.clientId);
    if (lost) take<number>(lost.calls);
  });
};
// @ts-expect-error
take<Parameters<Parameters<Client["onOpen"]>[0]>[0]["lost"]>({ clientId: "1" });
// @ts-expect-error
export const calls = (client: Client) => client.onOpen(({ lost }) => take<number>(lost.calls));
"#;
