//! `[host]`, `[timeouts]` and `[sync]`: what surrounds the table.

use crate::config::decode::{At, Decode, table, wrong_type};
use crate::config::fault::{Fault, Faults};
use crate::config::names;
use crate::config::raw::Period;
use crate::config::schema;
use crate::config::tree::{Entry, Node, Place, Value};

table! {
    /// The host around IPVS. All of it is off unless written.
    Host "in `host`" later [];

    /// Puts the addresses of all services on an interface of ipvsd's own.
    #[schemars(default)]
    "addresses" addresses: HostAddresses,

    /// Sysctls below `net.`, by name, with the values that they are to have.
    #[schemars(default, schema_with = "schema::sysctls")]
    "sysctls" sysctls: Sysctls,

    /// Whether ip_vs, schedulers and persistence engines are loaded before they are needed.
    #[schemars(default, extend("default" = false))]
    "modules" modules: bool,
}

table! {
    /// Where the addresses of services are put.
    HostAddresses "in `addresses`" later [];

    /// The interface: a dummy, made if it is missing.
    #[schemars(default, schema_with = "schema::interface")]
    "interface" interface: String,
}

table! {
    /// The kernel's own timeouts of connections, in whole seconds: "1s" to "2147483s".
    Timeouts "in `timeouts`" later [];

    /// Of established tcp connections; 15 minutes at boot.
    #[schemars(default, schema_with = "schema::duration")]
    "tcp" tcp: Period,

    /// Of tcp connections that got a FIN; 2 minutes at boot.
    #[schemars(default, schema_with = "schema::duration")]
    "tcp_fin" tcp_fin: Period,

    /// Of udp flows; 5 minutes at boot.
    #[schemars(default, schema_with = "schema::duration")]
    "udp" udp: Period,
}

table! {
    /// The kernel's connection synchronisation.
    Sync "in `sync`" later [];

    /// Tells other directors of connections.
    #[schemars(default)]
    "master" master: SyncDaemon,

    /// Learns of the connections of other directors.
    #[schemars(default)]
    "backup" backup: SyncDaemon,
}

table! {
    /// One side of connection synchronisation.
    SyncDaemon "of a synchronisation daemon" later [];

    /// Where messages go out or come in.
    #[schemars(default, schema_with = "schema::interface")]
    "interface" interface: String,

    /// A backup takes the messages of masters with the same id; with 0 those of all.
    #[schemars(default, schema_with = "schema::sync_id")]
    "id" id: i128,

    /// A multicast address, IPv4 or IPv6.
    #[schemars(default, extend("default" = "224.0.0.81"))]
    "group" group: String,

    /// The udp port.
    #[schemars(default, schema_with = "schema::port", extend("default" = 8848))]
    "port" port: i128,

    /// How many routers messages may pass, and one more.
    #[schemars(default, schema_with = "schema::ttl")]
    "ttl" ttl: i128,

    /// The longest message, in bytes: 1, of a backup 1024, to 65507, with an IPv6 group 65487. Without it what a packet of
    /// 1500 bytes holds; of a backup what its interface's MTU holds, if that is more.
    #[schemars(default, schema_with = "schema::sync_maxlen")]
    "sync_maxlen" sync_maxlen: i128,
}

/// Sysctls in the order of the file. TOML reads `net.ipv4.ip_forward = 1` as tables in tables, and YAML can be written so.
#[derive(Debug, Default)]
pub(in crate::config) struct Sysctls(pub Vec<Sysctl>);

/// A sysctl, as it is written.
#[derive(Debug)]
pub(in crate::config) struct Sysctl {
    pub place: Place,
    /// The keys of the tables that it is in, and its own.
    pub keys: Vec<String>,
    /// As the kernel shows it; nothing if it was not to be understood.
    pub value: Option<At<String>>,
}

impl Decode for Sysctls {
    fn decode(node: Node<'_>, faults: &mut Faults) -> Option<Self> {
        match node.value {
            Value::Table(entries) => {
                let mut sysctls = Self::default();
                sysctls.take(&[], entries, faults);
                Some(sysctls)
            }
            other => {
                let fault = wrong_type(node.place, "a table of sysctls", &other);
                faults.push(fault.help("write for example \"net.ipv4.ip_forward\" = 1 in it"));
                None
            }
        }
    }
}

impl Sysctls {
    /// How deep tables can be nested, the parsers say.
    fn take(&mut self, within: &[String], entries: Vec<Entry<'_>>, faults: &mut Faults) {
        for Entry { key, place, node } in entries {
            let mut keys = within.to_vec();
            keys.push(key.into_owned());
            match node.value {
                Value::Table(entries) => self.take(&keys, entries, faults),
                Value::Broken => self.0.push(Sysctl { place, keys, value: None }),
                value => {
                    let value = text(node.place, value, faults).map(|value| At { place: node.place, value });
                    self.0.push(Sysctl { place, keys, value });
                }
            }
        }
    }
}

/// A value as the kernel shows it: fields are separated by single spaces.
fn text(place: Place, value: Value<'_>, faults: &mut Faults) -> Option<String> {
    match value.plain() {
        Value::Bool(value) => Some(u8::from(value).to_string()),
        Value::Integer(value) => Some(value.to_string()),
        Value::Text(text) => {
            let value = text.split_whitespace().collect::<Vec<_>>().join(" ");
            if value.is_empty() || value.contains(char::is_control) {
                let message = match &*value {
                    "" => "a sysctl cannot be set to nothing".to_owned(),
                    _ => format!("`{}` is no value of a sysctl", names::quote(&text)),
                };
                faults.push(Fault::new(place, message).help("write a number, or words in quotes"));
                return None;
            }
            Some(value)
        }
        other => {
            let fault = wrong_type(place, "the value of a sysctl", &other);
            faults.push(fault.help("write a number, or words in quotes such as \"3 50\""));
            None
        }
    }
}
