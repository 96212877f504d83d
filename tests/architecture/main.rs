//! Holds the source to the layers of the design: reads every file under `src/` and fails with `file:line` for each path
//! that reaches into a layer it must not see, each crate known outside its one module, and each clock, log or print
//! where there must be none. Test code (`#[cfg(test)]`, `tests.rs`) and comments are left out.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

mod rules;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use source::Source;

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_source_keeps_to_the_layers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    files.sort();
    assert!(files.len() > 10, "only {} source files found under {}", files.len(), root.display());

    let mut violations = Vec::new();
    let mut references = 0;
    for file in &files {
        let path = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        let source = Source::new(&path, &fs::read_to_string(file).unwrap());
        references += source.references().len();
        violations.extend(rules::violations(&source));
    }
    // A reader that finds no paths would find no violations either.
    assert!(references > 5, "only {references} paths between modules found: the reader is broken");
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
}

/// Each snippet breaks one rule on one line, or none: the rules can fail, and say where.
#[test]
fn each_rule_can_fail() {
    let cases: &[(&str, &str, &str)] = &[
        ("model/a.rs", "use crate::plan::Operation;", "src/model/a.rs:1: model must not use plan"),
        ("model/a.rs", "\n\nfn f() { crate::ipvs::g() }", "src/model/a.rs:3: model must not use ipvs"),
        ("model/a.rs", "use super::super::config::Problem;", "src/model/a.rs:1: model must not use config"),
        ("model/mod.rs", "use super::config::Problem;", "src/model/mod.rs:1: model must not use config"),
        (
            "config/mod.rs",
            "use crate::{\n    model::Table,\n    ipvs,\n};",
            "src/config/mod.rs:3: config must not use ipvs",
        ),
        ("plan/mod.rs", "pub(in crate::cli) fn f() {}", "src/plan/mod.rs:1: plan must not use cli"),
        ("plan/diff/x.rs", "use crate::{model, config};", "src/plan/diff/x.rs:1: plan must not use config"),
        ("ipvs/fake.rs", "use crate::plan::diff;", "src/ipvs/fake.rs:1: ipvs may use of plan only"),
        ("ipvs/fake.rs", "use crate::plan::*;", "src/ipvs/fake.rs:1: ipvs may use of plan only"),
        ("netlink/x.rs", "use crate::model::Live;", "src/netlink/x.rs:1: netlink must not use model"),
        ("reconcile/x.rs", "use crate::netlink::Link;", "src/reconcile/x.rs:1: reconcile must not use netlink"),
        ("host/x.rs", "use crate::ipvs::Ipvs;", "src/host/x.rs:1: host must not use ipvs"),
        ("reconcile/x.rs", "use crate::daemon;", "src/reconcile/x.rs:1: reconcile must not use daemon"),
        ("watch.rs", "use crate::ipvs::Ipvs;", "src/watch.rs:1: watch must not use ipvs"),
        ("main.rs", "fn main() { ipvsd::daemon::run() }", "src/main.rs:1: main must not use daemon"),
        ("strange/mod.rs", "", "src/strange/mod.rs:1: strange is not a layer"),
        ("cli/utils.rs", "", "src/cli/utils.rs:1: a file named utils"),
        ("model/helpers/mod.rs", "", "src/model/helpers/mod.rs:1: a file named helpers"),
        ("config/mod.rs", "fn f() { toml::from_str(\"\") }", "src/config/mod.rs:1: toml is known to config/toml/ only"),
        ("config/mod.rs", "mod toml;\nuse ::toml::Value;", "src/config/mod.rs:2: toml is known to config/toml/ only"),
        ("cli/import.rs", "use serde_yaml::Value;", "src/cli/import.rs:1: serde_yaml is known to config/yaml/ only"),
        (
            "reconcile/mod.rs",
            "use neli::nl;",
            "src/reconcile/mod.rs:1: neli is known to netlink/ and ipvs/ and host/rtnl/ only",
        ),
        ("plan/mod.rs", "let t = std::time::Instant::now();", "src/plan/mod.rs:1: plan is pure: no Instant"),
        ("model/mod.rs", "use std::time::{Duration, SystemTime};", "src/model/mod.rs:1: model is pure: no SystemTime"),
        ("config/x.rs", "tracing::warn!(\"x\");", "src/config/x.rs:1: config is pure: no tracing"),
        ("plan/mod.rs", "use std::net::UdpSocket;", "src/plan/mod.rs:1: plan is pure: no UdpSocket"),
        ("plan/mod.rs", "use std::fs::File;", "src/plan/mod.rs:1: plan is pure: no fs"),
        ("daemon.rs", "fn f() { println!(\"{}\", 1) }", "src/daemon.rs:1: println! outside cli"),
        ("ipvs/mod.rs", "eprintln ! (\"x\");", "src/ipvs/mod.rs:1: eprintln! outside cli"),
        // What is allowed, or is no code.
        ("plan/mod.rs", "use crate::model::Table;\nuse super::operation;", ""),
        ("plan/diff/x.rs", "use super::super::operation::Step;", ""),
        ("ipvs/fake.rs", "use crate::plan::{Operation, Step};\nuse crate::model::Live;", ""),
        ("netlink/link.rs", "use neli::socket::NlSocket;", ""),
        ("ipvs/codec/x.rs", "use neli::consts::genl::CtrlCmd;\nuse crate::netlink::Link;", ""),
        ("host/rtnl/codec.rs", "use neli::consts::rtnl::Rtm;", ""),
        ("host/x.rs", "use crate::netlink::Link;\nuse crate::model::Table;", ""),
        ("config/toml/x.rs", "fn f() { toml::from_str(\"crate::ipvs\") }", ""),
        ("config/mod.rs", "mod toml;\nuse self::toml::parse;\nfn f() { toml::parse() }", ""),
        (
            "model/a.rs",
            "//! See [`crate::ipvs`].\n/* crate::cli /* println!() */ */ const A: &str = r#\"crate::plan \" neli::\"#;",
            "",
        ),
        ("model/a.rs", "const Q: char = '\"'; fn f<'a>(x: &'a str) {} // crate::ipvs \"", ""),
        ("model/a.rs", "#[cfg(test)]\nmod tests {\n    use crate::plan::Operation;\n}", ""),
        ("plan/tests.rs", "use crate::ipvs::Fake;", ""),
        ("cli/show.rs", "println!(); use crate::{daemon, ipvs};", ""),
        ("main.rs", "fn main() { ipvsd::cli::main() }", ""),
    ];
    for (path, text, expected) in cases {
        let found = rules::violations(&Source::new(path, text));
        if expected.is_empty() {
            assert!(found.is_empty(), "{path}: {text}\nfound {found:?}");
        } else {
            assert_eq!(found.len(), 1, "{path}: {text}\nfound {found:?}");
            assert!(found[0].starts_with(expected), "{path}: {text}\nfound    {found:?}\nexpected {expected}");
        }
    }
    // Code behind a test module is looked at again.
    let after = "#[cfg(test)]\nmod tests {}\nuse crate::cli;";
    assert_eq!(rules::violations(&Source::new("model/a.rs", after)), ["src/model/a.rs:3: model must not use cli"]);
}
