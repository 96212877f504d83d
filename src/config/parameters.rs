//! Parameters: `${NAME}`, `${NAME:-DEFAULT}` and `${file:PATH}` in strings of values. Pure: what they stand for was read before.
//!
//! They are put in after a file is parsed, into one string each. So nothing that a variable or a file holds can become a key, a list
//! or another value, and whoever has no `${` in a file has none of it. A `$` without a brace is a dollar, and `$${` stands for `${`.
//!
//! Left alone are keys, what came over the API (nobody reads files of this host with it, and a `$${` is one all the same), and the arguments of programs (`argv`,
//! `on_change`), which are often those of a shell that has a `${NAME}` of its own.

mod secrets;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::fault::{Fault, Faults};
use super::names;
use super::tree::{Node, Place, Value};
pub(super) use secrets::Secrets;

/// Keys whose lists are left as they are.
const ARGUMENTS: [&str; 2] = ["argv", "on_change"];
const ESCAPE: &str = "a `${` that is meant as it stands is written `$${`";

/// What parameters can stand for: an input of a configuration, as its files are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    /// What is in the files that parameters name, or why that is not known.
    files: BTreeMap<PathBuf, Result<String, String>>,
}

/// Without what is in it.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").field("files", &self.files.keys()).finish_non_exhaustive()
    }
}

impl Environment {
    /// One in which nothing is known.
    pub const NONE: Self = Self { variables: BTreeMap::new(), files: BTreeMap::new() };

    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { variables: variables.into_iter().collect(), files: BTreeMap::new() }
    }

    /// Takes in what is in a file, or why that is not known.
    pub fn put_file(&mut self, path: PathBuf, content: Result<String, String>) {
        self.files.insert(path, content);
    }
}

/// Where a string with parameters stands, and what is known.
pub(super) struct Filling<'f> {
    /// The text of the file.
    pub body: &'f str,
    /// The directory that paths are relative to.
    pub base: &'f Path,
    /// Nothing for what came over the API: there `${` is no parameter.
    pub environment: Option<&'f Environment>,
    pub faults: &'f mut Faults,
}

/// Whether there may be parameters in a file. In a string with escapes a `${` need not stand as such.
pub(super) fn may_be_in(body: &str) -> bool {
    // Most files have neither, and nothing is looked for as quickly as a byte.
    let has = |byte: u8| memchr::memchr(byte, body.as_bytes()).is_some();
    let (has_dollar, has_escape) = (has(b'$'), has(b'\\'));
    (has_dollar && (has_escape || body.contains("${")))
        || (has_escape && (body.contains("0024") || body.contains("x24")))
}

/// The paths of `${file:PATH}` in a text, wherever they stand in it.
pub(super) fn files_in(body: &str) -> impl Iterator<Item = &str> {
    let parts = body.split("${file:").skip(1);
    parts.filter_map(|part| part.split_once('}').map(|(path, _)| path)).filter(|path| !path.contains('\n'))
}

/// The directory that a file's relative paths start from.
pub(super) fn base_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

