//! From a tree to typed tables, saying everything that does not fit on the way instead of stopping at the first.

use std::collections::HashSet;

use super::fault::{Fault, Faults};
use super::names;
use super::tree::{Entry, Node, Place, Value};

/// What can be read from a node. `None` means that a fault was pushed.
pub(super) trait Decode: Sized {
    fn decode(node: Node<'_>, faults: &mut Faults) -> Option<Self>;
}

/// A value and the place it stands at.
#[derive(Debug, Clone)]
pub(super) struct At<T> {
    pub place: Place,
    pub value: T,
}

/// A key of a table.
#[derive(Debug, Default)]
pub(super) enum Field<T> {
    #[default]
    Absent,
    /// Given, but not to be understood; a fault says why, so nobody need say that it is missing.
    Broken,
    Set(At<T>),
}

impl<T> Field<T> {
    pub(super) fn get(&self) -> Option<&At<T>> {
        match self {
            Field::Set(at) => Some(at),
            Field::Absent | Field::Broken => None,
        }
    }

    pub(super) fn value(&self) -> Option<&T> {
        self.get().map(|at| &at.value)
    }

    pub(super) fn into_value(self) -> Option<T> {
        match self {
            Field::Set(at) => Some(at.value),
            Field::Absent | Field::Broken => None,
        }
    }

    pub(super) fn place(&self) -> Option<Place> {
        self.get().map(|at| at.place)
    }

    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Field::Absent)
    }
}

impl<T: Decode> Field<T> {
    pub(super) fn fill(&mut self, node: Node<'_>, faults: &mut Faults) {
        *self = At::decode(node, faults).map_or(Field::Broken, Field::Set);
    }
}

impl<T: Decode> Decode for At<T> {
    fn decode(node: Node<'_>, faults: &mut Faults) -> Option<Self> {
        let place = node.place;
        if matches!(node.value, Value::Broken) {
            return None;
        }
        T::decode(node, faults).map(|value| Self { place, value })
    }
}

/// A table whose keys are names that users give. In the order of the file; each name once.
#[derive(Debug)]
pub(super) struct Named<T>(pub Vec<(At<String>, Field<T>)>);

impl<T: Decode> Decode for Named<T> {
    fn decode(node: Node<'_>, faults: &mut Faults) -> Option<Self> {
        let entries = match node.value {
            Value::Table(entries) => entries,
            other => {
                let fault = wrong_type(node.place, "a table of names", &other);
                faults.push(fault.help("write `NAME = …` in it, or remove it"));
                return None;
            }
        };
        let mut seen: HashSet<String> = HashSet::new();
        let mut list = Vec::new();
        let mut entries = entries;
        for at in 0..entries.len() {
            let (before, rest) = entries.split_at_mut(at);
            let Some(entry) = rest.first_mut() else { break };
            let name = entry.key.to_string();
            if !seen.insert(name.clone()) {
                key_twice(entry, before, faults);
                continue;
            }
            let mut field = Field::Absent;
            field.fill(entry.take(), faults);
            list.push((At { place: entry.place, value: name }, field));
        }
        Some(Self(list))
    }
}

/// Says that a value is of another type than its key wants.
pub(super) fn wrong_type(place: Place, expected: &str, found: &Value<'_>) -> Fault {
    Fault::new(place, format!("expected {expected}, found {}", found.describe())).label(format!("expected {expected}"))
}

const NOTHING: &str = "write a value, or remove the key";

impl Decode for String {
    fn decode(node: Node<'_>, faults: &mut Faults) -> Option<Self> {
        match node.value.plain() {
            Value::Text(text) => Some(text.into_owned()),
            other => {
                let fault = wrong_type(node.place, "a string", &other);
                faults.push(match other {
                    Value::Nothing => fault.help(NOTHING),
                    Value::List(_) => fault.help("one value has no brackets"),
                    Value::Table(_) => fault.help("this key has one value, no keys of its own"),
                    _ => fault.help("put it in double quotes"),
                });
                None
            }
        }
    }
}

