//! `ipvsd apply`

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io;

use clap::Args;
use serde_json::{Value, json};

use super::output::Out;
use super::{Exit, Format, Global, Outcome, plan};
use crate::daemon::{Lock, forget_last_good};
use crate::host::Edge;
use crate::ipvs::Kernel;
use crate::model::{Desired, Record};
use crate::plan::render::{self, OperationLine, host_note_line, host_operation_line, note_line};
use crate::plan::{Cause, Note, Verb, only};
use crate::reconcile::{
    FileStore, Found, Ground, Hands, HostResult, Options, Place, RecordStore as _, Report, StepResult, Terms, pass,
};

#[derive(Debug, Args)]
pub(super) struct Apply {
    /// How to print what was done
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    pub(super) output: Format,
    /// Show the plan, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Refuse the whole plan if it holds operations of another kind: add, edit, delete
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    only: Option<Vec<Verb>>,
    /// Delete more than daemon.max_delete allows
    #[arg(long)]
    force: bool,
    /// Put sysctls and timeouts back to what they were before ipvsd set them, written or not
    #[arg(long)]
    restore_host: bool,
}

impl Apply {
    pub(super) fn run(&self, global: &Global, out: &mut Out) -> Outcome {
        let mut desired = global.load_now(out)?;
        if self.dry_run {
            let record = plan::peek(&desired, out)?;
            plan::hold(&mut desired, &record, out);
            return self.look(&desired, &record, out);
        }
        let mut store = FileStore::new(&desired.state_dir, Place::here()?);
        let _lock = Lock::take(&desired.state_dir)?;
        let (mut record, found) = store.load()?;
        if let Found::Damaged { moved_to, why } = found {
            out.warn(&format!(
                "the ownership record was damaged ({why}) and is now {}; what is not in the configuration is left alone",
                moved_to.display()
            ));
        }
        let stays = plan::hold(&mut desired, &record, out);
        let mut kernel = Kernel::open()?;
        let options = Options { force: self.force, only: self.only.as_deref(), held: &|_| None, host_held: &|_| None };
        let around = plan::Around::read(&desired)?;
        let ground = Ground { ipvs: &mut kernel, host: &mut Edge::default() };
        let hands = Hands { ground, record: &mut record, store: &mut store };
        let farewells = BTreeMap::new();
        let terms = Terms {
            desired: &desired,
            overrides: &around.overrides,
            farewells: &farewells,
            unix: around.unix,
            restore_host: self.restore_host,
            elsewhere: 0,
            asked: &BTreeSet::new(),
        };
        let report = pass(hands, terms, &mut around.sight(), &options)?;
        if let Some(refused) = report.refused {
            return Err(refused.into());
        }
        if let Err(error) = forget_last_good(&desired.state_dir) {
            out.warn(&format!("a daemon that starts with a mistake in its file may go back to an older one: {error}"));
        }
        if let Err(error) = stays.keep(&desired.state_dir) {
            out.warn(&format!("what names stand for is not kept for the next time: {error}"));
        }
        print(out, self.output, &report, &desired)?;
        let good = report.failed() == 0 && report.store_error.is_none();
        Ok(if good { Exit::Done } else { Exit::Failed })
    }

    /// A dry run writes nothing, and may look on while somebody else is at work.
    fn look(&self, desired: &Desired, record: &Record, out: &mut Out) -> Outcome {
        let around = plan::Around::peek(desired, out)?;
        let observed = around.observe(desired, record, self.restore_host)?;
        if let Some(kinds) = &self.only {
            only(&observed.plan, kinds)?;
        }
        plan::print(out, (self.output, false), &observed, desired, &around)?;
        Ok(Exit::Done)
    }
}

fn print(out: &mut Out, format: Format, report: &Report, desired: &Desired) -> io::Result<()> {
    if format == Format::Json {
        return out.json(&document(report, desired));
    }
    let mut text = String::new();
    let host = |text: &mut String, deletes: bool| {
        for (step, result) in report.host_outcomes() {
            if (step.operation.kind() == Verb::Delete) != deletes {
                continue;
            }
            let drift = if step.cause == Cause::Drift { "drift: " } else { "" };
            let line = host_operation_line(&step.operation);
            *text += &match result {
                HostResult::Done => format!("{drift}{line}\n"),
                failed => format!("FAILED {drift}{line}: {failed}\n"),
            };
        }
    };
    host(&mut text, false);
    for (step, result) in report.outcomes() {
        let drift = if step.cause == Cause::Drift { "drift: " } else { "" };
        let line = OperationLine(&step.operation);
        let _ = if let StepResult::Draining { .. } = result {
            writeln!(text, "{drift}{line}: {result}")
        } else if result.is_ok() {
            writeln!(text, "{drift}{line}")
        } else {
            writeln!(text, "FAILED {drift}{line}: {result}")
        };
    }
    host(&mut text, true);
    for note in &report.plan.host.notes {
        text += &format!("{}\n", host_note_line(note));
    }
    for note in &report.plan.notes {
        match note {
            Note::ForeignService { .. } | Note::ForeignDestination { .. } => {}
            Note::KeptService { .. } | Note::Draining { .. } | Note::Waiting { .. } | Note::HeldBack { .. } => {
                text += &format!("{}\n", note_line(note));
            }
        }
    }
    let unchanged = report.plan.unchanged + report.plan.host.unchanged;
    text += &format!("changed={} failed={} unchanged={unchanged}\n", report.changed(), report.failed());
    for entry in &report.unknown {
        out.warn(&format!("not understood, left alone: {entry}"));
    }
    if let Some(error) = &report.store_error {
        out.warn(&format!("the table is changed, but not the ownership record: {error}"));
    }
    out.text(&text)
}

/// The plan's JSON, with a result for each operation.
fn document(report: &Report, desired: &Desired) -> Value {
    let mut document = render::json(&report.plan, &desired.origins);
    if let Some(operations) = document["operations"].as_array_mut() {
        for (operation, result) in operations.iter_mut().zip(&report.results) {
            operation["ok"] = result.is_ok().into();
            operation["result"] = result.to_string().into();
        }
    }
    if let Some(operations) = document["host"]["operations"].as_array_mut() {
        for (operation, result) in operations.iter_mut().zip(&report.host_results) {
            operation["ok"] = result.is_ok().into();
            operation["result"] = result.to_string().into();
        }
    }
    document["changed"] = report.changed().into();
    document["failed"] = report.failed().into();
    document["unchanged"] = (report.plan.unchanged + report.plan.host.unchanged).into();
    document["unknown"] = report.unknown.as_slice().into();
    document["record_error"] = json!(report.store_error.as_ref().map(ToString::to_string));
    document
}
