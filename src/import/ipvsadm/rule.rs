//! From options to a command, with all of ipvsadm's defaults filled in.

use std::net::IpAddr;

use super::address;
use super::options::{COMMANDS, Given, LISTING, given};
use super::shell::{Word, Words};
use crate::import::report::{Place, Report};
use crate::import::{Surroundings, services};
use crate::model::{
    Checksum, Family, Forward, Netmask, Persistence, Protocol, Scheduler, ServiceFlags, ServiceKey, ServiceSettings,
    SyncRole, SyncSettings, Tunnel, TunnelType,
};

/// What `ipvsadm` is told to do, with all defaults filled in.
#[derive(Debug)]
pub(super) struct Rule {
    pub place: Place,
    pub action: Action,
}

#[derive(Debug)]
pub(super) enum Action {
    AddService(ServiceKey, ServiceSettings),
    EditService(ServiceKey, ServiceSettings),
    DeleteService(ServiceKey),
    Clear,
    AddServer(ServiceKey, Server),
    EditServer(ServiceKey, Server),
    DeleteServer(ServiceKey, Server),
    /// tcp, tcpfin and udp in seconds; 0 leaves one as it is.
    Set([u32; 3]),
    StartDaemon(SyncRole, SyncSettings),
    StopDaemon(SyncRole),
}

/// A real server of a command.
#[derive(Debug)]
pub(super) struct Server {
    pub address: IpAddr,
    pub port: u16,
    pub forward: Forward,
    pub weight: u32,
    pub upper: u32,
    pub lower: u32,
}

/// The longest timeout, 31 days.
const MAX_TIMEOUT: u32 = 86_400 * 31;
/// Its manual page has 300, and it does this.
const PERSISTENT: u32 = 360;

impl Rule {
    /// The command, if it is understood and changes anything; what is wrong with it is said.
    pub(super) fn parse(words: &Words, report: &mut Report, surroundings: &mut dyn Surroundings) -> Option<Self> {
        let (given, rest) = given(words, report)?;
        let place = words.place.clone();
        let is_command = |given: &&Given| COMMANDS.iter().any(|(name, _)| *name == given.name);
        let mut commands = given.iter().filter(is_command);
        let Some(command) = commands.next() else {
            if !given.iter().any(|given| matches!(given.name, "help" | "version")) {
                report.error(&place, "there is no command here", "a rule starts with -A, -a or another command");
            }
            return None;
        };
        if let Some(second) = commands.next() {
            report.error(&second.place, "two commands in one line", "write a line for each");
            return None;
        }
        let (name, takes) = COMMANDS.iter().find(|(name, _)| *name == command.name)?;
        let mut seen = Vec::new();
        for option in given.iter().filter(|option| option.name != *name) {
            let fits = takes.iter().any(|names| names.contains(&option.name));
            let changes = !LISTING.iter().any(|(_, name)| *name == option.name);
            if !fits && changes {
                let message = format!("--{name} takes no --{}", option.name);
                report.error(&option.place, message, "ipvsadm refuses it, too: remove it");
                return None;
            }
            if seen.contains(&option.name) {
                let message = format!("--{} stands here twice", option.name);
                report.error(&option.place, message, "ipvsadm refuses it, too: keep one of the two");
                return None;
            }
            seen.push(option.name);
        }
        let options = Options { given: &given, place: &place };
        let action = options.action(name, command, &rest, report, surroundings)?;
        if let Some(word) = rest.first().filter(|_| !matches!(action, Action::Set(_))) {
            report.error(&word.place, format!("`{}` is no option", word.text), "ipvsadm refuses it, too: remove it");
            return None;
        }
        Some(Self { place, action })
    }
}

/// The options of one command.
struct Options<'o> {
    given: &'o [Given],
    place: &'o Place,
}