/// For tables within tables of which there are many: mostly there is none.
impl<T: Decode> Decode for Box<T> {
    fn decode(node: Node<'_>, faults: &mut Faults) -> Option<Self> {
        T::decode(node, faults).map(Self::new)
    }
}

impl Decode for bool {
    fn decode(node: Node<'_>, faults: &mut Faults) -> Option<Self> {
        let given = matches!(node.value, Value::Given(_));
        match node.value.typed() {
            Value::Bool(value) => Some(value),
            other => {
                let help = if given {
                    "the parameter has to stand for true or false"
                } else {
                    "write true or false, without quotes"
                };
                faults.push(wrong_type(node.place, "true or false", &other).help(help));
                None
            }
        }
    }
}

impl Decode for i128 {
    fn decode(node: Node<'_>, faults: &mut Faults) -> Option<Self> {
        let given = matches!(node.value, Value::Given(_));
        match node.value.typed() {
            Value::Integer(value) => Some(value),
            other => {
                let fault = wrong_type(node.place, "an integer", &other);
                faults.push(match &other {
                    _ if given => fault.help("the parameter has to stand for a whole number"),
                    Value::Text(text) if text.parse::<i128>().is_ok_and(|number| number.to_string() == **text) => {
                        fault.help("remove the quotes")
                    }
                    Value::Nothing => fault.help(NOTHING),
                    _ => fault.help("write a whole number, without quotes or leading zeros"),
                });
                None
            }
        }
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(node: Node<'_>, faults: &mut Faults) -> Option<Self> {
        match node.value {
            Value::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                let known = items.into_iter().filter(|item| !matches!(item.value, Value::Broken));
                list.extend(known.filter_map(|item| T::decode(item, faults)));
                Some(list)
            }
            other => {
                let mut fault = wrong_type(node.place, "a list", &other);
                fault = match other {
                    Value::Table(_) => {
                        fault.help("a list of tables is `[[…]]` with double brackets in TOML, `- ` in YAML")
                    }
                    _ => fault.help("write it in brackets: `[…]`"),
                };
                faults.push(fault);
                None
            }
        }
    }
}

/// The entries of a table with these keys.
pub(super) fn entries<'n>(node: Node<'n>, known: &[&str], faults: &mut Faults) -> Option<Vec<Entry<'n>>> {
    match node.value {
        Value::Table(entries) => Some(entries),
        other => {
            let fault = wrong_type(node.place, "a table", &other);
            let keys = known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            faults.push(match other {
                _ if known.is_empty() => fault.help("write `{}`: it has no keys"),
                Value::Bool(true) | Value::Nothing => {
                    fault.help(format!("write `{{}}` for the defaults of its keys, which are {keys}"))
                }
                _ => fault.help(format!("its keys are {keys}")),
            });
            None
        }
    }
}

/// Says that a table carries the same key twice (TOML's own parser says it earlier). `before` are the entries before it.
pub(super) fn key_twice(entry: &Entry<'_>, before: &[Entry<'_>], faults: &mut Faults) {
    let mut fault = Fault::new(entry.place, format!("the key `{}` stands here twice", names::quote(&entry.key)));
    if let Some(first) = before.iter().find(|first| first.key == entry.key) {
        fault = fault.related(first.place, "first here");
    }
    faults.push(fault.label("again here").help("keep one of the two"));
}

