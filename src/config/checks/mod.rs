//! Checks: what `[checks.NAME]` defines, and what the tables that name checks get of it.

mod http;
mod matching;
mod probes;
mod timing;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

pub(super) use probes::{RCODES, RECORDS};
pub(super) use timing::plain as plain_timing;

use super::decode::{At, Field, Named};
use super::fault::{Fault, Faults};
use super::tree::Place;
use super::{names, raw, values};
use crate::model::{Check, Checks, NamedCheck, Pass, Probe, SharedChecks, Via};

/// All checks that have a name.
#[derive(Default)]
pub(super) struct Definitions {
    list: HashMap<String, Definition>,
    /// Those of the files, where these are of something that stands on them.
    beneath: Arc<HashMap<String, Definition>>,
    /// One of each, however many destinations have it.
    shared: HashMap<(Vec<String>, Pass), SharedChecks>,
}

struct Definition {
    place: Place,
    /// `None` if it is not to be understood, which was said.
    check: Option<Check>,
    /// Where `via` stands.
    via: Option<Place>,
}

/// The keys by which a table names checks.
pub(super) struct CheckKeys<'r> {
    pub check: &'r Field<raw::CheckName>,
    pub checks: &'r Field<Vec<At<String>>>,
    pub pass: &'r Field<String>,
}

/// The checks that a table names.
pub(super) struct Assigned {
    pub checks: SharedChecks,
    /// Where each of them is named.
    pub places: Vec<Place>,
    /// Not all of what is written could be understood.
    pub broken: bool,
}

impl Assigned {
    /// Whether something is checked, as far as that is known.
    pub(super) fn is_some(&self) -> bool {
        self.broken || !self.checks.is_empty()
    }
}

impl Definitions {
    /// Makes those that are defined in such places the ones that others stand on.
    pub(super) fn settle(&mut self, keep: impl Fn(Place) -> bool) {
        let mut list = std::mem::take(&mut self.list);
        list.retain(|_, definition| keep(definition.place));
        *self = Self { beneath: Arc::new(list), ..Self::default() };
    }

    /// Of something that stands on these, which are settled.
    pub(super) fn above(&self) -> Self {
        Self { beneath: Arc::clone(&self.beneath), ..Self::default() }
    }

    fn get(&self, name: &str) -> Option<&Definition> {
        self.list.get(name).or_else(|| self.beneath.get(name))
    }

    /// Takes the checks of one file.
    pub(super) fn define(&mut self, named: &Named<raw::Check>, faults: &mut Faults) {
        for (name, field) in &named.0 {
            if !names::is_name(&name.value) {
                let message = format!("`{}` cannot be the name of a check", names::quote(&name.value));
                faults.push(Fault::new(name.place, message).help(names::names_are()));
            }
            if let Some(first) = self.get(&name.value) {
                let message = format!("the check `{}` is defined twice", names::quote(&name.value));
                let fault = Fault::new(name.place, message).label("again here").related(first.place, "first here");
                faults.push(fault.help("keep one of the two, or give one of them another name"));
                continue;
            }
            let raw = field.value();
            let definition = Definition {
                place: name.place,
                check: raw.and_then(|raw| check(name, raw, faults)),
                via: raw.and_then(|raw| raw.via.place()),
            };
            self.list.insert(name.value.clone(), definition);
        }
    }

