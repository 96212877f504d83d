//! Golden cases of the plan: each directory in `tests/plan` holds what is live, desired and on record, and
//! what a person and a program are shown. `UPDATE_GOLDEN=1 cargo test --test plan` writes the expectations
//! again; read them before they are committed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use ipvsd::model::{HostKey, HostValue, Manage, OwnedHost, Record, Scope, ServiceKey, ServiceOrigin, Table};
use ipvsd::plan::{Held, HostInputs, HostStep, Verb, diff, hold, host_diff, render};
use serde::Deserialize;

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

#[test]
fn golden_cases() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plan");
    let mut cases: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    let mut wrong = Vec::new();
    for case in &cases {
        let live: Table = read(&case.join("live.json")).unwrap();
        let record = Record { services: read(&case.join("record.json")).unwrap(), ..Record::default() };
        let Desired { manage, names, waiting, table, host } = read(&case.join("desired.json")).unwrap();
        let manage = match manage.as_str() {
            "owned" => Manage::Owned,
            "all" => Manage::All,
            prefix => Manage::Within(vec![Scope::Prefix(prefix.parse().unwrap())]),
        };
        let origin =
            |name| ServiceOrigin { name, file: "ipvsd.toml".into(), line: 1, destinations: Default::default() };
        let origins = names.into_iter().map(|(key, name)| (key, origin(name))).collect();
        let mut plan = hold(diff(&live, &table, &manage, &record), &live, |operation| {
            let service = operation.service().to_string();
            let object =
                operation.destination().map_or(service.clone(), |destination| format!("{service} {destination}"));
            let reason = "the kernel has no memory left".to_owned();
            waiting.get(&object).map(|&seconds| Held { seconds, reason })
        });
        let (wanted, live, record, in_use) = (&host.wanted, &host.live, &host.record, &BTreeSet::new());
        let adrift = &BTreeSet::new();
        let of_host = host_diff(&HostInputs { wanted, live, record, in_use, adrift, restore: false });
        plan.host = of_host.hold(&|key| {
            let reason = "/proc/sys is mounted read-only".to_owned();
            waiting.get(&key.to_string()).map(|&seconds| Held { seconds, reason })
        });
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
