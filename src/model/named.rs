//! Destinations whose address is a name.

use std::net::IpAddr;
use std::ops::Range;
use std::path::PathBuf;

use super::{DestinationSettings, SharedChecks};

/// A destination of a service that is wherever a name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// As it is looked up.
    pub host: String,
    pub port: u16,
    /// Every address of the name is a destination, rather than the first.
    pub all: bool,
    pub settings: DestinationSettings,
    /// What the configuration calls it.
    pub name: Option<String>,
    pub checks: Option<SharedChecks>,
    pub written: Written,
    /// What it stands for, of the family of its service; empty while that is not known.
    pub addresses: Vec<IpAddr>,
}

/// Where something stands in a file, for those who find out later that it is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    pub file: PathBuf,
    /// 1-based, as is the column, which counts characters.
    pub line: usize,
    pub column: usize,
    /// Bytes of the file, without its byte order mark.
    pub span: Range<usize>,
}

/// `NAME` or `NAME:PORT`, if it can be the name of a host: dotted labels of letters, digits, `-` and `_`, of which the last is no
/// number. An address that is misspelt with digits is none.
pub fn host_and_port(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => {
            let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
            (host, Some(port.parse().ok().filter(|_| is_number)?))
        }
        None => (text, None),
    };
    let labels = host.strip_suffix('.').unwrap_or(host);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = labels.rsplit('.').next().unwrap_or_default();
    let is_host =
        labels.len() <= 253 && labels.split('.').all(is_label) && !last.bytes().all(|byte| byte.is_ascii_digit());
    is_host.then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_host_and_what_is_an_address_with_a_slip() {
        for (text, want) in [
            ("web", Some(("web", None))),
            ("web.internal:8080", Some(("web.internal", Some(8080)))),
            ("web.internal.:80", Some(("web.internal.", Some(80)))),
            ("a_b-1.x2:0", Some(("a_b-1.x2", Some(0)))),
            ("10.0.0.256", None),
            ("10.0.0:80", None),
            ("web:", None),
            ("web:http", None),
            ("web:+1", None),
            ("web:65536", None),
            ("web..internal", None),
            (".", None),
            ("", None),
            ("-a", None),
            ("a-", None),
            ("http://web", None),
            ("web/80", None),
            ("wéb", None),
            ("fe80::1", None),
        ] {
            assert_eq!(host_and_port(text), want, "{text}");
        }
        assert_eq!(host_and_port(&"a".repeat(64)), None);
        assert_eq!(host_and_port(&"a.".repeat(128)), None);
    }
}
