//! Assertion that a committed contract is up to date.

use std::{env, error::Error, fs, path::Path};

use super::{Compatibility, Contract};

/// Asserts that a contract equals the one in a committed file. The file's path is relative to the crate's root. A
/// test with this assertion keeps anyone from changing the contract with clients by accident.
///
/// With the environment variable `ZOCKET_UPDATE_CONTRACT=1`, the file is written instead.
///
/// ```no_run
/// # let zo = zocket::Zocket::builder().build();
/// # fn router(zo: &zocket::Zocket<()>) -> zocket::Router<()> { zo.router() }
/// // in a test
/// zocket::assert_contract!("contract.json", router(&zo).contract());
/// ```
///
/// # Panics
/// If the contract has changed. The message lists the changes and states whether they break clients. Also if the file
/// can't be read or written.
#[macro_export]
macro_rules! assert_contract {
    ($path:expr, $contract:expr $(,)?) => {
        $crate::contract::assert_contract_file(env!("CARGO_MANIFEST_DIR"), $path, &$contract)
    };
}

#[doc(hidden)]
#[track_caller]
pub fn assert_contract_file(root: &str, path: &str, contract: &Contract) {
    let file = Path::new(root).join(path);
    let update = "ZOCKET_UPDATE_CONTRACT=1";
    if env::var_os("ZOCKET_UPDATE_CONTRACT").is_some_and(|value| value == "1") {
        if let Err(error) = fs::write(&file, contract.to_json()) {
            panic!("can't write {}: {error}", file.display());
        }
        return;
    }
    let old = match fs::read_to_string(&file) {
        Ok(json) => Contract::from_json(&json).map_err(|error| match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        }),
        Err(error) => Err(error.to_string()),
    };
    let old = old
        .unwrap_or_else(|error| panic!("{}: {error}; run again with {update} to write it", file.display()));
    let diff = contract.diff(&old);
    if diff.is_empty() {
        return;
    }
    let advice = match diff.compatibility() {
        Compatibility::Breaking => "deployed clients would break. To accept it",
        Compatibility::Additive | Compatibility::Compatible => "deployed clients keep working. To accept it",
    };
    panic!(
        "expected the contract of {}, got another one:\n{diff}\n{advice}, run again with {update}",
        file.display()
    );
}
