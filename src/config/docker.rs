//! `[docker]`, resolved: which engine is followed, and how.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::checks::Definitions;
use super::decode::{At, Field};
use super::fault::{Fault, Faults};
use super::problem::Severity;
use super::services::Defaults;
use super::settings::merge;
use super::tree::Place;
use super::values::{self, Bounds, DAY, HOUR, SECOND};
use super::{names, raw};
use crate::model::{Auto, Docker, DockerTls, Endpoint, Reach};

const RESYNC: Bounds = Bounds { least: (SECOND, "1s"), most: (HOUR, "1h") };
const STOP_TIMEOUT: Bounds = Bounds { least: (SECOND.saturating_mul(10), "10s"), most: (DAY, "1d") };
/// What docker clients take where no port is written, with and without TLS.
const PORTS: (u16, u16) = (2376, 2375);
const SOCKETS: &str = "write for example \"/var/run/docker.sock\" or \"tcp://engine.example:2376\"";
pub(super) const REACHES: [(&str, Reach); 2] = [("container", Reach::Container), ("published", Reach::Published)];

/// What services ask of an engine.
#[derive(Default)]
pub(super) struct Asked {
    /// One of them names containers.
    pub some: bool,
    /// One goes by published ports, and says so here.
    pub published: Option<Place>,
}

/// The table of all files.
#[derive(Default)]
pub(super) struct Merged {
    keys: raw::Docker,
    place: Option<Place>,
}

impl Merged {
    /// Takes one file's table over; a key in two files is a fault.
    pub(super) fn merge(&mut self, of_file: Field<raw::Docker>, faults: &mut Faults) {
        self.place = self.place.or(of_file.place());
        let of_file = of_file.into_value().unwrap_or_default();
        merge!(self.keys, of_file, "docker", faults, [socket, tls, resync, stop_timeout, host, network, swarm, auto]);
    }

    /// How containers are reached where a service does not say.
    pub(super) fn reach(&self) -> Reach {
        let is_remote = self.keys.socket.value().is_some_and(|socket| socket.trim().starts_with("tcp:"));
        if is_remote { Reach::Published } else { Reach::Container }
    }

    /// The network whose addresses count where a service does not say.
    pub(super) fn network(&self) -> Option<String> {
        self.keys.network.value().map(|network| network.trim().to_owned()).filter(|network| !network.is_empty())
    }

    /// The engine that is asked for, if one is.
    pub(super) fn resolve(
        &self,
        asked: &Asked,
        defaults: &Defaults,
        definitions: &mut Definitions,
        faults: &mut Faults,
    ) -> Option<Docker> {
        if self.place.is_none() && !asked.some {
            return None;
        }
        let raw::Docker { socket, tls, resync, stop_timeout, host, network, swarm, auto } = &self.keys;
        let plain = Docker::default();
        let mut period = |field: &Field<raw::Period>, what: &str, bounds: &Bounds, plain: Duration| {
            field.get().and_then(|at| values::period(at, what, bounds, faults)).unwrap_or(plain)
        };
        let resync = period(resync, "the resync with an engine", &RESYNC, plain.resync);
        let stop_timeout = period(stop_timeout, "stop_timeout", &STOP_TIMEOUT, plain.stop_timeout);
        let endpoint = match socket.get() {
            Some(at) => endpoint(at, !tls.is_absent(), faults),
            None => Some(plain.endpoint),
        };
        let place_of_tls = tls.place();
        let tls = tls.get().map(|at| self::tls(at, faults));
        match &endpoint {
            Some(Endpoint::Unix(_)) => {
                if let Some(place) = place_of_tls {
                    let fault = Fault::new(place, "a unix socket has no TLS: nobody else is on the way");
                    faults.push(fault.help("remove it, or write the engine's address: socket = \"tcp://HOST:2376\""));
                }
            }
            Some(Endpoint::Tcp { host, .. }) if place_of_tls.is_none() && !is_loopback(host) => {
                let message =
                    "what the engine says crosses the network in plain text: anybody on the way can change it";
                if let Some(place) = socket.place() {
                    let fault = Fault::new(place, message).severity(Severity::Warning);
                    faults.push(fault.help("add tls = { ca = \"/…\", certificate = \"/…\", key = \"/…\" }"));
                }
            }
            Some(Endpoint::Tcp { .. }) | None => {}
        }
        let literal = match &endpoint {
            Some(Endpoint::Tcp { host, .. }) => host.parse::<IpAddr>().ok().filter(|ip| !ip.is_loopback()),
            Some(Endpoint::Unix(_)) | None => None,
        };
        let has_host = !host.is_absent();
        let hosts = host.get().map_or_else(|| literal.into_iter().collect(), |at| addresses(at, "`host`", faults));
        if let Some(place) = asked.published.filter(|_| !has_host && literal.is_none()) {
            let message = "ports that are published on all addresses of the engine's host have no address to go to";
            let fault = Fault::new(place, message).severity(Severity::Warning);
            faults.push(fault.help("write it into [docker]: host = \"192.0.2.10\""));
        }
        let docker = Docker {
            endpoint: endpoint?,
            tls: tls.flatten(),
            resync,
            stop_timeout,
            hosts,
            network: network.get().and_then(|at| word(at, "network", faults)),
            auto: None,
            swarm: swarm.value().copied().unwrap_or(true),
            checks: definitions.all(),
        };
        let auto = auto.get().and_then(|at| self.auto(at, &docker, defaults, faults));
        Some(Docker { auto, ..docker })
    }

