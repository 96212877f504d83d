//! The text forms of keys: parsing and printing, with brackets around IPv6 everywhere.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{DestinationKey, Family, Protocol, ServiceKey};

/// Why a text is not an address of a service or destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParseKeyError {
    Shape,
    Protocol(String),
    Address(String),
    Brackets(String),
    PortMissing(String),
    Port(String),
    Mark(String),
}

impl std::error::Error for ParseKeyError {}

impl fmt::Display for ParseKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape => f.write_str("expected PROTOCOL://ADDRESS:PORT, fwmark:N or fwmark6:N"),
            Self::Protocol(text) => write!(f, "unknown protocol `{text}`: expected tcp, udp or sctp"),
            Self::Address(text) => write!(f, "`{text}` is not an IP address"),
            Self::Brackets(text) => write!(f, "an IPv6 address with a port stands in brackets: `[{text}]`"),
            Self::PortMissing(text) => write!(f, "the port is missing: write `{text}:PORT`"),
            Self::Port(text) => write!(f, "`{text}` is not a port: expected 0 to 65535"),
            Self::Mark(text) => write!(f, "`{text}` is not a firewall mark: expected 1 to 4294967295"),
        }
    }
}

/// Splits `ADDRESS[:PORT]`. A bare IPv6 address has no port.
fn split_host_port(text: &str) -> Result<(IpAddr, Option<u16>), ParseKeyError> {
    let port = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|_| digits).ok_or_else(|| ParseKeyError::Port(text.to_owned()))
    };
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(ParseKeyError::Shape)?;
        let address = Ipv6Addr::from_str(host).map_err(|_| ParseKeyError::Address(host.to_owned()))?;
        return match rest.strip_prefix(':') {
            Some(text) => Ok((address.into(), Some(port(text)?))),
            None if rest.is_empty() => Ok((address.into(), None)),
            None => Err(ParseKeyError::Shape),
        };
    }
    match text.rsplit_once(':') {
        Some((host, _)) if host.contains(':') => match Ipv6Addr::from_str(text) {
            Ok(address) => Ok((address.into(), None)),
            Err(_) => Err(ParseKeyError::Brackets(host.to_owned())),
        },
        Some((host, text)) => {
            let address = Ipv4Addr::from_str(host).map_err(|_| ParseKeyError::Address(host.to_owned()))?;
            Ok((address.into(), Some(port(text)?)))
        }
        None => {
            let address = Ipv4Addr::from_str(text).map_err(|_| ParseKeyError::Address(text.to_owned()))?;
            Ok((address.into(), None))
        }
    }
}

fn write_host_port(f: &mut fmt::Formatter<'_>, address: IpAddr, port: u16) -> fmt::Result {
    match address {
        IpAddr::V4(address) => write_v4(f, address, port),
        IpAddr::V6(address) => write!(f, "[{address}]:{port}"),
    }
}

/// As [`std::net::SocketAddrV4`] prints itself, in one go: its own way through the formatter, number by number, is a third
/// of what it takes to print a table.
fn write_v4(f: &mut fmt::Formatter<'_>, address: Ipv4Addr, port: u16) -> fmt::Result {
    let mut text = [0; "255.255.255.255:65535".len()];
    let mut start = text.len();
    let mut put_before = |mut number: u16, separator: Option<u8>| {
        loop {
            start -= 1;
            text[start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        if let Some(separator) = separator {
            start -= 1;
            text[start] = separator;
        }
    };
    let [a, b, c, d] = address.octets().map(u16::from);
    put_before(port, Some(b':'));
    for octet in [d, c, b] {
        put_before(octet, Some(b'.'));
    }
    put_before(a, None);
    // Digits, dots and a colon are always UTF-8.
    f.write_str(str::from_utf8(&text[start..]).unwrap_or_default())
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Protocol::Tcp => f.write_str("tcp"),
            Protocol::Udp => f.write_str("udp"),
            Protocol::Sctp => f.write_str("sctp"),
            Protocol::Other(number) => write!(f, "proto-{number}"),
        }
    }
}

impl FromStr for Protocol {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "tcp" => Ok(Protocol::Tcp),
            "udp" => Ok(Protocol::Udp),
            "sctp" => Ok(Protocol::Sctp),
            other => other
                .strip_prefix("proto-")
                .and_then(|number| number.parse().ok())
                .map(Protocol::from_number)
                .ok_or_else(|| ParseKeyError::Protocol(other.to_owned())),
        }
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServiceKey::Address { protocol, address, port } => {
                write!(f, "{protocol}://")?;
                write_host_port(f, *address, *port)
            }
            ServiceKey::Mark { family: Family::V4, mark } => write!(f, "fwmark:{mark}"),
            ServiceKey::Mark { family: Family::V6, mark } => write!(f, "fwmark6:{mark}"),
        }
    }
}

