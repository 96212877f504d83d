//! A director with which all is well, to break one thing of at a time.
//!
//! ```text
//!  default route ── eth0 192.0.2.1/24          ipvs0 (a dummy): 192.0.2.10, 2001:db8::10
//!  servers ──────── eth1 10.0.0.1/24, 2001:db8:1::1/64
//! ```

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::facts::{Facts, Module, Table};
use super::finding::Finding;
use super::{Stage, examine};
use crate::host::rtnl::{AddressInfo, LinkInfo, Route, RouteKind};
use crate::model::{
    Check, Checks, Desired, DestinationKey, DestinationSettings, Family, Forward, Live, LiveService, NamedCheck, Pass,
    Persistence, Policy, Probe, Scheduler, Service, ServiceFlags, ServiceKey, ServiceOrigin, ServiceSettings, Stats,
    Timing, Tunnel, TunnelType, Via,
};

pub(super) const WEB: &str = "tcp://192.0.2.10:80";

#[derive(Debug, Clone)]
pub(super) struct Case {
    pub facts: Facts,
    pub desired: Desired,
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(super) fn tunnel(kind: TunnelType) -> Forward {
    let port = if kind == TunnelType::Gue { 6080 } else { 0 };
    Forward::Tunnel(Tunnel { kind, port, ..Tunnel::default() })
}

impl Case {
    /// One service, `web`, with one destination by nat.
    pub(super) fn good() -> Self {
        let mut case = Self { facts: Facts::default(), desired: Desired::default() };
        case.facts.release = "6.1.0".to_owned();
        case.facts.apply = "ipvsd apply".to_owned();
        (case.facts.net_admin, case.facts.initial_user_namespace) = (true, true);
        case.facts.table = Table::Read(Live::default());
        case.facts.defaults = BTreeMap::from([(Family::V4, "eth0".to_owned()), (Family::V6, "eth0".to_owned())]);
        for module in ["ip_vs", "ip_vs_rr"] {
            case.facts.modules.insert(module.to_owned(), Module::There);
        }
        for (name, kind) in [("lo", None), ("eth0", None), ("eth1", None), ("ipvs0", Some("dummy"))] {
            case.link(name, kind);
        }
        case.address("eth0", "192.0.2.1", 24);
        case.address("eth1", "10.0.0.1", 24);
        case.address("eth1", "2001:db8:1::1", 64);
        case.address("ipvs0", "192.0.2.10", 32);
        case.address("ipvs0", "2001:db8::10", 128);
        for (name, value) in [
            ("net.ipv4.ip_forward", 1),
            ("net.ipv6.conf.all.forwarding", 1),
            ("net.ipv4.vs.conntrack", 0),
            ("net.ipv4.vs.conn_reuse_mode", 1),
            ("net.ipv4.vs.expire_nodest_conn", 1),
            ("net.ipv4.vs.expire_quiescent_template", 1),
            ("net.ipv4.vs.pmtu_disc", 1),
        ] {
            case.sysctl(name, value);
        }
        for interface in ["all", "eth0", "eth1", "ipvs0"] {
            case.settings(interface);
        }
        case.service(WEB, "web", &[("10.0.0.11:8080", Forward::Nat)]);
        case
    }

    /// What the kernel gives to a new interface, and forwarding.
    fn settings(&mut self, interface: &str) {
        for setting in ["rp_filter", "accept_local", "arp_ignore", "arp_announce"] {
            self.sysctl(&format!("net.ipv4.conf.{interface}.{setting}"), 0);
        }
        for setting in ["forwarding", "send_redirects"] {
            self.sysctl(&format!("net.ipv4.conf.{interface}.{setting}"), 1);
        }
        self.sysctl(&format!("net.ipv6.conf.{interface}.accept_ra"), 1);
        self.sysctl(&format!("net.ipv6.conf.{interface}.proxy_ndp"), 0);
    }

    pub(super) fn link(&mut self, name: &str, kind: Option<&str>) -> &mut LinkInfo {
        let index = u32::try_from(self.facts.links.len() + 1).unwrap();
        self.settings(&name.replace('.', "/"));
        self.facts.links.push(LinkInfo {
            index,
            name: name.to_owned(),
            kind: kind.map(str::to_owned),
            up: true,
            loopback: name == "lo",
            mtu: 1500,
        });
        self.facts.links.last_mut().unwrap()
    }

    pub(super) fn at(&mut self, name: &str) -> &mut LinkInfo {
        self.facts.links.iter_mut().find(|link| link.name == name).unwrap()
    }

    pub(super) fn address(&mut self, interface: &str, address: &str, prefix: u8) {
        let index = self.at(interface).index;
        let address = ip(address);
        self.facts.addresses.push(AddressInfo { index, address, prefix, peer: None, tentative: false });
        self.route(&address.to_string(), RouteKind::Local, None, None);
    }

