//! Parses callgrind's output.

use std::{collections::BTreeMap, error::Error};

/// The counters of one run.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Profile {
    /// Instructions of the program itself, by function. Inlined ones belong to the caller.
    pub(crate) functions: BTreeMap<String, u64>,
    /// Instructions of the program itself, by source file. Inlined ones belong to the file of their source.
    pub(crate) files: BTreeMap<String, u64>,
    /// Instructions of shared libraries (libc), by function.
    pub(crate) shared: BTreeMap<String, u64>,
    /// Calls of the allocator, without those that free memory.
    pub(crate) allocations: u64,
}

impl Profile {
    /// Parses callgrind's file, with uncompressed names and positions. `program` is the object that counts as the
    /// program.
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
                // The line after a `calls=` has the callee's cost, which the callee's own lines contain already.
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

    /// Returns all instructions of the program itself.
    pub(crate) fn own(&self) -> u64 {
        self.functions.values().sum()
    }

    /// Returns all instructions of shared libraries.
    pub(crate) fn libc(&self) -> u64 {
        self.shared.values().sum()
    }
}

fn is_allocation(function: &str) -> bool {
    ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"].contains(&function)
}
