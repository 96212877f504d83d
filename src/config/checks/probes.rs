//! All kinds of checks but http and https.

use super::http::{self, TlsKeys};
use super::matching::{matching, payload};
use crate::config::decode::At;
use crate::config::fault::{Fault, Faults};
use crate::config::{names, raw, values};
use crate::model::{Dns, DnsRecord, DnsTransport, Grpc, Probe};

/// The types of records that can be asked for.
pub(in crate::config) const RECORDS: [(&str, DnsRecord); 9] = [
    ("A", DnsRecord::A),
    ("AAAA", DnsRecord::Aaaa),
    ("CNAME", DnsRecord::Cname),
    ("MX", DnsRecord::Mx),
    ("NS", DnsRecord::Ns),
    ("PTR", DnsRecord::Ptr),
    ("SOA", DnsRecord::Soa),
    ("SRV", DnsRecord::Srv),
    ("TXT", DnsRecord::Txt),
];
/// Response codes in the order of their numbers, from 0 (RFC 6895, section 2.3).
pub(in crate::config) const RCODES: [&str; 11] = [
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH",
    "NOTZONE",
];
const RCODE_MAX: u8 = 15;
/// Longer names of gRPC services do not exist.
const SERVICE_MAX: usize = 1024;

pub(super) fn tcp(raw: &raw::Tcp, faults: &mut Faults) -> Option<Probe> {
    let before = faults.errors();
    let raw::Tcp { send, expect } = raw;
    if let Some(At { place, value: raw::Payload::Text(text) }) = send.get()
        && text.is_empty()
    {
        faults.push(Fault::new(*place, "there is nothing to send").help("remove it, or write what is sent"));
    }
    let send = send.get().and_then(|at| payload(at, faults));
    let expect = expect.get().and_then(|at| matching(at, faults));
    (faults.errors() == before).then_some(Probe::Tcp { send, expect })
}

pub(super) fn udp(name: &At<String>, at: &At<raw::Udp>, faults: &mut Faults) -> Option<Probe> {
    let raw::Udp { send, expect, silence } = &at.value;
    if send.is_absent() {
        let fault = Fault::new(name.place, "a `udp` check does not say what it sends");
        faults.push(fault.help("add `send` in `udp`: without a question there is no answer"));
    }
    let before = faults.errors();
    let words = [("down", false), ("up", true)];
    let silence = silence.get().map_or(Some(false), |at| values::word(at, "meaning of silence", &words, faults));
    let expect = expect.get().and_then(|at| matching(at, faults));
    let send = send.get().and_then(|at| payload(at, faults))?;
    (faults.errors() == before).then_some(Probe::Udp { send, expect, silence_is_up: silence? })
}

pub(super) fn grpc(raw: &raw::Grpc, faults: &mut Faults) -> Option<Grpc> {
    let before = faults.errors();
    let raw::Grpc { service, tls } = raw;
    if let Some(At { place, value }) = service.get()
        && (value.len() > SERVICE_MAX || value.chars().any(char::is_control))
    {
        let fault = Fault::new(*place, "this cannot be the name of a gRPC service");
        faults.push(fault.help("write it as its .proto file has it, such as \"shop.v1.Cart\""));
    }
    let tls = tls
        .value()
        .map(|raw::Tls { insecure, ca, server_name }| http::tls(&TlsKeys { insecure, ca, server_name }, faults));
    let service = service.value().cloned().unwrap_or_default();
    (faults.errors() == before).then_some(Grpc { tls, service })
}

pub(super) fn dns(raw: &raw::Dns, faults: &mut Faults) -> Option<Dns> {
    let before = faults.errors();
    let raw::Dns { name, kind, transport, rcode, answer } = raw;
    let record = kind.get().and_then(|at| values::word(at, "type of record", &RECORDS, faults)).unwrap_or_default();
    let words = [("udp", DnsTransport::Udp), ("tcp", DnsTransport::Tcp)];
    let transport = transport.get().and_then(|at| values::word(at, "transport", &words, faults)).unwrap_or_default();
    let code = rcode.get().map_or(Some(0), |at| self::rcode(at, faults));
    let name = name.get().map_or(Some(".".to_owned()), |at| query_name(at, faults));
    let answer = answer.get().and_then(|at| self::answer(at, record, faults));
    if let (Some(place), Some(code), Some(rcode)) = (raw.answer.place(), code, rcode.place())
        && code != 0
    {
        let fault =
            Fault::new(place, "an answer comes with NOERROR only").related(rcode, "another code is wanted here");
        faults.push(fault.help("remove one of the two"));
    }
    (faults.errors() == before).then_some(Dns { transport, name: name?, record, rcode: code?, answer })
}