    /// What the keys of one table name; `None` if there are none.
    pub(super) fn assigned(&mut self, keys: &CheckKeys<'_>, faults: &mut Faults) -> Option<Arc<Assigned>> {
        let CheckKeys { check, checks, pass } = keys;
        let words = [("all", Pass::All), ("any", Pass::Any)];
        let how = pass.get().and_then(|at| values::word(at, "way for checks to pass", &words, faults));
        if let (Some(check), Some(checks)) = (check.place(), checks.place()) {
            let fault = Fault::new(checks, "a table has `check` or `checks`, not both").label("this");
            faults.push(fault.related(check, "and this").help("put all names into `checks`, or remove one of the two"));
        }
        if check.is_absent() && checks.is_absent() {
            if let Some(place) = pass.place() {
                let fault = Fault::new(place, "`check_pass` has no meaning without `checks` beside it");
                faults.push(fault.help("write the checks here, too, or remove it"));
            }
            return None;
        }
        let mut broken = !check.is_absent() && check.get().is_none() || !checks.is_absent() && checks.get().is_none();
        let one = check.get().map(|at| (at.place, at.value.0.as_str()));
        let several = checks.value().into_iter().flatten().map(|at| (at.place, at.value.as_str()));
        let mut found: Vec<(Place, &str, Cow<'_, Check>)> = Vec::new();
        let named: Vec<(Place, &str)> = one.into_iter().chain(several).collect();
        for (index, (place, name)) in named.iter().enumerate() {
            if let Some((first, _)) = named[..index].iter().find(|(_, other)| other == name) {
                let fault = Fault::new(*place, format!("the check `{}` is named twice", names::quote(name)));
                faults.push(fault.label("again here").related(*first, "first here").help("keep one of the two"));
                continue;
            }
            match find((&self.list, &self.beneath), *place, name, faults) {
                Some(check) if check.probe == Probe::None => {
                    if named.len() > 1 {
                        let message = format!("`{}` is no check: it stands alone", names::quote(name));
                        faults.push(Fault::new(*place, message).help("remove it, or the others"));
                    }
                }
                Some(check) => found.push((*place, name, check)),
                None => broken = true,
            }
        }
        let pass = how.unwrap_or_default();
        let key = (found.iter().map(|(_, name, _)| (*name).to_owned()).collect(), pass);
        let places = found.iter().map(|(place, ..)| *place).collect();
        let checks = self.shared.entry(key).or_insert_with(|| {
            let named = |(_, name, check): (Place, &str, Cow<'_, Check>)| {
                let (name, check) = (name.to_owned(), check.into_owned());
                NamedCheck { name, check }
            };
            Arc::new(Checks { pass, list: found.into_iter().map(named).collect() })
        });
        Some(Arc::new(Assigned { checks: Arc::clone(checks), places, broken }))
    }

    /// Every check by its name, for those who name one later; `none` is none.
    pub(super) fn all(&self) -> BTreeMap<String, SharedChecks> {
        let plain = [("tcp", plain(Probe::Tcp { send: None, expect: None })), ("none", plain(Probe::None))];
        let plain = plain.into_iter().map(|(name, check)| (name.to_owned(), check));
        let defined = self.beneath.iter().chain(&self.list);
        let defined = defined.filter_map(|(name, definition)| Some((name.clone(), definition.check.clone()?)));
        let alone = |(name, check): (String, Check)| {
            let list = if check.probe == Probe::None { vec![] } else { vec![NamedCheck { name: name.clone(), check }] };
            (name, Arc::new(Checks { pass: Pass::All, list }))
        };
        plain.chain(defined).map(alone).collect()
    }

    /// Where the definition of a check says how it goes, or that it is there.
    pub(super) fn via(&self, name: &str) -> Option<Place> {
        self.get(name).map(|definition| definition.via.unwrap_or(definition.place))
    }
}

/// The check of that name.
fn find<'d>(
    (list, beneath): (&'d HashMap<String, Definition>, &'d HashMap<String, Definition>),
    place: Place,
    name: &str,
    faults: &mut Faults,
) -> Option<Cow<'d, Check>> {
    if let Some(definition) = list.get(name).or_else(|| beneath.get(name)) {
        return definition.check.as_ref().map(Cow::Borrowed);
    }
    match name {
        "tcp" => return Some(Cow::Owned(plain(Probe::Tcp { send: None, expect: None }))),
        "none" => return Some(Cow::Owned(plain(Probe::None))),
        _ => {}
    }
    let fault = Fault::new(place, format!("there is no check `{}`", names::quote(name)));
    let defined = list.keys().chain(beneath.keys()).map(String::as_str);
    let mut known: Vec<&str> = defined.chain(["tcp", "none"]).collect();
    known.sort_unstable();
    known.dedup();
    faults.push(match names::nearest(name, known.iter().copied()) {
        Some(near) => fault.help(format!("there is `{}`", names::quote(near))),
        None if known.len() <= 10 => {
            let known: Vec<String> = known.iter().map(|name| names::quote(name)).collect();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            fault.help(format!("define it as [checks.NAME]; there are {}", names::list(&known)))
        }
        None => fault.help("define it as [checks.NAME]"),
    });
    None
}

/// A check of which nothing but its kind is written.
fn plain(probe: Probe) -> Check {
    let timing = timing::plain();
    Check { probe, timing, address: None, port: None, via: Via::default(), flap: None }
}

