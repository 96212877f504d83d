//! `checktype` and `service`, and the checks that they become.

use std::net::IpAddr;
use std::time::Duration;

use super::real::Real;
use super::sections::Setting;
use super::values::{number, unquoted};
use super::virtual_service::{When, port_of};
use crate::import::Surroundings;
use crate::import::checks::{self, check, ping};
use crate::import::report::{Place, Report};
use crate::model::{Check, Dns, DnsRecord, DnsTransport, Http, Match, Probe, Protocol, ServiceKey, StatusSet, Tls};

/// How a virtual service has its servers checked.
#[derive(Debug, Default)]
pub(super) struct Checking {
    kind: Kind,
    place: Option<Place>,
    service: Option<String>,
    command: Option<String>,
    port: Option<u16>,
    request: Option<String>,
    receive: Option<String>,
    receive_place: Option<Place>,
    method: Option<String>,
    virtualhost: Option<String>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Kind {
    #[default]
    Negotiate,
    Connect,
    /// So many connects, then a negotiation.
    Combined,
    External,
    ExternalPerl,
    Ping,
    On,
    Off,
}

const SERVICES: [(&str, u16); 21] = [
    ("ftp", 21),
    ("smtp", 25),
    ("dns", 53),
    ("http", 80),
    ("pop", 110),
    ("nntp", 119),
    ("imap", 143),
    ("ldap", 389),
    ("https", 443),
    ("submission", 587),
    ("ldaps", 636),
    ("imaps", 993),
    ("pops", 995),
    ("oracle", 1521),
    ("radius", 1812),
    ("http_proxy", 3128),
    ("mysql", 3306),
    ("sip", 5060),
    ("pgsql", 5432),
    ("simpletcp", 0),
    ("none", 0),
];

/// What servers say by themselves once somebody is connected.
const GREETINGS: [(&str, &str); 6] = [
    ("ftp", "^220"),
    ("smtp", "^220"),
    ("submission", "^220"),
    ("pop", "^\\+OK"),
    ("imap", "^\\* (OK|PREAUTH)"),
    ("nntp", "^20[01]"),
];

impl Checking {
    pub(super) fn is_off(&self) -> bool {
        self.kind == Kind::Off
    }

    /// Takes a setting, if it is one of these.
    pub(super) fn take(&mut self, setting: &Setting, report: &mut Report) -> bool {
        let value = unquoted(&setting.value).to_owned();
        match setting.name.as_str() {
            "checktype" => {
                self.place = Some(setting.place.clone());
                self.kind = match value.as_str() {
                    "negotiate" => Kind::Negotiate,
                    "connect" => Kind::Connect,
                    "external" => Kind::External,
                    "external-perl" => Kind::ExternalPerl,
                    "ping" => Kind::Ping,
                    "on" => Kind::On,
                    "off" => Kind::Off,
                    number if number.parse::<u32>().is_ok() => Kind::Combined,
                    other => {
                        let help = "write connect, negotiate, ping, external, external-perl, on, off or a number";
                        report.error(&setting.place, format!("unknown checktype `{other}`"), help);
                        Kind::Negotiate
                    }
                };
            }
            "service" => {
                if SERVICES.iter().any(|(name, _)| *name == value) {
                    self.service = Some(value);
                } else {
                    let names: Vec<&str> = SERVICES.iter().map(|(name, _)| *name).collect();
                    let message = format!("unknown service `{value}`");
                    report.error(&setting.place, message, format!("there are {}", names.join(", ")));
                }
            }
            "checkcommand" => self.command = Some(value),
            "checkport" => {
                self.port = number(setting, report).and_then(|port| u16::try_from(port).ok());
            }
            "request" => self.request = Some(value),
            "receive" => {
                self.receive = Some(value).filter(|value| !value.is_empty());
                self.receive_place = Some(setting.place.clone());
            }
            "httpmethod" => self.method = Some(value.to_ascii_uppercase()),
            "virtualhost" => self.virtualhost = Some(value),
            "login" | "passwd" | "database" | "secret" => {
                let message = format!("{}: ipvsd logs in nowhere", setting.name);
                report.warn(&setting.place, message, "write an `exec` check that does");
            }
            _ => return false,
        }
        true
    }

