use std::env;

use crate::Target;

/// Defines the program of a target: libFuzzer's with `--cfg fuzzing`, otherwise one that replays the files that it is given.
#[macro_export]
macro_rules! program {
    ($target:path) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|data: &[u8]| $target(data));

        #[cfg(not(fuzzing))]
        fn main() -> std::io::Result<()> {
            $crate::replay($target)
        }
    };
}

/// Runs a target with the content of each file that the program is given.
///
/// # Errors
/// Those of reading the files.
pub fn replay(target: Target) -> std::io::Result<()> {
    env::args_os().skip(1).try_for_each(|file| {
        target(&std::fs::read(file)?);
        Ok(())
    })
}
