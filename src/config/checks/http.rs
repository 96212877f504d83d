//! http and https checks.

use std::collections::HashMap;

use super::matching;
use crate::config::decode::{At, Field, Named};
use crate::config::fault::{Fault, Faults};
use crate::config::problem::Severity;
use crate::config::tree::Place;
use crate::config::{names, raw, values};
use crate::model::{Http, StatusSet, Tls};

/// Headers that would change where the request ends, or what becomes of its connection.
const OURS: [&str; 6] = ["connection", "content-length", "keep-alive", "te", "transfer-encoding", "upgrade"];
const METHODS: [&str; 7] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH"];
const LOWEST: u16 = 100;
const HIGHEST: u16 = 599;

/// A request; `None` if a part of it cannot be understood.
pub(super) fn http(raw: &raw::Http, secure: bool, faults: &mut Faults) -> Option<Http> {
    let before = faults.errors();
    let method = raw.method.get().map_or(Some("GET".to_owned()), |at| method(at, faults));
    let path = raw.path.get().map_or(Some("/".to_owned()), |at| path(at, method.as_deref(), faults));
    let host = raw.host.get().and_then(|at| host(at, faults));
    let headers = raw.headers.value().map_or_else(Vec::new, |named| headers(named, faults));
    let status = raw.status.get().and_then(|at| status(at, faults));
    let body = raw.body.get().and_then(|at| matching::matching(at, faults));
    let location = raw.location.get().and_then(|at| matching::matching(at, faults));
    if let (Some(place), Some("HEAD")) = (raw.body.place(), method.as_deref()) {
        let mut fault = Fault::new(place, "the answer to HEAD has no body");
        if let Some(place) = raw.method.place() {
            fault = fault.related(place, "HEAD here");
        }
        faults.push(fault.help("write method = \"GET\", or remove `body`"));
    }
    let keys = TlsKeys { insecure: &raw.insecure, ca: &raw.ca, server_name: &raw.server_name };
    let tls = if secure { Some(tls(&keys, faults)) } else { None };
    if !secure {
        let written =
            [("insecure", raw.insecure.place()), ("ca", raw.ca.place()), ("server_name", raw.server_name.place())];
        for (key, place) in written {
            if let Some(place) = place {
                let fault = Fault::new(place, format!("`{key}` has no meaning without TLS"));
                faults.push(fault.help("write `https` instead of `http`, or remove it"));
            }
        }
    }
    (faults.errors() == before).then_some(Http {
        tls,
        method: method?,
        path: path?,
        host,
        headers,
        status: status.unwrap_or_else(|| StatusSet(vec![(200, 299)])),
        body,
        location,
    })
}

/// A token of RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn method(at: &At<String>, faults: &mut Faults) -> Option<String> {
    let text = &at.value;
    if !is_token(text) {
        let fault = Fault::new(at.place, format!("`{}` cannot be a method of HTTP", names::quote(text)));
        faults.push(fault.help("write for example \"GET\" or \"HEAD\""));
        return None;
    }
    if text.eq_ignore_ascii_case("CONNECT") {
        let fault = Fault::new(at.place, "CONNECT asks for a tunnel, not for an answer");
        faults.push(fault.help("write for example \"GET\"; a `tcp` check connects"));
        return None;
    }
    if let Some(meant) = METHODS.iter().find(|method| text.eq_ignore_ascii_case(method) && text != *method) {
        let message = format!("the methods of HTTP are in capitals: a server does not know `{}`", names::quote(text));
        faults.push(Fault::new(at.place, message).severity(Severity::Warning).help(format!("write \"{meant}\"")));
    }
    Some(text.clone())
}

