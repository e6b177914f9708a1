//! The format of the vectors' files. Unknown members are an error.

use std::{collections::BTreeMap, fs, path::Path};

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

/// The side whose behaviour a vector shows.
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

/// One rule of the protocol, with the steps that show it.
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

/// An optional ability of a client.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Need {
    /// Sends messages without an id.
    Send,
    /// Comes back to its session.
    Resume,
}

/// Variant of the server's app.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum App {
    #[default]
    Reference,
    Concurrent,
    Stalling,
    Stopping,
    Slender,
    Narrow,
    Pinging,
}

/// Argument of a step without parameters: `true`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "bool")]
pub struct Yes;

impl TryFrom<bool> for Yes {
    type Error = &'static str;

    fn try_from(given: bool) -> Result<Self, Self::Error> {
        given.then_some(Self).ok_or("expected true")
    }
}

/// An action of one side.
#[derive(Debug)]
pub struct Step {
    /// Label of the connection.
    pub on: String,
    pub action: Action,
    /// The step as in its file.
    written: Value,
}

impl Step {
    /// Returns an error message that names the failed step.
    pub fn fails(&self, index: usize, why: &str) -> String {
        format!("step {}, {}:\n  {why}", index + 1, self.written)
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "a `Yes` says nothing more")]
pub enum Action {
    // Steps for both sides: one performs them, the other is checked.
    Client(Value),
    Server(Value),
    Close(Closing),
    Gone(Yes),

    // Steps that check the server.
    Request(Box<Request>),
    Open(String),
    Offer(Offer),
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

    // Steps that check the client.
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
    Offered(String),
    Welcome(Value),
    Refuse(Refusal),
    Refused(Value),
    GiveUp(String),
    Fails(Failed),
    Leave(Yes),
    Closes(Closing),
}

impl Action {
    /// Returns true for a step after which no handshake is accepted by itself.
    pub fn is_of_a_handshake(&self) -> bool {
        matches!(self, Self::Offered(_) | Self::Welcome(_) | Self::Refuse(_))
    }
}

/// The refusal of a handshake.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    pub status: u16,
    pub code: String,
    pub message: String,
    #[serde(default)]
    pub issues: Vec<Value>,
}

/// A call that the end of its session has ended.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failed {
    pub id: String,
    pub sent: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closing {
    pub code: u16,
    #[serde(default)]
    pub reason: String,
    /// True if other frames may come before the Close.
    #[serde(default)]
    pub late: bool,
}

/// A handshake request, valid or not.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    pub method: Option<String>,
    pub target: Option<String>,
    pub version: Option<String>,
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

/// A handshake that offers subprotocols.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// Header lines, each with one subprotocol or several.
    pub lines: Vec<String>,
    pub query: Option<String>,
    /// The subprotocol that the server picks.
    pub picks: Option<String>,
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

/// Keeps a null member, which serde would read as an absent one.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Parses a step: one member names the action, and `as` names the connection.
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

/// Reads all vectors. Returns them with the names of their files.
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

/// Returns a frame's text: a string as it is, the concatenation of an array's parts, or the JSON of any other value.
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

/// Parses hexadecimal digits.
pub fn bytes(written: &Value) -> Vec<u8> {
    let digits: Vec<char> = text(written).chars().filter(|digit| *digit != ' ').collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&String::from_iter(pair), 16).expect("hexadecimal digits"))
        .collect()
}