    fn auto(
        &self,
        at: &At<raw::DockerAuto>,
        docker: &Docker,
        defaults: &Defaults,
        faults: &mut Faults,
    ) -> Option<Auto> {
        let nothing = raw::AutoTable::default();
        let table = match &at.value {
            raw::DockerAuto::Flag(false) => return None,
            raw::DockerAuto::Flag(true) => &nothing,
            raw::DockerAuto::Table(table) => table,
        };
        let raw::AutoTable { services_at, address, network, healthcheck } = table;
        let has_place = !services_at.is_absent() || !self.keys.host.is_absent();
        let addresses = match services_at.get() {
            Some(at) => addresses(at, "`services_at`", faults),
            None => docker.hosts.clone(),
        };
        if !has_place && addresses.is_empty() {
            let fault = Fault::new(at.place, "it is not said at which address the services are to be");
            faults
                .push(fault.help("add host = \"192.0.2.10\" to [docker], or auto = { services_at = \"192.0.2.10\" }"));
        }
        let reach = address.get().and_then(|at| values::word(at, "address of a container", &REACHES, faults));
        let mut auto = defaults.auto(addresses);
        auto.selector.reach = reach.unwrap_or_else(|| self.reach());
        auto.selector.network = network.get().and_then(|at| word(at, "network", faults)).or(docker.network.clone());
        auto.selector.healthcheck = healthcheck.value().copied().unwrap_or(false);
        auto.selector.checks = auto.selector.checks.or_else(|| docker.checks.get("tcp").cloned());
        (!auto.addresses.is_empty()).then_some(auto)
    }
}

