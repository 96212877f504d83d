//! The little of roff that manual pages take.

/// Text as it is, on a line of its own or within one.
pub(crate) fn plain(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-").replace('…', "...").replace('–', "\\(en");
    // At the beginning of a line these would be requests.
    match escaped.chars().next() {
        Some('.' | '\'') => format!("\\&{escaped}"),
        _ => escaped,
    }
}

pub(crate) fn bold(text: &str) -> String {
    format!("\\fB{}\\fR", plain(text))
}

/// Prose in which `code` is bold, wrapped by nobody but the reader's terminal.
pub(crate) fn prose(text: &str) -> String {
    let mut out = String::new();
    for (index, part) in text.split('`').enumerate() {
        if index % 2 == 1 {
            out.push_str(&bold(part));
        } else if out.is_empty() {
            out.push_str(&plain(part));
        } else {
            // Within a line, nothing is a request.
            out.push_str(plain(part).trim_start_matches("\\&"));
        }
    }
    out
}