fn rcode(at: &At<raw::Code>, faults: &mut Faults) -> Option<u8> {
    match &at.value {
        raw::Code::Number(number) => {
            let code = u8::try_from(*number).ok().filter(|code| *code <= RCODE_MAX);
            if code.is_none() {
                let fault = Fault::new(at.place, format!("a response code is 0 to {RCODE_MAX}, not {number}"));
                faults.push(fault.help("write for example \"NOERROR\" (0) or \"NXDOMAIN\" (3)"));
            }
            code
        }
        raw::Code::Text(text) => {
            let mut words: Vec<(&str, u8)> = Vec::new();
            for name in RCODES {
                words.push((name, u8::try_from(words.len()).unwrap_or(RCODE_MAX)));
            }
            values::word(&At { place: at.place, value: text.clone() }, "response code", &words, faults)
        }
    }
}

/// Labels of 1 to 63 printable characters, 253 in all (RFC 1035, section 2.3.4).
fn query_name(at: &At<String>, faults: &mut Faults) -> Option<String> {
    let text = &at.value;
    let bare = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(|byte| byte.is_ascii_graphic());
    if text == "." || bare.len() <= 253 && bare.split('.').all(label) {
        return Some(text.clone());
    }
    let help = if text.is_empty() {
        "the root is \".\""
    } else if text.is_ascii() {
        "write for example \"www.example.com\": labels of 1 to 63 characters, at most 253 in all"
    } else {
        "write it in ASCII, as xn--…"
    };
    faults.push(Fault::new(at.place, format!("`{}` is not a name of the DNS", names::quote(text))).help(help));
    None
}

/// An answer in the form of a zone file, as far as the type tells it.
fn answer(at: &At<String>, record: DnsRecord, faults: &mut Faults) -> Option<String> {
    let text = at.value.trim();
    let words: Vec<&str> = text.split_whitespace().collect();
    let numbers = |words: &[&str]| words.iter().all(|word| word.parse::<u16>().is_ok());
    let (right, help) = match record {
        DnsRecord::A => (text.parse::<std::net::Ipv4Addr>().is_ok(), "an A record is an IPv4 address: \"192.0.2.1\""),
        DnsRecord::Aaaa => {
            (text.parse::<std::net::Ipv6Addr>().is_ok(), "an AAAA record is an IPv6 address: \"2001:db8::1\"")
        }
        DnsRecord::Mx => {
            (words.len() == 2 && numbers(&words[..1]), "an MX record is a preference and a name: \"10 mx.example.\"")
        }
        DnsRecord::Srv => (
            words.len() == 4 && numbers(&words[..3]),
            "an SRV record is priority, weight, port and a name: \"0 5 5060 sip.example.\"",
        ),
        DnsRecord::Cname | DnsRecord::Ns | DnsRecord::Ptr => (words.len() == 1, "the record is one name"),
        DnsRecord::Soa => (words.len() == 7, "an SOA record is two names and five numbers"),
        DnsRecord::Txt => (!text.is_empty(), "write the text, or remove it"),
    };
    if !right {
        let fault = Fault::new(at.place, format!("`{}` is not a record of the type asked for", names::quote(text)));
        faults.push(fault.help(help));
        return None;
    }
    Some(text.to_owned())
}

pub(super) fn exec(name: &At<String>, at: &At<raw::Exec>, faults: &mut Faults) -> Option<Probe> {
    let raw::Exec { argv } = &at.value;
    if argv.is_absent() {
        let fault = Fault::new(name.place, "an `exec` check does not say what it runs");
        faults.push(fault.help("add `argv` in `exec`: [\"/usr/local/bin/…\", \"…\"]"));
    }
    values::argv(argv.get()?, "an `exec` check", faults).map(|argv| Probe::Exec { argv })
}
