//! Watching directories with inotify.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::chain;
use crate::reconcile::Event;

/// Why something cannot be watched, with the mend where there is one.
#[derive(Debug, thiserror::Error)]
#[error("cannot watch {what}: {source}{mend}")]
pub struct WatchTrouble {
    what: String,
    source: notify::Error,
    mend: &'static str,
}

impl WatchTrouble {
    fn new(what: String, source: notify::Error) -> Self {
        let errno = match &source.kind {
            notify::ErrorKind::Io(error) => error.raw_os_error().map(rustix::io::Errno::from_raw_os_error),
            notify::ErrorKind::MaxFilesWatch => Some(rustix::io::Errno::NOSPC),
            _ => None,
        };
        let mend = match errno {
            Some(rustix::io::Errno::NOSPC) => {
                " (the limit of inotify watches is reached: raise fs.inotify.max_user_watches)"
            }
            Some(rustix::io::Errno::MFILE) => {
                " (too many inotify instances or open files: raise fs.inotify.max_user_instances or the limit of open files)"
            }
            _ => "",
        };
        Self { what, source, mend }
    }
}

/// A directory is the same one as long as device and inode are.
type Identity = (u64, u64);

/// Watches whatever decides what a set of paths leads to.
pub struct FileWatcher {
    paths: Vec<PathBuf>,
    watched: BTreeMap<PathBuf, Identity>,
    watcher: RecommendedWatcher,
    ends: Arc<Mutex<Ends>>,
}

/// What the paths lead to, links followed: files of the configuration, and directories of such files.
#[derive(Debug, Default)]
struct Ends(BTreeSet<PathBuf>);

impl Ends {
    fn of(paths: &[PathBuf]) -> Self {
        let mut ends: BTreeSet<PathBuf> = paths.iter().filter_map(|path| path.canonicalize().ok()).collect();
        let linked: Vec<PathBuf> = ends
            .iter()
            .flat_map(|end| fs::read_dir(end).into_iter().flatten().flatten())
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_symlink()))
            .filter_map(|entry| entry.path().canonicalize().ok())
            .collect();
        ends.extend(linked);
        Self(ends)
    }

    /// Whether that is a file of the configuration, and not an editor's beside it.
    fn hold(&self, path: &Path) -> bool {
        let named = || {
            let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            let known = path.extension().is_some_and(|end| ["toml", "yaml", "yml"].iter().any(|known| end == *known));
            known && !hidden
        };
        self.0.contains(path) || (path.parent().is_some_and(|parent| self.0.contains(parent)) && named())
    }
}

impl FileWatcher {
    /// Starts watching absolute `paths`; `wake` is called, on a thread of the watcher's own, whenever something
    /// about them may have changed.
    pub fn start(paths: Vec<PathBuf>, wake: impl Fn(Event) + Send + 'static) -> Result<Self, WatchTrouble> {
        let ends = Arc::new(Mutex::new(Ends::default()));
        let seen = Arc::clone(&ends);
        let handler = move |event: notify::Result<notify::Event>| match event {
            Ok(event) => {
                let ours = || seen.lock().is_ok_and(|ends| event.paths.iter().any(|path| ends.hold(path)));
                if let Some(event) = meaning(&event.kind, ours) {
                    wake(event);
                }
            }
            // A queue overflow or the like: something was missed, so look.
            Err(_) => wake(Event::Files),
        };
        let watcher =
            notify::recommended_watcher(handler).map_err(|error| WatchTrouble::new("files".to_owned(), error))?;
        let mut this = Self { paths, watched: BTreeMap::new(), watcher, ends };
        this.refresh()?;
        Ok(this)
    }

    /// Watches these paths from the next [`refresh`](Self::refresh) on. Says whether they are others than before.
    pub fn follow<'p>(&mut self, paths: impl IntoIterator<Item = &'p PathBuf>) -> bool {
        let paths: Vec<PathBuf> = paths.into_iter().cloned().collect();
        let is_other = paths != self.paths;
        self.paths = paths;
        is_other
    }

    /// Follows what has moved since: to be called before the files are read, so that a change after the
    /// reading raises an event. Tries everything, and gives the first trouble.
    pub fn refresh(&mut self) -> Result<(), WatchTrouble> {
        if let Ok(mut ends) = self.ends.lock() {
            *ends = Ends::of(&self.paths);
        }
        let wanted: BTreeSet<PathBuf> = self.paths.iter().flat_map(|path| chain::directories(path)).collect();
        let gone: Vec<PathBuf> = self
            .watched
            .iter()
            .filter(|(path, identity)| !wanted.contains(*path) || self::identity(path) != Some(**identity))
            .map(|(path, _)| path.clone())
            .collect();
        for path in gone {
            self.watched.remove(&path);
            // It fails where the kernel has already dropped the watch, with the directory.
            let _ = self.watcher.unwatch(&path);
        }
        let mut trouble = None;
        for path in wanted {
            if self.watched.contains_key(&path) {
                continue;
            }
            let Some(identity) = identity(&path) else { continue };
            match self.watcher.watch(&path, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(path, identity);
                }
                Err(error) => {
                    trouble.get_or_insert(WatchTrouble::new(path.display().to_string(), error));
                }
            }
        }
        trouble.map_or(Ok(()), Err)
    }
}

