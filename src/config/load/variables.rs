//! Variables of a file, as `EnvironmentFile=` of systemd has them: what parameters stand for where the daemon runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::{cannot_read, read_one};
use crate::config::fault::{Fault, Faults};
use crate::config::parameters::is_variable;
use crate::config::problem::{Atlas, Problem, Problems};
use crate::config::tree::Place;
use crate::config::{Source, names};

/// What goes over the environment of this process, which cannot be changed while there are threads.
static ADDED: OnceLock<BTreeMap<String, String>> = OnceLock::new();

/// Reads files of variables, which from then on go over those of the environment; a later file over an earlier one. Once at most.
pub fn add_variables(paths: &[PathBuf]) -> Result<(), Problems> {
    let mut all = BTreeMap::new();
    let mut problems = Problems { sources: Vec::new(), list: Vec::new() };
    for path in paths {
        match read_variables(path) {
            Ok(variables) => all.extend(variables),
            Err(Problems { sources, list }) => {
                problems.sources.extend(sources);
                problems.list.extend(list);
            }
        }
    }
    if !problems.list.is_empty() {
        return Err(problems);
    }
    let _ = ADDED.set(all);
    Ok(())
}

pub(super) fn added() -> impl Iterator<Item = (String, String)> {
    ADDED.get().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone()))
}

fn read_variables(path: &Path) -> Result<BTreeMap<String, String>, Problems> {
    let one = |problem: Problem| Problems { sources: Vec::new(), list: vec![problem] };
    if !path.exists() {
        let mut problem = *cannot_read(path, &std::io::ErrorKind::NotFound.into());
        problem.message = "there is no such file of variables".to_owned();
        problem.help = Some("name the one that the daemon's unit has in `EnvironmentFile=`".to_owned());
        return Err(one(problem));
    }
    let text = read_one(path).map_err(|problem| one(*problem))?;
    let source = Source { path: path.to_owned(), text };
    let mut faults = Faults::default();
    let variables = parse(source.body(), &mut faults);
    if faults.errors() == 0 {
        return Ok(variables);
    }
    let mut atlas = Atlas::new(vec![&source]);
    let list = faults.into_sorted().into_iter().map(|fault| atlas.problem(fault)).collect();
    Err(Problems { sources: vec![source], list })
}

/// Lines of `NAME=VALUE`, by the rules of systemd: what begins with `#` or `;` is a comment, `\` at the end of a line goes on in the
/// next one, and quotes count where a value or a part of it begins.
fn parse(text: &str, faults: &mut Faults) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return variables;
        }
        let start = text.len() - rest.len();
        let line = rest.lines().next().unwrap_or_default();
        if line.starts_with(['#', ';']) {
            rest = &rest[line.len()..];
            continue;
        }
        let place = |length: usize| Place::new(0, start, start + length);
        let Some((name, _)) = line.split_once('=') else {
            let fault = Fault::new(place(line.trim_end().len()), "this is no line `NAME=VALUE`").label("has no `=`");
            faults.push(fault.help("write a variable and its value, or begin the line with `#`"));
            rest = &rest[line.len()..];
            continue;
        };
        if !is_variable(name.trim_end()) {
            let name = name.trim_end();
            let help = match name.strip_prefix("export ") {
                Some(_) => "leave `export` out: this is no script of a shell, and systemd does not take it either",
                None => "a name has letters, digits and `_`, and does not begin with a digit",
            };
            let message = format!("`{}` is not the name of a variable", names::quote(name));
            faults.push(Fault::new(place(name.len()), message).help(help));
            rest = &rest[line.len()..];
            continue;
        }
        let (value, length) = value_of(&rest[name.len() + 1..]);
        let Some(value) = value else {
            // All that follows may be a part of it.
            let fault = Fault::new(place(line.trim_end().len()), "a quote has no end").label("begins here");
            faults.push(fault.help("close it, or write `\\` before a quote that is a part of the value"));
            return variables;
        };
        variables.insert(name.trim_end().to_owned(), value);
        rest = &rest[name.len() + 1 + length..];
    }
}

/// The value that begins there, or nothing if a quote in it has no end; and how long it is written.
fn value_of(text: &str) -> (Option<String>, usize) {
    let mut value = String::new();
    // What stands at the end of a value without quotes is not of it, if it is blank.
    let mut trimmed = 0;
    let (mut quote, mut is_plain) = (None, false);
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match (quote, character) {
            (None, '\n') => {
                value.truncate(trimmed);
                return (Some(value), at);
            }
            (Some(open), _) if open == character => (quote, trimmed) = (None, value.len()),
            (Some('\''), _) => value.push(character),
            (_, '\\') => {
                match characters.next() {
                    None | Some((_, '\n')) => {}
                    Some((_, next)) => {
                        // Between quotes it is for what means something there.
                        if quote.is_some() && !matches!(next, '"' | '\\' | '`' | '$') {
                            value.push('\\');
                        }
                        value.push(next);
                    }
                }
                is_plain |= quote.is_none();
                trimmed = value.len();
            }
            (Some(_), _) => value.push(character),
            (None, '"' | '\'') if !is_plain => quote = Some(character),
            (None, _) if character.is_whitespace() => {
                if is_plain {
                    value.push(character);
                }
            }
            (None, _) => {
                value.push(character);
                (is_plain, trimmed) = (true, value.len());
            }
        }
    }
    value.truncate(trimmed);
    (quote.is_none().then_some(value), text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<BTreeMap<String, String>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let shown = |problems: Problems| problems.to_string().replace(file.path().to_str().unwrap(), "FILE");
        read_variables(file.path()).map_err(shown)
    }

    #[test]
    fn lines_are_read_as_systemd_reads_them() {
        let text = "# A=1\n; B=2\n\n  VIP=192.0.2.10  \r\nEMPTY=\nQ=\"a b \" \nS='a \\ \"b\"'\nP=a \"b\" 'c'\nE=a\\ \\\"\nL=a\\\nb\nD=\"x\\\"\\$\\n\"\n\
            M=\"one\ntwo\"\nT=\"a\"'b'c\nX=a=b#c\nVIP2=${VIP}";
        let variables = read(text).unwrap();
        let of = |name: &str| variables[name].as_str();
        for (name, want) in [
            ("VIP", "192.0.2.10"),
            ("EMPTY", ""),
            ("Q", "a b "),
            ("S", "a \\ \"b\""),
            ("P", "a \"b\" 'c'"),
            ("E", "a \""),
            ("L", "ab"),
            ("D", "x\"$\\n"),
            ("M", "one\ntwo"),
            ("T", "abc"),
            ("X", "a=b#c"),
            ("VIP2", "${VIP}"),
        ] {
            assert_eq!(of(name), want, "{name}");
        }
        assert_eq!(variables.len(), 12);
    }

    #[test]
    fn what_is_no_such_line_is_pointed_at() {
        let said = read("A=1\nexport B=2\nnothing\n1C=3\nD=4\n").unwrap_err();
        for want in
            ["FILE:2:1", "leave `export` out", "FILE:3:1", "no line `NAME=VALUE`", "FILE:4:1", "`1C` is not the name"]
        {
            assert!(said.contains(want), "{want}\n{said}");
        }
        let said = read("A=1\nB=\"open\nC=2\n").unwrap_err();
        assert!(said.contains("a quote has no end") && said.contains("FILE:2:1"), "{said}");
        let said = read_variables(Path::new("/nonexistent/file")).unwrap_err().to_string();
        assert!(said.contains("there is no such file of variables"), "{said}");
    }
}
