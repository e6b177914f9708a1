//! What callgrind writes.

use std::{collections::BTreeMap, error::Error};

/// What callgrind has counted.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Profile {
    /// Instructions of the program itself, by function. Those of functions that were inlined are their callers'.
    pub(crate) functions: BTreeMap<String, u64>,
    /// The same by source file, where inlined ones are where they were written.
    pub(crate) files: BTreeMap<String, u64>,
    /// Instructions of libraries that are linked when the program starts, by function: libc's.
    pub(crate) shared: BTreeMap<String, u64>,
    /// Calls of the allocator, but for those that free.
    pub(crate) allocations: u64,
}

impl Profile {
    /// Reads callgrind's file, names and positions not compressed. `program` is what counts as the program itself.
    pub(crate) fn parse(text: &str, program: &str) -> Result<Self, Box<dyn Error>> {
        let mut profile = Self::default();
        let (mut object, mut file, mut function, mut callee) = ("", "", "", "");
        let mut is_call = false;
        for line in text.lines() {
            if let Some((key, value)) = line.split_once('=') {
                match key {
                    "ob" => object = value,
                    "fl" | "fi" | "fe" => file = value,
                    "fn" => function = value,
                    "cfn" => callee = value,
                    "calls" => {
                        is_call = true;
                        let count = value.split(' ').next().unwrap_or_default();
                        if object == program && is_allocation(callee) {
                            profile.allocations += count.parse::<u64>()?;
                        }
                    }
                    _ => {}
                }
            } else if line.starts_with(|first: char| first.is_ascii_digit()) {
                // After a `calls=`, what the callee has executed: it is counted there.
                if std::mem::take(&mut is_call) {
                    continue;
                }
                let count: u64 = line.split(' ').nth(1).ok_or("a line without a count")?.parse()?;
                if object == program {
                    *profile.functions.entry(function.to_owned()).or_default() += count;
                    *profile.files.entry(file.to_owned()).or_default() += count;
                } else {
                    *profile.shared.entry(function.to_owned()).or_default() += count;
                }
            }
        }
        Ok(profile)
    }

    /// All of the program's own.
    pub(crate) fn own(&self) -> u64 {
        self.functions.values().sum()
    }

    /// All of the libraries'.
    pub(crate) fn libc(&self) -> u64 {
        self.shared.values().sum()
    }
}

fn is_allocation(function: &str) -> bool {
    ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"].contains(&function)
}