impl FromStr for ServiceKey {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mark = |family, text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            match text.parse() {
                Ok(mark) if digits && mark > 0 => Ok(ServiceKey::Mark { family, mark }),
                _ => Err(ParseKeyError::Mark(text.to_owned())),
            }
        };
        if let Some(text) = text.strip_prefix("fwmark:") {
            return mark(Family::V4, text);
        }
        if let Some(text) = text.strip_prefix("fwmark6:") {
            return mark(Family::V6, text);
        }
        let (protocol, rest) = text.split_once("://").ok_or(ParseKeyError::Shape)?;
        let protocol = protocol.parse()?;
        let (address, port) = split_host_port(rest)?;
        let port = port.ok_or_else(|| ParseKeyError::PortMissing(text.to_owned()))?;
        Ok(ServiceKey::Address { protocol, address, port })
    }
}

impl fmt::Display for DestinationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_host_port(f, self.address, self.port)
    }
}

impl DestinationKey {
    /// Parses `ADDRESS[:PORT]`; without a port (`10.0.0.11`, `2001:db8::1`, `[2001:db8::1]`) it gets
    /// `default_port`, the service's.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, ParseKeyError> {
        let (address, port) = split_host_port(text)?;
        Ok(Self { address, port: port.unwrap_or(default_port) })
    }
}

impl FromStr for DestinationKey {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match split_host_port(text)? {
            (address, Some(port)) => Ok(Self { address, port }),
            (_, None) => Err(ParseKeyError::PortMissing(text.to_owned())),
        }
    }
}

macro_rules! serde_as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    )*};
}

serde_as_text!(ServiceKey, DestinationKey, Protocol);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_print_as_they_parse() {
        for text in [
            "tcp://192.0.2.10:80",
            "udp://[2001:db8::10]:53",
            "sctp://10.0.0.1:0",
            "proto-47://10.0.0.1:0",
            "fwmark:7",
            "fwmark6:4294967295",
        ] {
            let key: ServiceKey = text.parse().unwrap();
            assert_eq!(key.to_string(), text);
            assert_eq!(serde_json::from_str::<ServiceKey>(&serde_json::to_string(&key).unwrap()).unwrap(), key);
        }
    }

    #[test]
    fn ipv4_addresses_print_as_std_has_them() {
        let numbers = || [0u8, 1, 9, 10, 99, 100, 109, 199, 200, 255].into_iter();
        for (a, b) in numbers().flat_map(|a| numbers().map(move |b| (a, b))) {
            let (address, port) = (Ipv4Addr::new(a, b, b, a), u16::from_be_bytes([a, b]));
            let want = std::net::SocketAddrV4::new(address, port).to_string();
            assert_eq!(DestinationKey { address: address.into(), port }.to_string(), want);
        }
    }

    #[test]
    fn a_known_protocol_has_one_form() {
        assert_eq!("proto-6".parse(), Ok(Protocol::Tcp));
    }

    #[test]
    fn keys_that_are_none_say_why() {
        for (text, want) in [
            ("192.0.2.10:80", ParseKeyError::Shape),
            ("http://192.0.2.10:80", ParseKeyError::Protocol("http".into())),
            ("tcp://web:80", ParseKeyError::Address("web".into())),
            ("tcp://2001:db8::1:x", ParseKeyError::Brackets("2001:db8::1".into())),
            ("tcp://192.0.2.10", ParseKeyError::PortMissing("tcp://192.0.2.10".into())),
            ("tcp://192.0.2.10:65536", ParseKeyError::Port("65536".into())),
            ("tcp://192.0.2.10:+80", ParseKeyError::Port("+80".into())),
            ("tcp://[::1:80", ParseKeyError::Shape),
            ("fwmark:0", ParseKeyError::Mark("0".into())),
            ("fwmark:+1", ParseKeyError::Mark("+1".into())),
        ] {
            assert_eq!(text.parse::<ServiceKey>(), Err(want), "{text}");
        }
    }

    #[test]
    fn a_destination_without_a_port_has_the_services() {
        for (text, want) in [
            ("10.0.0.11", "10.0.0.11:80"),
            ("10.0.0.11:8080", "10.0.0.11:8080"),
            ("2001:db8::11", "[2001:db8::11]:80"),
            ("[2001:db8::11]", "[2001:db8::11]:80"),
            ("::", "[::]:80"),
            ("1::", "[1::]:80"),
            ("::ffff:10.0.0.1", "[::ffff:10.0.0.1]:80"),
            ("[2001:db8::11]:0", "[2001:db8::11]:0"),
        ] {
            assert_eq!(DestinationKey::parse(text, 80).unwrap().to_string(), want);
        }
    }
}