/// A text that is not empty.
pub(super) fn word(at: &At<String>, what: &str, faults: &mut Faults) -> Option<String> {
    let text = at.value.trim();
    if text.is_empty() {
        faults.push(Fault::new(at.place, format!("a {what} has a name")).help("write it, or remove the key"));
        return None;
    }
    Some(text.to_owned())
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

fn endpoint(at: &At<String>, tls: bool, faults: &mut Faults) -> Option<Endpoint> {
    let text = at.value.trim();
    let fault = |help: &str| {
        Fault::new(at.place, format!("`{}` is not where an engine listens", names::quote(text))).help(help)
    };
    if let Some(path) = text.strip_prefix("unix:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        let at = At { place: at.place, value: path.to_owned() };
        return socket(&at, faults);
    }
    if text.starts_with('/') {
        return socket(&At { place: at.place, value: text.to_owned() }, faults);
    }
    let Some(rest) = text.strip_prefix("tcp://") else {
        faults.push(fault(match text.split_once("://") {
            Some(("http", _)) => "write \"tcp://…\"",
            Some(("https", _)) => "write \"tcp://…\", and add `tls`",
            Some(("ssh", _)) => {
                "engines over ssh are not followed: let ssh forward its socket to one here, and name that"
            }
            Some(_) => SOCKETS,
            None => "a socket's path is absolute; what listens on tcp is \"tcp://HOST:PORT\"",
        }));
        return None;
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let usual = if tls { PORTS.0 } else { PORTS.1 };
    let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, Some(usual)),
        Some((host, port)) => (host, port.strip_prefix(':').and_then(|port| port.parse().ok())),
        None if rest.matches(':').count() > 1 => {
            faults.push(fault("an IPv6 address stands in brackets: \"tcp://[2001:db8::1]:2376\""));
            return None;
        }
        None => match rest.split_once(':') {
            Some((host, port)) => (host, port.parse().ok()),
            None => (rest, Some(usual)),
        },
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    match port.filter(|port| *port != 0) {
        Some(port) if !host.is_empty() && host.chars().all(fits) => Some(Endpoint::Tcp { host: host.to_owned(), port }),
        _ => {
            faults.push(fault(SOCKETS));
            None
        }
    }
}

fn socket(at: &At<String>, faults: &mut Faults) -> Option<Endpoint> {
    values::absolute(at, "the path of a socket", "it must not depend on where ipvsd is started", faults)
        .map(Endpoint::Unix)
}

fn tls(at: &At<raw::DockerTls>, faults: &mut Faults) -> Option<DockerTls> {
    let raw::DockerTls { ca, certificate, key } = &at.value;
    let why = "it must not depend on where ipvsd is started";
    let mut file = |field: &Field<String>, what: &str| -> Option<PathBuf> {
        field.get().and_then(|at| values::absolute(at, &format!("the file of the {what}"), why, faults))
    };
    let (ca, cert, private) = (file(ca, "authorities"), file(certificate, "certificate"), file(key, "private key"));
    let alone = match (certificate.place(), key.place()) {
        (Some(place), None) if key.is_absent() => Some((place, "certificate", "key")),
        (None, Some(place)) if certificate.is_absent() => Some((place, "key", "certificate")),
        _ => None,
    };
    if let Some((place, one, other)) = alone {
        let fault = Fault::new(place, format!("`{one}` has no meaning without `{other}`"));
        faults.push(fault.help(format!("add `{other}`, or remove it")));
    }
    Some(DockerTls { ca, client: cert.zip(private) })
}

/// One address, or one of each family.
fn addresses(at: &At<raw::Addresses>, what: &str, faults: &mut Faults) -> Vec<IpAddr> {
    let mut found: Vec<IpAddr> = Vec::new();
    if at.value.0.is_empty() {
        faults.push(Fault::new(at.place, format!("{what} has no address")).help("write \"192.0.2.10\", or remove it"));
    }
    for At { place, value } in &at.value.0 {
        match value.trim().parse::<IpAddr>() {
            Ok(ip) if ip.is_unspecified() || ip.is_multicast() || ip.is_loopback() => {
                let fault = Fault::new(*place, format!("{what} is an address that others reach, which `{ip}` is not"));
                faults.push(fault.help("write for example \"192.0.2.10\""));
            }
            Ok(ip) if found.iter().any(|other| other.is_ipv4() == ip.is_ipv4()) => {
                let fault = Fault::new(*place, format!("{what} has one address of a family"));
                faults.push(fault.help("keep one of IPv4 and one of IPv6"));
            }
            Ok(ip) => found.push(ip),
            Err(_) => {
                let fault = Fault::new(*place, format!("`{}` is not an IP address", names::quote(value)));
                faults.push(fault.help("write an IPv4 or IPv6 address, without a port: \"192.0.2.10\""));
            }
        }
    }
    found
}
