//! Golden cases of the plan: each directory in `tests/plan` holds what is live, desired and on record, and
//! what a person and a program are shown. `UPDATE_GOLDEN=1 cargo test --test plan` writes the expectations
//! again; read them before they are committed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use ipvsd::model::{
    HostKey, HostValue, Live, LiveDestination, LiveService, Manage, OwnedHost, Record, Scope, ServiceKey,
    ServiceOrigin, Stats, Table,
};
use ipvsd::plan::{Held, HostInputs, HostStep, Plan, Verb, diff, hold, host_diff, render};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Desired {
    /// `owned`, `all`, or a prefix that is managed whole.
    manage: String,
    /// Services by their name in the configuration.
    #[serde(default)]
    names: BTreeMap<ServiceKey, String>,
    /// Seconds that operations on an object (`SERVICE` or `SERVICE DESTINATION`) have to wait.
    #[serde(default)]
    waiting: BTreeMap<String, u64>,
    table: Table,
    /// The host around the table, if the case is about that.
    #[serde(default)]
    host: Host,
}

/// What is wanted of the host, what is there, and what is on record.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Host {
    wanted: BTreeMap<HostKey, HostValue>,
    live: BTreeMap<HostKey, HostValue>,
    record: BTreeMap<HostKey, OwnedHost>,
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// A case: its plan, where its services come from, what is live, and what is wanted.
struct Case {
    plan: Plan,
    origins: BTreeMap<ServiceKey, ServiceOrigin>,
    live: Table,
    wanted: Table,
}

fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plan");
    let mut cases: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

fn case(path: &Path) -> Case {
    let live: Table = read(&path.join("live.json")).unwrap();
    let record = Record { services: read(&path.join("record.json")).unwrap(), ..Record::default() };
    let Desired { manage, names, waiting, table, host } = read(&path.join("desired.json")).unwrap();
    let manage = match manage.as_str() {
        "owned" => Manage::Owned,
        "all" => Manage::All,
        prefix => Manage::Within(vec![Scope::Prefix(prefix.parse().unwrap())]),
    };
    let origin = |name| ServiceOrigin { name, file: "ipvsd.toml".into(), line: 1, destinations: Default::default() };
    let origins = names.into_iter().map(|(key, name)| (key, origin(name))).collect();
    let mut plan = hold(diff(&live, &table, &manage, &record), &live, |operation| {
        let service = operation.service().to_string();
        let object = operation.destination().map_or(service.clone(), |destination| format!("{service} {destination}"));
        let reason = "the kernel has no memory left".to_owned();
        waiting.get(&object).map(|&seconds| Held { seconds, reason })
    });
    let (of_host, of_record, in_use) = (&host.live, &host.record, &BTreeSet::new());
    let adrift = &BTreeSet::new();
    let inputs = HostInputs { wanted: &host.wanted, live: of_host, record: of_record, in_use, adrift, restore: false };
    plan.host = host_diff(&inputs).hold(&|key| {
        let reason = "/proc/sys is mounted read-only".to_owned();
        waiting.get(&key.to_string()).map(|&seconds| Held { seconds, reason })
    });
    Case { plan, origins, live, wanted: table }
}

#[test]
fn golden_cases() {
    let cases = cases();
    let mut wrong = Vec::new();
    for path in &cases {
        let Case { plan, origins, .. } = case(path);
        let case = path;
        let (deletes, sets): (Vec<_>, Vec<_>) =
            plan.host.steps.iter().partition(|step| step.operation.kind() == Verb::Delete);
        let of_host = |step: &HostStep| render::host_operation_line(&step.operation) + "\n";
        let mut lines: String = sets.into_iter().map(of_host).collect();
        lines.extend(plan.steps.iter().map(|step| render::operation_line(&step.operation) + "\n"));
        lines.extend(deletes.into_iter().map(of_host));
        for (file, got) in [
            ("expected.txt", render::text(&plan, &origins, render::Style::PLAIN)),
            ("expected.color.txt", render::text(&plan, &origins, render::Style::COLOR)),
            ("expected.json", format!("{:#}\n", render::json(&plan, &origins))),
            ("expected.order.txt", lines),
        ] {
            let path = case.join(file);
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                fs::write(&path, got).unwrap();
            } else if fs::read_to_string(&path).unwrap_or_default() != got {
                wrong.push(format!("{} should be:\n{got}", path.display()));
            }
        }
    }
    assert!(cases.len() >= 9, "only {} cases were found", cases.len());
    assert!(wrong.is_empty(), "{}\nUPDATE_GOLDEN=1 writes them again", wrong.join("\n"));
}

