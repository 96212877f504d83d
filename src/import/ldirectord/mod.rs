//! ldirectord.cf: virtual services, their real servers, and how they are checked.
//!
//! Read in ldirectord 4.12, of which the defaults are, even where its manual page has others (`quiescent`).

mod check;
mod globals;
mod real;
mod sections;
mod values;
mod virtual_service;

use super::checks::Checks;
use super::report::Report;
use super::{Surroundings, services};
use crate::config::Draft;
use globals::Globals;

pub(super) fn read(report: &mut Report, surroundings: &mut dyn Surroundings) -> Draft {
    let sections = sections::read(report);
    let mut draft = Draft::default();
    let mut globals = Globals::default();
    // What stands behind a virtual service holds for it as well.
    for setting in &sections.global {
        globals.take(setting, &mut draft, report, surroundings);
    }
    let mut checks = Checks::default();
    let mut items = Vec::new();
    for section in &sections.virtuals {
        items.extend(virtual_service::read(section, &globals, &mut checks, report, surroundings));
    }
    if !items.is_empty() && !globals.says_quiescent {
        let line = "ldirectord deletes servers that are down unless it says quiescent = yes (its manual page has it the other way \
                    round): so on_down = \"delete\" where it says nothing";
        draft.comments.push(line.to_owned());
    }
    draft.checks = checks.list;
    services::put(items, &mut draft, report);
    draft
}
