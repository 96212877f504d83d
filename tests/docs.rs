//! Every configuration in the documents is one: it is parsed as `ipvsd check` would.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ipvsd::config::{self, Source};
use ipvsd::host::doctor::{KINDS, Kind};
use ipvsd::import;
use ipvsd::model::{Family, Policy, Protocol};

/// The fenced blocks of a language, with the line at which each begins.
fn blocks<'t>(text: &'t str, language: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if line.trim() == format!("```{language}") {
            let block: Vec<&'t str> =
                lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "```").collect();
            found.push((number + 2, block.join("\n") + "\n"));
        }
    }
    found
}

#[test]
fn every_configuration_in_the_documents_is_good() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents = vec![root.join("README.md")];
    documents.extend(fs::read_dir(root.join("packaging/doc")).unwrap().map(|entry| entry.unwrap().path()));
    let mut parsed = 0;
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        for (language, end) in [("toml", "toml"), ("yaml", "yaml")] {
            for (line, block) in blocks(&text, language) {
                let path = PathBuf::from(format!("block-at-line-{line}.{end}"));
                if let Err(problems) = config::parse(&[Source { path, text: block }]) {
                    panic!("{}:{line}:\n{}", document.display(), problems.render(false));
                }
                parsed += 1;
            }
        }
    }
    assert!(parsed >= 5, "only {parsed} blocks were found");
}

/// Examples for other programs are YAML, at least, and so is what is shipped for them.
#[test]
fn examples_for_other_programs_can_be_read() {
    fn files(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, found);
            } else if path.extension().is_some_and(|end| end == "yml") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("packaging/doc/configuration-management.md")).unwrap();
    let read = |text: &str, what: &str| {
        serde_yaml::from_str::<serde_yaml::Value>(text).unwrap_or_else(|error| panic!("{what}: {error}"))
    };
    for language in ["yml", "sls", "cloud-config"] {
        let blocks = blocks(&text, language);
        assert_eq!(blocks.len(), 1, "{language}");
        for (line, block) in blocks {
            let value = read(&block, &format!("line {line}"));
            // What it writes is a configuration.
            let written = value["write_files"][0]["content"].as_str().map(str::to_owned);
            if let Some(text) = written {
                config::parse(&[Source { path: "a.toml".into(), text }]).unwrap();
            }
        }
    }
    let mut found = Vec::new();
    files(&root.join("packaging/ansible"), &mut found);
    files(&root.join("packaging/ci"), &mut found);
    assert!(found.len() >= 7, "{found:?}");
    for path in found {
        read(&fs::read_to_string(&path).unwrap(), &path.display().to_string());
    }
}

/// The JSON blocks of a document.
fn json(name: &str) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/doc").join(name)).unwrap();
    let found = blocks(&text, "json");
    assert!(!found.is_empty(), "{name} has no JSON");
    let parse = |(line, block): (usize, String)| {
        serde_json::from_str(&block).unwrap_or_else(|error| panic!("{name}, line {line}: {error}"))
    };
    found.into_iter().map(parse).collect()
}

#[test]
fn the_examples_of_json_are_json() {
    for value in json("health.md") {
        assert_eq!(value["version"], 1);
    }
    for value in json("doctor.md") {
        let id = &value["findings"][0]["id"];
        assert!(KINDS.iter().any(|kind| id == kind.id), "{id} is no finding");
    }
}

/// Findings that no test provokes on a real kernel, and why; unit tests make them from facts.
const NOT_PROVOKED: &[(&str, &str)] = &[
    ("table-unreadable", "the lab has no seccomp filter, and no security module, to keep netlink from a process"),
    ("kernel-locked-down", "User Mode Linux has no lockdown"),
    ("kernel-too-old", "the lab's kernels have all that can be configured"),
    ("reuse-delay", "the lab's kernels are later than 5.9"),
];

/// The table of doctor.md has each kind of finding in the order of the code, with its severity; and each is provoked on a
/// real kernel.
#[test]
fn the_doctors_findings_are_documented_and_provoked() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("packaging/doc/doctor.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let documented: Vec<(&str, &str)> = rows
        .map(|row| {
            let (id, rest) = row.split_once("` | ").unwrap_or_else(|| panic!("not a row: {row}"));
            let cells: Vec<&str> = rest.split(" | ").collect();
            assert_eq!(cells.len(), 3, "{id}: {cells:?}");
            (id, cells[0].split(';').next().unwrap())
        })
        .collect();
    let known: Vec<(&str, &str)> = KINDS.iter().map(|kind| (kind.id, kind.severity.as_str())).collect();
    assert_eq!(documented, known);

    let tests = root.join("tests/kernel");
    let mut files = vec![tests.join("doctor_modules.rs"), tests.join("doctor_locked.rs")];
    for folder in ["doctor", "doctor_packets"] {
        files.extend(fs::read_dir(tests.join(folder)).unwrap().map(|entry| entry.unwrap().path()));
    }
    let source: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    for Kind { id, .. } in KINDS {
        let excused = NOT_PROVOKED.iter().any(|(name, _)| name == id);
        let provoked = source.contains(&format!("\"{id}\""));
        assert!(excused != provoked, "{id}: excused {excused}, provoked {provoked}");
    }
}