    /// The check of a real server, with a word for what it is. What is otherwise with ipvsd is put into `said` as well.
    pub(super) fn check(
        &self,
        key: &ServiceKey,
        real: &Real,
        when: &When,
        report: &mut Report,
        surroundings: &mut dyn Surroundings,
        said: &mut Vec<String>,
    ) -> Option<(&'static str, Check)> {
        let place = self.place.clone().unwrap_or_else(|| real.place.clone());
        let negotiates = matches!(self.kind, Kind::Negotiate | Kind::Combined);
        let seconds = if negotiates { when.negotiatetimeout } else { when.checktimeout };
        let timeout = Duration::from_secs(seconds.into());
        let mut of_target = Target { address: None, port: self.port };
        let (word, probe) = match self.kind {
            Kind::On | Kind::Off => return None,
            Kind::Ping => ("ping", self.ping(real, timeout, &place, report, said)),
            Kind::Connect if matches!(key, ServiceKey::Address { protocol: Protocol::Udp, .. }) => {
                ("ping", self.ping(real, timeout, &place, report, said))
            }
            Kind::Connect => ("tcp", Probe::Tcp { send: None, expect: None }),
            Kind::External | Kind::ExternalPerl => ("exec", self.external(key, real, &place, report, said)),
            Kind::Negotiate | Kind::Combined => {
                if self.kind == Kind::Combined {
                    let message = "connects and negotiations take turns: here every check negotiates";
                    said.push(report.warn(&place, message, "write a longer interval, if that is too much"));
                }
                self.negotiate(key, real, &place, &mut of_target, report, surroundings, said)?
            }
        };
        let exec = matches!(probe, Probe::Exec { .. });
        let port = of_target.port.or_else(|| {
            // ldirectord checks the port that is written, which need not be where clients go.
            let written = if real.port == 0 { self.usual_port(key) } else { Some(real.port) };
            written.filter(|port| *port != port_of(key, real))
        });
        let when = checks::When {
            interval: Duration::from_secs(when.interval.into()),
            timeout,
            retry_after: None,
            fall: when.failurecount,
        };
        let timing = when.timing(&place, report, said);
        let found = check(probe, timing);
        Some((word, if exec { found } else { Check { address: of_target.address, port, ..found } }))
    }

    fn service<'s>(&'s self, key: &ServiceKey) -> &'s str {
        if let Some(name) = &self.service {
            return name;
        }
        let port = key.port().filter(|port| *port != 0);
        SERVICES.iter().find(|(_, usual)| Some(*usual) == port).map_or("none", |(name, _)| name)
    }

    fn usual_port(&self, key: &ServiceKey) -> Option<u16> {
        let service = self.service(key);
        SERVICES.iter().find(|(name, port)| *name == service && *port != 0).map(|(_, port)| *port)
    }

    fn ping(
        &self,
        real: &Real,
        timeout: Duration,
        place: &Place,
        report: &mut Report,
        said: &mut Vec<String>,
    ) -> Probe {
        let help = "the program ping does it here; a `tcp` check of the service itself says more";
        said.push(report.warn(place, "ipvsd has no ping of its own", help));
        ping(real.address, timeout)
    }

    fn external(
        &self,
        key: &ServiceKey,
        real: &Real,
        place: &Place,
        report: &mut Report,
        said: &mut Vec<String>,
    ) -> Probe {
        if self.kind == Kind::ExternalPerl {
            let message = "external-perl: the program is run each time, as with external";
            said.push(report.warn(place, message, "it has to be executable, and to start with #!/usr/bin/perl"));
        }
        let (address, port) = match key {
            ServiceKey::Address { address, port, .. } => (bracketed(*address), *port),
            ServiceKey::Mark { mark, .. } => (mark.to_string(), 0),
        };
        let command = self.command.clone().unwrap_or_else(|| "/bin/true".to_owned());
        let argv = vec![command, address, port.to_string(), bracketed(real.address), real.port.to_string()];
        Probe::Exec { argv }
    }

    #[expect(clippy::too_many_arguments, reason = "they are what there is to know")]
    fn negotiate(
        &self,
        key: &ServiceKey,
        real: &Real,
        place: &Place,
        target: &mut Target,
        report: &mut Report,
        surroundings: &mut dyn Surroundings,
        said: &mut Vec<String>,
    ) -> Option<(&'static str, Probe)> {
        let service = self.service(key);
        let own = real.request.is_some() && real.receive.is_some();
        let request = if own { real.request.clone() } else { self.request.clone() }.unwrap_or_default();
        let receive = if own { real.receive.clone().filter(|text| !text.is_empty()) } else { self.receive.clone() };
        let expect = receive.clone().map(Match::Regex);
        let greeting = GREETINGS.iter().find(|(name, _)| *name == service).map(|(_, greeting)| *greeting);
        match service {
            "none" => None,
            "http" | "https" => {
                if expect.is_some() && self.method.as_deref() == Some("HEAD") {
                    let at = if own { Some(&real.place) } else { self.receive_place.as_ref() }.unwrap_or(place);
                    let message = "receive is left out: to HEAD no page comes back, and ldirectord has the server down";
                    said.push(report.warn(
                        at,
                        message,
                        "write httpmethod=GET, and method = \"GET\" here, to look at the page",
                    ));
                }
                let probe = self.http(service == "https", &request, expect, target, surroundings);
                Some((if service == "https" { "https" } else { "http" }, probe))
            }
            "simpletcp" => {
                let send = request.trim_start_matches('/').replace("\\n", "\n").into_bytes();
                let send = Some(send).filter(|send| !send.is_empty());
                Some(("tcp", Probe::Tcp { send, expect }))
            }
            "dns" => Some(("dns", dns(key, &request, receive.as_deref(), place, report, said))),
            _ => {
                let what = match greeting {
                    Some(_) => "the greeting is looked at",
                    None => "a connection has to be accepted",
                };
                let message = format!("ipvsd does not speak {service}: {what}, and no more");
                said.push(report.warn(place, message, "write an `exec` check for more"));
                let expect = greeting.map(|greeting| Match::Regex(greeting.to_owned()));
                if service == "radius" {
                    let help = "radius is on udp, where nothing is connected; write a `udp` or `exec` check";
                    said.push(report.error(place, "no check is written for radius", help));
                    return None;
                }
                Some(("tcp", Probe::Tcp { send: None, expect }))
            }
        }
    }

    fn http(
        &self,
        secure: bool,
        request: &str,
        body: Option<Match>,
        target: &mut Target,
        surroundings: &mut dyn Surroundings,
    ) -> Probe {
        let scheme = if secure { "https://" } else { "http://" };
        let request = request.trim_start_matches('/');
        let mut path = format!("/{request}");
        if let Some(rest) = request.strip_prefix(scheme) {
            let (authority, behind) = rest.split_once('/').unwrap_or((rest, ""));
            path = format!("/{behind}");
            let (host, port) = super::values::split(authority);
            let bare = host.trim_matches(['[', ']']);
            target.address = bare.parse().ok().or_else(|| surroundings.host(bare, None));
            target.port = port.and_then(|port| port.parse().ok()).or(Some(if secure { 443 } else { 80 }));
        }
        let method = self.method.clone().unwrap_or_else(|| "GET".to_owned());
        let body = body.filter(|_| method == "GET");
        Probe::Http(Http {
            // ldirectord takes any certificate.
            tls: secure.then_some(Tls { insecure: true, ca: None, server_name: None }),
            method,
            path,
            host: self.virtualhost.clone(),
            headers: Vec::new(),
            status: StatusSet(vec![(200, 299)]),
            body,
            location: None,
        })
    }
}

