//! Names of a contract's types, unique after all renaming.

use std::collections::{BTreeMap, BTreeSet};

use super::direction::Direction;

/// A type as one root uses it.
#[derive(Debug)]
pub(super) struct Use<'a> {
    /// Index of the root.
    pub(super) root: usize,
    /// Route or event of the root.
    pub(super) owner: &'a str,
    pub(super) direction: Direction,
    /// Name of the type in that root.
    pub(super) name: &'a str,
    /// The type's definition with all that it refers to. Uses with one meaning share a name.
    pub(super) meaning: String,
}

/// Chooses the name of each use, keyed by the root's index and the type's name in that root.
///
/// Types keep their own name, in Pascal case. If several types of a direction have the same one, each of them is prefixed
/// with the first owner that uses it. If the result is another type's name, an underscore follows. No type's own name
/// ends in one. So an added type does not rename a type without a clash.
pub(super) fn choose_names(uses: Vec<Use<'_>>) -> BTreeMap<(usize, String), String> {
    // For each name, the types that have it, by their meaning.
    let mut types: BTreeMap<(String, Direction), BTreeMap<String, Vec<Use<'_>>>> = BTreeMap::new();
    for used in uses {
        types
            .entry((pascal_case(used.name), used.direction))
            .or_default()
            .entry(used.meaning.clone())
            .or_default()
            .push(used);
    }
    let mut names = BTreeMap::new();
    let mut taken = BTreeSet::new();
    let mut clashing = Vec::new();
    for ((name, direction), meanings) in types {
        let is_single = meanings.len() == 1;
        for users in meanings.into_values() {
            if is_single {
                taken.insert((direction, name.clone()));
                give(&mut names, users, &name);
            } else {
                let owner = users.iter().map(|user| user.owner).min().unwrap_or_default();
                clashing.push((format!("{}{name}", pascal_case(owner)), owner, direction, users));
            }
        }
    }
    // Stable, so that types of the same owner stay in the order of their meanings.
    clashing.sort_by_key(|(_, owner, ..)| *owner);
    for (mut name, _, direction, users) in clashing {
        while !taken.insert((direction, name.clone())) {
            name.push('_');
        }
        give(&mut names, users, &name);
    }
    names
}

fn give(names: &mut BTreeMap<(usize, String), String>, users: Vec<Use<'_>>, name: &str) {
    let keys = users.into_iter().map(|user| (user.root, user.name.to_owned()));
    names.extend(keys.map(|key| (key, name.to_owned())));
}

/// Converts a name to an identifier that is valid in any language: `Page_for_chat-line` to `PageForChatLine`,
/// `chat.post` to `ChatPost`. A name without letters and digits becomes `_`.
fn pascal_case(name: &str) -> String {
    let mut pascal = String::with_capacity(name.len());
    let mut begins = true;
    for letter in name.chars() {
        if !is_part_of_identifiers(letter) {
            begins = true;
        } else if begins {
            pascal.extend(letter.to_uppercase());
            begins = false;
        } else {
            pascal.push(letter);
        }
    }
    if !pascal.starts_with(|first: char| first.is_alphabetic()) {
        pascal.insert(0, '_');
    }
    pascal
}

/// Returns true for letters, and for digits that may be part of an identifier. Fractions and the like may not, and
/// circled letters are symbols.
fn is_part_of_identifiers(letter: char) -> bool {
    let is_enclosed = matches!(letter, '\u{24B6}'..='\u{24E9}' | '\u{1F130}'..='\u{1F189}');
    letter.is_ascii_alphanumeric() || letter.is_alphabetic() && !is_enclosed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_identifiers() {
        for (name, identifier) in [
            ("Note", "Note"),
            ("note", "Note"),
            ("Page_for_chat-line", "PageForChatLine"),
            ("chat.post", "ChatPost"),
            ("2nd", "_2nd"),
            ("größe", "Größe"),
            ("x²", "X"),
            ("ⓐb", "B"),
            ("²", "_"),
            ("", "_"),
            ("Note_", "Note"),
        ] {
            assert_eq!(pascal_case(name), identifier, "{name}");
        }
    }
}
