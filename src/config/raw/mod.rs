//! The configuration as it is written: every key, its type, and, for the JSON Schema, its title, bounds and default.
//!
//! The doc comments of keys are what the schema tells users; the rules that need more than one key are in
//! [`super::rules`] and [`super::services`].

mod api;
mod checks;
mod docker;
mod host;
mod matching;
mod values;

use super::decode::{At, Named, table};
use super::schema;
pub(super) use api::{Api, ApiTls};
pub(super) use checks::{Check, Dns, Exec, Flap, Grpc, Http, Tcp, Tls, Udp};
pub(super) use docker::{AutoTable, Containers, Docker, DockerAuto, DockerTls};
pub(super) use host::{Host, Sync, SyncDaemon, Sysctl, Sysctls, Timeouts};
pub(super) use matching::{Match, MatchTable, Payload, PayloadTable};
pub(super) use values::{
    Addresses, CheckName, Checksum, Code, Fallback, Manage, Netmask, Percent, Period, Share, Status,
};

table! {
    /// A configuration file of ipvsd, or one of the files of a directory.
    File "at the top level" later ["log"];

    /// The version of this format: always 1. Required in every file.
    #[schemars(schema_with = "schema::version")]
    "version" version: i128,

    /// Files that belong to the configuration as well: paths, relative to this file, of which the last part may have `*`, `?` and
    /// `[…]` in it. A path without such a sign has to be there.
    #[schemars(default, extend("examples" = [["conf.d/*.toml"]]))]
    "include" include: Vec<At<String>>,

    /// What concerns ipvsd itself.
    #[schemars(default)]
    "daemon" daemon: Daemon,

    /// What services and destinations are when they do not say it themselves; for all files together.
    #[schemars(default)]
    "defaults" defaults: Defaults,

    /// Ways to check destinations, by name; each name in one file only. `tcp` and `none` are there without it.
    #[schemars(default, extend("propertyNames" = { "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$", "maxLength": 64 }))]
    "checks" checks: Named<Check>,

    /// Programs that are told what happens; for all files together.
    #[schemars(default)]
    "hooks" hooks: Hooks,

    /// The HTTP side; off unless written. For all files together.
    #[schemars(default)]
    "api" api: Api,

    /// A Docker engine whose containers are destinations; for all files together.
    #[schemars(default)]
    "docker" docker: Docker,

    /// The host around IPVS; for all files together.
    #[schemars(default)]
    "host" host: Host,

    /// The kernel's own timeouts of connections; for all files together.
    #[schemars(default)]
    "timeouts" timeouts: Timeouts,

    /// The kernel's connection synchronisation; for all files together.
    #[schemars(default)]
    "sync" sync: Sync,

    /// The virtual services. Write `services = []` for none.
    #[schemars(default)]
    "services" services: Vec<At<Service>>,
}

table! {
    /// What concerns ipvsd itself.
    Daemon "in `daemon`" later ["log"];

    /// Compare with the kernel at least this often, and repair drift: "1s" to "1d".
    #[schemars(default, schema_with = "schema::duration", extend("default" = "30s"))]
    "resync" resync: Period,

    /// Look the names up again so often that stand in the place of destinations' addresses: "1s" to "1d".
    #[schemars(default, schema_with = "schema::duration", extend("default" = "30s"))]
    "resolve" resolve: Period,

    /// What may be deleted: "owned" (what ipvsd added or adopted), "all" (whatever is not in the files), or a
    /// list of prefixes, addresses and marks within which it is as "all", and beyond which nothing is touched.
    #[schemars(default, schema_with = "schema::manage")]
    "manage" manage: Manage,

    /// The directory of the ownership record; an absolute path.
    #[schemars(default, extend("pattern" = "^/", "default" = "/var/lib/ipvsd"))]
    "state_dir" state_dir: String,

    /// Refuse a pass that would delete more than this of what is owned: a percentage ("50%") or a number of entries.
    #[schemars(default, schema_with = "schema::max_delete")]
    "max_delete" max_delete: Share,

    /// The longest wait for the connections of a deleted destination or service: "0s" (delete at once) to "7d".
    #[schemars(default, schema_with = "schema::duration", extend("default" = "5m"))]
    "drain" drain: Period,

    /// As many checks run at the same time.
    #[schemars(default, schema_with = "schema::checks_at_once")]
    "checks_at_once" checks_at_once: i128,

    /// The first of 65536 firewall marks that are ipvsd's own, for checks with `via = "vip"`.
    #[schemars(default, schema_with = "schema::check_marks")]
    "check_marks" check_marks: i128,
}