/// What is checked instead of the real server itself.
struct Target {
    address: Option<IpAddr>,
    port: Option<u16>,
}

fn bracketed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    }
}

fn dns(
    key: &ServiceKey,
    request: &str,
    receive: Option<&str>,
    place: &Place,
    report: &mut Report,
    said: &mut Vec<String>,
) -> Probe {
    let name = request.trim_start_matches('/');
    let reverse = name.parse::<IpAddr>().ok().map(reverse_name);
    let record = if reverse.is_some() { DnsRecord::Ptr } else { DnsRecord::A };
    // An expression that is an answer, but for the dots.
    let plain = receive.map(|text| text.trim_start_matches('^').trim_end_matches('$').replace("\\.", "."));
    let answer = plain.filter(|text| record == DnsRecord::Ptr || text.parse::<std::net::Ipv4Addr>().is_ok());
    if answer.is_none() {
        let message = match receive {
            Some(_) => "ipvsd compares an answer of the DNS letter by letter: any answer will do here",
            None => "without `receive` ldirectord has all servers down: any answer will do here",
        };
        said.push(report.warn(place, message, "write `answer`, the address that has to be there"));
    }
    let tcp = matches!(key, ServiceKey::Address { protocol: Protocol::Tcp, .. });
    let transport = if tcp { DnsTransport::Tcp } else { DnsTransport::Udp };
    let name = reverse.unwrap_or_else(|| if name.is_empty() { ".".to_owned() } else { name.to_owned() });
    Probe::Dns(Dns { transport, name, record, rcode: 0, answer })
}

/// What a PTR record is asked for by.
fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa.")
        }
        IpAddr::V6(v6) => {
            let nibbles = v6.octets().into_iter().rev().flat_map(|byte| [byte & 0xf, byte >> 4]);
            nibbles.map(|nibble| format!("{nibble:x}.")).collect::<String>() + "ip6.arpa."
        }
    }
}
