//! Everything that was seen, as plain data: what the findings are made of.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::host::rtnl::{AddressInfo, LinkInfo, Route};
use crate::model::{Family, Live};

/// A host with IPVS, or without, as seen from one network namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// `uname -r`.
    pub release: String,
    /// Of the modules that the configuration needs, by their names with underscores.
    pub modules: BTreeMap<String, Module>,
    /// `kernel.modules_disabled`: nothing more is loaded until the next boot.
    pub modules_disabled: bool,
    /// The mode in which the kernel is locked down: `integrity`, `confidentiality`.
    pub lockdown: Option<String>,
    /// CAP_NET_ADMIN is among the effective capabilities.
    pub net_admin: bool,
    /// Not within a user namespace other than the first one.
    pub initial_user_namespace: bool,
    pub table: Table,
    /// In the kernel's order.
    pub links: Vec<LinkInfo>,
    /// In the kernel's order.
    pub addresses: Vec<AddressInfo>,
    /// The ways to the addresses of services and destinations; `None` if no route leads there. What the kernel would not
    /// say (since it has no IPv6) is not here.
    pub routes: BTreeMap<IpAddr, Option<Route>>,
    /// The interfaces of the default routes.
    pub defaults: BTreeMap<Family, String>,
    /// Interfaces with an IPv6 default route that a router advertised, and the kernel took.
    pub advertised: BTreeSet<String>,
    /// By canonical name (`/` for a dot within an interface's name). What is not there, the kernel does not have.
    pub sysctls: BTreeMap<String, String>,
    /// Processes in this network namespace that are known to have to do with IPVS or with its addresses.
    pub processes: Vec<Process>,
    pub nat: NatRules,
    /// Which programs for packet filters there are.
    pub filters: Filters,
    /// The command line that puts the configuration into force.
    pub apply: String,
}

/// How a module can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Module {
    /// Loaded, or built in.
    There,
    /// The kernel loads it by itself when it needs it.
    OnDemand,
    /// modprobe(8) finds it, and what the kernel would call does not.
    ByHand,
    /// It cannot be found: why, in words.
    Missing(String),
}

/// The live table, or why it is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Table {
    Read(Live),
    /// There is no IPVS in this kernel yet.
    #[default]
    Absent,
    /// The kernel does not let us see it.
    Denied(String),
    Failed(String),
}

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub pid: i32,
    /// What it is known as: `keepalived`.
    pub name: String,
    /// Its arguments, separated by spaces.
    pub command: String,
    pub role: Role,
}

/// What a process has to do with the host's part of a balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It changes the table.
    ManagesTable,
    /// It moves addresses between hosts.
    MovesAddresses,
    /// It does both.
    Both,
}

impl Role {
    pub(super) fn manages_table(self) -> bool {
        matches!(self, Self::ManagesTable | Self::Both)
    }

    pub(super) fn moves_addresses(self) -> bool {
        matches!(self, Self::MovesAddresses | Self::Both)
    }
}

/// The rules that rewrite source addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum NatRules {
    /// All of them.
    Known(Vec<SourceNat>),
    /// There may be some, that could not be read: what hints at them.
    Unknown(String),
    /// The kernel has no part loaded that could.
    #[default]
    None,
}

/// One rule that rewrites source addresses, as far as it matters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceNat {
    /// As its program prints it.
    pub text: String,
    pub from: Option<IpNet>,
    pub to: Option<IpNet>,
    /// The interface of the way out.
    pub out: Option<String>,
    /// It is about IPVS by name (xt_ipvs).
    pub ipvs: bool,
    /// It has conditions that are not understood here.
    pub more: bool,
}

/// Programs for packet filters, that were found on the path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filters {
    pub iptables: bool,
    pub nft: bool,
}
