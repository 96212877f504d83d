//! Names in messages: what was probably meant, and lists that people can read.

/// How many characters of somebody else's text a message repeats.
const MOST_QUOTED: usize = 60;

/// The text as a message may repeat it: short, on one line, without anything that a terminal would act on.
pub(super) fn quote(text: &str) -> String {
    cut(text, MOST_QUOTED)
}

/// The same for a sentence that repeats such text.
pub(super) fn sentence(text: &str) -> String {
    cut(text, MOST_QUOTED * 3)
}

fn cut(text: &str, most: usize) -> String {
    let mut out = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == most {
            out.push('…');
            break;
        }
        if character.is_control() || is_invisible(character) {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out
}

/// Zero-width characters and those that turn the direction of writing.
pub(super) fn is_invisible(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The candidate that was probably meant, if one is near enough.
pub(crate) fn nearest<'c>(text: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    if text.len() > MOST_QUOTED {
        return None;
    }
    let text = text.to_lowercase().replace('-', "_");
    let limit = (text.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&text, &candidate.replace('-', "_")), candidate))
        .filter(|(distance, candidate)| *distance <= limit && *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `a`, `b` and `c`, each in backticks.
pub(super) fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => "none".to_owned(),
    }
}

/// `a`, `b` or `c`, each in backticks.
pub(super) fn one_of(names: &[&str]) -> String {
    either(names, '`')
}

/// "a", "b" or "c", each in double quotes.
pub(super) fn choice(words: &[&str]) -> String {
    either(words, '"')
}

fn either(words: &[&str], quote: char) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("{quote}{word}{quote}")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => "nothing".to_owned(),
    }
}

/// How long the name of a service or a check may be.
pub(super) const NAME_MAX: usize = 64;

/// The rule of [`is_name`], for a help.
pub(super) fn names_are() -> String {
    format!(
        "a name has letters, digits, `.`, `_` and `-`, starts with a letter or digit, and is at most {NAME_MAX} long"
    )
}

/// Letters, digits, `.`, `_` and `-`, starting with a letter or digit, at most [`NAME_MAX`].
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= NAME_MAX
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_key() {
        let keys = ["scheduler", "scheduler_flags", "address", "weight"];
        assert_eq!(nearest("schedular", keys), Some("scheduler"));
        assert_eq!(nearest("Scheduler-Flags", keys), Some("scheduler_flags"));
        assert_eq!(nearest("adress", keys), Some("address"));
        assert_eq!(nearest("colour", keys), None);
        assert_eq!(nearest("x", ["rr"]), None);
    }

    #[test]
    fn what_a_terminal_would_act_on_is_spelled_out() {
        assert_eq!(quote("a\u{1b}[31m\u{202e}"), "a\\u{1b}[31m\\u{202e}");
        assert_eq!(quote(&"x".repeat(100)).chars().count(), MOST_QUOTED + 1);
    }
}