fn path(at: &At<String>, method: Option<&str>, faults: &mut Faults) -> Option<String> {
    let text = &at.value;
    let fault = |message: String| Fault::new(at.place, message);
    let quoted = names::quote(text);
    let (message, help) = match text.chars().find(|c| !c.is_ascii_graphic() || *c == '#') {
        _ if text == "*" && method == Some("OPTIONS") => return Some(text.clone()),
        _ if text == "*" => ("only OPTIONS asks for `*`".to_owned(), "write a path such as \"/\"".to_owned()),
        _ if text.contains("://") && !text.starts_with('/') => (
            format!("`{quoted}` is a URL, not a path"),
            "write what comes after the host, such as \"/healthz\"; the host is `host`".to_owned(),
        ),
        _ if !text.starts_with('/') => (
            format!("`{quoted}` is not a path: it does not start with `/`"),
            "write for example \"/healthz\"".to_owned(),
        ),
        Some('#') => {
            ("what follows a `#` is not sent to a server".to_owned(), "remove it; a `#` itself is %23".to_owned())
        }
        Some(c) => {
            let mut bytes = [0; 4];
            let bytes = c.encode_utf8(&mut bytes).bytes();
            let escaped: String = bytes.map(|byte| format!("%{byte:02X}")).collect();
            let message = format!("a path has only printable ASCII, not `{}`", c.escape_default());
            (message, format!("write {escaped} for it"))
        }
        None => return Some(text.clone()),
    };
    faults.push(fault(message).help(help));
    None
}

fn host(at: &At<String>, faults: &mut Faults) -> Option<String> {
    let text = &at.value;
    let bad = |c: char| !c.is_ascii_graphic() || matches!(c, '/' | '@' | '?' | '#' | '\\' | ',' | '"');
    let help = if text.contains("://") {
        "write it without the protocol and the path, such as \"www.example.com\""
    } else if text.parse::<std::net::Ipv6Addr>().is_ok() {
        "an IPv6 address stands in brackets: \"[2001:db8::1]\""
    } else if text.is_empty() {
        "remove it for the address that is checked, or write for example \"www.example.com\""
    } else if text.contains(bad) {
        "write for example \"www.example.com\" or \"www.example.com:8080\"; other letters than ASCII as xn--…"
    } else {
        return Some(text.clone());
    };
    faults.push(Fault::new(at.place, format!("`{}` cannot be a host", names::quote(text))).help(help));
    None
}

fn headers(named: &Named<String>, faults: &mut Faults) -> Vec<(String, String)> {
    let mut seen: HashMap<String, Place> = HashMap::new();
    let mut list = Vec::new();
    for (At { place, value: name }, field) in &named.0 {
        let fault = |message: String| Fault::new(*place, message);
        let quoted = names::quote(name);
        let lower = name.to_ascii_lowercase();
        if !is_token(name) {
            let help = "write its name alone, such as \"X-Check\"";
            faults.push(fault(format!("`{quoted}` cannot be the name of a header")).help(help));
            continue;
        }
        if lower == "host" {
            faults.push(fault("the header Host has a key of its own".to_owned()).help("write it as `host`"));
            continue;
        }
        if OURS.contains(&lower.as_str()) {
            let message = format!("the header `{quoted}` is the connection's: ipvsd sets it itself");
            faults.push(fault(message).help("remove it"));
            continue;
        }
        if let Some(first) = seen.insert(lower, *place) {
            let fault = fault(format!("the header `{quoted}` stands here twice")).label("again here");
            faults.push(fault.related(first, "first here").help("capitals make no difference: keep one of the two"));
            continue;
        }
        let Some(At { place, value }) = field.get() else { continue };
        if let Some(bad) = value.chars().find(|c| !matches!(c, ' '..='~' | '\t')) {
            let message = format!("the value of a header has only printable ASCII, not `{}`", bad.escape_default());
            faults.push(Fault::new(*place, message).help("remove it; each header is a key of its own"));
            continue;
        }
        list.push((name.clone(), value.clone()));
    }
    list
}

