//! ipvsadm: rules as `ipvsadm -S` writes and `ipvsadm -R` reads, and scripts that run ipvsadm line by line.
//!
//! Commands are carried out in their order on a table that is empty at first, as the kernel would; what is there in the end is
//! the configuration. Read in ipvsadm 1.31 and its manual page.

mod address;
mod options;
mod rule;
mod shell;
mod table;

use super::report::{Report, lines};
use super::{Surroundings, services};
use crate::config::Draft;
use rule::Rule;
use table::Table;

pub(super) fn read(report: &mut Report, surroundings: &mut dyn Surroundings) -> Draft {
    let source = report.source(0);
    let mut table = Table::default();
    let mut script = shell::Script::default();
    for line in lines(0, source.body()) {
        for words in script.commands(line, report) {
            if let Some(command) = Rule::parse(&words, report, surroundings) {
                table.carry_out(command, report);
            }
        }
    }
    script.end(report);
    let mut draft = Draft::default();
    let items = table.finish(&mut draft);
    services::put(items, &mut draft, report);
    draft
}