/// Rows of the page that no case here has, and who sees to them.
const ELSEWHERE: &[(&str, &str)] = &[
    ("operations[].drain", "a table in files has no connections: a unit test of the rendering"),
    ("operations[].drain.connections", "the same"),
    ("operations[].drain.seconds", "the same"),
    ("notes[].connections", "the same"),
    ("overrides", "the command puts it in: tests/kernel/cli"),
    ("refused", "the same"),
    ("unknown", "the same"),
];

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// All paths of a document, with the kinds of values that are there.
fn walk(value: &Value, path: &str, found: &mut BTreeMap<String, BTreeSet<&'static str>>) {
    found.entry(path.to_owned()).or_default().insert(kind(value));
    match value {
        Value::Object(map) => {
            // Settings are described once, wherever they stand; the words of the host's values are the configuration's.
            let settings = match map.get("kind").and_then(Value::as_str) {
                Some("service") => "SERVICE",
                _ => "DESTINATION",
            };
            for (key, value) in map {
                let is_settings = ["from", "to", "settings"].contains(&key.as_str()) && !path.starts_with("host");
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                if is_settings && value.is_object() {
                    found.entry(below).or_default().insert("object");
                    let mut inner = BTreeMap::new();
                    walk(value, settings, &mut inner);
                    inner.remove(settings);
                    inner.into_iter().for_each(|(path, kinds)| found.entry(path).or_default().extend(kinds));
                } else if ["from", "to"].iter().any(|end| path == format!("host.operations[].{end}")) {
                    found.entry(format!("{path}.*")).or_default().insert("any");
                } else {
                    walk(value, &below, found);
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| walk(value, &format!("{path}[]"), found)),
        _ => {}
    }
}

/// The page on the format and what is printed say the same.
#[test]
fn every_field_is_documented() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/doc/plan.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, table) = page.split_once("<!-- fields -->").unwrap();
    let (table, _) = table.split_once("<!-- end -->").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let documented: BTreeMap<String, BTreeSet<&str>> = rows
        .map(|row| {
            let (field, rest) = row.split_once("` | ").unwrap();
            let (types, words) = rest.split_once(" | ").unwrap();
            assert!(words.trim_end_matches(" |").len() > 3, "{field} says nothing");
            (field.to_owned(), types.split([',', ' ']).filter(|word| !["", "or"].contains(word)).collect())
        })
        .collect();
    assert!(documented.len() > 80, "{} rows", documented.len());

    let mut found = BTreeMap::new();
    for path in cases() {
        let Case { plan, origins, live, wanted } = case(&path);
        let mut document = render::json(&plan, &origins);
        assert_eq!(document["version"], 1);
        let table = live;
        let live = Live {
            services: table
                .services
                .into_iter()
                .map(|(key, service)| {
                    let of = |settings| LiveDestination {
                        settings,
                        active_connections: 0,
                        inactive_connections: 0,
                        persistent_connections: 0,
                        stats: Stats::default(),
                    };
                    let destinations = service.destinations.into_iter().map(|(key, settings)| (key, of(settings)));
                    let destinations = destinations.collect();
                    (key, LiveService { settings: service.settings, stats: Stats::default(), destinations })
                })
                .collect(),
            unknown: Vec::new(),
        };
        render::detail(&mut document, &plan, &origins, (&live, &wanted));
        let (changed, same) =
            (document["operations"].as_array().unwrap(), document["unchanged_entries"].as_array().unwrap());
        for entry in same {
            let is_it = |operation: &&Value| ["service", "destination"].iter().all(|key| operation[key] == entry[key]);
            assert!(!changed.iter().any(|operation| is_it(&operation)), "{entry} is changed");
        }
        walk(&document, "", &mut found);
    }
    found.remove("");
    for (field, kinds) in &found {
        let of_items = field.ends_with("[]") && kinds.contains("object");
        let types = documented.get(field);
        assert!(of_items || types.is_some(), "{field} is not documented");
        let wrong: Vec<_> = kinds.iter().filter(|kind| types.is_some_and(|types| !types.contains(**kind))).collect();
        assert!(wrong.is_empty(), "{field} is {wrong:?}, documented as {types:?}");
    }
    for field in documented.keys() {
        let excused = ELSEWHERE.iter().any(|(other, _)| other == field);
        assert!(excused != found.contains_key(field), "{field}: excused {excused}");
    }
    // The example is of the format, too.
    let (_, example) = page.split_once("```json\n").unwrap();
    let example: Value = serde_json::from_str(example.split_once("```").unwrap().0).unwrap();
    let mut of_example = BTreeMap::new();
    walk(&example, "", &mut of_example);
    of_example.remove("");
    for (field, kinds) in of_example.iter().filter(|(field, _)| !field.ends_with("[]")) {
        assert!(
            documented.get(field).is_some_and(|types| kinds.is_subset(types)),
            "the example has {field}: {kinds:?}"
        );
    }
}
