//! Which directories decide what a path leads to.
//!
//! A watch on a file dies with the first rename over it, and every editor and every ConfigMap renames. So
//! directories are watched: those in which a link or the file itself could be replaced, or, where something
//! is missing, the nearest one that is there.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// As many links as the kernel follows (`MAXSYMLINKS`, path_resolution(7)).
const MAX_LINKS: usize = 40;

/// The directories to watch for everything that can change what `path` leads to, be it a file, a directory
/// of files, a chain of links, or not there yet. `path` is absolute.
pub(super) fn directories(path: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let Some(end) = walk(path, &mut found) else {
        return found;
    };
    if end.is_dir() {
        for entry in fs::read_dir(&end).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
                walk(&entry.path(), &mut found);
            }
        }
        found.insert(end);
    }
    found
}

/// Follows `path` one component at a time, and collects where a link, the last component or a missing one
/// stands. Gives the end of the chain, if there is one.
fn walk(path: &Path, found: &mut BTreeSet<PathBuf>) -> Option<PathBuf> {
    let mut current = PathBuf::from("/");
    let mut rest = names(path);
    let mut links = 0;
    while let Some(name) = rest.pop_front() {
        if name == ".." {
            current.pop();
            continue;
        }
        let next = current.join(&name);
        let Ok(metadata) = fs::symlink_metadata(&next) else {
            found.insert(current);
            return None;
        };
        if metadata.is_symlink() {
            links += 1;
            let target = fs::read_link(&next).ok().filter(|_| links <= MAX_LINKS);
            found.insert(current.clone());
            let target = target?;
            if target.is_absolute() {
                current = PathBuf::from("/");
            }
            for name in names(&target).into_iter().rev() {
                rest.push_front(name);
            }
        } else {
            if rest.is_empty() {
                found.insert(current);
            }
            current = next;
        }
    }
    Some(current)
}

/// The names along a path, with `..` as a name and `.` and the root left out.
fn names(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| part.as_os_str().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn tree() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        (dir, root)
    }

    fn found(path: &Path, root: &Path) -> Vec<String> {
        let all = directories(path);
        all.iter().map(|path| path.strip_prefix(root).unwrap().display().to_string()).collect()
    }

    #[test]
    fn a_file_is_watched_through_its_directory() {
        let (_dir, root) = tree();
        fs::write(root.join("a.toml"), "").unwrap();
        assert_eq!(found(&root.join("a.toml"), &root), [""]);
    }

    #[test]
    fn a_directory_is_watched_with_the_one_it_stands_in() {
        let (_dir, root) = tree();
        fs::create_dir(root.join("conf.d")).unwrap();
        assert_eq!(found(&root.join("conf.d"), &root), ["", "conf.d"]);
    }

    #[test]
    fn what_is_missing_is_awaited_in_the_nearest_directory() {
        let (_dir, root) = tree();
        fs::create_dir(root.join("etc")).unwrap();
        assert_eq!(found(&root.join("etc/ipvsd/ipvsd.toml"), &root), ["etc"]);
    }

    #[test]
    fn every_link_of_a_configmap_is_watched() {
        let (_dir, root) = tree();
        fs::create_dir_all(root.join("mount/..2026_1")).unwrap();
        fs::write(root.join("mount/..2026_1/a.toml"), "").unwrap();
        symlink("..2026_1", root.join("mount/..data")).unwrap();
        symlink("..data/a.toml", root.join("mount/a.toml")).unwrap();
        symlink(root.join("mount"), root.join("etc")).unwrap();
        assert_eq!(found(&root.join("etc/a.toml"), &root), ["", "mount", "mount/..2026_1"]);
        assert_eq!(found(&root.join("etc"), &root), ["", "mount", "mount/..2026_1"]);
    }

    #[test]
    fn a_loop_of_links_ends() {
        let (_dir, root) = tree();
        symlink("b", root.join("a")).unwrap();
        symlink("a", root.join("b")).unwrap();
        assert_eq!(found(&root.join("a"), &root), [""]);
    }
}
