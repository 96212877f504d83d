//! Names that a configuration takes, each once.

use std::collections::HashSet;

use crate::model::ServiceKey;

/// The longest name of a service or check.
const LONGEST: usize = 64;

/// Names that are taken.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<String>);

impl Names {
    /// A name like the wanted one that nothing has yet.
    pub(super) fn take(&mut self, wanted: &str) -> String {
        let plain = plain(wanted);
        let mut name = plain.clone();
        let mut number = 1usize;
        while !self.0.insert(name.clone()) {
            number += 1;
            let end = format!("-{number}");
            name = plain.chars().take(LONGEST - end.len()).collect::<String>() + &end;
        }
        name
    }
}

/// Letters, digits, `.`, `_` and `-` are as they are; the first of it is a letter or digit.
pub(super) fn plain(wanted: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name: String = wanted.trim().chars().map(|c| if fits(c) { c } else { '-' }).collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let name: String = name.chars().take(LONGEST).collect();
    let name = name.trim_end_matches('-').to_owned();
    if name.is_empty() { "service".to_owned() } else { name }
}

/// `tcp-192.0.2.10-80`, as an import of the live table calls it.
pub(super) fn of_key(key: &ServiceKey) -> String {
    match key {
        ServiceKey::Address { protocol, address, port } => {
            format!("{protocol}-{}-{port}", address.to_string().replace(':', "-"))
        }
        ServiceKey::Mark { .. } => key.to_string().replace(':', "-"),
    }
}
