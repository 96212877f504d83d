//! The plan as a person reads it: drift apart from change, grouped by service.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::model::{DestinationKey, ServiceKey};
use crate::plan::{Cause, Counts, Leave, Operation, Plan, Stage, Step, Verb};

use super::attributes::{destination_changes, service_changes};
use super::style::{DRIFT, FAINT, HEADING, SERVICE, Style};
use super::{Origins, host, lines, notes, words};

/// The plan as text, in lines that each end in a newline: the drift that is repaired, the changes, the
/// notes, and one summary line. Services stand in key order with their operation before those on their
/// destinations; how they are carried out is another order, and said where it matters.
pub fn text(plan: &Plan, origins: &Origins, style: Style) -> String {
    let mut out = String::new();
    host::section(&mut out, &plan.host, true, style);
    let drift = plan.steps.iter().filter(|step| step.cause == Cause::Drift);
    let heading = style.paint(DRIFT, "Drift: somebody else changed the table; this puts it right.");
    section(&mut out, heading, drift, origins, style);
    changes(&mut out, plan, origins, style);
    if !plan.stage(Stage::Delete).is_empty() && plan.stage(Stage::Delete).start > 0 {
        let order = "Carried out in this order: adds and raises, then lowerings, then deletes.";
        let _ = writeln!(out, "{}\n", style.paint(FAINT, order));
    }
    host::section(&mut out, &plan.host, false, style);
    let mut notes = notes::condensed(&plan.notes);
    notes.extend(plan.host.notes.iter().map(host::host_note_line));
    if !notes.is_empty() {
        let _ = writeln!(out, "{}", style.paint(HEADING, "Not done:"));
        for line in notes {
            let _ = writeln!(out, "  {}", style.paint(FAINT, line));
        }
        out.push('\n');
    }
    let _ = writeln!(out, "{}", style.paint(HEADING, summary(plan)));
    out
}

/// What is no drift.
pub(super) fn changes(out: &mut String, plan: &Plan, origins: &Origins, style: Style) {
    let change = plan.steps.iter().filter(|step| step.cause == Cause::Change);
    section(out, style.paint(HEADING, "Changes:"), change, origins, style);
}

/// A service's steps of one cause.
#[derive(Default)]
struct Group<'a> {
    service: Option<&'a Step>,
    destinations: BTreeMap<&'a DestinationKey, &'a Step>,
}

fn section<'a>(
    out: &mut String,
    heading: impl std::fmt::Display,
    steps: impl Iterator<Item = &'a Step>,
    origins: &Origins,
    style: Style,
) {
    let mut groups: BTreeMap<&ServiceKey, Group<'a>> = BTreeMap::new();
    for step in steps {
        let group = groups.entry(step.operation.service()).or_default();
        match step.operation.destination() {
            None => group.service = Some(step),
            Some(destination) => {
                group.destinations.insert(destination, step);
            }
        }
    }
    if groups.is_empty() {
        return;
    }
    let _ = writeln!(out, "{heading}\n");
    for (service, Group { service: step, destinations }) in groups {
        service_line(out, service, step, origins, style);
        for (destination, step) in destinations {
            let symbol = style.symbol(step.operation.kind());
            let _ = writeln!(out, "      {symbol} {destination}  {}", effect(step));
        }
        out.push('\n');
    }
}

fn service_line(out: &mut String, service: &ServiceKey, step: Option<&Step>, origins: &Origins, style: Style) {
    match step {
        Some(step) => {
            let _ = write!(out, "  {} {}", style.symbol(step.operation.kind()), style.paint(SERVICE, service));
        }
        None => {
            let _ = write!(out, "    {}", style.paint(SERVICE, service));
        }
    }
    if let Some(origin) = origins.get(service) {
        let _ = write!(out, " ({})", origin.name);
    }
    if let Some(step) = step {
        let _ = write!(out, "  {}", effect(step));
    }
    out.push('\n');
}

/// What an operation does to its entry.
fn effect(step: &Step) -> String {
    match &step.operation {
        Operation::AddService { service: _, settings } => words::service(settings),
        Operation::EditService { service: _, from, to } => {
            let mut text = lines::changes(&service_changes(from, to));
            // `ip_vs_edit_service` unbinds the old one and waits for an RCU grace period before it binds the new one.
            if from.scheduler != to.scheduler {
                text.push_str("; the kernel refuses new connections while it swaps schedulers, for some milliseconds");
            }
            text
        }
        Operation::DeleteService { service: _, from: _, destinations: 0 } => "without destinations".to_owned(),
        Operation::DeleteService { service: _, from: _, destinations } => {
            let destinations = words::count(*destinations, "destination");
            match step.leave.wait {
                Some(_) => format!("with its {destinations}; {}", drains(step.leave)),
                None => format!("with its {destinations}; its connections are cut"),
            }
        }
        Operation::AddDestination { service: _, destination: _, settings } => words::destination(settings),
        Operation::EditDestination { service: _, destination: _, from, to } => {
            lines::changes(&destination_changes(from, to))
        }
        Operation::DeleteDestination { service: _, destination: _, from } => {
            if step.leave.wait.is_some() {
                return format!("weight {}; {}", from.weight, drains(step.leave));
            }
            let which = if from.weight == 0 { "the connections that it still has" } else { "its connections" };
            format!("weight {}; {which} are cut", from.weight)
        }
    }
}

/// How a delete waits.
fn drains(Leave { wait, connections, .. }: Leave) -> String {
    match (connections, wait) {
        (0, _) | (_, None) => "quiesced first, deleted when it has no connections".to_owned(),
        (_, Some(seconds)) => format!(
            "quiesced first, deleted when its {} ended, after {} at the latest",
            if connections == 1 { "connection has".to_owned() } else { format!("{connections} connections have") },
            words::duration(seconds)
        ),
    }
}

/// The last line.
fn summary(plan: &Plan) -> String {
    let Plan { steps: _, notes: _, unchanged, owned: _, host } = plan;
    let unchanged = unchanged + host.unchanged;
    if plan.is_empty() {
        let entries = words::count(unchanged, "entry");
        return if plan.is_waiting() {
            format!("No changes now: some of what the configuration asks for has to wait; {entries} unchanged.")
        } else {
            format!("No changes: the kernel has what the configuration asks for ({entries}).")
        };
    }
    let Counts { add, edit, delete } = plan.counts();
    let add = add.total() + host.count(Verb::Add);
    let edit = edit.total() + host.count(Verb::Edit);
    let delete = delete.total() + host.count(Verb::Delete);
    format!("Plan: {add} to add, {edit} to edit, {delete} to delete; {unchanged} unchanged.")
}
