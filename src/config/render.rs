//! Problems as text, the way `rustc` draws them.
//!
//! Only the lines in question are given to the drawing, and only a part of very long ones, so that the work is
//! bounded by the number of problems and not by the size of the files.

use std::ops::Range;
use std::path::Path;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::Source;
use super::names::{is_invisible, quote};
use super::problem::{Problem, Related, Severity};

/// Characters of a line that are shown on either side of the caret.
const AROUND: usize = 100;
/// Longest caret.
const LONGEST: usize = 100;

/// The problems, drawn on their sources, each ended by a line break and an empty line between two.
pub fn render(sources: &[Source], problems: &[Problem], color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let drawn: Vec<String> = problems.iter().map(|problem| draw(sources, problem, &renderer)).collect();
    drawn.join("\n")
}

fn draw(sources: &[Source], problem: &Problem, renderer: &Renderer) -> String {
    let Problem { severity, message, file, line, column, span, label, related, help } = problem;
    let level = match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(printable(message));
    let mut group = Group::with_title(title);
    if let Some(file) = file {
        if let (Some(line), Some(column), Some(span)) = (line, column, span) {
            let excerpt = Excerpt::of(sources, file, span.clone());
            group = excerpt.draw(group, file, (*line, *column), label, AnnotationKind::Primary);
        } else {
            group = group.element(Origin::path(shown(file)));
        }
    }
    for Related { file, line, column, span, label } in related {
        let excerpt = Excerpt::of(sources, file, span.clone());
        group = excerpt.draw(group, file, (*line, *column), label, AnnotationKind::Context);
    }
    if let Some(help) = help {
        group = group.element(Level::HELP.message(printable(help)));
    }
    let mut text = renderer.render(&[group]);
    text.push('\n');
    text
}

fn shown(path: &Path) -> String {
    let text = path.display().to_string();
    if text.chars().any(|c| c.is_control() || is_invisible(c)) { quote(&text) } else { text }
}

/// Messages keep to one line and to what a terminal does not act on.
fn printable(text: &str) -> String {
    let bad = |c: char| c.is_control() || is_invisible(c);
    if !text.contains(bad) {
        return text.to_owned();
    }
    text.chars().flat_map(|c| if bad(c) { c.escape_unicode().collect() } else { vec![c] }).collect()
}

/// The part of a line that is shown, and where the caret is in it.
struct Excerpt {
    text: String,
    span: Range<usize>,
    /// Whether the line starts earlier.
    cut: bool,
}

impl Excerpt {
    fn of(sources: &[Source], file: &Path, span: Range<usize>) -> Self {
        let body = sources.iter().find(|source| source.path == file).map_or("", Source::body);
        let before = body.get(..span.start).unwrap_or("");
        let inside = body.get(span.clone()).unwrap_or("");
        let after = body.get(span.end..).unwrap_or("");

        let skip = before.char_indices().rev().take_while(|(_, c)| *c != '\n').take(AROUND + 1);
        let (start, count) = skip.fold((before.len(), 0), |(_, count), (at, _)| (at, count + 1));
        let mut text = String::new();
        let head = if count > AROUND {
            let mut head = before[start..].chars();
            head.next();
            text.push('…');
            head.as_str()
        } else {
            &before[start..]
        };
        push_shown(&mut text, head);
        let from = text.len();
        push_shown(&mut text, inside.char_indices().nth(LONGEST).map_or(inside, |(at, _)| &inside[..at]));
        let to = text.len();
        let mut tail = after.chars().take_while(|c| !matches!(c, '\n' | '\r'));
        let shown: String = tail.by_ref().take(AROUND).collect();
        push_shown(&mut text, &shown);
        if tail.next().is_some() {
            text.push('…');
        }
        Self { text, span: from..to, cut: count > AROUND }
    }

    fn draw<'g>(
        self,
        group: Group<'g>,
        file: &Path,
        at: (usize, usize),
        label: &str,
        kind: AnnotationKind,
    ) -> Group<'g> {
        let Self { text, span, cut } = self;
        let mut annotation = kind.span(span);
        if !label.is_empty() {
            annotation = annotation.label(printable(label));
        }
        let snippet = Snippet::source(text).line_start(at.0).annotation(annotation);
        if cut {
            // The column cannot be counted in what is left of the line.
            return group.element(Origin::path(shown(file)).line(at.0).char_column(at.1)).element(snippet);
        }
        group.element(snippet.path(shown(file)))
    }
}

/// Text of a source line, character by character; what cannot be seen becomes visible.
fn push_shown(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '\t' => out.push('\t'),
            '\r' | '\n' => out.push(' '),
            c if c.is_control() || is_invisible(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}
