//! State files that are replaced whole: after a crash or a power cut there is the old one or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Why something in the state directory could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot {doing} {}: {source}{}", path.display(), mend(source))]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("{} was written by a newer ipvsd (format {found}, this one knows {known}): use that version, or move the file away to start without {what}", path.display())]
    Newer { path: PathBuf, found: u32, known: u32, what: &'static str },
}

fn mend(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => " (run as root, or choose another directory with --state-dir)",
        io::ErrorKind::ReadOnlyFilesystem => " (choose a writable directory with daemon.state_dir or --state-dir)",
        io::ErrorKind::StorageFull => " (free some space there)",
        _ => "",
    }
}

/// Makes errors of `path` out of those of the system.
pub(super) fn failed(path: &Path, doing: &'static str) -> impl Fn(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { doing, path: path.clone(), source }
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// A document with a version, or why it cannot be understood. `what` would be lost without it.
pub(super) fn parse<'b, D: Deserialize<'b>>(
    path: &Path,
    bytes: &'b [u8],
    known: u32,
    what: &'static str,
) -> Result<Result<D, String>, StoreError> {
    match serde_json::from_slice::<Version>(bytes) {
        Ok(Version { version }) if version > known => {
            Err(StoreError::Newer { path: path.to_owned(), found: version, known, what })
        }
        Ok(_) => Ok(serde_json::from_slice(bytes).map_err(|error| error.to_string())),
        Err(error) => Ok(Err(error.to_string())),
    }
}

/// How a file is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// On one line.
    Compact,
    /// Indented, for people.
    Pretty,
}

/// Gives the file that root has opened at `path` to whom the directory belongs: what a command of root's writes, a daemon that is
/// not root reads, and replaces.
///
/// # Errors
///
/// Also if another file lies at `path`: whoever owns the directory can put a link there, to a file that is not theirs.
pub fn hand_over(file: &File, path: &Path) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let owner = fs::metadata(path.parent().unwrap_or(Path::new("/")))?;
    if owner.uid() == 0 {
        return Ok(());
    }
    let (opened, there) = (file.metadata()?, fs::symlink_metadata(path)?);
    if !opened.is_file() || (opened.dev(), opened.ino()) != (there.dev(), there.ino()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a link, or no file: move it away"));
    }
    fchown(file, Some(owner.uid()), Some(owner.gid()))
}

/// A new file at `path`, whatever was there; for whom the directory belongs to, and nobody else: the checks of what drains are in it,
/// and secrets may be in those.
pub fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    // No link is followed.
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    hand_over(&file, path)?;
    Ok(file)
}

/// Replaces `path`, whose directory is made if it is not there. When it returns, the new content outlives a power cut.
/// There must be one writer at a time.
pub(super) fn replace(path: &Path, form: Form, document: &impl Serialize) -> Result<(), StoreError> {
    let failed_to_write = failed(path, "write");
    // `path` always has a parent: it was joined to one.
    let directory = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(directory).map_err(failed(path, "create the directory of"))?;
    write(path, directory, form, document).map_err(failed_to_write)
}

fn write(path: &Path, directory: &Path, form: Form, document: &impl Serialize) -> io::Result<()> {
    // One name, since there is one writer; what a crash leaves is overwritten.
    let draft = path.with_extension("json.new");
    let mut writer = BufWriter::new(create(&draft)?);
    match form {
        Form::Compact => serde_json::to_writer(&mut writer, document)?,
        Form::Pretty => serde_json::to_writer_pretty(&mut writer, document)?,
    }
    writer.write_all(b"\n")?;
    let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_root_writes_belongs_to_whom_the_directory_belongs() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let owner = |name: &str| {
            let file = fs::metadata(dir.path().join(name)).unwrap();
            (file.uid(), file.gid())
        };
        for (name, uid) in [("of-root.json", 0), ("of-another.json", 4672)] {
            std::os::unix::fs::chown(dir.path(), Some(uid), Some(uid)).unwrap();
            for form in [Form::Compact, Form::Pretty] {
                replace(&dir.path().join(name), form, &1).unwrap();
                assert_eq!(owner(name), (uid, uid), "{name}");
            }
        }
        // Whoever has the directory gets nothing by it that lies elsewhere.
        let (elsewhere, link) = (tempfile::NamedTempFile::new().unwrap(), dir.path().join("lock"));
        std::os::unix::fs::symlink(elsewhere.path(), &link).unwrap();
        hand_over(&File::open(&link).unwrap(), &link).unwrap_err();
        std::os::unix::fs::symlink(elsewhere.path(), dir.path().join("draft.json.new")).unwrap();
        replace(&dir.path().join("draft.json"), Form::Compact, &1).unwrap();
        let untouched = elsewhere.as_file().metadata().unwrap();
        assert_eq!((untouched.uid(), untouched.len()), (0, 0));
    }
}
