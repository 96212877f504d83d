//! Checkers of real servers, and the checks that they become.

use std::net::IpAddr;
use std::time::Duration;

use super::Reading;
use super::http::Url;
use super::lines::Statement;
use super::real_server::RealServer;
use super::tree::Node;
use super::values::{Times, number, quoted_words, switch, text, timer, unknown, without};
use super::virtual_server::{TIMES, VirtualServer};
use crate::import::checks::{When, check};
use crate::import::report::{Place, Report};
use crate::model::{Check, Dns, DnsRecord, DnsTransport, Forward, Match, Probe};

/// A checker as it is written.
#[derive(Debug)]
pub(super) struct Checker {
    pub place: Place,
    kind: Kind,
    times: Times,
    address: Option<IpAddr>,
    port: Option<u16>,
    pub comments: Vec<String>,
}

#[derive(Debug)]
enum Kind {
    Tcp,
    Http(super::http::Get),
    Dns {
        name: String,
        record: DnsRecord,
    },
    Udp {
        payload: Vec<u8>,
        reply: Option<Option<Vec<(u8, u8)>>>,
    },
    Misc {
        argv: Vec<String>,
        timeout: Option<Duration>,
    },
    Ping,
    Smtp,
    /// Something that ipvsd cannot check.
    None,
}

const RECORDS: [(&str, DnsRecord); 8] = [
    ("A", DnsRecord::A),
    ("NS", DnsRecord::Ns),
    ("CNAME", DnsRecord::Cname),
    ("SOA", DnsRecord::Soa),
    ("MX", DnsRecord::Mx),
    ("TXT", DnsRecord::Txt),
    ("AAAA", DnsRecord::Aaaa),
    ("PTR", DnsRecord::Ptr),
];

