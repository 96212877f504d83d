//! The configuration against whole expected texts: each directory of `tests/config` has input files and `expected.txt`,
//! which is what `ipvsd check` would print on them. `UPDATE_GOLDEN=1 cargo test --test config` writes them and the
//! schema anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipvsd::config::{self, Source};
use ipvsd::model::{Auto, Check, Desired, Docker, Host, Initial, Named, OnDown, Policy, Selector, Via};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn updating() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}

fn compare(path: &Path, got: &str) -> Result<(), String> {
    if updating() {
        fs::write(path, got).unwrap();
        return Ok(());
    }
    let want = fs::read_to_string(path).unwrap_or_default();
    if want == got { Ok(()) } else { Err(format!("{}:\n--- expected\n{want}\n--- got\n{got}", path.display())) }
}

/// The files of a case with their names alone, so that expectations do not depend on where they are.
fn sources(case: &Path) -> Vec<Source> {
    let mut sources = config::read(&[case.to_owned()]).unwrap_or_else(|problems| panic!("{problems}"));
    for source in &mut sources {
        source.path = PathBuf::from(source.path.file_name().unwrap());
    }
    sources
}

fn describe(desired: &Desired) -> String {
    let Desired { table, origins, manage, max_delete, resync, state_dir, .. } = desired;
    let Desired { resolve, policies, drain, checks_at_once, check_marks, hooks, api, docker, host, .. } = desired;
    assert!(table.services.keys().eq(policies.keys()), "a policy for every service");
    let mut out = String::new();
    writeln!(out, "resync {resync:?}, manage {manage:?}, max_delete {max_delete:?}, state_dir {}", state_dir.display())
        .unwrap();
    let plain = Desired::default();
    if (drain, checks_at_once, check_marks) != (&plain.drain, &plain.checks_at_once, &plain.check_marks) {
        writeln!(out, "drain {drain:?}, checks_at_once {checks_at_once}, check_marks {check_marks:#x}").unwrap();
    }
    if *resolve != plain.resolve {
        writeln!(out, "resolve {resolve:?}").unwrap();
    }
    if let Some(hooks) = hooks {
        writeln!(out, "{hooks:?}").unwrap();
    }
    if let Some(api) = api {
        writeln!(out, "{api:?}").unwrap();
    }
    if let Some(docker) = docker {
        describe_docker(docker, &mut out);
    }
    if *host != Host::default() {
        describe_host(host, &mut out);
    }
    let used: BTreeSet<_> =
        policies.values().flat_map(|policy| policy.checks.values()).flat_map(|checks| &checks.list).collect();
    for (key, service) in &table.services {
        let origin = &origins[key];
        let persistence = service.settings.persistence.as_ref().map_or(String::new(), |p| format!(" {p:?}"));
        let flags = service.settings.flags.names(&service.settings.scheduler).join(",");
        let from = format!("{} {}:{}", origin.name, origin.file.display(), origin.line);
        writeln!(out, "{key} {} [{flags}]{persistence} ({from})", service.settings.scheduler).unwrap();
        let policy = &policies[key];
        describe_policy(policy, &mut out);
        for (key, settings) in &service.destinations {
            writeln!(out, "  {key} {settings:?}").unwrap();
            if let Some(checks) = policy.checks.get(key) {
                assert!(!checks.is_empty());
                let names: Vec<&str> = checks.list.iter().map(|named| named.name.as_str()).collect();
                writeln!(out, "    checked by {:?} of {}", checks.pass, names.join(", ")).unwrap();
            }
        }
    }
    for check in used {
        let Check { probe, timing, address, port, via, flap } = &check.check;
        writeln!(out, "check {}\n  {probe:?}\n  {timing:?}", check.name).unwrap();
        if (address, port, via, flap) != (&None, &None, &Via::Destination, &None) {
            writeln!(out, "  address {address:?}, port {port:?}, via {via:?}, flap {flap:?}").unwrap();
        }
    }
    out
}

fn describe_docker(docker: &Docker, out: &mut String) {
    let Docker { endpoint, tls, resync, stop_timeout, hosts, network, auto, swarm, checks } = docker;
    writeln!(out, "docker {endpoint}, tls {tls:?}, resync {resync:?}, stop_timeout {stop_timeout:?}").unwrap();
    let checks: Vec<&str> = checks.keys().map(String::as_str).collect();
    writeln!(out, "  hosts {hosts:?}, network {network:?}, swarm {swarm}, checks {}", checks.join(", ")).unwrap();
    if let Some(Auto { addresses, settings, policy: _, selector }) = auto {
        writeln!(out, "  auto {addresses:?} {}", settings.scheduler).unwrap();
        describe_selector(selector, out);
    }
}

