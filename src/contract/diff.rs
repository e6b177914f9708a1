//! Changes between two contracts, and their effect on clients.

use std::{cmp::Ordering, collections::BTreeMap, fmt};

use serde_json::{Value, json};

use super::{
    Contract, Direction, IncomingContract, OutgoingContract,
    gaps::{Gap, GapFinder},
};

/// Changes between two contracts. Displays as a list, the most severe first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    changes: Vec<Change>,
}

/// A single change between two contracts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Change {
    /// The change's effect on clients.
    pub compatibility: Compatibility,
    /// A sentence with the place and the change: ``incoming `chat.post` input: roomId is required``.
    pub message: String,
}

/// Effect of a change on clients that were made for the old contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compatibility {
    /// Clients may fail: the server refuses values that it used to accept, or sends values that they do not know.
    Breaking,
    /// Clients keep working. Clients that are made for the new contract can do more.
    Additive,
    /// Clients do not notice the change.
    Compatible,
}

impl Diff {
    /// Returns the effect of the most severe change, or `Compatible` if nothing changed.
    #[must_use]
    pub fn compatibility(&self) -> Compatibility {
        self.changes
            .iter()
            .map(|change| change.compatibility)
            .min()
            .unwrap_or(Compatibility::Compatible)
    }

    /// Returns each change, the most severe first.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Returns true if nothing changed at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

impl fmt::Display for Compatibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Breaking => "breaking",
            Self::Additive => "additive",
            Self::Compatible => "compatible",
        })
    }
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self
            .changes
            .iter()
            .map(|change| format!("{}: {}", change.compatibility, change.message));
        f.write_str(&lines.next().unwrap_or_else(|| "nothing changed".to_owned()))?;
        lines.try_for_each(|line| write!(f, "\n{line}"))
    }
}

pub(super) fn diff(old: &Contract, new: &Contract) -> Diff {
    let mut differ = Differ {
        old,
        new,
        changes: Vec::new(),
    };
    differ.schemas("headers", Direction::Input, &old.headers, &new.headers);

    for (path, both) in pair(&old.incoming, &new.incoming) {
        let what = format!("incoming `{path}`");
        match both {
            (Some(old), Some(new)) => differ.incoming(&what, old, new),
            (Some(_), None) => differ.push(Compatibility::Breaking, format!("{what} was removed")),
            (None, _) => differ.push(Compatibility::Additive, format!("{what} was added")),
        }
    }
    for (name, both) in pair(&old.outgoing, &new.outgoing) {
        let what = format!("outgoing `{name}`");
        match both {
            (Some(old), Some(new)) => differ.outgoing(&what, old, new),
            (Some(_), None) => differ.push(Compatibility::Breaking, format!("{what} was removed")),
            (None, _) => differ.push(Compatibility::Additive, format!("{what} was added")),
        }
    }
    if differ.changes.is_empty() && old != new {
        let what = if old.hash() == new.hash() {
            "documentation or type names"
        } else {
            "details without effect on clients"
        };
        differ.push(Compatibility::Compatible, format!("{what} changed"));
    }
    differ.changes.sort();
    differ.changes.dedup();
    Diff {
        changes: differ.changes,
    }
}

struct Differ<'a> {
    old: &'a Contract,
    new: &'a Contract,
    changes: Vec<Change>,
}