fn check(name: &At<String>, raw: &raw::Check, faults: &mut Faults) -> Option<Check> {
    let probe = probe(name, raw, faults);
    let timing = timing::timing(raw, faults);
    let flap = raw.flap.get().and_then(|at| timing::flap(&at.value, faults));
    let address = raw.address.get().and_then(|at| address(at, faults));
    let port = raw.port.get().and_then(|at| values::integer(at, "a port", 1..=65_535, faults));
    let port = port.and_then(|port| u16::try_from(port).ok());
    let words = [("destination", Via::Destination), ("vip", Via::Vip)];
    let via = raw.via.get().and_then(|at| values::word(at, "way for a check", &words, faults)).unwrap_or_default();
    if via == Via::Vip
        && let Some(place) = raw.via.place()
    {
        if let Some(address) = raw.address.place() {
            let fault = Fault::new(address, "a check via the vip goes to the service's address, not to another");
            faults.push(fault.related(place, "via the vip").help("remove one of the two"));
        }
        if let Some(probe @ (Probe::Exec { .. } | Probe::None)) = &probe {
            let fault = Fault::new(place, format!("`{}` connects to nothing: it has no way to go", probe.kind()));
            faults.push(fault.help("remove it, or write another kind of check"));
        }
    }
    Some(Check { probe: probe?, timing: timing?, address, port, via, flap })
}

/// The one kind that a check has.
fn probe(name: &At<String>, raw: &raw::Check, faults: &mut Faults) -> Option<Probe> {
    let kinds = [
        ("tcp", raw.tcp.is_absent(), raw.tcp.place()),
        ("http", raw.http.is_absent(), raw.http.place()),
        ("https", raw.https.is_absent(), raw.https.place()),
        ("grpc", raw.grpc.is_absent(), raw.grpc.place()),
        ("dns", raw.dns.is_absent(), raw.dns.place()),
        ("udp", raw.udp.is_absent(), raw.udp.place()),
        ("exec", raw.exec.is_absent(), raw.exec.place()),
        ("none", raw.none.is_absent(), raw.none.place()),
    ];
    let written = kinds.iter().filter(|(_, absent, _)| !absent).count();
    if written == 0 {
        let message = format!("the check `{}` does not say what it does", names::quote(&name.value));
        let kinds = kinds.map(|(kind, ..)| kind);
        let help = format!("add {}: `tcp = {{}}` connects", names::one_of(&kinds));
        faults.push(Fault::new(name.place, message).help(help));
    }
    let mut places: Vec<(Place, &str)> = kinds.iter().filter_map(|(kind, _, place)| Some(((*place)?, *kind))).collect();
    places.sort_unstable();
    if let [(first, one), (second, other), ..] = places[..] {
        let fault = Fault::new(second, format!("a check is of one kind: this one is `{one}` already"));
        let help = format!("make `{other}` a check of its own, and name both in `checks`");
        faults.push(fault.related(first, "first here").help(help));
    }
    if let Some(at) = raw.tcp.get() {
        probes::tcp(&at.value, faults)
    } else if let Some(at) = raw.http.get() {
        http::http(&at.value, false, faults).map(Probe::Http)
    } else if let Some(at) = raw.https.get() {
        http::http(&at.value, true, faults).map(Probe::Http)
    } else if let Some(at) = raw.grpc.get() {
        probes::grpc(&at.value, faults).map(Probe::Grpc)
    } else if let Some(at) = raw.dns.get() {
        probes::dns(&at.value, faults).map(Probe::Dns)
    } else if let Some(at) = raw.udp.get() {
        probes::udp(name, at, faults)
    } else if let Some(at) = raw.exec.get() {
        probes::exec(name, at, faults)
    } else {
        raw.none.get().map(|_| Probe::None)
    }
}

fn address(at: &At<String>, faults: &mut Faults) -> Option<IpAddr> {
    let fault = |message: String| Fault::new(at.place, message);
    match at.value.parse::<IpAddr>() {
        Ok(address) if address.is_unspecified() || address.is_multicast() => {
            faults.push(fault(format!("nothing can be checked at `{address}`")).help("write the address of one host"));
            None
        }
        Ok(address) => Some(address.to_canonical()),
        Err(_) => {
            let help = match at.value.rsplit_once(':') {
                Some((host, _)) if host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() => {
                    format!("write \"{}\", and the port as `port`", host.trim_matches(['[', ']']))
                }
                _ => "names are not looked up: write the address itself".to_owned(),
            };
            faults.push(fault(format!("`{}` is not an IP address", names::quote(&at.value))).help(help));
            None
        }
    }
}