fn status(at: &At<raw::Status>, faults: &mut Faults) -> Option<StatusSet> {
    if at.value.0.is_empty() {
        let fault = Fault::new(at.place, "an empty list of status codes: nothing would be up");
        faults.push(fault.help("write for example \"200-299\" or [200, 301]"));
        return None;
    }
    let mut ranges = Vec::new();
    for At { place, value } in &at.value.0 {
        match value {
            raw::Code::Number(number) => {
                let code = code(*place, &number.to_string(), faults)?;
                ranges.push((code, code));
            }
            raw::Code::Text(text) => {
                for part in text.split(',') {
                    let (from, to) = part.split_once('-').unwrap_or((part, part));
                    let (from, to) = (code(*place, from, faults)?, code(*place, to, faults)?);
                    if from > to {
                        let fault = Fault::new(*place, format!("the range {from}-{to} is the wrong way round"));
                        faults.push(fault.help(format!("write \"{to}-{from}\"")));
                        return None;
                    }
                    ranges.push((from, to));
                }
            }
        }
    }
    ranges.sort_unstable();
    let mut apart: Vec<(u16, u16)> = Vec::new();
    for (from, to) in ranges {
        match apart.last_mut() {
            Some(last) if from <= last.1 + 1 => last.1 = last.1.max(to),
            _ => apart.push((from, to)),
        }
    }
    Some(StatusSet(apart))
}

fn code(place: Place, text: &str, faults: &mut Faults) -> Option<u16> {
    let text = text.trim();
    let number = text.parse::<u16>().ok().filter(|code| (LOWEST..=HIGHEST).contains(code));
    if number.is_none() {
        let message = format!("`{}` is not a status code, which is {LOWEST} to {HIGHEST}", names::quote(text));
        let help = match text.to_ascii_lowercase().strip_suffix("xx") {
            Some(class @ ("1" | "2" | "3" | "4" | "5")) => format!("write \"{class}00-{class}99\""),
            _ => "write for example 200, \"200-299\" or \"200-299,301\"".to_owned(),
        };
        faults.push(Fault::new(place, message).help(help));
    }
    number
}

/// The keys of TLS.
pub(super) struct TlsKeys<'r> {
    pub insecure: &'r Field<bool>,
    pub ca: &'r Field<String>,
    pub server_name: &'r Field<String>,
}

/// TLS as the keys say it; what cannot be understood is its default, and a fault.
pub(super) fn tls(keys: &TlsKeys<'_>, faults: &mut Faults) -> Tls {
    let TlsKeys { insecure, ca, server_name } = keys;
    let insecure_place = insecure.get().filter(|at| at.value).map(|at| at.place);
    if let (Some(insecure), Some(ca)) = (insecure_place, ca.place()) {
        let fault = Fault::new(ca, "with `insecure`, no authority is asked for").related(insecure, "insecure here");
        faults.push(fault.help("remove one of the two"));
    }
    let why = "it must not depend on where ipvsd is started";
    Tls {
        insecure: insecure_place.is_some(),
        ca: ca.get().and_then(|at| values::absolute(at, "`ca`", why, faults)),
        server_name: server_name.get().and_then(|at| self::server_name(at, faults)),
    }
}

fn server_name(at: &At<String>, faults: &mut Faults) -> Option<String> {
    let text = &at.value;
    if is_host_name(text) || text.parse::<std::net::IpAddr>().is_ok() {
        return Some(text.clone());
    }
    let help = match text.rsplit_once(':') {
        Some((name, port)) if is_host_name(name) && port.parse::<u16>().is_ok() => format!("write \"{name}\""),
        _ => "write for example \"www.example.com\"; other letters than ASCII as xn--…".to_owned(),
    };
    let fault = Fault::new(at.place, format!("`{}` cannot be the name in a certificate", names::quote(text)));
    faults.push(fault.help(help));
    None
}

/// Labels of letters, digits, `-` and `_` between dots (RFC 1123, and what is met).
fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let text = text.strip_suffix('.').unwrap_or(text);
    text.len() <= 253 && text.split('.').all(label)
}
