use std::collections::BTreeSet;

use zocket_layers::protocol::words;

use super::lists::{Document, assert_none, words as words_of};

#[test]
fn frames_are_in_the_protocol_and_no_document_has_others() {
    let known: BTreeSet<_> = words::ALL.into_iter().collect();
    let reserved = |line: &str| {
        let mut words: Vec<_> = words_of(line, |char| char.is_ascii_alphanumeric() || char == '_')
            .into_iter()
            .map(str::to_owned)
            .collect();
        // Names of other protocols, such as the cookie prefix `__Host-`, have capitals.
        let is_type = |word: &str| word.chars().all(|char| char.is_ascii_lowercase() || char == '_');
        words.retain(|word| word.starts_with(words::PREFIX) && word != words::PREFIX && is_type(word));
        words
    };
    let (mut differences, mut listed) = (Vec::new(), BTreeSet::new());
    for document in Document::all() {
        for (number, line) in &document.lines {
            for word in reserved(line) {
                if !known.contains(word.as_str()) {
                    differences.push(format!(
                        "{}: the protocol has no frame `{word}`",
                        document.place(*number)
                    ));
                } else if document.path == "PROTOCOL.md" && line.starts_with('|') {
                    listed.insert(word);
                }
            }
        }
    }
    for word in known.into_iter().filter(|word| !listed.contains(*word)) {
        differences.push(format!(
            "PROTOCOL.md: the frame `{word}` is missing in the tables of frames"
        ));
    }
    assert_none(&differences);
}