impl Checker {
    /// The checker, if the block is one.
    pub(super) fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let kind = match node.keyword() {
            "TCP_CHECK" => Kind::Tcp,
            "HTTP_GET" => Kind::Http(super::http::Get::new(false)),
            "SSL_GET" => Kind::Http(super::http::Get::new(true)),
            "DNS_CHECK" => Kind::Dns { name: ".".to_owned(), record: DnsRecord::Soa },
            "UDP_CHECK" => Kind::Udp { payload: Vec::new(), reply: None },
            "MISC_CHECK" => Kind::Misc { argv: Vec::new(), timeout: None },
            "PING_CHECK" => Kind::Ping,
            "SMTP_CHECK" => Kind::Smtp,
            "FILE_CHECK" | "BFD_CHECK" => Kind::None,
            _ => return None,
        };
        let mut checker = Self {
            place: node.statement.place.clone(),
            kind,
            times: Times::default(),
            address: None,
            port: None,
            comments: Vec::new(),
        };
        for child in node.children() {
            checker.word(node.keyword(), child, report);
        }
        checker.whole(node, report);
        Some(checker)
    }

    fn word(&mut self, of: &str, node: &Node, report: &mut Report) {
        if self.times.take(node, report) {
            return;
        }
        match node.keyword() {
            "connect_ip" => match node.word(1).and_then(|word| word.parse().ok()) {
                Some(address) => self.address = Some(address),
                None => drop(report.error(&node.statement.place, "this is no address", "it is left out")),
            },
            "connect_port" => {
                self.port = number(node, 1..=65_535, report).and_then(|port| u16::try_from(port).ok()).or(self.port);
            }
            "bindto" | "bind_if" | "bind_port" | "fwmark" => {
                let what = "ipvsd lets the kernel choose where a check comes from";
                let help = "a route with `src`, or `via = \"vip\"` for what goes through the service's address";
                self.comments.push(without(node, what, help, report));
            }
            "alpha" => {
                let help = "`initial = \"down\"` is of a service, for all of its servers";
                self.comments.push(without(node, "of one check alone it has no equivalent", help, report));
            }
            "log_all_failures" => {
                without(node, "ipvsd counts all failures in its metrics", "nothing has to be done", report);
            }
            _ => self.own_word(of, node, report),
        }
    }

    /// Words of one kind of checker.
    fn own_word(&mut self, of: &str, node: &Node, report: &mut Report) {
        let comments = &mut self.comments;
        match (&mut self.kind, node.keyword()) {
            (Kind::Http(get), _) => {
                if !get.take(node, comments, report) {
                    unknown(node, &format!("of {of}"), report);
                }
            }
            (Kind::Dns { name, .. }, "name") => *name = text(node, report).unwrap_or_default(),
            (Kind::Dns { record, .. }, "type") => {
                let word = node.word(1).unwrap_or_default();
                match RECORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)) {
                    Some((_, known)) => *record = *known,
                    None => {
                        let message = format!("`{word}` is no type of record that is known");
                        report.error(&node.statement.place, message, "keepalived passes over it, and takes SOA");
                    }
                }
            }
            (Kind::Udp { payload, .. }, "payload") => match hex(&node.statement) {
                Some(bytes) => *payload = bytes.into_iter().map(|(byte, _)| byte).collect(),
                None => drop(report.error(&node.statement.place, "no hexadecimal digits", "write two for each byte")),
            },
            (Kind::Udp { reply, .. }, "require_reply") => {
                let pattern = if node.word(1).is_some() { hex(&node.statement) } else { None };
                if node.word(1).is_some() && pattern.is_none() {
                    report.error(&node.statement.place, "no hexadecimal digits", "write two for each byte");
                }
                *reply = Some(pattern);
            }
            (Kind::Udp { .. }, "min_reply_length" | "max_reply_length") => {
                let help = "`expect` with a `regex` can say how long an answer has to be";
                comments.push(without(node, "ipvsd does not look at the length of an answer", help, report));
            }
            (Kind::Misc { argv, .. }, "misc_path") => {
                let words = quoted_words(&node.statement.text, false);
                *argv = match &words[..] {
                    [one] if one.contains(' ') => {
                        let inner = format!("misc_path {one}");
                        quoted_words(&inner, true)
                    }
                    _ => words,
                };
            }
            (Kind::Misc { timeout, .. }, "misc_timeout") => {
                *timeout = timer(node, report).filter(|time| !time.is_zero())
            }
            (Kind::Misc { .. }, "misc_dynamic") => {
                if switch(node, report) == Some(true) {
                    let what = "ipvsd does not take weights from a check: exit status 0 is up, all else is down";
                    let help = "have the program say `ipvsd weight SERVICE DESTINATION N`, or POST the weight to [api]";
                    comments.push(without(node, what, help, report));
                }
            }
            (Kind::Misc { .. }, "user") => {
                let help = "run it as another user by sudo or setpriv in `argv`";
                comments.push(without(node, "ipvsd runs it as the user that it is itself", help, report));
            }
            (Kind::Smtp, "helo_name" | "host") => {
                let help = "write an `exec` check, if the greeting alone is not enough";
                comments.push(without(
                    node,
                    "ipvsd reads the greeting of a mail server, and says nothing",
                    help,
                    report,
                ));
            }
            (Kind::None, _) => {}
            _ => unknown(node, &format!("of {of}"), report),
        }
    }

    /// What is to be said of all of it.
    fn whole(&mut self, node: &Node, report: &mut Report) {
        let said = match &self.kind {
            Kind::None => {
                let help = "an `exec` check can look at what it looked at; `ipvsd weight` sets weights from outside";
                Some(without(node, "ipvsd has no such check: the server counts as up", help, report))
            }
            Kind::Smtp => {
                let help = "it connects, and wants the greeting of a mail server; write an `exec` check for more";
                Some(without(node, "ipvsd has no check of its own for it", help, report))
            }
            Kind::Ping => {
                let help = "the program ping does it here; a `tcp` check of the service itself says more";
                Some(without(node, "ipvsd has no check of its own for it", help, report))
            }
            Kind::Misc { argv, .. } if argv.is_empty() => {
                let message = "a MISC_CHECK without misc_path";
                Some(report.error(&node.statement.place, message, "keepalived leaves it out, too"))
            }
            Kind::Http(get) if get.urls.is_empty() => {
                let message = format!("{} has no url with a path", node.keyword());
                Some(report.error(&node.statement.place, message, "keepalived leaves it out, too"))
            }
            _ => None,
        };
        self.comments.extend(said);
    }

    /// The tries that are made before it counts as failed, beyond the first.
    fn usual_retry(&self) -> u32 {
        match self.kind {
            Kind::Dns { .. } => 3,
            Kind::Misc { .. } => 0,
            _ => 1,
        }
    }

    fn usual_delay(&self) -> Option<Duration> {
        match self.kind {
            Kind::Http(_) => Some(Duration::from_secs(3)),
            // The interval.
            Kind::Dns { .. } => None,
            _ => Some(Duration::from_secs(1)),
        }
    }
}

/// Bytes, each with a mask of the bits that may be anything (`X` in the text).
fn hex(statement: &Statement) -> Option<Vec<(u8, u8)>> {
    let digits: Vec<(u8, u8)> = statement
        .words
        .iter()
        .skip(1)
        .flat_map(|word| word.text.chars())
        .filter(|c| !c.is_whitespace())
        .map(|c| match c {
            'x' | 'X' => Some((0, 0xf)),
            c => c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()).map(|digit| (digit, 0)),
        })
        .collect::<Option<_>>()?;
    if digits.is_empty() || digits.len() % 2 == 1 {
        return None;
    }
    let pair = |pair: &[(u8, u8); 2]| (pair[0].0 << 4 | pair[1].0, pair[0].1 << 4 | pair[1].1);
    Some(digits.as_chunks::<2>().0.iter().map(pair).collect())
}

