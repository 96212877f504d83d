//! The configuration as it is written: every key, its type, and, for the JSON Schema, its title, bounds and default.
//!
//! The doc comments of keys are what the schema tells users; the rules that need more than one key are in
//! [`super::rules`] and [`super::services`].

mod values;

use super::decode::{At, table};
use super::schema;
pub(super) use values::{Addresses, Checksum, Manage, MaxDelete, Netmask, Period};

table! {
    /// A configuration file of ipvsd, or one of the files of a directory.
    File "at the top level" later ["checks", "timeouts", "sync", "host", "docker", "api", "metrics", "log"];

    /// The version of this format: always 1. Required in every file.
    #[schemars(schema_with = "schema::version")]
    "version" version: i128,

    /// What concerns ipvsd itself.
    #[schemars(default)]
    "daemon" daemon: Daemon,

    /// What services and destinations are when they do not say it themselves; for all files together.
    #[schemars(default)]
    "defaults" defaults: Defaults,

    /// The virtual services. Write `services = []` for none.
    #[schemars(default)]
    "services" services: Vec<At<Service>>,
}

table! {
    /// What concerns ipvsd itself.
    Daemon "in `daemon`" later ["drain", "listen", "api", "metrics", "log", "docker"];

    /// Compare with the kernel at least this often, and repair drift: "1s" to "1d".
    #[schemars(default, schema_with = "schema::duration", extend("default" = "30s"))]
    "resync" resync: Period,

    /// What may be deleted: "owned" (what ipvsd added or adopted), "all" (whatever is not in the files), or a
    /// list of prefixes, addresses and marks within which it is as "all", and beyond which nothing is touched.
    #[schemars(default, schema_with = "schema::manage")]
    "manage" manage: Manage,

    /// The directory of the ownership record; an absolute path.
    #[schemars(default, extend("pattern" = "^/", "default" = "/var/lib/ipvsd"))]
    "state_dir" state_dir: String,

    /// Refuse a pass that would delete more than this of what is owned: a percentage ("50%") or a number of entries.
    #[schemars(default, schema_with = "schema::max_delete")]
    "max_delete" max_delete: MaxDelete,
}

table! {
    /// What services and destinations are when they do not say it themselves.
    Defaults "in `defaults`" later ["check", "checks", "drain", "fallback", "slow_start"];

    /// The scheduler of services that name none.
    #[schemars(default, schema_with = "schema::scheduler")]
    "scheduler" scheduler: String,

    /// The scheduler flags of services that name neither a scheduler nor flags.
    #[schemars(default, schema_with = "schema::scheduler_flags")]
    "scheduler_flags" scheduler_flags: Vec<At<String>>,

    /// The forwarding method of destinations that name none.
    #[schemars(default, schema_with = "schema::forward")]
    "forward" forward: String,

    /// The weight of destinations that have none.
    #[schemars(default, schema_with = "schema::weight")]
    "weight" weight: i128,

    /// The tunnel of destinations that are forwarded by tunnel and have none.
    #[schemars(default)]
    "tunnel" tunnel: Tunnel,
}

table! {
    /// A virtual service, at one or several addresses.
    Service "of a service" later ["check", "checks", "drain", "fallback", "slow_start", "quiesce", "docker"];

    /// A unique name: letters, digits, `.`, `_` and `-`, at most 64.
    #[schemars(schema_with = "schema::name")]
    "name" name: String,

    /// One address or a list: `tcp://192.0.2.10:80`, `udp://[2001:db8::1]:53`, `sctp://…`, `fwmark:7` (IPv4) or
    /// `fwmark6:7` (IPv6). Port 0 is every port, and wants persistence.
    #[schemars(schema_with = "schema::addresses")]
    "address" address: Addresses,

    /// The kernel's scheduler.
    #[schemars(default, schema_with = "schema::scheduler")]
    "scheduler" scheduler: String,

    /// Flags of the scheduler: sh-fallback and sh-port for sh, mh-fallback and mh-port for mh, flag-1 to flag-3
    /// (the bare bits) for any.
    #[schemars(default, schema_with = "schema::scheduler_flags")]
    "scheduler_flags" scheduler_flags: Vec<At<String>>,

    /// Keep a client at the destination that it was first sent to.
    #[schemars(default)]
    "persistence" persistence: Persistence,

    /// Schedule every packet on its own. udp and firewall marks only.
    #[schemars(default, extend("default" = false))]
    "one_packet" one_packet: bool,

    /// Where connections go.
    #[schemars(default)]
    "destinations" destinations: Vec<At<Destination>>,
}

table! {
    /// Keep a client at the destination that it was first sent to.
    Persistence "in `persistence`" later [];

    /// How long after its last connection a client is remembered, in whole seconds: "1s" to "4294967s".
    #[schemars(default, schema_with = "schema::duration", extend("default" = "5m"))]
    "timeout" timeout: Period,

    /// Clients whose addresses agree in so many leading bits are one: 1 to 32 (IPv4) or 128 (IPv6), or an IPv4
    /// mask such as "255.255.255.0". Default: each address for itself.
    #[schemars(default, schema_with = "schema::netmask")]
    "netmask" netmask: Netmask,

    /// A persistence engine of the kernel: "sip" tells clients apart by the Call-ID. udp only.
    #[schemars(default, extend("minLength" = 1, "maxLength" = 16, "examples" = ["sip"]))]
    "engine" engine: String,
}

table! {
    /// A destination (real server) of a service.
    Destination "of a destination" later ["check", "checks", "drain", "slow_start", "quiesce", "name"];

    /// `10.0.0.11:8080`, `[2001:db8::11]:80`, or without a port for the service's.
    #[schemars(extend("examples" = ["10.0.0.11:8080", "[2001:db8::11]:80", "10.0.0.11"]))]
    "address" address: String,

    /// The share of new connections, 0 to 65535; 0 gives it none, and leaves the old ones alone.
    #[schemars(default, schema_with = "schema::weight")]
    "weight" weight: i128,

    /// "nat" (addresses are rewritten), "dr" (direct routing, by MAC address) or "tunnel".
    #[schemars(default, schema_with = "schema::forward")]
    "forward" forward: String,

    /// The encapsulation, for `forward = "tunnel"`.
    #[schemars(default)]
    "tunnel" tunnel: Tunnel,

    /// The kernel's upper threshold: with so many connections it gets no new ones. 0 is no limit.
    #[schemars(default, schema_with = "schema::threshold")]
    "max_connections" max_connections: i128,

    /// The kernel's lower threshold: below so many it gets new ones again. 0 is three quarters of the upper one.
    #[schemars(default, schema_with = "schema::threshold")]
    "min_connections" min_connections: i128,
}

table! {
    /// The encapsulation towards a destination that is forwarded by tunnel.
    Tunnel "in `tunnel`" later [];

    /// "ipip", "gue" or "gre".
    #[schemars(default, rename = "type", extend("enum" = ["ipip", "gue", "gre"], "default" = "ipip"))]
    "type" kind: String,

    /// The UDP port of gue, which has to have one.
    #[schemars(default, schema_with = "schema::port")]
    "port" port: i128,

    /// Checksums of gue and gre; "remote" is remote checksum offload, gue only.
    #[schemars(default, schema_with = "schema::checksum")]
    "checksum" checksum: Checksum,
}