/// Every document, with its name.
fn documents() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = fs::read_dir(root.join("packaging/doc")).unwrap().map(|entry| entry.unwrap().path());
    let pages = folder.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let all = pages.chain([root.join("README.md")]);
    all.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut links = 0;
    for (path, text) in documents() {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            assert!(path.parent().unwrap().join(file).exists(), "{}: {link}", path.display());
            links += 1;
        }
    }
    assert!(links > 50, "only {links} links were found");
}

#[test]
fn what_is_to_be_typed_is_understood_by_a_shell() {
    let mut scripts = 0;
    for (path, text) in documents() {
        for (line, script) in blocks(&text, "sh") {
            let status = std::process::Command::new("bash").args(["-n", "-c", &script]).status().unwrap();
            assert!(status.success(), "{}:{line}", path.display());
            scripts += 1;
        }
    }
    assert!(scripts > 10, "only {scripts} were found");
}

/// The names in backquotes of a text.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_promise_is_kept_by_tests_that_exist() {
    let (root, text) =
        (Path::new(env!("CARGO_MANIFEST_DIR")), fs::read_to_string("packaging/doc/guarantees.md").unwrap());
    let promises: Vec<&str> = text.split("\n## ").skip(1).filter(|part| part.starts_with(char::is_numeric)).collect();
    assert_eq!(promises.len(), 10);
    for promise in promises {
        let lines: Vec<&str> = promise.lines().filter(|line| line.starts_with("- `")).collect();
        assert!(!lines.is_empty(), "nothing keeps: {promise}");
        for line in lines {
            let names = quoted(line);
            let source =
                fs::read_to_string(root.join(names[0])).unwrap_or_else(|error| panic!("{}: {error}", names[0]));
            let tests = names[1..].iter().filter(|name| !name.contains('/'));
            assert!(tests.clone().count() > 0, "{line}");
            for name in tests {
                let is_test = source.contains(&format!("fn {name}(")) && source.contains("#[test]");
                assert!(is_test, "{}: there is no test {name}", names[0]);
            }
        }
    }
}

#[test]
fn each_finding_of_the_doctor_has_its_symptom() {
    let text = fs::read_to_string("packaging/doc/troubleshooting.md").unwrap();
    let rows: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").nth(1)).collect();
    let named: Vec<&str> = rows.iter().flat_map(|cell| quoted(cell)).collect();
    for Kind { id, .. } in KINDS {
        assert!(named.contains(id), "no symptom of {id}");
    }
    let of_doctor = named.iter().filter(|name| name.contains('-'));
    for name in of_doctor {
        assert!(KINDS.iter().any(|kind| kind.id == *name), "{name} is no finding");
    }
}

/// A machine of which nothing is known.
struct Nowhere;

impl import::Surroundings for Nowhere {
    fn files(&mut self, _: &str, _: &Source) -> Result<Vec<Source>, String> {
        Ok(Vec::new())
    }

    fn host(&mut self, _: &str, _: Option<Family>) -> Option<IpAddr> {
        None
    }

    fn port(&mut self, _: &str, _: Protocol) -> Option<u16> {
        None
    }

    fn variable(&mut self, _: &str) -> Option<String> {
        None
    }

    fn config_id(&mut self) -> String {
        "lb1".to_owned()
    }
}

/// "You wrote … you now write …": what stands on the left is imported, and does what stands on the right.
#[test]
fn what_is_written_side_by_side_means_the_same() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("packaging/doc/moving.md")).unwrap();
    let languages = [
        ("ipvsadm", import::Language::Ipvsadm),
        ("keepalived", import::Language::Keepalived),
        ("ldirectord", import::Language::Ldirectord),
        ("ipvsctl", import::Language::Ipvsctl),
        ("gorb", import::Language::Gorb),
    ];
    let now = blocks(&text, "toml");
    for (name, language) in languages {
        let before = blocks(&text, name);
        let [(line, before)] = &before[..] else { panic!("one block of {name}: {before:?}") };
        let (_, now) = now.iter().find(|(number, _)| number > line).unwrap();
        let source = Source { path: PathBuf::from(name), text: before.clone() };
        let import::Imported { draft, report } = import::import(language, source, &mut Nowhere);
        assert_eq!(report.error_count(), 0, "{}", report.render(false));
        let parse = |text: String| {
            let source = Source { path: PathBuf::from("it.toml"), text };
            config::parse(&[source]).unwrap_or_else(|problems| panic!("{}", problems.render(false))).desired
        };
        let (imported, written) = (parse(config::draft_toml(&draft).text), parse(now.clone()));
        assert_eq!(imported.table, written.table, "{name}");
        assert_eq!(imported.host, written.host, "{name}");
        for (key, policy) in imported.policies {
            let written = written.policies[&key].clone();
            let probes = |policy: &Policy| -> Vec<_> {
                let checks = policy.checks.iter();
                checks
                    .map(|(key, checks)| {
                        (*key, checks.list.iter().map(|named| named.check.clone()).collect::<Vec<_>>())
                    })
                    .collect()
            };
            assert_eq!(probes(&policy), probes(&written), "{name}: {key}");
            let rest = |policy: Policy| Policy { checks: Default::default(), ..policy };
            assert_eq!(rest(policy), rest(written), "{name}: {key}");
        }
    }
}
