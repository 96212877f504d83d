//! The folder of what came over the API: a file for each service.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::config::{self, Circumstances, Facts, Loaded, Problem, Problems, Severity};
use crate::daemon::containers::{lay_known, look_up};
use crate::model::{Family, Named};
use crate::source::names::Answers;

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

/// Makes what has changed in a directory outlive a power cut.
pub(super) type SyncDirectory = fn(&Path) -> io::Result<()>;

pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Something that is done, but for this: whether it outlives a power cut is not known.
pub(super) type Doubt = Option<io::Error>;

/// Puts a file in the place of the one before. There must be one writer of it at a time.
///
/// # Errors
///
/// All is as it was.
pub(super) fn write(path: &Path, text: &str, sync: SyncDirectory) -> io::Result<Doubt> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    create(directory, sync)?;
    // Hidden, so that nobody reads it; what a crash leaves is overwritten, or never looked at.
    let draft = directory.join(format!(".{:016x}.new", fastrand::u64(..)));
    let written = File::create(&draft).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)
    });
    if let Err(error) = written {
        _ = fs::remove_file(&draft);
        return Err(error);
    }
    Ok(sync(directory).err())
}

/// Makes a directory, and those above it, unless it is there.
fn create(directory: &Path, sync: SyncDirectory) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let parent = directory.parent().unwrap_or(Path::new("/"));
    create(parent, sync)?;
    match fs::create_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        made => made?,
    }
    sync(parent).inspect_err(|_| {
        // Else the next one to come would take it for safe. There is nothing in it.
        _ = fs::remove_dir(directory);
    })
}

