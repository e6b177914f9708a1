//! Export of the generated client files.

use std::{fs, io, path::Path};

use super::{Contract, Info, typescript};

impl Contract {
    /// Returns the types and the client for TypeScript, as one file without dependencies.
    #[must_use]
    pub fn typescript(&self) -> String {
        typescript::typescript(&self.canonical())
    }

    /// Writes [`typescript`](Self::typescript) to a file, unless the file already has this content, so that a build
    /// that watches the file does not run for nothing. Returns true if the file was written.
    ///
    /// # Errors
    /// Errors of the file system; the message names the file.
    pub fn export(&self, path: impl AsRef<Path>) -> io::Result<bool> {
        write(path.as_ref(), &self.typescript())
    }

    /// Writes `zocket.ts` and hooks for it, `zocket-react.tsx`, into a folder: all that a React app needs. It does not
    /// write `zocket.js`, since bundlers would resolve `./zocket` to it. A missing folder is created. Files that are up
    /// to date are not written again.
    ///
    /// # Errors
    /// Errors of the file system; the message names the file.
    pub fn export_react(&self, folder: impl AsRef<Path>) -> io::Result<()> {
        write_all(
            folder.as_ref(),
            [
                ("zocket.ts", self.typescript()),
                ("zocket-react.tsx", typescript::REACT.to_owned()),
            ],
        )
    }

    /// Writes everything that needs no framework into a folder: `zocket.ts`, `zocket.js`, `zocket.d.ts`,
    /// `contract.json`, `asyncapi.json`. The hooks for React are written by [`export_react`](Self::export_react) alone,
    /// since they do not compile in a project without React. A missing folder is created. Files that are up to date are
    /// not written again.
    ///
    /// # Errors
    /// Errors of the file system; the message names the file.
    pub fn export_all(&self, folder: impl AsRef<Path>, info: &Info) -> io::Result<()> {
        let asyncapi = serde_json::to_string_pretty(&self.asyncapi(info))? + "\n";
        write_all(
            folder.as_ref(),
            [
                ("zocket.ts", self.typescript()),
                ("zocket.js", typescript::javascript(self)),
                (
                    "zocket.d.ts",
                    typescript::javascript_declarations(&self.canonical()),
                ),
                ("contract.json", self.to_json()),
                ("asyncapi.json", asyncapi),
            ],
        )
    }
}

fn write_all<const N: usize>(folder: &Path, files: [(&str, String); N]) -> io::Result<()> {
    fs::create_dir_all(folder).map_err(|error| name(error, folder))?;
    for (file, text) in files {
        write(&folder.join(file), &text)?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> io::Result<bool> {
    if fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(false);
    }
    fs::write(path, text).map_err(|error| name(error, path))?;
    Ok(true)
}

fn name(error: io::Error, path: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