table! {
    /// Programs that are told what happens, by a JSON document on their standard input.
    Hooks "in `hooks`" later [];

    /// The program, by an absolute path, and its arguments. There is no shell.
    #[schemars(default, schema_with = "schema::argv")]
    "on_change" on_change: Vec<At<String>>,

    /// A run that takes longer is ended: "100ms" to "10m".
    #[schemars(default, schema_with = "schema::duration", extend("default" = "10s"))]
    "timeout" timeout: Period,

    /// So many runs at the same time.
    #[schemars(default, schema_with = "schema::at_once")]
    "at_once" at_once: i128,
}

table! {
    /// What services and destinations are when they do not say it themselves.
    Defaults "in `defaults`" later [];

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
    "tunnel" tunnel: Box<Tunnel>,

    /// The check of destinations, by name; "none" is no check.
    #[schemars(default, schema_with = "schema::check_name")]
    "check" check: CheckName,

    /// Several checks of destinations, by name.
    #[schemars(default, schema_with = "schema::check_names")]
    "checks" checks: Vec<At<String>>,

    /// Whether "all" of `checks` have to be up, or "any" is enough; stands beside them.
    #[schemars(default, extend("enum" = ["all", "any"], "default" = "all"))]
    "check_pass" check_pass: String,

    /// What becomes of a destination that is down: "quiesce" (weight 0, its connections go on), "delete" or "ignore".
    #[schemars(default, extend("enum" = ["quiesce", "delete", "ignore"], "default" = "quiesce"))]
    "on_down" on_down: String,

    /// How long a destination that came up takes back to its full weight: "0s" (at once) to "1h".
    #[schemars(default, schema_with = "schema::duration", extend("default" = "0s"))]
    "slow_start" slow_start: Period,

    /// With fewer destinations up a service counts as failed: a percentage or a number.
    #[schemars(default, schema_with = "schema::share")]
    "min_healthy" min_healthy: Share,

    /// What a destination counts as until its checks have spoken: "live" (what the kernel shows; what was not there
    /// waits), "up" or "down".
    #[schemars(default, extend("enum" = ["live", "up", "down"], "default" = "live"))]
    "initial" initial: String,

    /// If more than this share of a service goes down at once, the checks are not believed: "0%" to "100%".
    #[schemars(default, schema_with = "schema::percent")]
    "panic_threshold" panic_threshold: Percent,

    /// The longest wait for the connections of a deleted destination: "0s" (delete at once) to "7d"; without it,
    /// daemon.drain.
    #[schemars(default, schema_with = "schema::duration")]
    "drain" drain: Period,
}

