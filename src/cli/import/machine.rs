//! The machine that a text is imported on: files that it includes, names that it mentions.

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::path::Path;

use super::{glob, read};
use crate::config::Source;
use crate::import::Surroundings;
use crate::model::{Family, Protocol};

/// Names of ports, where /etc/services has none.
const PORTS: [(&str, u16); 26] = [
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("domain", 53),
    ("tftp", 69),
    ("http", 80),
    ("www", 80),
    ("pop3", 110),
    ("nntp", 119),
    ("ntp", 123),
    ("imap2", 143),
    ("imap", 143),
    ("snmp", 161),
    ("ldap", 389),
    ("https", 443),
    ("submission", 587),
    ("ldaps", 636),
    ("imaps", 993),
    ("pop3s", 995),
    ("radius", 1812),
    ("mysql", 3306),
    ("ms-wbt-server", 3389),
    ("sip", 5060),
    ("postgresql", 5432),
    ("http-alt", 8080),
];

/// This machine; what was looked up once is kept.
pub(super) struct Machine {
    config_id: Option<String>,
    services: Option<String>,
    hosts: HashMap<(String, Option<Family>), Option<IpAddr>>,
}

impl Machine {
    pub(super) fn new(config_id: Option<String>) -> Self {
        Self { config_id, services: None, hosts: HashMap::new() }
    }
}

impl Surroundings for Machine {
    fn files(&mut self, pattern: &str, from: &Source) -> Result<Vec<Source>, String> {
        let folder = from.path.parent().unwrap_or(Path::new(""));
        let mut found = Vec::new();
        for path in glob::matching(folder, pattern).map_err(|error| error.to_string())? {
            found.push(read(&path).map_err(|error| format!("{}: {error}", path.display()))?);
        }
        Ok(found)
    }

    fn host(&mut self, name: &str, family: Option<Family>) -> Option<IpAddr> {
        let look_up = || {
            let found: Vec<IpAddr> = (name, 0).to_socket_addrs().ok()?.map(|address| address.ip()).collect();
            let fits = |address: &&IpAddr| family.is_none_or(|family| Family::of(**address) == family);
            let mut fitting = found.iter().filter(fits);
            fitting.clone().find(|address| address.is_ipv4()).or_else(|| fitting.next()).copied()
        };
        *self.hosts.entry((name.to_owned(), family)).or_insert_with(look_up)
    }

    fn port(&mut self, name: &str, protocol: Protocol) -> Option<u16> {
        let services =
            self.services.get_or_insert_with(|| fs::read_to_string("/etc/services").unwrap_or_default()).as_str();
        of_services(services, name, protocol)
            .or_else(|| PORTS.iter().find(|(known, _)| *known == name).map(|(_, port)| *port))
    }

    fn variable(&mut self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn config_id(&mut self) -> String {
        let host = || {
            let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
            name.trim().split('.').next().unwrap_or_default().to_owned()
        };
        self.config_id.get_or_insert_with(host).clone()
    }
}

/// `name port/protocol aliases… # comment`
fn of_services(text: &str, name: &str, protocol: Protocol) -> Option<u16> {
    let wanted = protocol.to_string();
    let mut other = None;
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let (Some(first), Some(endpoint)) = (words.next(), words.next()) else { continue };
        if first != name && !words.any(|alias| alias == name) {
            continue;
        }
        let Some((port, of)) = endpoint.split_once('/') else { continue };
        let port = port.parse().ok();
        if of == wanted {
            return port;
        }
        other = other.or(port);
    }
    other
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_have_names() {
        let text = "# all of it\nhttp\t80/tcp www # WorldWideWeb\ndomain 53/tcp\ndomain 54/udp\nodd\nodder x/tcp\n";
        for (name, protocol, port) in [
            ("http", Protocol::Tcp, Some(80)),
            ("www", Protocol::Tcp, Some(80)),
            ("www", Protocol::Udp, Some(80)),
            ("domain", Protocol::Udp, Some(54)),
            ("domain", Protocol::Tcp, Some(53)),
            ("WorldWideWeb", Protocol::Tcp, None),
            ("odd", Protocol::Tcp, None),
            ("odder", Protocol::Tcp, None),
        ] {
            assert_eq!(of_services(text, name, protocol), port, "{name} {protocol}");
        }
    }
}
