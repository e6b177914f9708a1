//! Lists in the documents, read so that tests can compare them with the code's own.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    reason = "each test file uses what it needs"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// A document, or the doc comments of a source file.
pub struct Document {
    pub path: String,
    /// Each line with its number.
    pub lines: Vec<(usize, String)>,
}

/// Entries of a document's list, by name.
pub struct List {
    /// The place for an entry that is missing.
    end: String,
    pub entries: Vec<Entry>,
}

pub struct Entry {
    pub place: String,
    pub name: String,
    pub value: String,
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

impl Document {
    pub fn read(path: &str) -> Self {
        let text = fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        let is_source = path.ends_with(".rs");
        let lines = (1..).zip(text.lines()).filter_map(|(number, line)| {
            let line = match is_source {
                true => ["//! ", "/// "]
                    .iter()
                    .find_map(|mark| line.trim_start().strip_prefix(mark))?,
                false => line,
            };
            Some((number, line.to_owned()))
        });
        Self {
            path: path.to_owned(),
            lines: lines.collect(),
        }
    }

    /// Reads the documents for users, and the doc comments of both crates.
    pub fn all() -> Vec<Self> {
        let mut paths = ["README.md", "PROTOCOL.md", "ARCHITECTURE.md"]
            .map(str::to_owned)
            .to_vec();
        for (folder, kind) in [("src/guide", "md"), ("src", "rs"), ("layers/src", "rs")] {
            files(&root().join(folder), kind, &mut paths);
        }
        paths.iter().map(|path| Self::read(path)).collect()
    }

    /// Returns the place of a line, as editors open it.
    pub fn place(&self, line: usize) -> String {
        format!("{}:{line}", self.path)
    }

    /// Reads the table under `header`. `read` turns the cells of a row into names, each with its value.
    pub fn table<I>(&self, header: &str, read: impl Fn(&[&str]) -> I) -> List
    where
        I: IntoIterator<Item = (String, String)>,
    {
        let begin = self.lines.iter().position(|(_, line)| line == header);
        let begin = begin.unwrap_or_else(|| panic!("{}: there is no table `{header}`", self.path));
        let rows = self.lines[begin..]
            .iter()
            .take_while(|(_, line)| line.starts_with('|'));
        let (mut end, mut entries) = (0, Vec::new());
        for (number, line) in rows.skip(2) {
            end = *number;
            let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
            entries.extend(read(&cells).into_iter().map(|(name, value)| Entry {
                place: self.place(*number),
                name,
                value,
            }));
        }
        List {
            end: format!("{}, after this line", self.place(end)),
            entries,
        }
    }
}

impl List {
    /// Compares the list with the code's, in both directions. Returns a sentence for each difference.
    pub fn differences(&self, code: &BTreeMap<String, String>) -> Vec<String> {
        let mut differences = Vec::new();
        for Entry { place, name, value } in &self.entries {
            match code.get(name) {
                None => differences.push(format!("{place}: the code has no `{name}`: delete it here")),
                Some(expected) if expected != value => differences.push(format!(
                    "{place}: `{name}` is `{expected}` in the code, and `{value}` here: write `{expected}`"
                )),
                Some(_) => {}
            }
        }
        let listed: BTreeSet<_> = self.entries.iter().map(|entry| &entry.name).collect();
        for (name, value) in code.iter().filter(|(name, _)| !listed.contains(name)) {
            let value = if value.is_empty() {
                value.clone()
            } else {
                format!(" with `{value}`")
            };
            differences.push(format!("{}: `{name}`{value} is missing: add it", self.end));
        }
        differences
    }
}

/// Returns the words of a text that stand in backticks.
pub fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Returns the words of a text that consist of the characters that `is_part` accepts.
pub fn words(text: &str, is_part: impl Fn(char) -> bool) -> Vec<&str> {
    text.split(|char| !is_part(char))
        .filter(|word| !word.is_empty())
        .collect()
}

#[track_caller]
pub fn assert_none(differences: &[String]) {
    assert!(
        differences.is_empty(),
        "documents and code differ:\n{}\n",
        differences.join("\n")
    );
}

/// Appends the files of one kind, relative to the root, in order.
pub fn files(folder: &Path, kind: &str, found: &mut Vec<String>) {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, kind, found);
        } else if path.extension().is_some_and(|extension| extension == kind) {
            found.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
        }
    }
}
