//! A draft that is read in the place of a file, whether there is one yet or not.

use std::fs;
use std::path::{Path, PathBuf};

/// What is to stand somewhere in a configuration.
pub(super) struct Draft {
    /// Where, as it was given and as it is known again.
    pub at: PathBuf,
    identity: PathBuf,
    pub text: String,
    /// Whether it was found to be a part of the configuration.
    pub is_taken: bool,
}

impl Draft {
    pub(super) fn new(at: &Path, text: String) -> Self {
        Self { at: at.to_owned(), identity: identity(at), text, is_taken: false }
    }

    pub(super) fn is(&self, path: &Path) -> bool {
        self.identity == identity(path)
    }

    /// Its path in a directory, if it is to stand there.
    pub(super) fn within(&self, directory: &Path) -> Option<PathBuf> {
        let here = directory.join(self.at.file_name()?);
        (identity(directory) == identity(self.at.parent()?)).then_some(here)
    }
}

/// What two paths of the same file have in common, also if there is none yet, or not even its directory.
pub(super) fn identity(path: &Path) -> PathBuf {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    fs::canonicalize(path).unwrap_or_else(|_| match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => identity(parent).join(name),
        _ => path.to_owned(),
    })
}