/// Takes a file away; that it is not there is as good.
///
/// # Errors
///
/// It is still there.
pub(super) fn remove(path: &Path, sync: SyncDirectory) -> io::Result<Doubt> {
    match fs::remove_file(path) {
        Ok(()) => Ok(path.parent().and_then(|directory| sync(directory).err())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What begins a file that nobody has changed since it was written here.
const SEAL: &str = "# sum: ";

/// What a text is known again by. Another ID is another text.
pub(super) fn sum(id: &str, text: &str) -> String {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for part in [id, "\0", text] {
        context.update(part.as_bytes());
    }
    context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The text with a line before it that says what it is. Who has written it does not matter then, nor how they wrote things.
pub(super) fn sealed(id: &str, text: &str) -> String {
    format!("{SEAL}{}\n{text}", sum(id, text))
}

/// Whether it is as it was when it was sealed.
pub(super) fn is_sealed(id: &str, text: &str) -> bool {
    let line = text.strip_prefix(SEAL).and_then(|rest| rest.split_once('\n'));
    line.is_some_and(|(known, text)| known == sum(id, text))
}

/// The configuration of these files, of what came over the API, and of the containers and names as a daemon saw them last, for a
/// command. `state_dir` goes over what the files say.
pub fn load(paths: &[PathBuf], state_dir: Option<&Path>, facts: Option<&Facts>) -> Result<Loaded, Problems> {
    load_with((paths, None), state_dir, facts, |_| Answers::new())
}

/// The same, and names are looked up now. What cannot be is a warning, and stands for what the daemon saw last.
/// `stands_at` is where a file is to stand that is somewhere else.
pub fn load_now(
    paths: &[PathBuf],
    stands_at: Option<&Path>,
    state_dir: Option<&Path>,
    facts: Option<&Facts>,
) -> Result<Loaded, Problems> {
    load_with((paths, stands_at), state_dir, facts, |loaded| {
        let (answers, troubles) = look_up(&loaded.desired);
        let mut said = BTreeSet::new();
        let named =
            loaded.desired.policies.iter().flat_map(|(key, policy)| policy.named.iter().map(move |of| (key, of)));
        for (key, Named { host, written, .. }) in named {
            let is_of_family = |address: &IpAddr| Family::of(*address) == key.family();
            let (message, help) = if let Some(why) = troubles.get(host) {
                let help = "if the name is right, nothing is lost: what it stood for stays until it can be";
                (format!("`{host}` cannot be looked up now: {why}"), help)
            } else if answers.get(host).is_some_and(|found| !found.iter().any(is_of_family)) {
                let family = key.family().word();
                let help = "connections to it find nothing there, unless it has other destinations: give the name such an address, or \
                            the service another one";
                (format!("`{host}` has no {family} address, and {key} takes no other"), help)
            } else {
                continue;
            };
            // Of a name in a service with several addresses, each once.
            if said.insert((&written.file, written.span.start, message.clone())) {
                loaded.warnings.push(Problem::warning_at(written, message, help));
            }
        }
        answers
    })
}

fn load_with(
    paths: (&[PathBuf], Option<&Path>),
    state_dir: Option<&Path>,
    facts: Option<&Facts>,
    look_up: impl FnOnce(&mut Loaded) -> Answers,
) -> Result<Loaded, Problems> {
    let mut loaded = load_written(paths, state_dir, facts)?;
    let looked_up = look_up(&mut loaded);
    let of_files = loaded.desired.state_dir.clone();
    lay_known(&mut loaded.desired, state_dir.unwrap_or(&of_files), looked_up);
    Ok(loaded)
}

fn load_written(
    (paths, stands_at): (&[PathBuf], Option<&Path>),
    state_dir: Option<&Path>,
    facts: Option<&Facts>,
) -> Result<Loaded, Problems> {
    let loaded = config::load_as(paths, stands_at, facts)?;
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
    let (files, environment) = (Arc::new(loaded.sources), loaded.environment);
    let circumstances = Circumstances { environment: &environment, facts };
    let (parsed, foundation) = config::parse_together(Arc::clone(&files), &fragments, circumstances)?;
    drop(foundation);
    let mut sources = Arc::unwrap_or_clone(files);
    sources.extend(fragments);
    Ok(Loaded { sources, environment, desired: parsed.desired, warnings: parsed.warnings })
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
        let mut names = BTreeSet::new();
        for id in odd {
            let name = file_name(id);
            assert!(!name.starts_with('.') && !name.contains('/') && name.is_ascii(), "{name}");
            assert_eq!(id_of(&Path::new("/x/api.d").join(&name)), id);
            assert!(names.insert(name));
        }
        assert_eq!(id_of(Path::new("/x/api.d/b c.toml")), "b c");
        assert_eq!(id_of(Path::new("/x/api.d/%61.toml")), "%61", "nobody here writes an `a` so");
    }

    /// What was synced, in this thread.
    fn synced(of: Option<&Path>) -> Vec<PathBuf> {
        thread_local!(static ALL: std::cell::RefCell<Vec<PathBuf>> = const { std::cell::RefCell::new(Vec::new()) });
        match of {
            Some(of) => ALL.with_borrow_mut(|all| all.push(of.to_owned())),
            None => return ALL.take(),
        }
        Vec::new()
    }

    fn note(directory: &Path) -> io::Result<()> {
        synced(Some(directory));
        Ok(())
    }

    fn fail(_: &Path) -> io::Result<()> {
        Err(io::Error::other("the disk is broken"))
    }

    #[test]
    fn a_file_is_there_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/api.d/a.toml");
        let [state, folder] = [dir.path().join("state"), dir.path().join("state/api.d")];
        assert!(write(&path, "one", note).unwrap().is_none());
        assert_eq!(synced(None), [dir.path(), &state, &folder], "and the directories that were made for it");
        assert!(write(&path, "two", note).unwrap().is_none());
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left beside it");
        assert_eq!(synced(None), std::slice::from_ref(&folder));
        assert!(remove(&path, note).unwrap().is_none());
        assert_eq!(synced(None), [folder]);
        assert!(remove(&path, note).unwrap().is_none());
        assert!(!path.exists());
    }

    #[test]
    fn what_is_done_is_no_error_and_what_is_not_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("api.d/a.toml");
        write(&path, "one", fail).unwrap_err();
        assert!(!path.parent().unwrap().exists(), "else it would never be synced");
        fs::create_dir(path.parent().unwrap()).unwrap();
        assert!(write(&path, "one", fail).unwrap().is_some(), "it is there, for now");
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        assert!(remove(&path, fail).unwrap().is_some());
        assert!(!path.exists());
        fs::create_dir(&path).unwrap();
        write(&path, "two", note).unwrap_err();
        remove(&path, note).unwrap_err();
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_seal_is_of_a_text_and_an_id() {
        let text = sealed("web", "version = 1\n");
        let known = "15edfcea099fa77e2aee3cf6a0715fef308a08b9473715704da823c8b672f70a";
        assert_eq!(text, format!("# sum: {known}\nversion = 1\n"), "for ever: it is on disks");
        assert!(is_sealed("web", &text));
        for (id, text) in [("web", text.clone() + "# mine\n"), ("other", text), ("web", "version = 1\n".to_owned())] {
            assert!(!is_sealed(id, &text), "{id}: {text}");
        }
    }
}
