//! A Rust file as far as the rules need it: its words without comments, literals and test code, and the paths in it that
//! lead into other modules of the crate.

/// One identifier, and how it stands.
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) line: usize,
    /// Followed by `!` and a bracket.
    pub(crate) is_macro: bool,
    /// Starts a path, or follows `use` or `extern crate`, and is no module of the file's own: the name of a crate, if it is one.
    pub(crate) is_crate: bool,
    /// Has `::` at one side.
    pub(crate) in_path: bool,
}

/// A path from the crate's root: the layer, and the name behind it (`*` for a glob, empty for the layer itself).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) layer: String,
    pub(crate) item: String,
    pub(crate) line: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    text: String,
    line: usize,
}

pub(crate) struct Source {
    path: String,
    tokens: Vec<Token>,
}

impl Source {
    /// `path` is relative to `src/`.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let is_test = path.ends_with("tests.rs") || path.split('/').any(|part| part == "tests");
        let tokens = if is_test { Vec::new() } else { without_tests(tokens(&blank(text))) };
        Source { path: path.to_owned(), tokens }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The top-level module that the file belongs to; `main` and `lib` for the two roots.
    pub(crate) fn layer(&self) -> &str {
        self.path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    /// How many `super` lead from the file's module to the crate's root.
    fn depth(&self) -> usize {
        let parts =
            self.path.trim_end_matches(".rs").split('/').filter(|part| !matches!(*part, "mod" | "lib" | "main"));
        parts.count()
    }

    fn at(&self, index: usize) -> &str {
        self.tokens.get(index).map_or("", |token| &token.text)
    }

    /// Whether the `::` at `index` starts its path, which then starts at a crate.
    fn is_leading(&self, index: usize) -> bool {
        self.at(index) == "::"
            && (index == 0
                || !(is_identifier(self.at(index - 1)) || self.at(index - 1) == ">")
                || self.at(index - 1) == "use")
    }

    pub(crate) fn words(&self) -> Vec<Word> {
        let modules: Vec<&str> =
            self.tokens.windows(2).filter(|pair| pair[0].text == "mod").map(|pair| &*pair[1].text).collect();
        let identifiers = self.tokens.iter().enumerate().filter(|(_, token)| is_identifier(&token.text));
        let words = identifiers.map(|(index, token)| {
            let before = if index == 0 { "" } else { self.at(index - 1) };
            let path_follows = self.at(index + 1) == "::";
            Word {
                text: token.text.clone(),
                line: token.line,
                is_macro: self.at(index + 1) == "!" && matches!(self.at(index + 2), "(" | "[" | "{"),
                is_crate: (before != "::"
                    && !modules.contains(&&*token.text)
                    && (path_follows || matches!(before, "use" | "crate")))
                    || (index > 0 && self.is_leading(index - 1)),
                in_path: before == "::" || path_follows,
            }
        });
        words.collect()
    }

    /// Every path that starts at the crate's root: `crate::…`, `ipvsd::…`, and `super::…` as far up as it goes.
    pub(crate) fn references(&self) -> Vec<Reference> {
        let mut found = Vec::new();
        let mut index = 0;
        while index < self.tokens.len() {
            let mut next = index + 1;
            let starts = match self.at(index) {
                _ if index > 0 && self.at(index - 1) == "::" => false,
                "crate" | "ipvsd" => true,
                "super" => {
                    let mut ups = 1;
                    while self.at(next) == "::" && self.at(next + 1) == "super" {
                        ups += 1;
                        next += 2;
                    }
                    ups >= self.depth()
                }
                _ => false,
            };
            if starts && self.at(next) == "::" {
                self.tree(next + 1, &mut Vec::new(), &mut found);
            }
            index = next;
        }
        found
    }

    /// Reads one branch of a use tree (or a plain path) at `index`, and returns the index behind it.
    fn tree(&self, mut index: usize, prefix: &mut Vec<Token>, found: &mut Vec<Reference>) -> usize {
        let length = prefix.len();
        loop {
            match self.at(index) {
                "{" => {
                    index += 1;
                    while !matches!(self.at(index), "}" | "") {
                        index = self.tree(index, prefix, found);
                        if self.at(index) == "," {
                            index += 1;
                        } else if self.at(index) != "}" {
                            break;
                        }
                    }
                    prefix.truncate(length);
                    return index + 1;
                }
                name if is_identifier(name) || name == "*" => {
                    prefix.push(self.tokens[index].clone());
                    index += 1;
                    if self.at(index) == "::" {
                        index += 1;
                        continue;
                    }
                    if self.at(index) == "as" {
                        index += 2;
                    }
                }
                _ => {}
            }
            if let Some(layer) = prefix.first() {
                // The second name of `plan::self` is no name.
                let item = prefix.get(1).filter(|item| item.text != "self");
                let line = item.map_or(layer.line, |item| item.line);
                let item = item.map(|item| item.text.clone()).unwrap_or_default();
                found.push(Reference { layer: layer.text.clone(), item, line });
            }
            prefix.truncate(length);
            return index;
        }
    }
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// The text with comments and the insides of literals turned into spaces; lines stay where they are.
fn blank(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let at = |index: usize| characters.get(index).copied().unwrap_or('\0');
    let mut out = String::with_capacity(text.len());
    let mut index = 0;
    while index < characters.len() {
        let end = match at(index) {
            '/' if at(index + 1) == '/' => {
                (index..characters.len()).find(|&i| at(i) == '\n').unwrap_or(characters.len())
            }
            '/' if at(index + 1) == '*' => {
                let (mut depth, mut i) = (1, index + 2);
                while i < characters.len() && depth > 0 {
                    match (at(i), at(i + 1)) {
                        ('/', '*') => (depth, i) = (depth + 1, i + 2),
                        ('*', '/') => (depth, i) = (depth - 1, i + 2),
                        _ => i += 1,
                    }
                }
                i
            }
            'r' if !continues_word(&out) && matches!(at(index + 1), '"' | '#') => {
                raw_string_end(&characters, index + 1)
            }
            '"' => quoted_end(&characters, index, '"'),
            // A lifetime has no closing quote behind its one character.
            '\'' if at(index + 1) == '\\' || at(index + 2) == '\'' => quoted_end(&characters, index, '\''),
            _ => index,
        };
        if end == index {
            out.push(at(index));
            index += 1;
        } else {
            out.extend((index..end.min(characters.len())).map(|i| if at(i) == '\n' { '\n' } else { ' ' }));
            index = end;
        }
    }
    out
}

/// Whether an `r` here would be the end of a longer word; `br` and `cr` start raw strings, too.
fn continues_word(out: &str) -> bool {
    let tail: String = out.chars().rev().take_while(|last| last.is_alphanumeric() || *last == '_').collect();
    !matches!(tail.as_str(), "" | "b" | "c")
}

fn quoted_end(characters: &[char], start: usize, quote: char) -> usize {
    let mut index = start + 1;
    while index < characters.len() && characters[index] != quote {
        index += if characters[index] == '\\' { 2 } else { 1 };
    }
    index + 1
}

/// `start` is behind the `r`. A raw identifier (`r#type`) is no string.
fn raw_string_end(characters: &[char], start: usize) -> usize {
    let hashes = characters[start..].iter().take_while(|character| **character == '#').count();
    if characters.get(start + hashes) != Some(&'"') {
        return start - 1;
    }
    let closes = |i: usize| {
        characters[i] == '"' && characters[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
    };
    (start + hashes + 1..characters.len()).find(|&i| closes(i)).map_or(characters.len(), |i| i + 1 + hashes)
}

fn tokens(text: &str) -> Vec<Token> {
    let mut found: Vec<Token> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = if rest.starts_with("::") {
                2
            } else if first.is_alphanumeric() || first == '_' {
                rest.find(|next: char| !next.is_alphanumeric() && next != '_').unwrap_or(rest.len())
            } else {
                first.len_utf8()
            };
            found.push(Token { text: rest[..length].to_owned(), line: number + 1 });
            rest = rest[length..].trim_start();
        }
    }
    found
}

/// Takes out each item that `#[cfg(test)]` stands before: up to its closing brace or semicolon.
fn without_tests(tokens: Vec<Token>) -> Vec<Token> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        let marked = tokens[index..].iter().map(|token| token.text.as_str()).take(MARK.len()).eq(MARK);
        if !marked {
            kept.push(tokens[index].clone());
            index += 1;
            continue;
        }
        index += MARK.len();
        let mut depth = 0_usize;
        while index < tokens.len() {
            let text = tokens[index].text.as_str();
            index += 1;
            match text {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && matches!(text, "}" | ";") {
                break;
            }
        }
    }
    kept
}
