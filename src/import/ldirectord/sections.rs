//! Lines to settings: those at the margin are for all, those that are indented for the virtual service above them.

use crate::import::report::{Line, Place, Report, lines};

/// `NAME = VALUE`.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub name: String,
    /// Without blanks and comments around it.
    pub value: String,
    pub place: Place,
}

/// A virtual service: what the first line says, and what stands below it.
#[derive(Debug)]
pub(super) struct Section {
    pub head: Setting,
    pub settings: Vec<Setting>,
}

#[derive(Debug, Default)]
pub(super) struct Sections {
    pub global: Vec<Setting>,
    pub virtuals: Vec<Section>,
}

pub(super) fn read(report: &mut Report) -> Sections {
    let source = report.source(0);
    let mut sections = Sections::default();
    for line in lines(0, source.body()) {
        // ldirectord ends a comment's line there even in quotes.
        let text = line.text.split('#').next().unwrap_or_default();
        if text.trim().is_empty() {
            continue;
        }
        let indented = text.starts_with([' ', '\t']);
        let Some(setting) = setting(&line, text) else {
            report.error(&line.place, "this is no setting", "write NAME = VALUE; it is left out");
            continue;
        };
        match sections.virtuals.last_mut() {
            _ if matches!(setting.name.as_str(), "virtual" | "virtual6") => {
                sections.virtuals.push(Section { head: setting, settings: Vec::new() });
            }
            Some(section) if indented => section.settings.push(setting),
            None if indented => {
                let message = format!("{} belongs to no virtual service", setting.name);
                report.error(&setting.place, message, "write it at the margin, or below `virtual = …`; it is left out");
            }
            _ => sections.global.push(setting),
        }
    }
    sections
}

fn setting(line: &Line<'_>, text: &str) -> Option<Setting> {
    let start = text.len() - text.trim_start().len();
    let place = line.place.part(start..text.trim_end().len());
    let Some((name, value)) = text.split_once('=') else {
        // The only word that may stand alone.
        return (text.trim() == "supervised").then(|| Setting {
            name: "supervised".to_owned(),
            value: "yes".to_owned(),
            place,
        });
    };
    let name = name.trim();
    let plain =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    plain.then(|| Setting { name: name.to_owned(), value: value.trim().to_owned(), place })
}
