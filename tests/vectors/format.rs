//! The vectors as they stand in their files. What is not named here is an error.

use std::{collections::BTreeMap, fs, path::Path};

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

/// Whose conduct a vector shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Side {
    Server,
    Client,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "section")]
    _section: String,
    vectors: Vec<Vector>,
}

/// One thing that must hold.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vector {
    pub name: String,
    pub must: String,
    pub sides: Vec<Side>,
    #[serde(default)]
    pub app: App,
    #[serde(default, rename = "needs")]
    pub _needs: Vec<Need>,
    pub steps: Vec<Step>,
}

/// An ability that not every client has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Need {
    /// Messages without an id.
    Send,
}

/// The variant of the app that the server runs.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum App {
    #[default]
    Reference,
    Concurrent,
    Stalling,
    Stopping,
    Slender,
    Pinging,
}

/// The argument of a step that needs none: true.
#[derive(Debug, Deserialize)]
#[serde(try_from = "bool")]
pub struct Yes;

impl TryFrom<bool> for Yes {
    type Error = &'static str;

    fn try_from(given: bool) -> Result<Self, Self::Error> {
        given.then_some(Self).ok_or("expected true")
    }
}

/// Something that one side does.
#[derive(Debug)]
pub struct Step {
    /// On which connection.
    pub on: String,
    pub action: Action,
    /// As it stands in its file.
    written: Value,
}

impl Step {
    /// Says which step it is that fails.
    pub fn fails(&self, index: usize, why: &str) -> String {
        format!("step {}, {}:\n  {why}", index + 1, self.written)
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "a `Yes` says nothing more")]
pub enum Action {
    // On both sides: one does it, the other is looked at.
    Client(Value),
    Server(Value),
    Close(Closing),
    Gone(Yes),

    // The server is looked at.
    Request(Box<Request>),
    Open(String),
    Binary(Value),
    Bytes(Value),
    Ping(String),
    Pong(String),
    Pinged(Yes),
    Silence(Yes),
    Ask(Asking),
    End(Yes),
    HangUp(Yes),
    Shutdown(Yes),

    // The client is looked at.
    Hello(Hello),
    Call(Call),
    Send(Message),
    Resolves(Resolved),
    Rejects(Rejected),
    Pending(String),
    On(String),
    Event(Heard),
    ComeBackOn(u16, u16),
    ComesBack(bool),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closing {
    pub code: u16,
    #[serde(default)]
    pub reason: String,
    /// True if other frames may come before it.
    #[serde(default)]
    pub late: bool,
}

/// A request that opens a WebSocket, or does not.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    pub method: Option<String>,
    pub target: Option<String>,
    #[serde(default)]
    pub fields: Vec<(String, Value)>,
    pub response: Response,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    pub status: u16,
    #[serde(default)]
    pub fields: BTreeMap<String, Value>,
    pub body: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asking {
    pub client: Value,
    pub until: Value,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    pub headers: Value,
    pub reads: BTreeMap<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    pub id: String,
    pub route: String,
    pub payload: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    pub route: String,
    pub payload: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolved {
    pub id: String,
    #[serde(default, deserialize_with = "present")]
    pub payload: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejected {
    pub id: String,
    pub refusal: Value,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heard {
    pub r#type: String,
    pub payload: Value,
}

/// A member that is null is there all the same.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// One member says what is done, and `as` on which connection.
impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Value::deserialize(deserializer)?;
        let mut members = written.as_object().cloned().unwrap_or_default();
        let on = match members.remove("as") {
            None => "a".to_owned(),
            Some(Value::String(label)) => label,
            Some(other) => return Err(D::Error::custom(format!("`as`: expected a label, got {other}"))),
        };
        let whole = Value::Object(members);
        let action = serde_json::from_value(whole.clone())
            .map_err(|error| D::Error::custom(format!("not a step that is known: {whole}: {error}")))?;
        Ok(Self { on, action, written })
    }
}

/// Every vector, with its file's name.
pub fn all() -> Vec<(String, Vector)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    let mut vectors = Vec::new();
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let file: File = serde_json::from_str(&fs::read_to_string(&path).unwrap())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!file.vectors.is_empty(), "{name} has no vectors");
        for vector in &file.vectors {
            assert!(!vector.sides.is_empty(), "{name}: {} has no sides", vector.name);
        }
        vectors.extend(file.vectors.into_iter().map(|vector| (name.clone(), vector)));
    }
    vectors
}

/// A frame as it is sent: a text as it stands, or in parts, some of which are repeated; anything else as JSON.
pub fn text(written: &Value) -> String {
    match written {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(part).collect(),
        json => json.to_string(),
    }
}

fn part(written: &Value) -> String {
    match (
        written.as_str(),
        written["repeat"].as_str(),
        written["times"].as_u64(),
    ) {
        (Some(text), _, _) => text.to_owned(),
        (_, Some(text), Some(times)) => text.repeat(usize::try_from(times).unwrap()),
        _ => panic!("not a part of a text: {written}"),
    }
}

/// Bytes that stand there in hexadecimal.
pub fn bytes(written: &Value) -> Vec<u8> {
    let digits: Vec<char> = text(written).chars().filter(|digit| *digit != ' ').collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&String::from_iter(pair), 16).expect("hexadecimal digits"))
        .collect()
}
