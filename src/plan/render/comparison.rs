//! What is otherwise in one configuration than in another, in words and as data.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::style::{ARROW, HEADING, SERVICE, Style};
use super::{json as plan_json, text, words};
use crate::plan::{About, Comparison, Counts, Difference, Verb};

/// The comparison as text: the table as a plan tells of it, then what is not the table's, and one line that sums up.
pub fn comparison_text(comparison: &Comparison, style: Style) -> String {
    let Comparison { plan, settings, origins } = comparison;
    let mut out = String::new();
    text::changes(&mut out, plan, origins, style);
    let is_of_host = |difference: &&Difference| matches!(difference.about, About::Host(_));
    let besides: Vec<&Difference> = settings.iter().filter(|difference| !is_of_host(difference)).collect();
    let host: Vec<&Difference> = settings.iter().filter(is_of_host).collect();
    section(&mut out, "Besides the table:", &besides, comparison, style);
    section(&mut out, "The host:", &host, comparison, style);
    let _ = writeln!(out, "{}", style.paint(HEADING, summary(comparison)));
    out
}

fn section(out: &mut String, heading: &str, of: &[&Difference], comparison: &Comparison, style: Style) {
    if of.is_empty() {
        return;
    }
    let _ = writeln!(out, "{}\n", style.paint(HEADING, heading));
    for group in of.chunk_by(|one, other| one.about == other.about) {
        let Some(first) = group.first() else { continue };
        let verb = verb(group);
        let _ = write!(out, "  {} ", style.symbol(verb));
        match &first.about {
            About::Service(key) => {
                let _ = write!(out, "{}", style.paint(SERVICE, key));
                if let Some(origin) = comparison.origins.get(key) {
                    let _ = write!(out, " ({})", origin.name);
                }
            }
            About::Check(name) => drop(write!(out, "check {}", style.paint(SERVICE, name))),
            about @ (About::Daemon | About::Hooks | About::Api | About::Docker) => {
                let _ = write!(out, "{}", style.paint(SERVICE, about.kind()));
            }
            About::Host(key) => drop(write!(out, "{key}")),
        }
        let _ = writeln!(out, "  {}", group.iter().map(|one| effect(one, verb)).collect::<Vec<_>>().join(", "));
        // Trailing blanks of what has no value.
        out.truncate(out.trim_end().len());
        out.push('\n');
    }
    out.push('\n');
}

/// What happens to an object of which these settings differ.
fn verb(group: &[&Difference]) -> Verb {
    if group.iter().all(|difference| difference.from.is_none()) && !is_service(group) {
        Verb::Add
    } else if group.iter().all(|difference| difference.to.is_none()) && !is_service(group) {
        Verb::Delete
    } else {
        Verb::Edit
    }
}

/// Whether a service comes or goes, the plan says.
fn is_service(group: &[&Difference]) -> bool {
    group.iter().any(|difference| matches!(difference.about, About::Service(_)))
}

fn effect(difference: &Difference, verb: Verb) -> String {
    let Difference { about: _, setting, from, to } = difference;
    let text = match (verb, from, to) {
        (Verb::Edit, None, Some(to)) if !setting.is_empty() => format!("none {ARROW} {to}"),
        (Verb::Edit, Some(from), None) if !setting.is_empty() => format!("{from} {ARROW} none"),
        (_, Some(from), Some(to)) if from == to => "is another one".to_owned(),
        (_, Some(from), Some(to)) => format!("{from} {ARROW} {to}"),
        (_, Some(one), None) | (_, None, Some(one)) => one.clone(),
        (_, None, None) => String::new(),
    };
    format!("{setting} {text}").trim().to_owned()
}

fn summary(comparison: &Comparison) -> String {
    let Comparison { plan, settings, origins: _ } = comparison;
    let unchanged = plan.unchanged;
    if comparison.is_empty() {
        return format!("No difference: both ask for the same ({}).", words::count(unchanged, "entry"));
    }
    let besides = match settings.chunk_by(|one, other| one.about == other.about).count() {
        0 => String::new(),
        number => format!(" {} besides the table.", words::count(number, "difference")),
    };
    let Counts { add, edit, delete } = plan.counts();
    let (add, edit, delete) = (add.total(), edit.total(), delete.total());
    format!("Difference: {add} to add, {edit} to edit, {delete} to delete; {unchanged} unchanged.{besides}")
}

/// The comparison as JSON. Keys are only ever added to this shape:
///
/// ```json
/// {
///   "version": 1,
///   "equal": false,
///   "operations": [], "summary": {},      // as in a plan: see [`json`](super::json())
///   "settings": [{
///     "kind": "daemon",                   // service, check, daemon, hooks, api, docker, host
///     "object": null,                     // which of them: tcp://192.0.2.10:80, a check's name, sysctl net.ipv4.ip_forward
///     "setting": "resync",                // empty for the host
///     "from": "30s", "to": "1m"           // null where it is not written
///   }]
/// }
/// ```
pub fn comparison_json(comparison: &Comparison) -> Value {
    let Comparison { plan, settings, origins } = comparison;
    let mut of_plan = plan_json(plan, origins);
    let setting = |difference: &Difference| {
        let Difference { about, setting, from, to } = difference;
        json!({ "kind": about.kind(), "object": about.object(), "setting": setting, "from": from, "to": to })
    };
    json!({
        "version": 1,
        "equal": comparison.is_empty(),
        "operations": of_plan["operations"].take(),
        "summary": of_plan["summary"].take(),
        "settings": settings.iter().map(setting).collect::<Vec<_>>(),
    })
}
