//! The folder of what came over the API: a file for each service.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::config::{self, Facts, Loaded, Problem, Problems, Severity};
use crate::daemon::containers::lay_kept;

/// What a file's name has as it is; a dot at its beginning would hide it.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// The folder of a state directory.
pub(in crate::daemon) fn folder(state_dir: &Path) -> PathBuf {
    state_dir.join("api.d")
}

/// The name of a service's file, which stays in its folder whatever the ID is.
pub(super) fn file_name(id: &str) -> String {
    let name = utf8_percent_encode(id, PLAIN).to_string();
    match name.strip_prefix('.') {
        Some(rest) => format!("%2E{rest}.toml"),
        None => format!("{name}.toml"),
    }
}

/// The ID of a file; the end of its name if nobody would have called it so.
pub(super) fn id_of(path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let id = percent_decode_str(&stem).decode_utf8_lossy().into_owned();
    let is_ours = path.file_name().is_some_and(|name| *name == *file_name(&id));
    if is_ours { id } else { stem }
}

/// Puts a file in the place of the one before. When it returns, the new one outlives a power cut. There must be one writer of it
/// at a time.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(directory)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Hidden, so that nobody reads it; what a crash leaves is overwritten, or never looked at.
    let draft = directory.join(format!(".{:016x}.new", fastrand::u64(..)));
    let written = File::create(&draft).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)
    });
    if written.is_err() {
        _ = fs::remove_file(&draft);
    }
    written.map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?;
    File::open(directory)?.sync_all()
}

/// Takes a file away; that it is not there is as good.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all()),
    }
}

/// The configuration of these files, of what came over the API, and of the containers that a daemon saw last, for a command.
/// `state_dir` goes over what the files say.
pub fn load(paths: &[PathBuf], state_dir: Option<&Path>, facts: Option<&Facts>) -> Result<Loaded, Problems> {
    let mut loaded = load_written(paths, state_dir, facts)?;
    let of_files = loaded.desired.state_dir.clone();
    lay_kept(&mut loaded.desired, state_dir.unwrap_or(&of_files));
    Ok(loaded)
}

fn load_written(paths: &[PathBuf], state_dir: Option<&Path>, facts: Option<&Facts>) -> Result<Loaded, Problems> {
    let loaded = match facts {
        Some(facts) => config::load_for(paths, facts),
        None => config::load(paths),
    }?;
    let folder = folder(state_dir.unwrap_or(&loaded.desired.state_dir));
    if fs::read_dir(&folder).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
        // Whoever may not look there may check what they write all the same; nothing is applied by them.
        let mut loaded = loaded;
        loaded.warnings.push(not_looked_at(&folder));
        return Ok(loaded);
    }
    let fragments = config::read_fragments(&folder)?;
    if fragments.is_empty() {
        return Ok(loaded);
    }
    let files = Arc::new(loaded.sources);
    let (parsed, foundation) = config::parse_together(Arc::clone(&files), &fragments, facts)?;
    drop(foundation);
    let mut sources = Arc::unwrap_or_clone(files);
    sources.extend(fragments);
    Ok(Loaded { sources, desired: parsed.desired, warnings: parsed.warnings })
}

fn not_looked_at(folder: &Path) -> Problem {
    Problem {
        severity: Severity::Warning,
        message: "what came over the API is not looked at: permission denied".to_owned(),
        file: Some(folder.to_owned()),
        line: None,
        column: None,
        span: None,
        label: String::new(),
        related: Vec::new(),
        help: Some("run it as root to see whether the two fit together".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_has_a_file_of_its_own_in_the_folder() {
        let odd = ["web", "a.b", ".hidden", "..", "a/b", "../../etc/passwd", "%2e", "a b", "é", "A", "a\n"];
        let mut names = std::collections::BTreeSet::new();
        for id in odd {
            let name = file_name(id);
            assert!(!name.starts_with('.') && !name.contains('/') && name.is_ascii(), "{name}");
            assert_eq!(id_of(&Path::new("/x/api.d").join(&name)), id);
            assert!(names.insert(name));
        }
        assert_eq!(id_of(Path::new("/x/api.d/b c.toml")), "b c");
        assert_eq!(id_of(Path::new("/x/api.d/%61.toml")), "%61", "nobody here writes an `a` so");
    }

    #[test]
    fn a_file_is_there_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("api.d/a.toml");
        write(&path, "one").unwrap();
        write(&path, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert!(!path.exists());
    }
}