fn describe_selector(selector: &Selector, out: &mut String) {
    let Selector { label, value, port, network, reach, healthcheck, weight, forward, tunnel: _, checks } = selector;
    let checks: Option<Vec<&str>> =
        checks.as_ref().map(|checks| checks.list.iter().map(|named| named.name.as_str()).collect());
    writeln!(
        out,
        "  containers {label}={value:?} port {port:?} on {network:?} by {reach:?}, healthcheck {healthcheck}"
    )
    .unwrap();
    writeln!(out, "    weight {weight}, {forward:?}, checks {checks:?}").unwrap();
}

fn describe_host(host: &Host, out: &mut String) {
    let Host { addresses, sysctls, modules, timeouts, sync } = host;
    writeln!(out, "addresses {addresses:?}, modules {modules}, timeouts {timeouts:?}").unwrap();
    for (name, value) in sysctls {
        writeln!(out, "sysctl {name} {value:?}").unwrap();
    }
    for (role, settings) in sync {
        writeln!(out, "sync {role:?} {settings:?}").unwrap();
    }
}

fn describe_policy(policy: &Policy, out: &mut String) {
    let Policy { checks: _, on_down, slow_start, fallback, min_healthy, initial, panic_threshold, drain, .. } = policy;
    let Policy { containers, quiesced, ended, named, .. } = policy;
    assert!(quiesced.is_empty() && ended.is_empty(), "nothing of that is written");
    if let Some(selector) = containers {
        describe_selector(selector, out);
    }
    for named in named {
        let Named { host, port, all, settings, name, checks, written, addresses } = named;
        assert!(addresses.is_empty(), "nobody has looked it up");
        let checks = checks.iter().flat_map(|checks| &checks.list).map(|named| named.name.as_str());
        let checks: Vec<&str> = checks.collect();
        writeln!(out, "  {host}:{port} all {all}, called {name:?}, line {}, checks {checks:?}", written.line).unwrap();
        writeln!(out, "    {settings:?}").unwrap();
    }
    if *drain != Desired::default().drain {
        writeln!(out, "  drain {drain:?}").unwrap();
    }
    if (on_down, slow_start, initial) != (&OnDown::default(), &Duration::ZERO, &Initial::default()) {
        writeln!(out, "  on_down {on_down:?}, slow_start {slow_start:?}, initial {initial:?}").unwrap();
    }
    if min_healthy.is_some() || panic_threshold.is_some() {
        writeln!(out, "  min_healthy {min_healthy:?}, panic_threshold {panic_threshold:?}").unwrap();
    }
    if let Some((key, settings)) = fallback {
        writeln!(out, "  fallback {key} {settings:?}").unwrap();
    }
}

#[test]
fn cases() {
    let mut failures = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(root().join("tests/config")).unwrap() {
        let case = entry.unwrap().path();
        let sources = sources(&case);
        let got = match config::parse(&sources) {
            Ok(parsed) => config::render(&sources, &parsed.warnings, false) + &describe(&parsed.desired),
            Err(problems) => problems.render(false),
        };
        failures.extend(compare(&case.join("expected.txt"), &got).err());
        count += 1;
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(count >= 40, "only {count} cases");
}

/// What is asked of every problem, whatever it is about: an error can be mended, and its place is right.
#[test]
fn every_problem_has_a_place_and_a_way_out() {
    for entry in fs::read_dir(root().join("tests/config")).unwrap() {
        let case = entry.unwrap().path();
        let sources = sources(&case);
        let Err(problems) = config::parse(&sources) else { continue };
        for problem in &problems.list {
            let words = format!("{}: {}", case.display(), problem.message);
            if !problem.message.starts_with("not valid") {
                assert!(problem.help.as_ref().is_some_and(|help| !help.is_empty()), "no help: {words}");
            }
            let Some(file) = &problem.file else { continue };
            let source = sources.iter().find(|source| &source.path == file).expect(&words);
            let body = source.text.trim_start_matches('\u{feff}');
            let span = problem.span.clone().expect(&words);
            assert!(body.get(span.clone()).is_some(), "not on characters: {words}");
            let before = &body[..span.start];
            assert_eq!(problem.line, Some(before.matches('\n').count() + 1), "{words}");
            let line = before.rsplit('\n').next().unwrap();
            assert_eq!(problem.column, Some(line.chars().count() + 1), "{words}");
        }
        let json = problems.to_json();
        assert_eq!(json.as_array().unwrap().len(), problems.list.len());
    }
}

#[test]
fn the_schema_is_the_one_that_is_shipped() {
    let text = serde_json::to_string_pretty(&config::schema()).unwrap() + "\n";
    if let Err(difference) = compare(&root().join("config/ipvsd.schema.json"), &text) {
        panic!("write it anew with `ipvsd schema > config/ipvsd.schema.json`\n{difference}");
    }
}

/// An editor finds nothing wrong with what ipvsd takes; and does with what no key takes.
#[test]
fn what_is_accepted_satisfies_the_schema() {
    let schema = jsonschema::validator_for(&config::schema()).unwrap();
    let parameters = "version: 1\ndefaults: { weight: '${W}', scheduler: '${S:-rr}', drain: '${file:d}', forward: '${F}' }\n\
        services: [{ name: 'a${N}', address: 'tcp://${VIP}:80', one_packet: '${O}', destinations: [{ address: '${A}', max_connections: '${M}' }] }]";
    assert!(schema.is_valid(&serde_yaml::from_str(parameters).unwrap()), "parameters");
    for wrong in ["weight: heavy", "forward: round", "weight: '$W'", "drain: soon"] {
        let text = format!("version: 1\ndefaults: {{ {wrong} }}\nservices: []");
        assert!(!schema.is_valid(&serde_yaml::from_str(&text).unwrap()), "{wrong}");
    }
    let mut count = 0;
    let cases = fs::read_dir(root().join("tests/config")).unwrap().map(|entry| entry.unwrap().path());
    let cases = cases.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("accept"));
    for path in cases.chain([root().join("config")]).flat_map(|folder| fs::read_dir(folder).unwrap()) {
        let path = path.unwrap().path();
        let text = || fs::read_to_string(&path).unwrap().trim_start_matches('\u{feff}').to_owned();
        let value: serde_json::Value = match path.extension().and_then(|end| end.to_str()) {
            Some("toml") => toml::from_str(&text()).unwrap(),
            Some("yaml" | "yml") => serde_yaml::from_str(&text()).unwrap(),
            _ => continue,
        };
        let errors: Vec<_> =
            schema.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert_eq!(errors, [""; 0], "{}", path.display());
        count += 1;
    }
    assert!(count >= 10, "only {count} files were found");
}

