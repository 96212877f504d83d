//! Settings for all virtual services, many of which may say it themselves as well.

use std::collections::HashMap;

use super::sections::Setting;
use super::values::{forward, host, number, port, split, switch};
use crate::config::Draft;
use crate::import::Surroundings;
use crate::import::report::{Place, Report};
use crate::model::{Family, Forward, Protocol};

/// What stands for what a virtual service does not say.
#[derive(Debug, Default)]
pub(super) struct Globals {
    pub usual: Usual,
    pub checkinterval: Option<u32>,
    pub says_quiescent: bool,
    pub forks: bool,
    pub fallbacks: HashMap<Family, Fallback>,
}

/// What a virtual service can say as well as all of them together.
#[derive(Debug, Default, Clone)]
pub(super) struct Usual {
    pub checktimeout: Option<u32>,
    pub negotiatetimeout: Option<u32>,
    pub failurecount: Option<u32>,
    pub quiescent: Option<bool>,
}

/// What is used while no real server is.
#[derive(Debug, Clone)]
pub(super) struct Fallback {
    pub place: Place,
    pub address: std::net::IpAddr,
    pub port: Option<u16>,
    pub forward: Forward,
}

impl Fallback {
    pub(super) fn read(
        setting: &Setting,
        protocol: Protocol,
        report: &mut Report,
        surroundings: &mut dyn Surroundings,
    ) -> Option<(Family, Self)> {
        let family = if setting.name.ends_with('6') { Family::V6 } else { Family::V4 };
        let mut words = setting.value.split_whitespace();
        let (name, of_port) = split(words.next().unwrap_or_default());
        let address = host(name, family, surroundings);
        let port = of_port.map(|text| port(text, protocol, surroundings));
        let way = words.next().map_or(Some(Forward::Dr), forward);
        let (Some(address), Some(forward), None | Some(Some(_))) = (address, way, port) else {
            let message = format!("`{}` is no {}", setting.value, setting.name);
            report.error(&setting.place, message, "write ADDRESS[:PORT] [gate|masq|ipip]; it is left out");
            return None;
        };
        Some((family, Self { place: setting.place.clone(), address, port: port.flatten(), forward }))
    }
}

impl Usual {
    /// Takes a setting, if it is one of these.
    pub(super) fn take(&mut self, setting: &Setting, report: &mut Report) -> bool {
        match setting.name.as_str() {
            "checktimeout" => self.checktimeout = number(setting, report).or(self.checktimeout),
            "negotiatetimeout" => self.negotiatetimeout = number(setting, report).or(self.negotiatetimeout),
            "failurecount" => self.failurecount = number(setting, report).or(self.failurecount),
            "quiescent" => self.quiescent = switch(setting, report).or(self.quiescent),
            "checkcount" => {
                let help = "`fall` of a check says how many failures count";
                report.warn(&setting.place, "checkcount is of pings alone, and is left out", help);
            }
            _ => return false,
        }
        true
    }
}

/// Settings that have no equivalent for a reason that is easily said.
const OTHERS: [(&str, &str, &str); 13] = [
    (
        "fallbackcommand",
        "ipvsd has one hook for all services",
        "`on_change` under [hooks] is told service_failed and service_restored",
    ),
    ("emailalert", MAIL, HOOKS),
    ("emailalertfreq", MAIL, HOOKS),
    ("emailalertstatus", MAIL, HOOKS),
    ("emailalertfrom", MAIL, HOOKS),
    ("smtp", MAIL, HOOKS),
    ("monitorfile", "ipvsd logs what happens, and counts it in its metrics", "see `ipvsd show`, the log, and [api]"),
    ("cleanstop", "ipvsd leaves the table as it is when it stops", "nothing has to be done"),
    ("comment", "it is for mails", "write a comment where you like"),
    ("load", "it has had no effect for long", "nothing has to be done"),
    ("logfile", "ipvsd logs to standard error, for the journal", "`--log-format json` is for programs"),
    ("supervised", "ipvsd stays in the foreground always", "nothing has to be done"),
    ("callback", "ipvsd runs nothing when its file changes", "let what changes the file do it"),
];
const MAIL: &str = "ipvsd sends no mail";
const HOOKS: &str = "`on_change` under [hooks] names a program that is told what happens";

/// Says what a setting without an equivalent is about; whether it is one.
pub(super) fn other(setting: &Setting, comments: &mut Vec<String>, report: &mut Report) -> bool {
    let Some((name, what, help)) = OTHERS.iter().find(|(name, ..)| *name == setting.name) else { return false };
    let comment = report.warn(&setting.place, format!("{name}: {what}"), *help);
    if *name == "fallbackcommand" {
        comments.push(comment);
    }
    true
}

impl Globals {
    pub(super) fn take(
        &mut self,
        setting: &Setting,
        draft: &mut Draft,
        report: &mut Report,
        surroundings: &mut dyn Surroundings,
    ) {
        if self.usual.take(setting, report) {
            self.says_quiescent |= setting.name == "quiescent";
            return;
        }
        if other(setting, &mut draft.comments, report) {
            return;
        }
        let mut without =
            |what: &str, help: &str| report.warn(&setting.place, format!("{}: {what}", setting.name), help);
        match setting.name.as_str() {
            "checkinterval" => self.checkinterval = number(setting, report).or(self.checkinterval),
            "fork" => self.forks = switch(setting, report).unwrap_or(self.forks),
            "autoreload" => {
                // ipvsd follows its files always.
                if switch(setting, report) == Some(false) {
                    let message = "autoreload: ipvsd follows its file, whenever it changes";
                    report.warn(&setting.place, message, "write the file anew only when it is to be in force");
                }
            }
            "readdquiescent" => drop(without(
                "ipvsd puts back what is deleted by hand, at weight 0 if it is down",
                "nothing has to be done",
            )),
            "maintenancedir" => {
                let help =
                    "`ipvsd drain SERVICE DESTINATION` takes a server out, `ipvsd undrain` back, over restarts as well";
                draft.comments.push(without("files do not take servers out", help));
            }
            "execute" => drop(without(
                "one ipvsd is enough",
                "import the other configurations, too, into files of one directory",
            )),
            "fallback" | "fallback6" => {
                if let Some((family, fallback)) = Fallback::read(setting, Protocol::Tcp, report, surroundings) {
                    self.fallbacks.insert(family, fallback);
                }
            }
            name => {
                let message = format!("unknown setting `{name}`");
                report.error(&setting.place, message, "ldirectord refuses it, too; it is left out");
            }
        }
    }
}