/// Keys that are easily put into the wrong table, and where they belong.
const ELSEWHERE: &[(&str, &[&str], &str)] = &[
    (
        "of a check",
        &["method", "path", "host", "headers", "status", "body", "location"],
        "it is a key of `http` and `https`: http = { path = \"/healthz\" }",
    ),
    ("of a check", &["insecure", "ca", "server_name"], "it is a key of `https`: https = { … }, or of `tls` in `grpc`"),
    ("of a check", &["send", "expect"], "it is a key of `tcp` and `udp`: tcp = { send = \"…\", expect = \"…\" }"),
    ("of a check", &["argv"], "it is a key of `exec`: exec = { argv = [\"/…\"] }"),
    (
        "of a destination",
        &["drain", "slow_start", "on_down", "initial", "fallback", "min_healthy", "panic_threshold"],
        "it is a key of the service",
    ),
    ("in `defaults`", &["fallback"], "each service has its own"),
    ("at the top level", &["addresses", "sysctls", "modules"], "it is a key of `host`"),
    ("at the top level", &["master", "backup"], "it is a key of `sync`"),
    ("at the top level", &["listen", "tokens"], "it is a key of `api`"),
    ("at the top level", &["metrics"], "they come with `api`, at /metrics"),
    ("in `daemon`", &["listen", "tokens"], "it is a key of `api`, a table beside this one"),
    ("in `daemon`", &["api"], "it is a table of its own beside this one"),
    ("in `daemon`", &["metrics"], "they come with `api`, at /metrics"),
    ("in `daemon`", &["timeouts", "sync", "host"], "it is a table of its own beside this one"),
    ("in `host`", &["timeouts", "sync"], "it is a table of its own beside this one"),
    ("in `host`", &["interface"], "it is a key of `addresses`: addresses = { interface = \"ipvs0\" }"),
    ("in `host`", &["net", "ip_forward"], "it is a key of `sysctls`"),
    (
        "in `sync`",
        &["interface", "id", "group", "port", "ttl", "sync_maxlen"],
        "it is a key of `master` and of `backup`: master = { interface = \"eth1\" }",
    ),
];

/// Says that a table has no such key, and which one may have been meant.
pub(super) fn unknown_key(entry: &Entry<'_>, table: &str, known: &[&str], later: &[&str], faults: &mut Faults) {
    let key = names::quote(&entry.key);
    if later.contains(&&*entry.key) {
        let message = format!("this version of ipvsd does not have `{key}` {table} yet");
        let help = "remove it, or use a version of ipvsd that has it";
        faults.push(Fault::new(entry.place, message).label("not yet").help(help));
        return;
    }
    let fault = Fault::new(entry.place, format!("unknown key `{key}` {table}"));
    if let Some((.., help)) = ELSEWHERE.iter().find(|(name, keys, _)| *name == table && keys.contains(&&*entry.key)) {
        faults.push(fault.label("not here").help(*help));
        return;
    }
    faults.push(match names::nearest(&entry.key, known.iter().copied()) {
        Some(near) => fault.label("unknown key").help(format!("there is `{near}`")),
        None if known.is_empty() => fault.label("unknown key").help("remove it: there are no keys here"),
        None if key == "<<" => fault.label("unknown key").help("merge keys are not read: write the keys out"),
        None => fault.label("unknown key").help(format!("the keys here are {}", names::list(known))),
    });
}

/// Declares a table of the configuration: the struct, how it is read, and what its schema is, from one list of keys.
/// `later` names the keys that the design has and this version does not.
macro_rules! table {
    (
        $(#[doc = $doc:literal])*
        $(#[schemars $schema:tt])*
        $name:ident $title:literal later $later:expr;
        $($(#[$field_meta:meta])* $key:literal $field:ident: $type:ty,)+
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Default, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        $(#[schemars $schema])*
        pub(in crate::config) struct $name {
            $($(#[$field_meta])* pub $field: $crate::config::decode::Field<$type>,)+
        }

        impl $crate::config::decode::Decode for $name {
            fn decode(
                node: $crate::config::tree::Node<'_>,
                faults: &mut $crate::config::fault::Faults,
            ) -> Option<Self> {
                let mut entries = $crate::config::decode::entries(node, &[$($key),+], faults)?;
                let mut table = Self::default();
                for at in 0..entries.len() {
                    let (before, rest) = entries.split_at_mut(at);
                    let Some(entry) = rest.first_mut() else { break };
                    match &*entry.key {
                        $($key if table.$field.is_absent() => table.$field.fill(entry.take(), faults),)+
                        $($key)|+ => $crate::config::decode::key_twice(entry, before, faults),
                        _ => $crate::config::decode::unknown_key(entry, $title, &[$($key),+], &$later, faults),
                    }
                }
                Some(table)
            }
        }
    };
}

pub(super) use table;
