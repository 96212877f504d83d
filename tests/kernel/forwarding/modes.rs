//! What an operator types on the director and on a real server for each way of forwarding: plain commands, so that they can
//! stand in a guide. What happens without them is in [`crate::forwarding_needs`] and [`crate::tunnel_needs`].

use std::net::IpAddr;

use super::rig::{Family, Wiring, vip};

/// A way to forward, and what the servers are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forward {
    Nat,
    Dr,
    /// `dr` to macvlan interfaces.
    Macvlan,
    Ipip,
    Gue,
    /// With a checksum in the UDP header.
    GueChecksum,
    /// With a checksum in the UDP header that leaves the inner one to the server.
    GueRemote,
    Gre,
    /// With a checksum in the GRE header.
    GreChecksum,
}

use Forward::{Dr, Gre, GreChecksum, Gue, GueChecksum, GueRemote, Ipip, Macvlan, Nat};

/// The UDP port that real servers take GUE on.
const GUE_PORT: u16 = 6080;

/// What is forwarded, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mode {
    pub(crate) forward: Forward,
    /// Of the service.
    pub(crate) family: Family,
    /// Of the destinations: another than the service's in tunnels only.
    pub(crate) underlay: Family,
}

impl Mode {
    /// Service and destinations of one family.
    pub(crate) fn new(forward: Forward, family: Family) -> Self {
        Self { forward, family, underlay: family }
    }

    pub(crate) fn wiring(self) -> Wiring {
        match self.forward {
            Nat => Wiring::Behind,
            Macvlan => Wiring::Macvlan,
            _ => Wiring::Lan,
        }
    }

    /// On the director.
    pub(crate) fn director(self) -> Vec<String> {
        let address = format!("ip address add {} dev eth0", prefix(vip(self.family)));
        match (self.forward, self.family, self.underlay) {
            (Nat, Family::V4, _) => vec![address, "sysctl -qw net.ipv4.ip_forward=1".to_owned()],
            (Nat, Family::V6, _) => vec![address, "sysctl -qw net.ipv6.conf.all.forwarding=1".to_owned()],
            // Deprecated at once, else IPv6 takes it for the source of a tunnel to its neighbour.
            (_, Family::V6, Family::V6) if self.device().is_some() => vec![address + " preferred_lft 0"],
            _ => vec![address],
        }
    }

    /// On each real server, which has the address `own`.
    pub(crate) fn server(self, own: IpAddr) -> Vec<String> {
        let vip = prefix(vip(self.family));
        let mut commands = Vec::new();
        if self.forward != Nat && self.family == Family::V4 {
            commands.push("sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2".to_owned());
        }
        match (self.forward, self.family) {
            (Nat, Family::V4) => commands.push("ip route add default via 10.0.0.1".to_owned()),
            (Nat, Family::V6) => commands.push("ip route add default via fd00::1".to_owned()),
            (Dr | Macvlan, _) => commands.push(format!("ip address add {vip} dev lo")),
            _ => {}
        }
        let Some(device) = self.device() else { return commands };
        if self.is_gue() {
            let six = if self.underlay == Family::V6 { " -6" } else { "" };
            commands.push("modprobe fou".to_owned());
            commands.push(format!("ip fou add port {GUE_PORT} gue{six}"));
        }
        match (device, self.family) {
            ("tunl0", _) => commands.push("modprobe ipip".to_owned()),
            ("sit0", _) => commands.push("modprobe sit".to_owned()),
            ("gre0", _) => commands.push("modprobe ip_gre".to_owned()),
            ("ip6gre0", _) => commands.push("modprobe ip6_gre".to_owned()),
            ("ip6tnl0", Family::V6) => commands.push("modprobe ip6_tunnel".to_owned()),
            ("ip6tnl0", Family::V4) => {
                commands.push("modprobe ip6_tunnel".to_owned());
                commands.push("ip -6 tunnel change ip6tnl0 mode any".to_owned());
            }
            _ => commands.push(format!("ip link add {device} type gre local {own} icsum")),
        }
        commands.push(format!("ip address add {vip} dev {device}"));
        commands.push(format!("ip link set {device} up"));
        if self.family == Family::V4 {
            commands.push(format!("sysctl -qw net.ipv4.conf.{device}.rp_filter=2"));
        }
        commands
    }

    fn is_gue(self) -> bool {
        matches!(self.forward, Gue | GueChecksum | GueRemote)
    }

    /// The interface where a server's tunnel ends.
    pub(crate) fn device(self) -> Option<&'static str> {
        match (self.forward, self.underlay, self.family) {
            (Nat | Dr | Macvlan, ..) => None,
            (Gre, Family::V4, _) => Some("gre0"),
            (Gre, Family::V6, _) => Some("ip6gre0"),
            (GreChecksum, ..) => Some("gre1"),
            (_, Family::V4, Family::V4) => Some("tunl0"),
            (_, Family::V4, Family::V6) => Some("sit0"),
            (_, Family::V6, _) => Some("ip6tnl0"),
        }
    }

    /// The keys of a destination in the configuration.
    pub(crate) fn keys(self) -> String {
        let tunnel = match self.forward {
            Nat => return "forward = \"nat\"".to_owned(),
            Dr | Macvlan => return "forward = \"dr\"".to_owned(),
            Ipip => "type = \"ipip\"".to_owned(),
            Gue => format!("type = \"gue\", port = {GUE_PORT}"),
            GueChecksum => format!("type = \"gue\", port = {GUE_PORT}, checksum = true"),
            GueRemote => format!("type = \"gue\", port = {GUE_PORT}, checksum = \"remote\""),
            Gre => "type = \"gre\"".to_owned(),
            GreChecksum => "type = \"gre\", checksum = true".to_owned(),
        };
        format!("forward = \"tunnel\"\ntunnel = {{ {tunnel} }}")
    }

    /// The same as `ipvsadm -Sn` says it, before and behind the weight.
    pub(crate) fn saved(self) -> (&'static str, String) {
        let gue = |checksum: &str| ("-i", format!(" --tun-type gue --tun-port {GUE_PORT} {checksum}"));
        match self.forward {
            Nat => ("-m", String::new()),
            Dr | Macvlan => ("-g", String::new()),
            Ipip => ("-i", " --tun-type ipip".to_owned()),
            Gue => gue("--tun-nocsum"),
            GueChecksum => gue("--tun-csum"),
            GueRemote => gue("--tun-remcsum"),
            Gre => ("-i", " --tun-type gre --tun-nocsum".to_owned()),
            GreChecksum => ("-i", " --tun-type gre --tun-csum".to_owned()),
        }
    }

    /// The bytes that a tunnel puts before a packet: an IP header, and what is between that and the packet.
    pub(crate) fn overhead(self) -> usize {
        let outer = if self.underlay == Family::V4 { 20 } else { 40 };
        match self.forward {
            Nat | Dr | Macvlan => 0,
            Ipip => outer,
            Gue | GueChecksum | GueRemote => outer + 8 + 4,
            Gre => outer + 4,
            GreChecksum => outer + 8,
        }
    }
}

/// An address as the only one of its network.
fn prefix(address: IpAddr) -> String {
    format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 })
}
