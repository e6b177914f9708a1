//! The place of the program `nats-server`, for the examples and the tests that start it.

use std::{env, path::PathBuf};

/// Finds `nats-server` in the `PATH`, and where Debian installs it, which is outside of a user's `PATH`.
///
/// # Errors
/// The way to install it.
pub(crate) fn nats_server() -> Result<PathBuf, &'static str> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin".into()]);
    folders
        .map(|folder| folder.join("nats-server"))
        .find(|program| program.is_file())
        .ok_or("nats-server is not in the PATH: install it (Debian: `apt-get install nats-server`)")
}
