//! Firewall marks, as an administrator sets them beside ipvsd.

use std::process::{Command, Stdio};

use crate::netns;

/// What is marked: packets of a protocol to these ports of an address or a prefix.
pub(crate) struct Mark {
    pub(crate) mark: u32,
    pub(crate) to: &'static str,
    pub(crate) protocol: &'static str,
    pub(crate) ports: &'static [u16],
}

/// Marks these, of one address family, and no others of it, when they come in to this thread's namespace.
///
/// With nftables; where the kernel has them for no address family of ours, as that of User Mode Linux, with iptables.
pub(crate) fn set(marks: &[Mark]) {
    for six in [false, true] {
        let of_family: Vec<&Mark> = marks.iter().filter(|mark| mark.to.contains(':') == six).collect();
        if has_nftables() { nftables(six, &of_family) } else { iptables(six, &of_family) }
    }
}

fn has_nftables() -> bool {
    let mut command = Command::new("nft");
    command.args(["add", "table", "ip", "marking"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn ports(mark: &Mark) -> String {
    mark.ports.iter().map(u16::to_string).collect::<Vec<String>>().join(",")
}

fn nftables(six: bool, marks: &[&Mark]) {
    let family = if six { "ip6" } else { "ip" };
    let mut rules = format!(
        "add table {family} marking\nflush table {family} marking\n\
         add chain {family} marking marks {{ type filter hook prerouting priority mangle; }}\n"
    );
    for one in marks {
        let Mark { mark, to, protocol, .. } = one;
        let ports = ports(one);
        rules += &format!(
            "add rule {family} marking marks {family} daddr {to} {protocol} dport {{ {ports} }} meta mark set {mark}\n"
        );
    }
    netns::run("nft", &["-f", "-"], &rules);
}

fn iptables(six: bool, marks: &[&Mark]) {
    let program = if six { "ip6tables-legacy-restore" } else { "iptables-legacy-restore" };
    let mut rules = "*mangle\n".to_owned();
    for one in marks {
        let Mark { mark, to, protocol, .. } = one;
        let ports = ports(one);
        rules +=
            &format!("-A PREROUTING -d {to} -p {protocol} -m multiport --dports {ports} -j MARK --set-mark {mark}\n");
    }
    netns::run(program, &[], &(rules + "COMMIT\n"));
}