impl Filling<'_> {
    /// Puts what they stand for in the place of all parameters. What nests is bounded by the parsers.
    pub(super) fn fill(&mut self, node: &mut Node<'_>) {
        match &mut node.value {
            Value::Text(text) if text.contains("${") => node.value = self.filled(text, node.place),
            Value::List(items) => items.iter_mut().for_each(|item| self.fill(item)),
            Value::Table(entries) => {
                for entry in entries {
                    let is_program = ARGUMENTS.contains(&&*entry.key) && matches!(entry.node.value, Value::List(_));
                    if !is_program {
                        self.fill(&mut entry.node);
                    }
                }
            }
            _ => {}
        }
    }

    /// What a string stands for. If that is not known a fault says so.
    fn filled(&mut self, text: &str, place: Place) -> Value<'static> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        let (mut is_alone, mut is_known) = (false, true);
        while let Some(at) = rest.find("${") {
            let (before, from) = rest.split_at(at);
            if let Some(before) = before.strip_suffix('$') {
                out.push_str(before);
                out.push_str("${");
                rest = &from[2..];
                continue;
            }
            out.push_str(before);
            let Some(environment) = self.environment else {
                out.push_str("${");
                rest = &from[2..];
                continue;
            };
            let Some((inner, after)) = from[2..].split_once('}') else {
                let fault = Fault::new(self.narrow(place, from), "this parameter has no end");
                self.faults.push(fault.label("no `}` after it").help(format!("write `${{NAME}}`; {ESCAPE}")));
                return Value::Broken;
            };
            let written = &from[..inner.len() + 3];
            match self.value_of(environment, inner, written, place) {
                Ok(value) => out.push_str(&value),
                Err(fault) => {
                    is_known = false;
                    self.faults.push(*fault);
                }
            }
            is_alone = written == text;
            rest = after;
        }
        out.push_str(rest);
        self.faults.secrets.are_in(place, text, &out);
        match (is_known, is_alone) {
            (false, _) => Value::Broken,
            (true, true) => Value::Given(out),
            (true, false) => Value::Text(out.into()),
        }
    }

    fn value_of(
        &mut self,
        environment: &Environment,
        inner: &str,
        written: &str,
        place: Place,
    ) -> Result<String, Box<Fault>> {
        let at = self.narrow(place, written);
        if let Some(path) = inner.strip_prefix("file:") {
            return self.in_file(environment, path, written, (place, at));
        }
        let (name, default) = match inner.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        if !is_variable(name) {
            let fault = Fault::new(at, format!("`{}` is no parameter", names::quote(written)));
            let help = "write `${NAME}` (letters, digits and `_`), `${NAME:-DEFAULT}` or `${file:/PATH}`";
            return Err(Box::new(fault.help(format!("{help}; {ESCAPE}"))));
        }
        // What stands before the first `}` is all of it, so this would go on as text, and the rest of it after that.
        if let Some(nested) = default.and_then(|default| default.find("${").map(|at| &default[at..])) {
            let nested = &written[written.len() - nested.len() - 1..];
            let fault = Fault::new(self.narrow(place, nested), "a default cannot have a parameter in it");
            let help = "name a variable or a file that has the whole value, or set the variable where ipvsd is started and leave the default out";
            return Err(Box::new(fault.label("would stay as it is written").help(help)));
        }
        match (environment.variables.get(name), default) {
            (Some(value), None) => Ok(value.clone()),
            (Some(value), Some(_)) if !value.is_empty() => Ok(value.clone()),
            (_, Some(default)) => Ok(default.to_owned()),
            (None, None) => {
                let fault = Fault::new(at, format!("the environment has no `{name}`")).label("stands for nothing");
                let known: Vec<String> = environment.variables.keys().map(|known| known.to_lowercase()).collect();
                let near = names::nearest(name, known.iter().map(String::as_str));
                let near =
                    near.and_then(|near| environment.variables.keys().find(|known| known.to_lowercase() == near));
                Err(Box::new(fault.help(match near {
                    Some(near) => format!("there is `{near}`"),
                    None => format!("set it where ipvsd is started, or give it a default: `${{{name}:-…}}`; {ESCAPE}"),
                })))
            }
        }
    }

    fn in_file(
        &mut self,
        environment: &Environment,
        path: &str,
        written: &str,
        (place, at): (Place, Place),
    ) -> Result<String, Box<Fault>> {
        match environment.files.get(&self.base.join(path)) {
            Some(Ok(content)) => {
                // As `$(cat FILE)` has it.
                let value = content.trim_end_matches(['\n', '\r']).to_owned();
                self.faults.secrets.add(place, written, &value);
                Ok(value)
            }
            Some(Err(why)) => {
                let fault = Fault::new(at, format!("cannot read `{}`: {why}", names::quote(path)));
                Err(Box::new(
                    fault
                        .label("stands for nothing")
                        .help("ipvsd has to be allowed to read a file with text in it there"),
                ))
            }
            None => {
                let fault = Fault::new(at, format!("`{}` was not read", names::quote(path)));
                Err(Box::new(fault.help("write the parameter without escapes, and on one line")))
            }
        }
    }

    /// Where that stands in the string at `place`, if it stands there as such.
    fn narrow(&self, place: Place, written: &str) -> Place {
        let (start, end) = (place.start as usize, place.end as usize);
        let found = self.body.get(start..end).and_then(|text| text.find(written));
        found.map_or(place, |at| Place::new(place.file, start + at, start + at + written.len()))
    }
}

/// A name that a shell would take for one.
pub(super) fn is_variable(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests;
