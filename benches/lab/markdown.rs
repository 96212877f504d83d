//! The report in words.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::report::{Line, Report};
use crate::run::Spread;
use crate::section::{Details, Reach};

/// What a figure must be, in words.
pub fn reach(reach: Reach) -> String {
    match reach {
        Reach::Faster(times) => format!("at least {} times faster", number(times)),
        Reach::Times(times) => format!("at most {} times", number(times)),
        Reach::Below(limit, unit) => format!("at most {} {unit}", number(limit)).trim_end().to_owned(),
        Reach::Shown(_) => "–".to_owned(),
    }
}

/// The big table.
pub fn table(lines: &[Line]) -> String {
    let mut text = "| what | against | reach | measured | reached |\n|---|---|---|---|---|\n".to_owned();
    for line in lines {
        let measured = line.measured.map_or_else(|| "not measured".to_owned(), |spread| value(line.reach, spread));
        let note = if line.note.is_empty() { String::new() } else { format!("; {}", line.note) };
        let reached = match (line.measured, line.reached) {
            (None, _) => "",
            (_, Some(true)) => "yes",
            (_, Some(false)) => "**no**",
            (_, None) => "–",
        };
        let Line { what, against, .. } = line;
        let _ = writeln!(text, "| {what} | {against} | {} | {measured}{note} | {reached} |", reach(line.reach));
    }
    text
}

fn value(reach: Reach, spread: Spread) -> String {
    let unit = match reach {
        Reach::Faster(_) => "× faster",
        Reach::Times(_) => "×",
        Reach::Below(_, unit) | Reach::Shown(unit) => unit,
    };
    let Spread { median, low, high, runs } = spread;
    let median = format!("{} {unit}", number(median));
    let median = median.trim_end();
    if runs < 2 { median.to_owned() } else { format!("{median} ({} to {})", number(low), number(high)) }
}

/// Three figures that count.
fn number(number: f64) -> String {
    let text = match number.abs() {
        of if of >= 100.0 => format!("{number:.0}"),
        of if of >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// All of it.
pub fn page(report: &Report, plots: &BTreeMap<&'static str, String>) -> String {
    let mut text = format!("{}\n", table(&report.lines));
    for name in plots.keys() {
        let _ = writeln!(text, "![{name}]({name}.svg)\n");
    }
    for Details { title, head, lines, note } in &report.details {
        let _ = writeln!(text, "### {title}\n");
        let _ = writeln!(text, "| {} |\n|{}", head.join(" | "), "---|".repeat(head.len()));
        for line in lines {
            let _ = writeln!(text, "| {} |", line.join(" | "));
        }
        text.push('\n');
        if !note.is_empty() {
            let _ = writeln!(text, "{note}\n");
        }
    }
    text
}

/// For the README: the plot, and these of the figures.
const MAIN: &[&str] = &[
    "restore",
    "restore-process",
    "keepalived",
    "batch",
    "converged",
    "flip-time",
    "flip-calls",
    "override-time",
    "edit",
    "memory-large",
    "idle-wakes",
    "ipvs-dr",
    "haproxy",
];

/// The main figures, short.
pub fn summary(lines: &[Line], has_plot: bool) -> String {
    let mut text = String::new();
    if has_plot {
        text += "![How cost grows with the table](packaging/doc/growth.svg)\n\n";
    }
    text += "| what | against | measured |\n|---|---|---|\n";
    for line in lines {
        if let (true, Some(spread)) = (MAIN.contains(&line.id.as_str()), line.measured) {
            let Line { what, against, .. } = line;
            let _ = writeln!(text, "| {what} | {against} | {} |", value(line.reach, spread));
        }
    }
    text.push('\n');
    text
}
