//! `ipvsd doctor`, and what `ipvsd check --host` has of it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::anyhow;
use clap::Args;
use serde_json::{Value, json};

use super::output::Out;
use super::{Exit, Failure, Format, Global, Outcome};
use crate::config::{self, Problems};
use crate::daemon;
use crate::host::doctor::{Facts, Finding, Mend, Module, Severity, Stage, Table, examine, look};
use crate::ipvs::{Error, Kernel};
use crate::model::Desired;
use crate::plan::render::words;
use crate::reconcile::read_whole;

mod text;

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// How to print the findings
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    pub(super) output: Format,
}

impl Doctor {
    pub(super) fn run(&self, global: &Global, out: &mut Out) -> Outcome {
        // Without the warnings about this machine: the findings say the same, and more.
        let config::Loaded { sources, mut desired, warnings, .. } =
            daemon::load(&[global.one_config()?], global.state_dir.as_deref(), None)?;
        desired.state_dir = global.state_dir_or(Some(desired.state_dir));
        let problems = Problems { sources, list: warnings };
        let findings = diagnose(global, &desired, Stage::Now)?;
        match self.output {
            Format::Json => {
                let mut document = document(&findings);
                document["problems"] = problems.to_json();
                out.json(&document)?;
            }
            Format::Text => {
                out.warnings(&problems);
                let summary = if findings.is_empty() {
                    format!(
                        "All is well with the configuration ({}, {}), the kernel and this host.\n",
                        words::count(desired.table.services.len(), "service"),
                        words::count(desired.table.destination_count(), "destination")
                    )
                } else {
                    format!("{}.\n", counts(&findings))
                };
                let text = text::text(&findings, out.color(), out.width());
                out.text(&(text + &summary))?;
            }
        }
        Ok(exit(&findings))
    }
}

/// Looks at the host with a configuration in mind.
pub(super) fn diagnose(global: &Global, desired: &Desired, stage: Stage) -> Result<Vec<Finding>, Failure> {
    let ours = BTreeSet::from_iter(holder(&desired.state_dir));
    let mut facts = look(desired, &ours).map_err(|error| anyhow!("cannot look at this host: {error}"))?;
    facts.table = table(&facts);
    facts.apply = global.command_line("apply");
    Ok(examine(&facts, desired, stage))
}

/// Error-level findings fail a command.
pub(super) fn exit(findings: &[Finding]) -> Exit {
    if count(findings, Severity::Error) == 0 { Exit::Done } else { Exit::Failed }
}

/// The findings, and how many there are of each severity.
pub(super) fn document(findings: &[Finding]) -> Value {
    let mut document = json!({ "findings": findings.iter().map(finding).collect::<Vec<_>>() });
    for severity in Severity::ALL {
        document[format!("{severity}s")] = count(findings, severity).into();
    }
    document
}

fn finding(Finding { id, severity, subject, saw, why, mend }: &Finding) -> Value {
    let mend: Vec<Value> = mend
        .iter()
        .map(|mend| match mend {
            Mend::Command(text) => json!({ "command": text }),
            Mend::Configuration(text) => json!({ "configuration": text }),
            Mend::Advice(text) => json!({ "advice": text }),
        })
        .collect();
    json!({ "id": id, "severity": severity.as_str(), "subject": subject, "saw": saw, "why": why, "mend": mend })
}

/// Text for people, without a summary.
pub(super) fn text(findings: &[Finding], out: &Out) -> String {
    text::text(findings, out.color(), out.width())
}

/// `1 error, 2 warnings`.
pub(super) fn counts(findings: &[Finding]) -> String {
    let some = Severity::ALL.into_iter().map(|severity| (count(findings, severity), severity));
    let texts =
        some.filter(|(number, _)| *number > 0).map(|(number, severity)| words::count(number, severity.as_str()));
    texts.collect::<Vec<_>>().join(", ")
}

fn count(findings: &[Finding], severity: Severity) -> usize {
    findings.iter().filter(|finding| finding.severity == severity).count()
}

/// The live table. To ask for it loads the module, so it is not asked for if that is not there.
fn table(facts: &Facts) -> Table {
    if facts.modules.get("ip_vs") != Some(&Module::There) {
        return Table::Absent;
    }
    match Kernel::open().and_then(|mut kernel| read_whole(&mut kernel)) {
        Ok(live) => Table::Read(live),
        Err(Error::NoFamily(_)) => Table::Absent,
        Err(error @ Error::NotPermitted) => Table::Denied(error.to_string()),
        Err(error) => Table::Failed(error.to_string()),
    }
}

/// The process that holds, or held, the lock of a state directory: the daemon of this configuration.
fn holder(state_dir: &Path) -> Option<i32> {
    let path = state_dir.join("lock");
    let written = fs::read_to_string(&path).ok()?;
    written.trim().parse().ok().or_else(|| who_locks(&path))
}

/// On a full disk a process cannot write down who it is; the kernel knows: proc_locks(5).
fn who_locks(path: &Path) -> Option<i32> {
    let about = fs::metadata(path).ok()?;
    let (major, minor) = (rustix::fs::major(about.dev()), rustix::fs::minor(about.dev()));
    let file = format!("{major:02x}:{minor:02x}:{}", about.ino());
    let locks = fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| match line.split_ascii_whitespace().collect::<Vec<_>>()[..] {
        [_, "FLOCK", _, _, pid, locked, ..] if locked == file => pid.parse().ok(),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_the_lock_is_known_though_it_could_not_be_written_down() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(holder(dir.path()), None);
        let lock = fs::File::create(dir.path().join("lock")).unwrap();
        assert_eq!(holder(dir.path()), None, "nobody holds it");
        lock.try_lock().unwrap();
        assert_eq!(holder(dir.path()), i32::try_from(std::process::id()).ok());
        fs::write(dir.path().join("lock"), "7\n").unwrap();
        assert_eq!(holder(dir.path()), Some(7));
    }
}