impl Options<'_> {
    fn get(&self, name: &str) -> Option<&Given> {
        self.given.iter().find(|given| given.name == name)
    }

    fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    fn value(&self, name: &str) -> Option<&Word> {
        self.get(name)?.value.as_ref()
    }

    /// A number in a range. `Err` was said.
    fn number(&self, name: &str, range: std::ops::RangeInclusive<u32>, report: &mut Report) -> Result<Option<u32>, ()> {
        self.value(name).map(|word| number(word, name, &range, report).ok_or(())).transpose()
    }

    fn action(
        &self,
        name: &str,
        command: &Given,
        rest: &[Word],
        report: &mut Report,
        surroundings: &mut dyn Surroundings,
    ) -> Option<Action> {
        match name {
            "list" | "zero" | "save" => {
                report.warn(
                    self.place,
                    format!("--{name} changes nothing, and is passed over"),
                    "nothing has to be done",
                );
                None
            }
            "restore" => {
                let help = "import the rules that it reads, too: `ipvsd import --from ipvsadm FILE`";
                report.error(self.place, "the rules that are restored here are in another place", help);
                None
            }
            "clear" => Some(Action::Clear),
            "set" => self.set(rest, report),
            "start-daemon" | "stop-daemon" => self.daemon(command, report),
            _ => {
                let (key, address) = self.service(report, surroundings)?;
                match name {
                    "add-service" => Some(Action::AddService(key, self.settings(&key, report)?)),
                    "edit-service" => Some(Action::EditService(key, self.settings(&key, report)?)),
                    "delete-service" => Some(Action::DeleteService(key)),
                    _ => {
                        let server = self.server(name, &key, address, report, surroundings)?;
                        Some(match name {
                            "add-server" => Action::AddServer(key, server),
                            "edit-server" => Action::EditServer(key, server),
                            _ => Action::DeleteServer(key, server),
                        })
                    }
                }
            }
        }
    }

    fn set(&self, rest: &[Word], report: &mut Report) -> Option<Action> {
        let [tcp, tcp_fin, udp] = rest else {
            report.error(self.place, "--set wants three timeouts", "write those of tcp, tcpfin and udp, in seconds");
            return None;
        };
        let mut read = |word| number(word, "set", &(0..=MAX_TIMEOUT), report);
        Some(Action::Set([read(tcp)?, read(tcp_fin)?, read(udp)?]))
    }

    /// The service, and its protocol for names of ports.
    fn service(&self, report: &mut Report, surroundings: &mut dyn Surroundings) -> Option<(ServiceKey, Protocol)> {
        let protocols =
            [("tcp-service", Protocol::Tcp), ("udp-service", Protocol::Udp), ("sctp-service", Protocol::Sctp)];
        let mut found = protocols.iter().filter_map(|(name, protocol)| Some((self.value(name)?, *protocol)));
        let mark = self.value("fwmark-service");
        let one = found.next();
        if found.next().is_some() || one.is_some() && mark.is_some() {
            report.error(self.place, "two services in one command", "write a line for each");
            return None;
        }
        if let Some(word) = mark {
            // `ipvsadm -S` writes marks from 2^31 on as negative numbers, which it cannot read itself.
            let written = word.text.parse::<i32>().ok().filter(|mark| *mark < 0).map(i32::cast_unsigned);
            let mark = match written {
                Some(mark) => mark,
                None => number(word, "fwmark-service", &(1..=u32::MAX), report)?,
            };
            let family = if self.has("ipv6") { Family::V6 } else { Family::V4 };
            return Some((ServiceKey::Mark { family, mark }, Protocol::Tcp));
        }
        let Some((word, protocol)) = one else {
            report.error(self.place, "the command names no service", "add -t, -u, --sctp-service or -f");
            return None;
        };
        if let Some(given) = self.get("ipv6") {
            report.error(&given.place, "-6 goes with -f only", "remove it: an address tells its family itself");
            return None;
        }
        let (address, port) = address::endpoint(word, protocol, report, surroundings)?;
        Some((ServiceKey::Address { protocol, address, port: port.unwrap_or(0) }, protocol))
    }

    fn settings(&self, key: &ServiceKey, report: &mut Report) -> Option<ServiceSettings> {
        let scheduler = Scheduler::new(self.value("scheduler").map_or("wlc", |word| word.text.as_str()));
        let mut flags = ServiceFlags::default();
        if let Some(given) = self.get("ops") {
            if matches!(key, ServiceKey::Address { protocol, .. } if *protocol != Protocol::Udp) {
                report.error(&given.place, "--ops is for udp and firewall marks", "ipvsadm refuses it, too: remove it");
                return None;
            }
            flags = flags.with(ServiceFlags::ONE_PACKET);
        }
        if let Some(word) = self.value("sched-flags") {
            for name in word.text.split(',').filter(|name| !name.is_empty()) {
                let of = name.split('-').next().filter(|of| *of != "flag");
                match services::flag(name) {
                    Some(flag) if of.is_none_or(|of| of == scheduler.as_str()) => flags = flags.with(flag),
                    _ => {
                        let message = format!("`{name}` is no flag of the scheduler {}", scheduler.as_str());
                        report.error(
                            &word.place,
                            message,
                            "there are sh-fallback, sh-port, mh-fallback, mh-port, flag-1 to 3",
                        );
                        return None;
                    }
                }
            }
        }
        let mut netmask = Netmask::host(key.family());
        if let Some(word) = self.value("netmask") {
            netmask = address::netmask(word, key.family(), report)?;
        }
        let engine = self.value("pe").map(|word| word.text.clone());
        let persistence = match self.get("persistent") {
            Some(given) => {
                let timeout = match &given.value {
                    Some(word) => number(word, "persistent", &(1..=MAX_TIMEOUT), report)?,
                    None => PERSISTENT,
                };
                Some(Persistence { timeout, netmask, engine })
            }
            None => {
                for name in ["netmask", "pe"] {
                    if let Some(given) = self.get(name) {
                        let message = format!("--{name} has no effect without --persistent, and is left out");
                        report.warn(&given.place, message, "write `persistence`, if that was meant");
                    }
                }
                None
            }
        };
        if matches!(key, ServiceKey::Address { port: 0, .. }) && persistence.is_none() {
            let help = "ipvsadm refuses it, too: write the port, or add -p";
            report.error(self.place, "a service of every port has to be persistent", help);
            return None;
        }
        Some(ServiceSettings { scheduler, flags, persistence })
    }

    fn server(
        &self,
        name: &str,
        service: &ServiceKey,
        protocol: Protocol,
        report: &mut Report,
        surroundings: &mut dyn Surroundings,
    ) -> Option<Server> {
        let Some(word) = self.value("real-server") else {
            report.error(self.place, "the command names no real server", "add -r");
            return None;
        };
        let (address, port) = address::endpoint(word, protocol, report, surroundings)?;
        let forward = self.forward(report)?;
        let weight = self.number("weight", 0..=i32::MAX as u32, report).ok()?.unwrap_or(1);
        let upper = self.number("u-threshold", 0..=i32::MAX as u32, report).ok()?.unwrap_or(0);
        let lower = self.number("l-threshold", 0..=i32::MAX as u32, report).ok()?.unwrap_or(0);
        let port = match service.port() {
            // These leave the port alone, so ipvsadm has it as the service's, whatever is written.
            Some(of_service) if forward != Forward::Nat && name != "delete-server" => of_service,
            of_service => port.or(of_service).unwrap_or(0),
        };
        Some(Server { address, port, forward, weight, upper, lower })
    }

    fn forward(&self, report: &mut Report) -> Option<Forward> {
        let methods: Vec<&Given> =
            ["gatewaying", "ipip", "masquerading"].iter().filter_map(|name| self.get(name)).collect();
        if let [_, second, ..] = &methods[..] {
            report.error(&second.place, "two ways to forward", "ipvsadm refuses it, too: keep one of the two");
            return None;
        }
        let of_tunnels = ["tun-type", "tun-port", "tun-nocsum", "tun-csum", "tun-remcsum"];
        let method = methods.first().map_or("gatewaying", |given| given.name);
        if method != "ipip" {
            if let Some(given) = of_tunnels.iter().find_map(|name| self.get(name)) {
                report.error(&given.place, format!("--{} goes with -i only", given.name), "add -i, or remove it");
                return None;
            }
            return Some(if method == "masquerading" { Forward::Nat } else { Forward::Dr });
        }
        let kind = match self.value("tun-type").map(|word| (word, word.text.as_str())) {
            None | Some((_, "ipip")) => TunnelType::Ipip,
            Some((_, "gue")) => TunnelType::Gue,
            Some((_, "gre")) => TunnelType::Gre,
            Some((word, other)) => {
                report.error(&word.place, format!("unknown type of tunnel `{other}`"), "there are ipip, gue and gre");
                return None;
            }
        };
        let port = self.number("tun-port", 1..=65535, report).ok()?.unwrap_or(0);
        let checksum = match (self.has("tun-csum"), self.has("tun-remcsum")) {
            (_, true) => Checksum::Remote,
            (true, _) => Checksum::On,
            _ => Checksum::Off,
        };
        Some(Forward::Tunnel(Tunnel { kind, port: u16::try_from(port).unwrap_or(0), checksum }))
    }

    fn daemon(&self, command: &Given, report: &mut Report) -> Option<Action> {
        let word = command.value.as_ref()?;
        let role = match word.text.as_str() {
            "master" => SyncRole::Master,
            "backup" => SyncRole::Backup,
            other => {
                report.error(&word.place, format!("`{other}` is no state of a daemon"), "there are master and backup");
                return None;
            }
        };
        if command.name == "stop-daemon" {
            return Some(Action::StopDaemon(role));
        }
        let mut read = |name, range| self.number(name, range, report);
        let id = read("syncid", 0..=255).ok()?.unwrap_or(0);
        let length = read("sync-maxlen", 1..=65_507).ok()?;
        let port = read("mcast-port", 1..=65_535).ok()?.unwrap_or(SyncSettings::PORT.into());
        let ttl = read("mcast-ttl", 1..=255).ok()?.unwrap_or(SyncSettings::TTL.into());
        let group = match self.value("mcast-group") {
            None => SyncSettings::GROUP,
            Some(word) => match word.text.parse::<IpAddr>() {
                Ok(group) if group.is_multicast() => group,
                _ => {
                    let message = format!("`{}` is no multicast address", word.text);
                    report.error(&word.place, message, "write for example 224.0.0.81");
                    return None;
                }
            },
        };
        let settings = SyncSettings {
            interface: self.value("mcast-interface").map_or("eth0", |word| word.text.as_str()).to_owned(),
            // Each is within its range.
            id: u8::try_from(id).unwrap_or(0),
            group,
            port: u16::try_from(port).unwrap_or(SyncSettings::PORT),
            ttl: u8::try_from(ttl).unwrap_or(SyncSettings::TTL),
            sync_maxlen: length.and_then(|length| u16::try_from(length).ok()),
        };
        Some(Action::StartDaemon(role, settings))
    }
}

fn number(word: &Word, name: &str, range: &std::ops::RangeInclusive<u32>, report: &mut Report) -> Option<u32> {
    let found = word.text.parse::<u32>().ok().filter(|number| range.contains(number));
    if found.is_none() {
        let (least, most) = (range.start(), range.end());
        let message = format!("`{}` is not a number for --{name}", word.text);
        report.error(&word.place, message, format!("ipvsadm refuses it, too: write {least} to {most}"));
    }
    found
}
