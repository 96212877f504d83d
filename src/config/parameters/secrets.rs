//! What must not be said of a configuration: what came from files.

use crate::config::fault::Fault;
use crate::config::names;
use crate::config::tree::Place;

/// Shorter than this a value is in many a text by chance: to put the parameter in its place would make that unreadable, and tell
/// the value.
const LEAST_TOLD_APART: usize = 8;
const NOT_SHOWN: &str = "see what this key takes, and what is in the file: it may be a secret, so it is not shown";

#[derive(Debug, Default)]
pub(in crate::config) struct Secrets(Vec<Secret>);

#[derive(Debug)]
struct Secret {
    /// Of the string that it is a part of.
    place: Place,
    /// The parameter, and then the whole string, as they are written, and what they stand for.
    written: String,
    value: String,
    whole_written: String,
    whole: String,
}

impl Secrets {
    pub(in crate::config) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, place: Place, written: &str, value: &str) {
        let (written, value) = (written.to_owned(), value.to_owned());
        self.0.push(Secret { place, written, value, whole_written: String::new(), whole: String::new() });
    }

    /// Tells which string those at a place went into: a message may repeat all of it.
    pub(super) fn are_in(&mut self, place: Place, written: &str, whole: &str) {
        for secret in self.0.iter_mut().rev().take_while(|secret| secret.place == place) {
            (secret.whole_written, secret.whole) = (written.to_owned(), whole.to_owned());
        }
    }

    /// The same fault, without anything that came from a file.
    pub(in crate::config) fn keep(&self, mut fault: Fault) -> Fault {
        for secret in &self.0 {
            if secret.is_of(&fault) {
                veil(&mut fault, format!("what `{}` stands for is not right here", secret.written));
                continue;
            }
            if secret.value.is_empty() {
                continue;
            }
            // Where it is one of several things that a message is about.
            for (value, written) in [(&secret.whole, &secret.whole_written), (&secret.value, &secret.written)] {
                if value.len() >= LEAST_TOLD_APART {
                    for hidden in forms(value) {
                        each_text(&mut fault, |text| *text = text.replace(&hidden, written));
                    }
                } else if !value.is_empty() {
                    let mut is_said = false;
                    let forms = forms(value);
                    each_text(&mut fault, |text| is_said |= forms.iter().any(|form| has_word(text, form)));
                    if is_said {
                        let message = format!("what is wrong here would show what `{}` stands for", secret.written);
                        veil(&mut fault, message);
                    }
                }
            }
        }
        fault
    }
}

impl Secret {
    /// Whether a fault is about the string that this went into.
    fn is_of(&self, fault: &Fault) -> bool {
        let mut places = fault.place.iter().chain(fault.related.iter().map(|(place, _)| place));
        places.any(|place| *place == self.place)
    }
}

/// As messages have it.
fn forms(value: &str) -> [String; 3] {
    [value.to_owned(), names::quote(value), names::sentence(value)]
}

fn each_text(fault: &mut Fault, mut with: impl FnMut(&mut String)) {
    with(&mut fault.message);
    with(&mut fault.label);
    fault.help.iter_mut().for_each(with);
}

fn veil(fault: &mut Fault, message: String) {
    fault.message = message;
    fault.label = String::new();
    fault.help = Some(NOT_SHOWN.to_owned());
}

/// Whether that stands in a text by itself. What is nothing but punctuation is a word only in quotes.
fn has_word(text: &str, word: &str) -> bool {
    if !word.contains(char::is_alphanumeric) {
        return text.contains(&format!("`{word}`")) || text.contains(&format!("\"{word}\""));
    }
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + word.len()..]);
        !before.ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric)
    })
}
