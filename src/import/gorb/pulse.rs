//! Pulse, GORB's checks: one result makes a verdict, and a check has five seconds.

use std::net::IpAddr;
use std::time::Duration;

use crate::import::checks::{When, check};
use crate::import::document::Item as Value;
use crate::import::report::{Place, Report};
use crate::model::{Check, Http, Probe, StatusSet, Tls};

/// As it is written; what is not, is as GORB has it.
#[derive(Debug, Clone, Default)]
pub(super) struct Pulse {
    kind: Option<String>,
    interval: Option<String>,
    args: Vec<(String, String)>,
}

impl Pulse {
    pub(super) fn read(value: Value<'_>, report: &mut Report) -> Self {
        let mut pulse = Self::default();
        for (key, place, value) in value.table("a pulse", report) {
            match key.to_ascii_lowercase().as_str() {
                "type" => pulse.kind = value.text("a type", report).filter(|text| !text.is_empty()),
                "interval" => pulse.interval = value.text("an interval", report).filter(|text| !text.is_empty()),
                "args" => {
                    for (key, place, value) in value.table("args", report) {
                        match key {
                            "host" | "port" | "path" | "method" | "expect" | "scheme" | "timeout" => {
                                let text = value.text("an argument", report).filter(|text| !text.is_empty());
                                pulse.args.extend(text.map(|text| (key.to_owned(), text)));
                            }
                            other => drop(report.error(
                                &place,
                                format!("unknown argument `{other}` of a pulse"),
                                "it is left out",
                            )),
                        }
                    }
                }
                other => drop(report.error(&place, format!("unknown key `{other}` of a pulse"), "it is left out")),
            }
        }
        pulse
    }

    fn arg(&self, name: &str) -> Option<&str> {
        self.args.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The check, with a word for what it is; nothing, if there is none.
    pub(super) fn check(
        &self,
        place: &Place,
        report: &mut Report,
        said: &mut Vec<String>,
    ) -> Option<(&'static str, Check)> {
        let kind = self.kind.as_deref().unwrap_or("tcp").to_lowercase();
        let written = self.interval.as_deref().unwrap_or("1m");
        let Some(interval) = interval(written) else {
            let message = format!("`{written}` is no interval of a pulse");
            said.push(report.error(place, message, "write for example 1m; the check is left out"));
            return None;
        };
        let mut number = |name: &str| match self.arg(name).map(|text| (text, text.trim().parse::<u16>())) {
            Some((_, Ok(number))) => Some(number),
            Some((text, Err(_))) => {
                said.push(report.error(place, format!("`{text}` is no {name} of a pulse"), "it is left out"));
                None
            }
            None => None,
        };
        let (port, expect, seconds) = (number("port").filter(|port| *port != 0), number("expect"), number("timeout"));
        let timeout = Duration::from_secs(seconds.unwrap_or(5).into());
        let timing = When { interval, timeout, retry_after: None, fall: 1 }.timing(place, report, said);
        match kind.as_str() {
            "none" => None,
            "tcp" => Some(("tcp", check(Probe::Tcp { send: None, expect: None }, timing))),
            "http" => {
                let host = self.arg("host");
                let address = host.and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok());
                let path = self.arg("path").unwrap_or("/");
                let code = expect.unwrap_or(200);
                let secure = self.arg("scheme") == Some("https");
                let probe = Probe::Http(Http {
                    tls: secure.then_some(Tls { insecure: true, ca: None, server_name: None }),
                    method: self.arg("method").unwrap_or("GET").to_owned(),
                    path: if path.starts_with('/') { path.to_owned() } else { format!("/{path}") },
                    host: host.filter(|_| address.is_none()).map(str::to_owned),
                    headers: Vec::new(),
                    status: StatusSet(vec![(code, code)]),
                    body: None,
                    location: None,
                });
                Some((if secure { "https" } else { "http" }, Check { address, port, ..check(probe, timing) }))
            }
            other => {
                let message = format!("unknown type `{other}` of a pulse");
                said.push(report.error(place, message, "write tcp, http or none; the check is left out"));
                None
            }
        }
    }
}

/// Digits and a unit.
fn interval(text: &str) -> Option<Duration> {
    let text = text.trim().to_lowercase();
    let text = text.strip_prefix('+').unwrap_or(&text);
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..end].parse().ok()?;
    let seconds = match &text[end..] {
        "s" | "sec" | "seconds" => 1,
        "m" | "min" | "minutes" => 60,
        "h" | "hours" => 3600,
        _ => return None,
    };
    number.checked_mul(seconds).filter(|seconds| *seconds > 0).map(Duration::from_secs)
}
