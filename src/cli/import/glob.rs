//! Files by patterns, as a shell has them: `*`, `?`, `[…]` and `{a,b}`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::{is_pattern, matches_pattern};

/// Patterns that braces may make of one.
const MOST: usize = 1000;

/// The files that a pattern in a folder names, in the order of their names; those of braces in theirs.
pub(super) fn matching(folder: &Path, pattern: &str) -> io::Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = Vec::new();
    for pattern in braces(pattern) {
        let start = if pattern.starts_with('/') { PathBuf::from("/") } else { folder.to_owned() };
        let mut paths = vec![start];
        for part in pattern.split('/').filter(|part| !part.is_empty()) {
            let mut next = Vec::new();
            for path in paths {
                if is_pattern(part) {
                    next.extend(entries(&path, part)?);
                } else if path.join(part).exists() {
                    next.push(path.join(part));
                }
            }
            paths = next;
        }
        for path in paths {
            if !path.is_dir() && !found.contains(&path) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

fn entries(folder: &Path, pattern: &str) -> io::Result<Vec<PathBuf>> {
    let folder_read = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = match fs::read_dir(folder_read) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if matches_pattern(pattern, &name) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

/// The patterns without braces.
fn braces(pattern: &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut left = vec![pattern.to_owned()];
    while let Some(pattern) = left.pop() {
        let inner = pattern.find('{').and_then(|open| Some((open, closing(&pattern, open)?)));
        match inner {
            Some((open, close)) if left.len() + done.len() < MOST => {
                let (before, behind) = (&pattern[..open], &pattern[close + 1..]);
                let choices = commas(&pattern[open + 1..close]);
                left.extend(choices.iter().rev().map(|choice| format!("{before}{choice}{behind}")));
            }
            _ => done.push(pattern),
        }
    }
    done
}

/// Where the brace that opens there is closed.
fn closing(text: &str, open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (at, c) in text.char_indices().skip_while(|(at, _)| *at < open) {
        match c {
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The choices between commas that are in no brace.
fn commas(text: &str) -> Vec<&str> {
    let mut choices = Vec::new();
    let (mut start, mut depth) = (0, 0usize);
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                choices.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    choices.push(&text[start..]);
    choices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_as_a_shell_has_them() {
        for (pattern, name, is) in [
            ("*", "a.conf", true),
            ("*.conf", "a.conf", true),
            ("*.conf", "a.cfg", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]x", "[]x", true),
            ("[]]", "]", true),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("", "", true),
        ] {
            assert_eq!(matches_pattern(pattern, name), is, "{pattern} {name}");
        }
        assert_eq!(braces("a{b,c{d,e}}f"), ["abf", "acdf", "acef"]);
        assert_eq!(braces("a{b"), ["a{b"]);
    }

    #[test]
    fn files_are_found_in_the_order_of_their_names() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.conf", "a.conf", ".hidden.conf", "c.txt"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        fs::create_dir(dir.path().join("d.conf")).unwrap();
        let names = |pattern: &str| -> Vec<String> {
            let found = matching(dir.path(), pattern).unwrap();
            found.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
        };
        assert_eq!(names("*.conf"), ["a.conf", "b.conf"]);
        assert_eq!(names("{b,a}.conf"), ["b.conf", "a.conf"]);
        assert_eq!(names("c.txt"), ["c.txt"]);
        assert_eq!(names("none"), [""; 0]);
        assert_eq!(names("none/*"), [""; 0]);
    }
}
