//! The keys of a check that are not as they would be unwritten. There are no defaults of checks elsewhere, so they can go.

use super::{Keys, push, quoted};
use crate::config::checks::{RCODES, RECORDS, plain_timing};
use crate::config::values::written;
use crate::model::{Check, Dns, DnsTransport, Flap, Grpc, Http, Match, Probe, Timing, Tls, Via};

/// `separator` stands between key and value in braces.
pub(super) fn check_keys(check: &Check, separator: &str) -> Keys {
    let Check { probe, timing, address, port, via, flap } = check;
    let braces = Braces(separator);
    let mut keys = vec![(probe.kind(), braces.around(&probe_keys(probe, &braces)))];
    let Timing { interval, timeout, rise, fall, jitter, fast_interval, down_interval, down_after } = timing;
    let plain = plain_timing();
    keys.push(("interval", written(*interval)));
    keys.push(("timeout", written(*timeout)));
    keys.push(("rise", rise.to_string()));
    keys.push(("fall", fall.to_string()));
    if *jitter != plain.jitter {
        keys.push(("jitter", format!("\"{jitter}%\"")));
    }
    if let Some(interval) = fast_interval {
        keys.push(("fast_interval", written(*interval)));
    }
    if let Some(interval) = down_interval {
        keys.push(("down_interval", written(*interval)));
        keys.push(("down_after", written(*down_after)));
    }
    if let Some(address) = address {
        keys.push(("address", quoted(&address.to_string())));
    }
    if let Some(port) = port {
        keys.push(("port", port.to_string()));
    }
    if *via == Via::Vip {
        keys.push(("via", quoted("vip")));
    }
    if let Some(Flap { changes, within, hold }) = flap {
        let flap = [("changes", changes.to_string()), ("within", written(*within)), ("hold", written(*hold))];
        keys.push(("flap", braces.around(&flap)));
    }
    keys
}

/// A table on one line.
struct Braces<'s>(&'s str);

impl Braces<'_> {
    fn around(&self, keys: &[(&str, String)]) -> String {
        let Self(separator) = self;
        let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}{separator}{value}")).collect();
        if keys.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", keys.join(", ")) }
    }

    /// Text where it is some, else hexadecimal digits.
    fn bytes(&self, bytes: &[u8]) -> String {
        match str::from_utf8(bytes) {
            Ok(text) => quoted(text),
            Err(_) => self.around(&[("hex", hex(bytes))]),
        }
    }

    fn matching(&self, matching: &Match) -> String {
        match matching {
            Match::Contains(bytes) => self.bytes(bytes),
            Match::Regex(expression) => self.around(&[("regex", quoted(expression))]),
        }
    }

    fn tls(&self, Tls { insecure, ca, server_name }: &Tls) -> Keys {
        let mut keys = Keys::new();
        if *insecure {
            keys.push(("insecure", "true".to_owned()));
        }
        if let Some(ca) = ca {
            keys.push(("ca", quoted(&ca.display().to_string())));
        }
        if let Some(name) = server_name {
            keys.push(("server_name", quoted(name)));
        }
        keys
    }

    fn http(&self, http: &Http) -> Keys {
        let Http { tls, method, path, host, headers, status, body, location } = http;
        let mut keys = Keys::new();
        if method != "GET" {
            keys.push(("method", quoted(method)));
        }
        keys.push(("path", quoted(path)));
        if let Some(host) = host {
            keys.push(("host", quoted(host)));
        }
        if !headers.is_empty() {
            let headers: Vec<(String, String)> =
                headers.iter().map(|(name, value)| (quoted(name), quoted(value))).collect();
            let headers: Vec<(&str, String)> =
                headers.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
            keys.push(("headers", self.around(&headers)));
        }
        if status.0 != [(200, 299)] {
            keys.push(("status", quoted(&status.to_string())));
        }
        if let Some(body) = body {
            keys.push(("body", self.matching(body)));
        }
        if let Some(location) = location {
            keys.push(("location", self.matching(location)));
        }
        keys.extend(tls.iter().flat_map(|tls| self.tls(tls)));
        keys
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut digits = String::new();
    for byte in bytes {
        push(&mut digits, format_args!("{byte:02x}"));
    }
    quoted(&digits)
}

fn probe_keys(probe: &Probe, braces: &Braces<'_>) -> Keys {
    match probe {
        Probe::None => Keys::new(),
        Probe::Tcp { send, expect } => {
            let send = send.iter().map(|bytes| ("send", braces.bytes(bytes)));
            send.chain(expect.iter().map(|expect| ("expect", braces.matching(expect)))).collect()
        }
        Probe::Http(http) => braces.http(http),
        Probe::Grpc(Grpc { tls, service }) => {
            let mut keys = vec![("service", quoted(service))];
            keys.extend(tls.iter().map(|tls| ("tls", braces.around(&braces.tls(tls)))));
            keys
        }
        Probe::Dns(Dns { transport, name, record, rcode, answer }) => {
            let kind = RECORDS.iter().find(|(_, known)| known == record).map_or("SOA", |(name, _)| name);
            let mut keys = vec![("name", quoted(name)), ("type", quoted(kind))];
            if *transport == DnsTransport::Tcp {
                keys.push(("transport", quoted("tcp")));
            }
            if *rcode != 0 {
                let code = RCODES.get(usize::from(*rcode)).map_or_else(|| rcode.to_string(), |name| quoted(name));
                keys.push(("rcode", code));
            }
            keys.extend(answer.iter().map(|answer| ("answer", quoted(answer))));
            keys
        }
        Probe::Udp { send, expect, silence_is_up } => {
            let mut keys = vec![("send", braces.bytes(send))];
            keys.extend(expect.iter().map(|expect| ("expect", braces.matching(expect))));
            if *silence_is_up {
                keys.push(("silence", quoted("up")));
            }
            keys
        }
        Probe::Exec { argv } => {
            let argv: Vec<String> = argv.iter().map(|word| quoted(word)).collect();
            vec![("argv", format!("[{}]", argv.join(", ")))]
        }
    }
}
