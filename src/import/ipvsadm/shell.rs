//! From lines to the words of ipvsadm commands. A rule starts with an option or with the program's name, whatever its path;
//! a script may have comments, variables that are set to plain values, and several commands in a line.

use std::collections::HashMap;

use crate::import::report::{Line, Place, Report};

/// A word of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub text: String,
    pub place: Place,
}

/// The words of one ipvsadm command, without the program.
#[derive(Debug, Clone)]
pub(super) struct Words {
    /// All of it.
    pub place: Place,
    pub list: Vec<Word>,
}

/// What a script has set and begun.
#[derive(Debug, Default)]
pub(super) struct Script {
    variables: HashMap<String, String>,
    /// A line that ends in a backslash, and goes on in the next.
    begun: Option<(Place, String)>,
    /// What ends the text that is given to a command on its standard input.
    until: Option<String>,
}

/// Commands of a shell that change nothing of the table, and what to do about them.
const HARMLESS: [(&str, &str); 9] = [
    ("modprobe", "write `modules = true` under [host], if ipvsd is to load them"),
    ("insmod", "write `modules = true` under [host], if ipvsd is to load them"),
    ("sysctl", "write it under [host.sysctls]"),
    ("echo", "if it sets something below /proc/sys/net, write that under [host.sysctls]"),
    ("ip", "service addresses on an interface are `addresses` under [host]; all else stays as it is"),
    ("iptables", "the rules of a firewall stay as they are"),
    ("set", "nothing has to be done"),
    ("exit", "nothing has to be done"),
    ("export", "nothing has to be done"),
];

impl Script {
    /// The commands that end in this line. What is none of ipvsadm is said.
    pub(super) fn commands(&mut self, line: Line<'_>, report: &mut Report) -> Vec<Words> {
        if self.until.as_deref() == Some(line.text.trim()) {
            self.until = None;
            return Vec::new();
        }
        let (place, text) = match self.begun.take() {
            Some((place, before)) => (place, before + line.text),
            None => (line.place, line.text.to_owned()),
        };
        if let Some(rest) = text.strip_suffix('\\').filter(|rest| !rest.trim_start().starts_with('#')) {
            self.begun = Some((place, format!("{rest} ")));
            return Vec::new();
        }
        let mut found = Vec::new();
        for (start, words) in split(&text) {
            let end = words.last().map_or(start, |raw| raw.end);
            self.command(place.part(start..end), &place, &words, report, &mut found);
        }
        found
    }

    /// Says what was begun and not ended.
    pub(super) fn end(self, report: &mut Report) {
        if let Some((place, _)) = self.begun {
            report.error(&place, "the last line goes on, and nothing follows", "remove the backslash at its end");
        }
        if let Some(word) = self.until {
            let file = Place { file: 0, line: 1, span: 0..0 };
            report.error(&file, format!("the text that ends with `{word}` has no end"), "add that line");
        }
    }

    fn command(&mut self, place: Place, line: &Place, words: &[Raw], report: &mut Report, found: &mut Vec<Words>) {
        let mut list = Vec::new();
        let mut unknown = None;
        for raw in words {
            match self.expand(raw) {
                Ok(text) => list.push(Word { text, place: line.part(raw.start..raw.end) }),
                Err(variable) => {
                    unknown.get_or_insert((line.part(raw.start..raw.end), variable));
                    list.push(Word { text: raw.text(), place: line.part(raw.start..raw.end) });
                }
            }
        }
        while list.first().is_some_and(|word| matches!(word.text.as_str(), "sudo" | "exec" | "command")) {
            list.remove(0);
        }
        let Some(first) = list.first().map(|word| word.text.clone()) else { return };
        if let Some((name, value)) = first.split_once('=').filter(|(name, _)| is_name(name)) {
            if list.len() == 1 && unknown.is_none() {
                self.variables.insert(name.to_owned(), value.to_owned());
                return;
            }
            self.variables.remove(name);
        }
        let program = first.rsplit('/').next().unwrap_or_default();
        if matches!(program, "true" | ":") {
            return;
        }
        if program == "ipvsadm" || program == "ipvsadm.exe" {
            list.remove(0);
        } else if !first.starts_with('-') {
            self.other(&place, program, report);
            return;
        }
        if let Some((place, variable)) = unknown {
            let message = format!("`{variable}` is not known here");
            let help = "run the script where it belongs, and import what `ipvsadm -Sn` says then";
            report.error(&place, message, help);
            return;
        }
        if let Some(at) = list.iter().position(|word| word.text.starts_with("<<")) {
            let word = list.remove(at).text.trim_start_matches(['<', '-']).to_owned();
            let word = if word.is_empty() && at < list.len() { list.remove(at).text } else { word };
            self.until = Some(word);
            // What follows are lines like those of any script.
            list.retain(|word| !matches!(word.text.as_str(), "-R" | "--restore"));
        }
        redirections(&mut list);
        if !list.is_empty() {
            found.push(Words { place, list });
        }
    }

