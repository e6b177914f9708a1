//! Runs a program under valgrind's callgrind.

use std::{
    error::Error,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use crate::profile::Profile;

/// Function whose calls, with everything inside, are counted.
pub(crate) const COUNTED: &str = "one_counted_message";
/// Function whose entry resets the counters.
pub(crate) const STEADY: &str = "steady_state";

/// Runs a program with these arguments. Counts from its steady state.
pub(crate) fn run(program: &Path, arguments: &[&str], out: &Path) -> Result<Profile, Box<dyn Error>> {
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .args(["--compress-strings=no", "--compress-pos=no"])
        .arg(format!("--toggle-collect=*{COUNTED}*"))
        .arg(format!("--zero-before=*{STEADY}*"))
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program)
        .args(arguments)
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("valgrind can't be run ({error}): is it installed?"))?;
    if !status.success() {
        return Err(format!("valgrind, {arguments:?}: {status}").into());
    }
    let text = fs::read_to_string(out)?;
    fs::remove_file(out)?;
    let profile = Profile::parse(&text, &program.display().to_string())?;
    if profile.own() == 0 {
        return Err(format!("{arguments:?}: nothing was counted in `{COUNTED}`, after `{STEADY}`").into());
    }
    Ok(profile)
}
