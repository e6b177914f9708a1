//! Check of payloads against one input type.

use std::{any::TypeId, borrow::Cow, collections::BTreeMap, fmt, marker::PhantomData, sync::Arc};

use parking_lot::RwLock;
use schemars::generate::SchemaSettings;

use super::{constraint, plain, repair, schema::Graph, shape, walk, whole};
use crate::{error::Issue, protocol::from_json};

/// Input of a procedure. It has a shape (serde), constraints (garde) and a schema for the contract (schemars), each by
/// one derive. Implemented for every type with the three derives.
///
/// ```
/// #[derive(serde::Deserialize, garde::Validate, schemars::JsonSchema)]
/// struct Post {
///     #[garde(length(chars, min = 1, max = 500))]
///     text: String,
/// }
///
/// fn takes<T: zocket_layers::validate::Input>() {}
/// takes::<Post>();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the input of a procedure",
    label = "not an input",
    note = "derive all three: `#[derive(serde::Deserialize, garde::Validate, schemars::JsonSchema)]`",
    note = "an input owns its data (`'static`), is `Send`, and its garde context implements `Default`"
)]
pub trait Input:
    serde::de::DeserializeOwned + garde::Validate<Context: Default> + schemars::JsonSchema + Send + 'static
{
}

impl<T> Input for T where
    T: serde::de::DeserializeOwned
        + garde::Validate<Context: Default>
        + schemars::JsonSchema
        + Send
        + 'static
{
}

/// Parser and checker of payloads for `T`. It returns a value, or every issue.
///
/// A valid payload costs one typed parse and garde's checks. Only a payload that fails is checked again, against the
/// JSON Schema of `T`. The schema is compiled on the first failure, once for all checkers of `T`.
///
/// ```
/// use zocket_layers::validate::Checker;
///
/// #[derive(Debug, serde::Deserialize, garde::Validate, schemars::JsonSchema)]
/// #[serde(rename_all = "camelCase")]
/// struct SignUp {
///     #[garde(length(chars, min = 1))]
///     nick_name: String,
///     #[garde(range(min = 18))]
///     age: u8,
/// }
///
/// let checker = Checker::<SignUp>::new();
/// assert_eq!(checker.check(br#"{"nickName":"Ada","age":36}"#).unwrap().nick_name, "Ada");
///
/// let issues = checker.check(br#"{"nickName":"","age":"old"}"#).unwrap_err();
/// let mut lines: Vec<String> = issues.iter().map(ToString::to_string).collect();
/// lines.sort();
/// assert_eq!(lines, ["age: expected an integer, got a string", "nickName: at least 1 character, got 0"]);
/// ```
///
/// # Names
///
/// garde reports the names of Rust fields, while clients know the names on the wire. `rename_all`, flattened fields,
/// newtypes and enums are resolved automatically. If a field has a `rename` of its own, issues of `length`, `range` and
/// the other rules in the schema are reported at the right place. The issue of a custom rule is reported at the struct
/// around the field, unless the schema names the field:
///
/// ```
/// # use zocket_layers::validate::Checker;
/// #[derive(serde::Deserialize, garde::Validate, schemars::JsonSchema)]
/// struct Headers {
///     #[serde(rename = "x-room")]
///     #[schemars(extend("x-field" = "room"))]
///     #[garde(custom(known))]
///     room: String,
/// }
///
/// fn known(room: &str, _: &()) -> garde::Result {
///     if room == "lobby" { Ok(()) } else { Err(garde::Error::new("no such room")) }
/// }
///
/// let Err(issues) = Checker::<Headers>::new().check(br#"{"x-room":"attic"}"#) else { panic!() };
/// assert_eq!(issues[0].to_string(), "x-room: no such room");
/// ```
pub struct Checker<T>(PhantomData<fn() -> T>);

/// Schema graphs, compiled lazily per type. Static, because checkers are cloned for each message.
static GRAPHS: RwLock<BTreeMap<TypeId, Arc<Graph>>> = RwLock::new(BTreeMap::new());