    /// Takes an address away, wherever it is.
    pub(super) fn no_address(&mut self, address: &str) {
        self.facts.addresses.retain(|info| info.address != ip(address));
        self.route(address, RouteKind::Unicast, Some("eth0"), Some("192.0.2.254"));
    }

    pub(super) fn route(&mut self, to: &str, kind: RouteKind, device: Option<&str>, gateway: Option<&str>) {
        let device = device.map(|name| self.at(name).index);
        let route = Route { kind, device, gateway: gateway.map(ip), source: None, mtu: None };
        self.facts.routes.insert(ip(to), Some(route));
    }

    pub(super) fn sysctl(&mut self, name: &str, value: i64) {
        self.facts.sysctls.insert(name.to_owned(), value.to_string());
    }

    /// What the configuration asks of a sysctl.
    pub(super) fn write(&mut self, name: &str, value: i64) {
        self.desired.host.sysctls.insert(name.to_owned(), value.to_string());
    }

    /// A service instead of the one of that address, its destinations behind eth1.
    pub(super) fn service(&mut self, address: &str, name: &str, destinations: &[(&str, Forward)]) {
        let key: ServiceKey = address.parse().unwrap();
        let mut entry = Service {
            settings: ServiceSettings {
                scheduler: Scheduler::new("rr"),
                flags: ServiceFlags::default(),
                persistence: None,
            },
            destinations: BTreeMap::new(),
        };
        for (address, forward) in destinations {
            let destination: DestinationKey = address.parse().unwrap();
            let settings = DestinationSettings { forward: *forward, weight: 1, max_connections: 0, min_connections: 0 };
            entry.destinations.insert(destination, settings);
            self.route(&destination.address.to_string(), RouteKind::Unicast, Some("eth1"), None);
        }
        self.desired.table.services.insert(key, entry);
        let origin = ServiceOrigin {
            name: name.to_owned(),
            file: PathBuf::from("ipvsd.toml"),
            line: 1,
            destinations: Default::default(),
        };
        self.desired.origins.insert(key, origin);
        self.desired.policies.insert(key, Policy::new(Duration::from_secs(300)));
    }

    pub(super) fn settings_of(&mut self, address: &str) -> &mut ServiceSettings {
        &mut self.desired.table.services.get_mut(&address.parse().unwrap()).unwrap().settings
    }

    pub(super) fn policy(&mut self, address: &str) -> &mut Policy {
        self.desired.policies.get_mut(&address.parse().unwrap()).unwrap()
    }

    pub(super) fn persistent(&mut self, address: &str, engine: Option<&str>) {
        let netmask = crate::model::Netmask::host(Family::V4);
        self.settings_of(address).persistence =
            Some(Persistence { timeout: 300, netmask, engine: engine.map(str::to_owned) });
    }

    /// Checks every destination of a service, so.
    pub(super) fn checked(&mut self, address: &str, via: Via) {
        let timing = Timing {
            interval: Duration::from_secs(2),
            timeout: Duration::from_secs(1),
            rise: 2,
            fall: 2,
            jitter: 0,
            fast_interval: None,
            down_interval: None,
            down_after: Duration::from_secs(60),
        };
        let probe = Probe::Tcp { send: None, expect: None };
        let check = Check { probe, timing, address: None, port: None, via, flap: None };
        let checks = Arc::new(Checks { pass: Pass::All, list: vec![NamedCheck { name: "tcp".to_owned(), check }] });
        let destinations: Vec<DestinationKey> =
            self.desired.table.services[&address.parse().unwrap()].destinations.keys().copied().collect();
        self.policy(address).checks = destinations.into_iter().map(|key| (key, checks.clone())).collect();
    }

    /// The kernel has a service.
    pub(super) fn is_live(&mut self, address: &str) {
        let settings = self.settings_of(address).clone();
        let service = LiveService { settings, stats: Stats::default(), destinations: BTreeMap::new() };
        let Table::Read(live) = &mut self.facts.table else { panic!("there is no live table") };
        live.services.insert(address.parse().unwrap(), service);
    }

    /// These and no others are found now; gives them.
    #[track_caller]
    pub(super) fn finds(&self, ids: &[&str]) -> Vec<Finding> {
        self.at_stage(Stage::Now, ids)
    }

    /// These and no others are found for when the configuration is in force.
    #[track_caller]
    pub(super) fn will_find(&self, ids: &[&str]) -> Vec<Finding> {
        self.at_stage(Stage::OnceInForce, ids)
    }

    #[track_caller]
    fn at_stage(&self, stage: Stage, ids: &[&str]) -> Vec<Finding> {
        let found = examine(&self.facts, &self.desired, stage);
        assert_eq!(found.iter().map(|finding| finding.id).collect::<Vec<_>>(), ids, "{found:#?}");
        for finding in &found {
            assert!(!finding.mend.is_empty(), "{finding:?}");
            for text in [&finding.subject, &finding.saw, &finding.why] {
                assert!(!text.trim().is_empty() && !text.contains("  "), "{text:?}");
            }
        }
        found
    }
}
