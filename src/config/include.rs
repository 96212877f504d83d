//! Which files a file includes: its key `include`, found without reading all of it. Pure.

use super::decode::{At, Decode as _, Field};
use super::fault::Faults;
use super::tree::Value;
use super::yaml::Positions;
use super::{Environment, Format, Source, document};

/// The paths, and where they stand. What is wrong with the file is said by whoever reads all of it.
pub(super) fn included(source: &Source, index: u32, environment: &Environment) -> Vec<At<String>> {
    // A key may be written with escapes, or, in YAML, on two lines, which any of five breaks ends.
    const ESCAPES: [&str; 8] = ["\\u", "\\U", "\\x", "\\\n", "\\\r", "\\\u{85}", "\\\u{2028}", "\\\u{2029}"];
    let has_escape = || {
        memchr::memchr(b'\\', source.text.as_bytes()).is_some() && ESCAPES.iter().any(|part| source.text.contains(part))
    };
    if memchr::memmem::find(source.text.as_bytes(), b"include").is_none() && !has_escape() {
        return Vec::new();
    }
    if Format::of(source) == Format::Toml {
        // It is a key of the top, so it stands before the first header, which begins a line.
        let body = source.body();
        let lines = body.split_inclusive('\n').take_while(|line| !line.trim_start().starts_with('['));
        let head = body.get(..lines.map(str::len).sum()).unwrap_or(body);
        let head = Source { path: source.path.clone(), text: head.to_owned() };
        if let Some(found) = read(&head, index, environment) {
            return found;
        }
    }
    read(source, index, environment).unwrap_or_default()
}

/// Nothing if that cannot be read.
fn read(source: &Source, index: u32, environment: &Environment) -> Option<Vec<At<String>>> {
    let mut faults = Faults::default();
    let document = document(source, index, (Positions::All, Some(environment)), &mut faults)?;
    let Value::Table(entries) = document.value else { return Some(Vec::new()) };
    let mut field: Field<Vec<At<String>>> = Field::Absent;
    if let Some(entry) = entries.into_iter().find(|entry| entry.key == "include") {
        field = Vec::decode(entry.node, &mut faults)
            .map_or(Field::Broken, |value| Field::Set(At { place: entry.place, value }));
    }
    Some(field.into_value().unwrap_or_default())
}

/// Whether a file's name is meant by a pattern with `*`, `?` and `[…]`. As in a shell, a hidden one has to be asked for.
pub fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut of_name) = (0, 0);
    // Where the last star stands, and how far what it stands for went.
    let mut star: Option<(usize, usize)> = None;
    while let Some(character) = name.get(of_name) {
        let step = match pattern.get(at) {
            Some('*') => {
                star = Some((at, of_name));
                at += 1;
                continue;
            }
            Some('?') => Some(1),
            Some('[') => match set(&pattern[at..], *character) {
                Some((true, length)) => Some(length),
                Some((false, _)) => None,
                None => (*character == '[').then_some(1),
            },
            Some(other) => (other == character).then_some(1),
            None => None,
        };
        match (step, star) {
            (Some(step), _) => {
                at += step;
                of_name += 1;
            }
            (None, Some((of_star, end))) => {
                star = Some((of_star, end + 1));
                (at, of_name) = (of_star + 1, end + 1);
            }
            (None, None) => return false,
        }
    }
    pattern[at..].iter().all(|character| *character == '*')
}

/// Whether a path is a pattern.
pub fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// Whether the set that begins here holds a character, and how long it is written; nothing if it has no end.
fn set(pattern: &[char], character: char) -> Option<(bool, usize)> {
    let is_negated = matches!(pattern.get(1), Some('!' | '^'));
    let first = if is_negated { 2 } else { 1 };
    let end = first + 1 + pattern.get(first + 1..)?.iter().position(|character| *character == ']')?;
    let mut found = false;
    let mut at = first;
    while at < end {
        match pattern[at..end] {
            [least, '-', most, ..] => {
                found |= (least..=most).contains(&character);
                at += 3;
            }
            [one, ..] => {
                found |= one == character;
                at += 1;
            }
            [] => break,
        }
    }
    Some((found != is_negated, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_a_shell() {
        for (pattern, name, want) in [
            ("*.toml", "a.toml", true),
            ("*.toml", ".toml", false),
            ("*.toml", ".a.toml", false),
            (".*.toml", ".a.toml", true),
            ("*.toml", "a.toml~", false),
            ("*", "a", true),
            ("**", "", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("?.yaml", "é.yaml", true),
            ("?.yaml", "ab.yaml", false),
            ("[0-9][0-9]-*.toml", "10-web.toml", true),
            ("[0-9][0-9]-*.toml", "1a-web.toml", false),
            ("[!a]b", "cb", true),
            ("[!a]b", "ab", false),
            ("[]a]", "]", true),
            ("[a", "[a", true),
            ("[a", "a", false),
            ("[z-a]", "m", false),
        ] {
            assert_eq!(matches(pattern, name), want, "{pattern} {name}");
        }
    }

    #[test]
    fn what_is_included_is_found_in_either_format() {
        let found = |name: &str, text: &str| {
            let source = Source { path: name.into(), text: text.to_owned() };
            let environment = Environment::new([("DIR".to_owned(), "/etc/x".to_owned())]);
            let found = included(&source, 3, &environment);
            for at in &found {
                assert!(text[at.place.start as usize..at.place.end as usize].contains(['"', '.']), "{name}");
                assert_eq!(at.place.file, 3);
            }
            found.into_iter().map(|at| at.value).collect::<Vec<_>>()
        };
        assert_eq!(
            found("a.toml", "version = 1\ninclude = [\n  \"a.toml\",\n  \"b/*\",\n]\n[daemon]\nx = [["),
            ["a.toml", "b/*"]
        );
        assert_eq!(found("a.toml", "include = [\n[\"a\"]]\nversion = 1\n"), [""; 0], "no list of strings");
        assert_eq!(found("a.toml", "include = [\n  \"a\", # [\n [\n"), [""; 0]);
        assert_eq!(found("a.toml", "# include\n[daemon]\ninclude = [\"a\"]\n"), [""; 0], "not at the top");
        assert_eq!(found("a.toml", "include = [\"${DIR}/*.toml\"]\n"), ["/etc/x/*.toml"]);
        assert_eq!(found("a.yaml", "version: 1\ninclude: [a.toml]\nservices: []\n"), ["a.toml"]);
        assert_eq!(found("a.yaml", "{\"include\": [\"a.toml\"]}"), ["a.toml"]);
        assert_eq!(found("a.yaml", "include: ["), [""; 0]);
        // However its key is written.
        assert_eq!(found("a.toml", "\"inc\\u006cude\" = [\"a.toml\"]\n[daemon]\n"), ["a.toml"]);
        assert_eq!(found("a.toml", "\"\\U00000069nclude\" = [\"a.toml\"]\n"), ["a.toml"]);
        assert_eq!(found("a.yaml", "\"incl\\u0075de\": [a.toml]\n"), ["a.toml"]);
        assert_eq!(found("a.yaml", "{\"incl\\x75de\": [a.toml]}\n"), ["a.toml"]);
        for end in ["\n", "\r", "\u{85}", "\u{2028}", "\u{2029}"] {
            assert_eq!(found("a.yaml", &format!("? \"incl\\{end}  ude\"\n: [a.toml]\n")), ["a.toml"], "{end:?}");
        }
    }
}
