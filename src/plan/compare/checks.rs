//! Checks in the configuration's words.

use super::settings::{Settings, Value, time};
use crate::model::{
    Check, Checks, Dns, DnsRecord, DnsTransport, Flap, Grpc, Http, Match, Pass, Policy, Probe, SharedChecks, Timing,
    Tls, Via,
};

/// All checks that a policy has.
pub(super) fn checks_of(policy: &Policy) -> impl Iterator<Item = &SharedChecks> {
    let of_containers = policy.containers.iter().filter_map(|selector| selector.checks.as_ref());
    policy.checks.values().chain(of_containers)
}

/// Their names: `web`, `any of web, port`, `none`.
pub(super) fn words_of_checks(checks: &Checks) -> String {
    let Checks { pass, list } = checks;
    let names: Vec<&str> = list.iter().map(|named| named.name.as_str()).collect();
    match (names.as_slice(), pass) {
        ([], _) => "none".to_owned(),
        ([one], _) => (*one).to_owned(),
        (_, Pass::All) => names.join(", "),
        (_, Pass::Any) => format!("any of {}", names.join(", ")),
    }
}

/// What a check is set to. What is not written in a configuration is not in it.
pub(super) fn settings_of_check(check: &Check) -> Settings {
    let Check { probe, timing, address, port, via, flap } = check;
    let Timing { interval, timeout, rise, fall, jitter, fast_interval, down_interval, down_after } = timing;
    let mut all = Collected::default();
    all.put("kind", probe.kind());
    of_probe(probe, &mut all);
    all.put("interval", time(*interval));
    all.put("timeout", time(*timeout));
    all.put("rise", rise);
    all.put("fall", fall);
    all.put("jitter", format!("{jitter}%"));
    all.may("fast_interval", fast_interval.map(time));
    all.may("down_interval", down_interval.map(time));
    all.put("down_after", time(*down_after));
    all.may("address", *address);
    all.may("port", *port);
    match via {
        Via::Destination => {}
        Via::Vip => all.put("via", "vip"),
    }
    if let Some(Flap { changes, within, hold }) = flap {
        all.put("flap.changes", changes);
        all.put("flap.within", time(*within));
        all.put("flap.hold", time(*hold));
    }
    all.0
}

#[derive(Default)]
struct Collected(Settings);

impl Collected {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    fn may(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }
}

fn of_probe(probe: &Probe, all: &mut Collected) {
    match probe {
        Probe::None => {}
        Probe::Tcp { send, expect } => {
            all.may("send", send.as_deref().map(bytes));
            all.may("expect", expect.as_ref().map(of_match));
        }
        Probe::Http(Http { tls, method, path, host, headers, status, body, location }) => {
            all.put("method", method);
            all.put("path", path);
            all.may("host", host.as_ref());
            all.put("status", status);
            all.may("body", body.as_ref().map(of_match));
            all.may("location", location.as_ref().map(of_match));
            for (name, value) in headers {
                // It may say who asks.
                let value = Value { text: value.clone(), hidden: true };
                all.put(&format!("header {}", name.to_ascii_lowercase()), value);
            }
            of_tls(tls.as_ref(), all);
        }
        Probe::Grpc(Grpc { tls, service }) => {
            all.put("service", format!("{service:?}"));
            of_tls(tls.as_ref(), all);
        }
        Probe::Dns(Dns { transport, name, record, rcode, answer }) => {
            all.put("name", name);
            all.put("type", record_name(*record));
            all.put("rcode", rcode);
            all.may("answer", answer.as_ref());
            match transport {
                DnsTransport::Udp => {}
                DnsTransport::Tcp => all.put("transport", "tcp"),
            }
        }
        Probe::Udp { send, expect, silence_is_up } => {
            all.put("send", bytes(send));
            all.may("expect", expect.as_ref().map(of_match));
            all.put("silence", if *silence_is_up { "up" } else { "down" });
        }
        Probe::Exec { argv } => all.put("argv", argv.join(" ")),
    }
}

fn of_tls(tls: Option<&Tls>, all: &mut Collected) {
    let Some(Tls { insecure, ca, server_name }) = tls else { return };
    all.put("insecure", insecure);
    all.may("ca", ca.as_ref().map(|path| path.display()));
    all.may("server_name", server_name.as_ref());
}

fn of_match(wanted: &Match) -> String {
    match wanted {
        Match::Contains(text) => format!("contains {}", bytes(text)),
        Match::Regex(regex) => format!("regex {regex:?}"),
    }
}

fn bytes(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes.escape_ascii())
}

fn record_name(record: DnsRecord) -> &'static str {
    match record {
        DnsRecord::A => "A",
        DnsRecord::Aaaa => "AAAA",
        DnsRecord::Cname => "CNAME",
        DnsRecord::Mx => "MX",
        DnsRecord::Ns => "NS",
        DnsRecord::Ptr => "PTR",
        DnsRecord::Soa => "SOA",
        DnsRecord::Srv => "SRV",
        DnsRecord::Txt => "TXT",
    }
}