impl<T: Input> Checker<T> {
    /// Creates a checker for `T`. The schema is not compiled until a payload is refused, or [`names`](Self::names) is
    /// called.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }

    /// Parses and checks the value that `json` holds. For a message without payload, `json` is `null`.
    ///
    /// # Errors
    ///
    /// Every issue, from 1 to 100. If serde can't parse the bytes as a `T`, these are the issues that the schema finds,
    /// and serde's own if it is about another place. Otherwise they are the issues that garde finds.
    pub fn check(&self, json: &[u8]) -> Result<T, Vec<Issue>> {
        let read = plain::check(json).and_then(|()| from_json(json));
        match read {
            Ok(input) => Self::validate(input, json),
            Err(_) => Self::check_again(json),
        }
    }

    /// Checks a payload that serde did not accept as it is. It may have numbers that are integers to JSON Schema alone,
    /// or parts that Rust can't hold in members that `T` ignores. Otherwise its issues are found.
    #[cold]
    fn check_again(json: &[u8]) -> Result<T, Vec<Issue>> {
        let repaired = repair::repair(json, walk::MOST);
        let readable = repaired.as_ref().map_or(json, |repaired| &repaired.json);
        plain::check(readable).map_err(|error| vec![shape::no_plain(&error)])?;
        let plain_numbers = |json| whole::rewrite(json).map_or(Cow::Borrowed(json), Cow::Owned);
        let given = plain_numbers(json);
        if let Ok(input) = from_json(&given) {
            return Self::validate(input, &given);
        }
        let readable = plain_numbers(readable);
        let others = match from_json::<T>(&readable) {
            Ok(input) => Self::validate(input, &readable).err().unwrap_or_default(),
            Err(_) => shape::issues::<T>(&Self::graph(), &readable),
        };
        // A text that can't be read has no other issue.
        let mut issues = repaired.map_or_else(Vec::new, |repaired| repaired.issues);
        let unreadable = issues.len();
        for other in others {
            if !issues[..unreadable].iter().any(|issue| issue.path == other.path) {
                issues.push(other);
            }
        }
        issues.truncate(walk::MOST);
        Err(issues)
    }

    /// Checks the constraints of a value, which was parsed from `json`.
    fn validate(input: T, json: &[u8]) -> Result<T, Vec<Issue>> {
        match input.validate_with(&T::Context::default()) {
            Ok(()) => Ok(input),
            Err(report) => Err(constraint::issues(&Self::graph(), &report, json)),
        }
    }

    /// Returns the names of all members that an object for `T` can have at its top level, as they are on the wire,
    /// sorted. For an enum, they include the members of every variant.
    ///
    /// ```
    /// use zocket_layers::validate::Checker;
    ///
    /// #[derive(serde::Deserialize, garde::Validate, schemars::JsonSchema)]
    /// #[garde(allow_unvalidated)]
    /// struct Headers {
    ///     #[serde(rename = "x-room")]
    ///     room: Option<String>,
    /// }
    ///
    /// let checker = Checker::<Headers>::new();
    /// assert_eq!(checker.names(), ["x-room"]);
    /// ```
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let graph = Self::graph();
        let reach = graph.reach(0);
        let mut names: Vec<String> = reach
            .iter()
            .flat_map(|node| node.properties.keys().cloned())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn graph() -> Arc<Graph> {
        let input = TypeId::of::<T>();
        if let Some(graph) = GRAPHS.read().get(&input) {
            return graph.clone();
        }
        // Compiled without holding the lock, since the app's own code may run to create the schema.
        let generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
        let graph = Graph::new(generator.into_root_schema_for::<T>().as_value());
        GRAPHS
            .write()
            .entry(input)
            .or_insert_with(|| graph.into())
            .clone()
    }
}

impl<T: Input> Default for Checker<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for Checker<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Checker<T> {}

impl<T> fmt::Debug for Checker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checker")
            .field("input", &std::any::type_name::<T>())
            .finish_non_exhaustive()
    }
}