table! {
    /// A virtual service, at one or several addresses.
    Service "of a service" later [];

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

    /// The check of its destinations, by name; "none" is no check.
    #[schemars(default, schema_with = "schema::check_name")]
    "check" check: CheckName,

    /// Several checks of its destinations, by name.
    #[schemars(default, schema_with = "schema::check_names")]
    "checks" checks: Vec<At<String>>,

    /// Whether "all" of `checks` have to be up, or "any" is enough; stands beside them.
    #[schemars(default, extend("enum" = ["all", "any"], "default" = "all"))]
    "check_pass" check_pass: String,

    /// What becomes of a destination that is down: "quiesce" (weight 0, its connections go on), "delete" or "ignore".
    #[schemars(default, extend("enum" = ["quiesce", "delete", "ignore"], "default" = "quiesce"))]
    "on_down" on_down: String,

    /// How long a destination that came up takes back to its full weight: "0s" (at once) to "1h".
    #[schemars(default, schema_with = "schema::duration", extend("default" = "0s"))]
    "slow_start" slow_start: Period,

    /// With fewer destinations up a service counts as failed: a percentage or a number.
    #[schemars(default, schema_with = "schema::share")]
    "min_healthy" min_healthy: Share,

    /// What a destination counts as until its checks have spoken: "live" (what the kernel shows; what was not there
    /// waits), "up" or "down".
    #[schemars(default, extend("enum" = ["live", "up", "down"], "default" = "live"))]
    "initial" initial: String,

    /// If more than this share of a service goes down at once, the checks are not believed: "0%" to "100%".
    #[schemars(default, schema_with = "schema::percent")]
    "panic_threshold" panic_threshold: Percent,

    /// The longest wait for the connections of a deleted destination: "0s" (delete at once) to "7d"; without it,
    /// that of `defaults`.
    #[schemars(default, schema_with = "schema::duration")]
    "drain" drain: Period,

    /// Used while no destination is up (sorry server): an address, or a table with the keys of a destination.
    #[schemars(default, schema_with = "schema::fallback")]
    "fallback" fallback: Box<Fallback>,

    /// The containers that are its destinations, besides those that are written.
    #[schemars(default)]
    "docker" docker: Box<Containers>,

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
    Destination "of a destination" later [];

    /// What reports call it, unique in its service: 1 to 128 printable ASCII characters without blanks. An ID over the
    /// API.
    #[schemars(default, extend("pattern" = "^[!-~]{1,128}$"))]
    "name" name: String,

    /// `10.0.0.11:8080`, `[2001:db8::11]:80`, or without a port for the service's; or a name, `web.internal:8080`, which is looked
    /// up again and again.
    #[schemars(extend("examples" = ["10.0.0.11:8080", "[2001:db8::11]:80", "10.0.0.11", "web.internal:8080"]))]
    "address" address: String,

    /// Of a name: whether "all" of its addresses are destinations, or the "first". Those of the service's family count.
    #[schemars(default, extend("enum" = ["all", "first"], "default" = "all"))]
    "resolve" resolve: String,

    /// The share of new connections, 0 to 65535; 0 gives it none, and leaves the old ones alone.
    #[schemars(default, schema_with = "schema::weight")]
    "weight" weight: i128,

    /// "nat" (addresses are rewritten), "dr" (direct routing, by MAC address) or "tunnel".
    #[schemars(default, schema_with = "schema::forward")]
    "forward" forward: String,

    /// The encapsulation, for `forward = "tunnel"`.
    #[schemars(default)]
    "tunnel" tunnel: Box<Tunnel>,

    /// The kernel's upper threshold: with so many connections it gets no new ones. 0 is no limit.
    #[schemars(default, schema_with = "schema::threshold")]
    "max_connections" max_connections: i128,

    /// The kernel's lower threshold: below so many it gets new ones again. 0 is three quarters of the upper one.
    #[schemars(default, schema_with = "schema::threshold")]
    "min_connections" min_connections: i128,

    /// The check of this destination, by name; "none" is no check.
    #[schemars(default, schema_with = "schema::check_name")]
    "check" check: CheckName,

    /// Several checks of this destination, by name.
    #[schemars(default, schema_with = "schema::check_names")]
    "checks" checks: Vec<At<String>>,

    /// Whether "all" of `checks` have to be up, or "any" is enough; stands beside them.
    #[schemars(default, extend("enum" = ["all", "any"], "default" = "all"))]
    "check_pass" check_pass: String,
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
