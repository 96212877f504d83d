//! Where a configuration keeps its state, though it is not good: a slip elsewhere in it must not keep whoever came to help from the
//! daemon that runs.

use std::path::PathBuf;

use super::fault::Faults;
use super::tree::Value;
use super::yaml::Positions;
use super::{Environment, Source, document, gather};

/// `daemon.state_dir`, if it can be made out; see [`gather`] for the paths.
pub fn peek_state_dir(paths: &[PathBuf]) -> Option<PathBuf> {
    let input = gather(paths);
    input.sources.iter().find_map(|source| state_dir(source, &input.environment))
}

fn state_dir(source: &Source, environment: &Environment) -> Option<PathBuf> {
    let get = |value: Value<'_>, key: &str| -> Option<String> {
        let Value::Table(entries) = value else { return None };
        let node = entries.into_iter().find(|entry| entry.key == "daemon")?.node;
        let Value::Table(entries) = node.value else { return None };
        match entries.into_iter().find(|entry| entry.key == key)?.node.value {
            Value::Text(text) => Some(text.into_owned()),
            Value::Given(text) => Some(text),
            _ => None,
        }
    };
    // Parameters that are not known are left as they are.
    let document = document(source, 0, (Positions::All, Some(environment)), &mut Faults::default());
    let found = match document {
        Some(document) => get(document.value, "state_dir"),
        None => in_lines(&source.text).map(str::to_owned),
    };
    found.map(PathBuf::from).filter(|path| path.is_absolute())
}

/// Where it is no document at all, the one line that has the key will do.
fn in_lines(text: &str) -> Option<&str> {
    let mut found = text.lines().filter_map(in_line);
    found.next().filter(|path| !path.contains(['$', '\\']) && found.next().is_none())
}

fn in_line(line: &str) -> Option<&str> {
    let (before, rest) = line.split_once("state_dir")?;
    if before.contains('#') || before.ends_with(|last: char| last.is_alphanumeric() || "_-.".contains(last)) {
        return None;
    }
    let rest = rest.trim_start_matches(['"', '\'']).trim_start().strip_prefix(['=', ':'])?.trim();
    for quote in ['"', '\''] {
        if let Some(text) = rest.strip_prefix(quote) {
            return text.split_once(quote).map(|(path, _)| path);
        }
    }
    rest.split([',', '}', '#']).next().map(str::trim_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_directory_is_found_whatever_else_is_wrong() {
        let dir = tempfile::tempdir().unwrap();
        for (name, text, found) in [
            (
                "a.toml",
                "[daemon]\nstate_dir = \"/srv/x\"\nnonsense = 1\n[[services]]\naddress = \"${NOT_SET}\"\n",
                true,
            ),
            ("b.yaml", "daemon: { state_dir: /srv/x }\nservices: [{ address: \"${NOT_SET}\" }]\n", true),
            ("c.toml", "[daemon]\nstate_dir = \"${NOT_SET}\"\n", false),
            ("d.toml", "[daemon]\nstate_dir = 7\n", false),
            ("e.toml", "[daemon\n", false),
            ("f.yaml", "- daemon\n", false),
            // Where it is not even a document.
            ("g.toml", "[daemon]\n# state_dir = \"/srv/y\"\nstate_dir = \"/srv/x\" # it\noops [\n", true),
            ("h.toml", "daemon = { resync = \"1s\", state_dir = '/srv/x' }\noops [\n", true),
            ("i.yaml", "daemon:\n  state_dir: /srv/x\nservices: [\n", true),
            ("j.yaml", "daemon: { state_dir: /srv/x, resync: 1s }\n\tservices: [\n", true),
            ("k.yaml", "daemon: {\"state_dir\": \"/srv/x\"}\nservices: [\n", true),
            ("l.toml", "[daemon]\nstate_dir = \"/srv/x\"\nstate_dir = \"/srv/y\"\n", false),
            ("m.toml", "[daemon]\nstate_dir = \"${DIR}/x\"\noops [\n", false),
            ("n.toml", "[daemon]\nold_state_dir = \"/srv/x\"\noops [\n", false),
            ("o.toml", "[daemon]\nstate_dir =\noops [\nstate_dir = \"\n", false),
        ] {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            assert_eq!(peek_state_dir(&[path]), found.then(|| PathBuf::from("/srv/x")), "{name}");
        }
        assert_eq!(peek_state_dir(&[dir.path().join("missing.toml")]), None);
    }
}
