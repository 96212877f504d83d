//! Records as a zone file has them (RFC 1035, section 5.1).

use simple_dns::Name;
use simple_dns::rdata::RData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::DnsRecord;

/// `SERVFAIL`; those without a name as `RCODE12`.
pub(super) fn rcode(code: u8) -> String {
    const NAMES: [&str; 11] = [
        "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH",
        "NOTZONE",
    ];
    NAMES.get(usize::from(code)).map_or_else(|| format!("RCODE{code}"), |name| (*name).to_owned())
}

/// `192.0.2.1`, `10 mx.example.`, `"v=spf1 -all"`; nothing for types that no check asks for.
pub(super) fn of(data: &RData<'_>) -> Option<String> {
    Some(match data {
        RData::A(a) => Ipv4Addr::from(a.address).to_string(),
        RData::AAAA(aaaa) => Ipv6Addr::from(aaaa.address).to_string(),
        RData::CNAME(target) => name(target),
        RData::NS(target) => name(target),
        RData::PTR(target) => name(target),
        RData::MX(mx) => format!("{} {}", mx.preference, name(&mx.exchange)),
        RData::SRV(srv) => format!("{} {} {} {}", srv.priority, srv.weight, srv.port, name(&srv.target)),
        RData::SOA(soa) => format!(
            "{} {} {} {} {} {} {}",
            name(&soa.mname),
            name(&soa.rname),
            soa.serial,
            soa.refresh,
            soa.retry,
            soa.expire,
            soa.minimum
        ),
        RData::TXT(txt) => {
            let strings = txt.iter_raw().map(|(key, value)| match value {
                Some(value) => [key, b"=", value].concat(),
                None => key.to_vec(),
            });
            let quoted = strings.map(|string| format!("\"{}\"", escaped(&string, b"\"")));
            quoted.collect::<Vec<String>>().join(" ")
        }
        _ => return None,
    })
}

/// With a dot at its end.
fn name(name: &Name<'_>) -> String {
    let labels = name.get_labels();
    if labels.is_empty() {
        return ".".to_owned();
    }
    labels.iter().map(|label| escaped(label.as_ref(), b".\"();@$ ") + ".").collect()
}

fn escaped(bytes: &[u8], special: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            _ if special.contains(&byte) => text.extend(['\\', char::from(byte)]),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\{byte:03}")),
        }
    }
    text
}

/// Whether a record is the expected one. Names are compared without regard to case and to the dot at their end; the
/// quotation marks of a text that is one string may be left out.
pub(super) fn is_same(found: &str, expected: &str, record: DnsRecord) -> bool {
    let expected = expected.trim();
    match record {
        DnsRecord::A | DnsRecord::Aaaa => {
            let (found, expected) = (found.parse::<IpAddr>(), expected.parse::<IpAddr>());
            found.is_ok() && found == expected
        }
        DnsRecord::Txt => {
            found == expected || found.strip_prefix('"').and_then(|text| text.strip_suffix('"')) == Some(expected)
        }
        DnsRecord::Cname | DnsRecord::Mx | DnsRecord::Ns | DnsRecord::Ptr | DnsRecord::Soa | DnsRecord::Srv => {
            let bare = |word: &str| word.strip_suffix('.').unwrap_or(word).to_ascii_lowercase();
            found.split_whitespace().map(bare).eq(expected.split_whitespace().map(bare))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DnsRecord, is_same, rcode};

    #[test]
    fn response_codes_have_names() {
        assert_eq!(rcode(2), "SERVFAIL");
        assert_eq!(rcode(3), "NXDOMAIN");
        assert_eq!(rcode(12), "RCODE12");
    }

    #[test]
    fn names_are_the_same_in_any_case_and_texts_are_not() {
        assert!(is_same("10 mx.example.", "10  MX.Example", DnsRecord::Mx));
        assert!(!is_same("10 mx.example.", "20 mx.example.", DnsRecord::Mx));
        assert!(!is_same("10 mx.example.", "10 mx.example. x", DnsRecord::Mx));
        assert!(is_same("2001:db8::1", "2001:DB8:0::1", DnsRecord::Aaaa));
        assert!(!is_same("192.0.2.1", "192.0.2.10", DnsRecord::A));
        assert!(!is_same("192.0.2.1", "web", DnsRecord::A));
        assert!(is_same("\"v=spf1 -all\"", "v=spf1 -all", DnsRecord::Txt));
        assert!(is_same("\"a\" \"b\"", "\"a\" \"b\"", DnsRecord::Txt));
        assert!(!is_same("\"Key\"", "key", DnsRecord::Txt));
        assert!(is_same(".", ".", DnsRecord::Ns));
    }
}