#[test]
fn what_is_shipped_parses() {
    let mut count = 0;
    for entry in fs::read_dir(root().join("config")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "toml" || end == "yaml") {
            let loaded = config::load(&[path]).unwrap_or_else(|problems| panic!("{problems}"));
            assert_eq!(loaded.warnings, []);
            count += 1;
        }
    }
    assert!(count >= 2);
}

#[test]
fn the_examples_say_the_same() {
    let load = |name: &str| config::load(&[root().join("config").join(name)]).unwrap().desired;
    let (mut toml, mut yaml) = (load("example.toml"), load("example.yaml"));
    let line = |desired: &Desired, key: &str| desired.origins[&key.parse().unwrap()].line;
    let text = fs::read_to_string(root().join("config/example.yaml")).unwrap();
    assert!(text.lines().nth(line(&yaml, "tcp://192.0.2.11:80") - 1).unwrap().contains("tcp://192.0.2.11:80"));
    toml.origins.clear();
    yaml.origins.clear();
    assert_eq!(toml, yaml);
}

/// However many destinations have a check, there is one of it.
#[test]
fn checks_are_shared() {
    let mut text = "version = 1\n[defaults]\ncheck = \"web\"\n[checks.web]\nhttp = {}\n".to_owned();
    for (index, own) in ["", "check = \"web\"", "checks = [\"web\"]", "check = \"tcp\""].iter().enumerate() {
        writeln!(text, "[[services]]\nname = \"s{index}\"\naddress = \"tcp://192.0.2.{index}:80\"\n{own}").unwrap();
        writeln!(text, "destinations = [{{ address = \"10.0.0.1\" }}, {{ address = \"10.0.0.2\" }}]").unwrap();
    }
    let desired = config::parse(&[Source { path: PathBuf::from("a.toml"), text }]).unwrap().desired;
    let all: Vec<_> = desired.policies.values().flat_map(|policy| policy.checks.values()).map(Arc::as_ptr).collect();
    assert_eq!(all.len(), 8);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 2);
}

/// Every key of the schema stands in the example, so that none goes unexplained.
#[test]
fn the_example_has_every_key() {
    fn keys(value: &serde_json::Value, out: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(map) => {
                for (key, value) in map {
                    if key == "properties" {
                        out.extend(value.as_object().unwrap().keys().cloned());
                    }
                    keys(value, out);
                }
            }
            serde_json::Value::Array(list) => list.iter().for_each(|value| keys(value, out)),
            _ => {}
        }
    }
    let mut all = Vec::new();
    keys(&config::keys(), &mut all);
    assert!(all.len() > 20, "{all:?}");
    for name in ["example.toml", "example.yaml"] {
        let text = fs::read_to_string(root().join("config").join(name)).unwrap();
        for key in &all {
            assert!(text.contains(key.as_str()), "{name} lacks {key}");
        }
    }
}