    fn other(&self, place: &Place, program: &str, report: &mut Report) {
        match HARMLESS.iter().find(|(name, _)| *name == program || program.strip_suffix('6') == Some(name)) {
            Some((name, help)) => report.warn(place, format!("`{name}` is not ipvsadm, and is passed over"), *help),
            None => {
                let help = "only lines that start with an option of ipvsadm, or with ipvsadm, are read; for all else run the \
                            script where it belongs, and import what `ipvsadm -Sn` says then";
                report.error(place, "this is not a line of ipvsadm", help)
            }
        };
    }

    /// The word with what its variables are set to; the first that is not known, else.
    fn expand(&self, raw: &Raw) -> Result<String, String> {
        let mut out = String::new();
        for part in &raw.parts {
            match part {
                Part::Plain(text) => out.push_str(text),
                Part::Variable(name) => match self.variables.get(name) {
                    Some(value) => out.push_str(value),
                    None => return Err(format!("${name}")),
                },
            }
        }
        Ok(out)
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Takes out `> FILE`, `2>&1` and their like.
fn redirections(list: &mut Vec<Word>) {
    let mut at = 0;
    while let Some(word) = list.get(at) {
        let bare = word.text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '&');
        let Some(rest) = bare.strip_prefix(['>', '<']) else {
            at += 1;
            continue;
        };
        let alone = rest.trim_start_matches(['>', '&']).is_empty();
        list.remove(at);
        if alone && at < list.len() {
            list.remove(at);
        }
    }
}

#[derive(Debug)]
enum Part {
    Plain(String),
    Variable(String),
}

/// A word as it stands, in bytes of the line.
#[derive(Debug)]
struct Raw {
    start: usize,
    end: usize,
    parts: Vec<Part>,
}

impl Raw {
    fn text(&self) -> String {
        let parts = self.parts.iter().map(|part| match part {
            Part::Plain(text) => text.clone(),
            Part::Variable(name) => format!("${name}"),
        });
        parts.collect()
    }
}

/// The commands of a line, each with where it starts. Quotes as in a shell; a `#` that begins a word ends the line.
fn split(text: &str) -> Vec<(usize, Vec<Raw>)> {
    let mut commands = Vec::new();
    let mut words: Vec<Raw> = Vec::new();
    let mut word: Option<Raw> = None;
    let mut quote = None;
    let mut chars = text.char_indices().peekable();
    let plain = |word: &mut Option<Raw>, at: usize, c: Option<char>| {
        let word = word.get_or_insert(Raw { start: at, end: at, parts: Vec::new() });
        word.end = at + c.map_or(1, char::len_utf8);
        if let Some(c) = c {
            match word.parts.last_mut() {
                Some(Part::Plain(text)) => text.push(c),
                _ => word.parts.push(Part::Plain(c.to_string())),
            }
        }
    };
    while let Some((at, c)) = chars.next() {
        match (c, quote) {
            (c, Some(open)) if c == open => {
                quote = None;
                plain(&mut word, at, None);
            }
            ('\'' | '"', None) => {
                quote = Some(c);
                plain(&mut word, at, None);
            }
            ('\\', None | Some('"')) => {
                let next = chars.next().map(|(_, next)| next);
                plain(&mut word, at, Some(next.unwrap_or('\\')));
                if let (Some(word), Some(next)) = (word.as_mut(), next) {
                    word.end = at + 1 + next.len_utf8();
                }
            }
            ('$', None | Some('"')) => {
                let rest = text.get(at + 1..).unwrap_or_default();
                let (name, length) = variable(rest);
                let word = word.get_or_insert(Raw { start: at, end: at, parts: Vec::new() });
                word.end = at + 1 + length;
                word.parts.push(Part::Variable(name));
                while chars.peek().is_some_and(|(next, _)| *next < at + 1 + length) {
                    chars.next();
                }
            }
            ('`', None | Some('"')) => {
                let word = word.get_or_insert(Raw { start: at, end: at, parts: Vec::new() });
                word.end = at + 1;
                word.parts.push(Part::Variable("(…)".to_owned()));
            }
            ('#', None) if word.is_none() => break,
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (';' | '|', None) => {
                words.extend(word.take());
                end(&mut words, &mut commands);
            }
            ('&', None) if chars.peek().is_some_and(|(_, next)| *next == '&') => {
                chars.next();
                words.extend(word.take());
                end(&mut words, &mut commands);
            }
            (c, _) => plain(&mut word, at, Some(c)),
        }
    }
    words.extend(word.take());
    end(&mut words, &mut commands);
    commands
}

fn end(words: &mut Vec<Raw>, commands: &mut Vec<(usize, Vec<Raw>)>) {
    if let Some(first) = words.first() {
        commands.push((first.start, std::mem::take(words)));
    }
}

/// The name behind a `$`, and how many bytes it takes.
fn variable(rest: &str) -> (String, usize) {
    if let Some(inner) = rest.strip_prefix('{')
        && let Some(length) = inner.find('}')
    {
        return (inner[..length].to_owned(), length + 2);
    }
    let length = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    (rest[..length].to_owned(), length)
}
