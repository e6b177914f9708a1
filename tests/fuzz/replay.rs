//! Replays the corpus of each target, and mutations of its files that a seed decides.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as a test may")]

use std::{
    collections::BTreeSet,
    env, fs,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
};

use zocket_fuzz::{TARGETS, Target};

/// Environment variable with the number of mutations of each corpus.
const MUTATIONS: &str = "ZOCKET_FUZZ_MUTATIONS";
/// Bytes of a corpus, as it is committed.
const MAX_CORPUS: usize = 200_000;
/// Bytes of a mutation.
const MAX_INPUT: usize = 4_096;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// Returns the files of a target's corpus, in the order of their names.
fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = folder().join(name);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", folder.display());
    let read = |path: PathBuf| {
        let content = fs::read(&path).unwrap();
        (path, content)
    };
    paths.into_iter().map(read).collect()
}

fn target(name: &str) -> Target {
    let target = TARGETS.iter().find(|(target, _)| *target == name);
    target.expect("it is a target").1
}

/// Runs a target, and says which input has failed.
fn run(name: &str, input: &[u8], origin: &str) {
    let run = || target(name)(input);
    if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
        eprintln!(
            "{name} failed for {origin}, whose bytes are:\n{}",
            input.escape_ascii()
        );
        resume_unwind(panic);
    }
}

fn replay(name: &str) {
    let files = corpus(name);
    let bytes: usize = files.iter().map(|(_, content)| content.len()).sum();
    assert!(
        bytes <= MAX_CORPUS,
        "{name}: {bytes} bytes, expected at most {MAX_CORPUS}"
    );
    for (path, content) in &files {
        run(name, content, &path.display().to_string());
    }
}

/// Random numbers. SplitMix64: Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % end.max(1) as u64).unwrap()
    }

    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let from = self.below(length + 1);
        from..from + self.below(length - from + 1).min(32)
    }
}

/// Bytes that a mutation inserts.
const INTERESTING: &[u8] = b"\0\x01\x7f\x80\xff\"{}[],:.% ";

/// Changes an input in one place.
fn mutate(input: &mut Vec<u8>, other: &[u8], chance: &mut Chance) {
    let range = chance.range(input.len());
    let new: Vec<u8> = match chance.below(6) {
        0 => Vec::new(),
        1 => other[chance.range(other.len())].to_vec(),
        2 => input[range.clone()].repeat(2),
        3 => INTERESTING[chance.range(INTERESTING.len())].to_vec(),
        4 => range.clone().map(|_| chance.below(256) as u8).collect(),
        _ => input[range.clone()]
            .iter()
            .map(|byte| byte ^ (1 << chance.below(8)))
            .collect(),
    };
    input.splice(range, new);
    input.truncate(MAX_INPUT);
}

/// Returns a file of the corpus, changed in a few places.
fn mutated(files: &[(PathBuf, Vec<u8>)], chance: &mut Chance) -> Vec<u8> {
    let mut pick = || &files[chance.below(files.len())].1;
    let (mut input, other) = (pick().clone(), pick());
    for _ in 0..=chance.below(6) {
        mutate(&mut input, other, chance);
    }
    input
}

/// Runs mutations of the corpus.
fn run_mutations(name: &str, count: usize) {
    let count = env::var(MUTATIONS).map_or(count, |count| count.parse().expect("a number of mutations"));
    let files = corpus(name);
    let mut chance = Chance(0);
    for number in 0..count {
        let input = mutated(&files, &mut chance);
        run(name, &input, &format!("mutation {number}"));
    }
}

/// Defines the tests of a target.
macro_rules! target {
    ($name:ident, $mutations:expr) => {
        mod $name {
            #[test]
            fn every_file_of_the_corpus_agrees_with_the_model() {
                super::replay(stringify!($name));
            }

            #[test]
            fn mutations_of_the_corpus_agree_with_the_model() {
                super::run_mutations(stringify!($name), $mutations);
            }
        }
    };
}

target!(envelope, 5_000);
target!(handshake, 500);
target!(hub, 2_000);
target!(session, 500);

#[test]
fn every_target_has_a_corpus_and_a_program() {
    let entries = |path: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
        entries.map(|entry| stem(entry.unwrap().path())).collect()
    };
    let names: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(entries("corpus"), names);
    assert_eq!(entries("fuzz_targets"), names);
}

/// Targets find broken variants of the server: `RUSTFLAGS="--cfg zocket_broken" cargo test --package zocket-fuzz broken`, in a
/// target folder of its own.
#[cfg(zocket_broken)]
mod broken {
    use zocket::layers::internal::{Broken, set_broken};

    use super::{AssertUnwindSafe, Chance, catch_unwind, corpus, mutated, target};

    const VARIANTS: [(&str, Broken); 5] = [
        ("hub", Broken::OrderAmongRooms),
        ("session", Broken::DisconnectOfSilentPeers),
        ("session", Broken::OfferedToken),
        ("session", Broken::Numbering),
        ("session", Broken::Deduplication),
    ];

    /// Returns the number of inputs that a target needs to find a broken variant: those of its corpus, then mutations.
    fn inputs_until_found(name: &str, broken: Broken) -> Option<usize> {
        let (files, mut chance) = (corpus(name), Chance(0));
        let mutations = (0..).map(|_| mutated(&files, &mut chance));
        let inputs = files.iter().map(|(_, content)| content.clone()).chain(mutations);
        let mut inputs = inputs.take(10_000).enumerate();
        set_broken(Some(broken));
        let found = inputs.find(|(_, input)| catch_unwind(AssertUnwindSafe(|| target(name)(input))).is_err());
        set_broken(None);
        found.map(|(number, _)| number)
    }

    #[test]
    #[allow(clippy::print_stdout, reason = "the numbers are the result")]
    fn every_broken_variant_is_found() {
        for (name, broken) in VARIANTS {
            let found = inputs_until_found(name, broken);
            assert!(found.is_some(), "{name} did not find {broken:?}");
            println!("{name} found {broken:?} with input {found:?}");
        }
    }
}