impl Differ<'_> {
    fn push(&mut self, compatibility: Compatibility, message: String) {
        self.changes.push(Change {
            compatibility,
            message,
        });
    }

    fn incoming(&mut self, what: &str, old: &IncomingContract, new: &IncomingContract) {
        let input = format!("{what} input");
        match (&old.input, &new.input) {
            (Some(old), Some(new)) => self.schemas(&input, Direction::Input, old, new),
            // Old clients send no payload. An absent payload counts as null.
            (None, Some(new)) => {
                let gaps = GapFinder::new(&self.old.types, &self.new.types).find(
                    "",
                    &json!({ "type": "null" }),
                    new,
                );
                let compatibility = if gaps.is_empty() {
                    Compatibility::Additive
                } else {
                    Compatibility::Breaking
                };
                self.push(compatibility, format!("{input}: was added"));
            }
            (Some(_), None) => self.push(Compatibility::Compatible, format!("{input}: is ignored now")),
            (None, None) => {}
        }
        match (&old.output, &new.output) {
            (Some(old), Some(new)) => self.schemas(&format!("{what} output"), Direction::Output, old, new),
            (Some(_), None) => self.push(Compatibility::Breaking, format!("{what} output: was removed")),
            (None, Some(_)) => self.push(Compatibility::Additive, format!("{what} output: was added")),
            (None, None) => {}
        }
        self.refusals(what, old, new);
    }

    fn refusals(&mut self, what: &str, old: &IncomingContract, new: &IncomingContract) {
        for code in new.errors.iter().filter(|code| !old.errors.contains(code)) {
            let with_data = match new.error_data.contains_key(code) {
                true => ", with data",
                false => "",
            };
            self.push(
                Compatibility::Additive,
                format!("{what} may be refused with {code}{with_data}"),
            );
        }
        for code in old.errors.iter().filter(|code| !new.errors.contains(code)) {
            self.push(
                Compatibility::Compatible,
                format!("{what} is no longer refused with {code}"),
            );
        }
        for code in new.errors.iter().filter(|code| old.errors.contains(code)) {
            let data = format!("{what} refusal {code}");
            match (old.error_data.get(code), new.error_data.get(code)) {
                (Some(old), Some(new)) => self.schemas(&data, Direction::Output, old, new),
                (Some(_), None) => self.push(Compatibility::Breaking, format!("{data}: data was removed")),
                (None, Some(_)) => self.push(Compatibility::Additive, format!("{data}: data was added")),
                (None, None) => {}
            }
        }
    }

    fn outgoing(&mut self, what: &str, old: &OutgoingContract, new: &OutgoingContract) {
        self.schemas(what, Direction::Output, &old.payload, &new.payload);
        // A client may rely on every event, or on the last one. Events beyond that do it no harm.
        let compatibility = match new.delivery.cmp(&old.delivery) {
            Ordering::Less => Compatibility::Breaking,
            Ordering::Equal => return,
            Ordering::Greater => Compatibility::Additive,
        };
        let (old, new) = (old.delivery.as_str(), new.delivery.as_str());
        self.push(
            compatibility,
            format!("{what}: delivery was {old} and is {new} now"),
        );
    }

    fn schemas(&mut self, what: &str, direction: Direction, old: &Value, new: &Value) {
        let (old_types, new_types) = (&self.old.types, &self.new.types);
        let old_to_new = || GapFinder::new(old_types, new_types).find("", old, new);
        let new_to_old = || GapFinder::new(new_types, old_types).find("", new, old);
        let (breaking, additive) = match direction {
            Direction::Input => (old_to_new(), new_to_old()),
            Direction::Output => (new_to_old(), old_to_new()),
        };
        for (gaps, compatibility) in [
            (breaking, Compatibility::Breaking),
            (additive, Compatibility::Additive),
        ] {
            for Gap { at, rule } in gaps {
                let at = if at.is_empty() { "the payload" } else { &at };
                let change = match (direction, compatibility) {
                    (Direction::Input, Compatibility::Breaking) => format!("{at} {}", rule.statement()),
                    (Direction::Input, _) => format!("in the old contract, {at} {}", rule.statement()),
                    (Direction::Output, Compatibility::Breaking) => {
                        format!("{at} {}, which the old contract excludes", rule.sent_now())
                    }
                    (Direction::Output, _) => format!("{at} {}", rule.no_longer_sent()),
                };
                self.push(compatibility, format!("{what}: {change}"));
            }
        }
    }
}

/// Pairs the values of two maps by name. A name that one map lacks has `None` on that side.
fn pair<'a, T>(
    old: &'a BTreeMap<String, T>,
    new: &'a BTreeMap<String, T>,
) -> BTreeMap<&'a str, (Option<&'a T>, Option<&'a T>)> {
    let mut both = BTreeMap::new();
    for (name, value) in old {
        both.insert(name.as_str(), (Some(value), None));
    }
    for (name, value) in new {
        both.entry(name.as_str()).or_insert((None, None)).1 = Some(value);
    }
    both
}