fn identity(path: &Path) -> Option<Identity> {
    fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// What an event means. Reading a file raises events, too; only what can change its content counts. `ours` tells whether
/// it is about a file of the configuration.
fn meaning(kind: &EventKind, ours: impl Fn() -> bool) -> Option<Event> {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) if ours() => Some(Event::Written),
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(Event::Files),
        EventKind::Access(_) => None,
        EventKind::Modify(ModifyKind::Data(_)) if ours() => Some(Event::Writing),
        _ => Some(Event::Files),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    /// Long enough for a loaded machine; a passing test never waits for it.
    const SOON: Duration = Duration::from_secs(20);

    struct Scene {
        _dir: tempfile::TempDir,
        root: PathBuf,
        events: Receiver<Event>,
        watcher: FileWatcher,
    }

    impl Scene {
        fn new(name: &str, prepare: impl Fn(&Path)) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let root = dir.path().canonicalize().unwrap();
            prepare(&root);
            let (sender, events) = channel();
            let watcher =
                FileWatcher::start(vec![root.join(name)], move |event| sender.send(event).unwrap_or_default()).unwrap();
            Self { _dir: dir, root, events, watcher }
        }

        /// The next change is noticed. What was raised by changes before is taken out first: the marker comes
        /// after all of them.
        fn noticed(&mut self, change: impl Fn(&Path)) {
            self.watcher.refresh().unwrap();
            while self.events.recv_timeout(Duration::from_millis(50)).is_ok() {}
            change(&self.root);
            self.events.recv_timeout(SOON).expect("the change raises an event");
        }
    }

    fn write(path: PathBuf) {
        fs::write(path, "version = 1\n").unwrap();
    }

    #[test]
    fn a_rename_over_the_file_is_noticed_every_time() {
        let mut scene = Scene::new("a.toml", |root| write(root.join("a.toml")));
        for _ in 0..3 {
            scene.noticed(|root| {
                write(root.join("a.toml~"));
                fs::rename(root.join("a.toml~"), root.join("a.toml")).unwrap();
            });
        }
    }

    #[test]
    fn a_write_in_place_is_noticed() {
        let mut scene = Scene::new("a.toml", |root| write(root.join("a.toml")));
        scene.noticed(|root| write(root.join("a.toml")));
    }

    #[test]
    fn removal_and_return_are_noticed() {
        let mut scene = Scene::new("etc/a.toml", |root| {
            fs::create_dir(root.join("etc")).unwrap();
            write(root.join("etc/a.toml"));
        });
        scene.noticed(|root| fs::remove_dir_all(root.join("etc")).unwrap());
        scene.noticed(|root| fs::create_dir(root.join("etc")).unwrap());
        scene.noticed(|root| write(root.join("etc/a.toml")));
    }

    #[test]
    fn a_configmap_swap_is_noticed_every_time() {
        let version = |root: &Path, n: usize| {
            fs::create_dir(root.join(format!("..{n}"))).unwrap();
            write(root.join(format!("..{n}/a.toml")));
            symlink(format!("..{n}"), root.join("..data_tmp")).unwrap();
            fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
        };
        let mut scene = Scene::new("a.toml", |root| {
            version(root, 0);
            symlink("..data/a.toml", root.join("a.toml")).unwrap();
        });
        for n in 1..4 {
            scene.noticed(|root| version(root, n));
        }
    }

    #[test]
    fn a_directory_swapped_for_another_is_followed() {
        let mut scene = Scene::new("conf.d", |root| fs::create_dir(root.join("conf.d")).unwrap());
        scene.noticed(|root| {
            fs::create_dir(root.join("new")).unwrap();
            fs::rename(root.join("conf.d"), root.join("old")).unwrap();
            fs::rename(root.join("new"), root.join("conf.d")).unwrap();
        });
        scene.noticed(|root| write(root.join("conf.d/a.toml")));
    }

    #[test]
    fn a_writer_is_known_until_it_closes() {
        use std::io::Write;
        for (name, path) in [("a.toml", "a.toml"), ("conf.d", "conf.d/a.toml")] {
            let mut scene = Scene::new(name, |root| {
                fs::create_dir(root.join("conf.d")).unwrap();
                write(root.join(path));
            });
            scene.noticed(|root| write(root.join(path)));
            while scene.events.recv_timeout(Duration::from_millis(50)).is_ok() {}
            let mut file = fs::File::create(scene.root.join(path)).unwrap();
            file.write_all(b"version = 1\n").unwrap();
            assert_eq!(scene.events.recv_timeout(SOON), Ok(Event::Writing), "{path}");
            drop(file);
            let last =
                std::iter::from_fn(|| scene.events.recv_timeout(SOON).ok()).find(|event| *event != Event::Writing);
            assert_eq!(last, Some(Event::Written), "{path}");
            fs::write(scene.root.join("conf.d/.a.toml.swp"), "x").unwrap();
            fs::write(scene.root.join("log"), "x").unwrap();
            while let Ok(event) = scene.events.recv_timeout(Duration::from_millis(50)) {
                assert_eq!(event, Event::Files, "what is beside it is no configuration");
            }
        }
    }

    #[test]
    fn reading_raises_nothing() {
        let mut scene = Scene::new("a.toml", |root| write(root.join("a.toml")));
        scene.noticed(|root| write(root.join("a.toml")));
        while scene.events.recv_timeout(Duration::from_millis(50)).is_ok() {}
        fs::read(scene.root.join("a.toml")).unwrap();
        // Events come in order: had the reading raised one, it would be here before the answer to a real change.
        assert!(scene.events.recv_timeout(Duration::from_millis(100)).is_err());
    }
}