/// Answers that begin so.
fn begins(pattern: &[(u8, u8)]) -> Match {
    let mut expression = String::from("(?s-u)^");
    for (byte, any) in pattern {
        expression += &match any {
            0 => format!("\\x{byte:02x}"),
            0xff => ".".to_owned(),
            0x0f => format!("[\\x{:02x}-\\x{:02x}]", byte & 0xf0, byte | 0x0f),
            _ => {
                let all: Vec<String> = (0..16u8).map(|high| format!("\\x{:02x}", high << 4 | byte & 0x0f)).collect();
                format!("[{}]", all.concat())
            }
        };
    }
    Match::Regex(expression)
}

impl Reading<'_> {
    /// The names of a real server's checks.
    pub(super) fn resolve_checks(&mut self, server: &VirtualServer, real: &mut RealServer, label: &str) {
        for checker in std::mem::take(&mut real.checkers) {
            let times = checker.times.or(real.times).or(server.times).or(TIMES);
            let delay_loop = times.delay_loop.unwrap_or(Duration::from_secs(60));
            let mut timeout = times.connect_timeout.unwrap_or(Duration::from_secs(5));
            if let Kind::Misc { timeout: own, .. } = &checker.kind {
                timeout = own.unwrap_or(delay_loop);
            }
            let retries = times.retry.unwrap_or_else(|| checker.usual_retry());
            let retry_after = times.before_retry.or_else(|| checker.usual_delay());
            let when = When { interval: delay_loop, timeout, retry_after, fall: retries.saturating_add(1) };
            let mut comments = checker.comments.clone();
            let timing = when.timing(&checker.place, self.report, &mut comments);
            // keepalived checks the real server at the port that is written there, which need not be where clients go.
            let port = checker.port.or_else(|| {
                let kept = real.forward(server) != Forward::Nat;
                Some(real.written_port()).filter(|port| kept && *port != 0 && Some(*port) != server.port)
            });
            let make = |probe| Check { address: checker.address, port, ..check(probe, timing.clone()) };
            let probes: Vec<(&str, Probe)> = match &checker.kind {
                Kind::None => Vec::new(),
                Kind::Tcp => vec![("tcp", Probe::Tcp { send: None, expect: None })],
                Kind::Smtp => {
                    let expect = Some(Match::Regex("^220".to_owned()));
                    vec![("smtp", Probe::Tcp { send: None, expect })]
                }
                Kind::Dns { name, record } => {
                    let name = if name.is_empty() { ".".to_owned() } else { name.clone() };
                    let transport = DnsTransport::Udp;
                    vec![("dns", Probe::Dns(Dns { transport, name, record: *record, rcode: 0, answer: None }))]
                }
                Kind::Udp { payload, reply } => {
                    let expect = reply.as_ref().and_then(|pattern| pattern.as_deref().map(begins));
                    vec![("udp", Probe::Udp { send: payload.clone(), expect, silence_is_up: reply.is_none() })]
                }
                Kind::Misc { argv, .. } if argv.is_empty() => Vec::new(),
                Kind::Misc { argv, .. } => vec![("exec", Probe::Exec { argv: argv.clone() })],
                Kind::Ping => {
                    let address = checker.address.unwrap_or(real.address);
                    vec![("ping", crate::import::checks::ping(address, timing.timeout))]
                }
                Kind::Http(get) => {
                    let host = real.virtualhost.as_ref().or(server.virtualhost.as_ref());
                    get.urls.iter().map(|url| (get.kind(), get.probe(url, host))).collect()
                }
            };
            for (kind, probe) in probes {
                let exec = matches!(probe, Probe::Exec { .. });
                let mut wanted = make(probe);
                if exec {
                    (wanted.address, wanted.port) = (None, None);
                }
                self.add(label, kind, wanted, &comments, &checker.place, real);
            }
        }
    }

    fn add(
        &mut self,
        label: &str,
        kind: &str,
        wanted: Check,
        comments: &[String],
        place: &Place,
        real: &mut RealServer,
    ) {
        let name = format!("{label}.{kind}");
        let mut found = self.checks.name(&name, wanted.clone(), comments.to_vec(), place, self.report);
        if let (Err(comment), Probe::Http(http)) = (&found, &wanted.probe)
            && http.body.is_some()
        {
            // What is expected of the page may be in a language of its own; all else of the check can stay.
            let mut comments = comments.to_vec();
            comments.push(comment.clone());
            let http = Url::without_body(http);
            let wanted = Check { probe: Probe::Http(http), ..wanted };
            found = self.checks.name(&name, wanted, comments, place, self.report);
        }
        match found {
            Ok(name) if real.checks.contains(&name) => {}
            Ok(name) => real.checks.push(name),
            Err(comment) => real.comments.push(comment),
        }
    }
}
