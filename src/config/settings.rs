//! The tables that there is one of for all files together: `[daemon]`, `[defaults]` and `[hooks]`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::decode::{At, Field};
use super::fault::{Fault, Faults};
use super::names;
use super::raw;
use super::services::DRAIN;
use super::tree::Place;
use super::values::{self, Bounds};
use crate::model::{Desired, Hooks, Manage, MaxDelete, Scope, ServiceKey};

const RESYNC_MIN: Duration = Duration::from_secs(1);
const RESYNC_MAX: Duration = Duration::from_secs(24 * 60 * 60);
const RESOLVE: Bounds = Bounds { least: (values::SECOND, "1s"), most: (values::DAY, "1d") };
const CHECKS_MOST: u32 = 65_536;
/// Marks beyond the first that are ipvsd's own.
pub(super) const MARKS_MORE: u32 = 65_535;

/// Takes the keys of a table of one file over into the table of all files; a key in two files is a fault.
macro_rules! merge {
    ($into:expr, $from:expr, $table:literal, $faults:expr, [$($field:ident),*]) => {$(
        if !$from.$field.is_absent() {
            match ($into.$field.get(), $from.$field.get()) {
                (Some(first), Some(again)) => {
                    let key = concat!("`", stringify!($field), "` of `", $table, "`");
                    let fault = Fault::new(again.place, format!("{key} is set in two files"));
                    $faults.push(fault.label("again here").related(first.place, "first here").help(
                        "these tables are for all files together: keep one of the two"
                    ));
                }
                (None, _) => $into.$field = $from.$field,
                (Some(_), None) => {}
            }
        }
    )*};
}

pub(super) use merge;

/// `[daemon]` of all files.
pub(super) fn merge_daemon(into: &mut raw::Daemon, from: raw::Daemon, faults: &mut Faults) {
    merge!(
        into,
        from,
        "daemon",
        faults,
        [resync, resolve, manage, state_dir, max_delete, drain, checks_at_once, check_marks]
    );
}

/// `[defaults]` of all files.
pub(super) fn merge_defaults(into: &mut raw::Defaults, from: raw::Defaults, faults: &mut Faults) {
    merge!(into, from, "defaults", faults, [scheduler, scheduler_flags, forward, weight, tunnel]);
    merge!(into, from, "defaults", faults, [check, checks, check_pass, on_down, slow_start, min_healthy]);
    merge!(into, from, "defaults", faults, [initial, panic_threshold, drain]);
}

/// `[hooks]` of all files.
pub(super) fn merge_hooks(into: &mut raw::Hooks, from: raw::Hooks, faults: &mut Faults) {
    merge!(into, from, "hooks", faults, [on_change, timeout, at_once]);
}

/// `[daemon]`, resolved.
pub(super) struct Daemon {
    pub resync: Duration,
    pub resolve: Duration,
    pub manage: Manage,
    /// Where `manage` stands.
    pub manage_place: Option<Place>,
    pub state_dir: PathBuf,
    pub max_delete: MaxDelete,
    pub drain: Duration,
    pub checks_at_once: usize,
    pub check_marks: u32,
    /// Where `check_marks` stands.
    pub marks_place: Option<Place>,
}

/// What `[daemon]` says; what it does not say (or says wrong) is the default.
pub(super) fn daemon(raw: raw::Daemon, faults: &mut Faults) -> Daemon {
    let raw::Daemon { resync, resolve, manage, state_dir, max_delete, drain, checks_at_once, check_marks } = raw;
    let default = Desired::default();
    Daemon {
        resync: resync.get().and_then(|at| self::resync(at, faults)).unwrap_or(default.resync),
        resolve: resolve
            .get()
            .and_then(|at| values::period(at, "`resolve`", &RESOLVE, faults))
            .unwrap_or(default.resolve),
        manage_place: manage.place(),
        manage: manage.get().and_then(|at| self::manage(at, faults)).unwrap_or_default(),
        state_dir: self::state_dir(&state_dir, faults),
        max_delete: max_delete.get().and_then(|at| self::max_delete(at, faults)).unwrap_or(default.max_delete),
        drain: drain.get().and_then(|at| values::period(at, "a drain", &DRAIN, faults)).unwrap_or(default.drain),
        checks_at_once: checks_at_once
            .get()
            .and_then(|at| values::integer(at, "checks_at_once", 1..=CHECKS_MOST, faults))
            .and_then(|number| usize::try_from(number).ok())
            .unwrap_or(default.checks_at_once),
        marks_place: check_marks.place(),
        check_marks: check_marks
            .get()
            .and_then(|at| values::integer(at, "the first of 65536 marks", 1..=u32::MAX - MARKS_MORE, faults))
            .unwrap_or(default.check_marks),
    }
}

/// `[hooks]`: what is told what happens, if anything is.
pub(super) fn hooks(raw: &raw::Hooks, faults: &mut Faults) -> Option<Hooks> {
    let raw::Hooks { on_change, timeout, at_once } = raw;
    if let (Some(place), true) = (timeout.place().or(at_once.place()), on_change.is_absent()) {
        let fault = Fault::new(place, "there is no hook that this could be for");
        faults.push(fault.help("add `on_change`, a program and its arguments, or remove it"));
    }
    let bounds = Bounds { least: (Duration::from_millis(100), "100ms"), most: (values::MINUTE * 10, "10m") };
    let timeout = timeout.get().and_then(|at| values::period(at, "the timeout of hooks", &bounds, faults));
    let at_once = at_once.get().and_then(|at| values::integer(at, "at_once", 1..=64, faults));
    Some(Hooks {
        on_change: values::argv(on_change.get()?, "`on_change`", faults)?,
        timeout: timeout.unwrap_or(values::SECOND * 10),
        at_once: at_once.and_then(|number| usize::try_from(number).ok()).unwrap_or(4),
    })
}

fn resync(at: &At<raw::Period>, faults: &mut Faults) -> Option<Duration> {
    let value = at.value.0;
    if (RESYNC_MIN..=RESYNC_MAX).contains(&value) {
        return Some(value);
    }
    let message = if value < RESYNC_MIN {
        "a resync takes place at most once a second"
    } else {
        "a resync takes place at least once a day"
    };
    faults.push(Fault::new(at.place, message).help("write \"1s\" to \"1d\"; \"30s\" is a good start"));
    None
}

fn state_dir(field: &Field<String>, faults: &mut Faults) -> PathBuf {
    let why = "the record must not depend on where ipvsd is started";
    let path = field.get().and_then(|at| values::absolute(at, "state_dir", why, faults));
    path.unwrap_or_else(|| Desired::default().state_dir)
}

fn max_delete(at: &At<raw::Share>, faults: &mut Faults) -> Option<MaxDelete> {
    match &at.value {
        raw::Share::Percent(text) => {
            let digits = text.strip_suffix('%').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
            if let Some(percent) = digits.and_then(|digits| digits.parse().ok()).filter(|percent| *percent <= 100) {
                return Some(MaxDelete::Percent(percent));
            }
            let message = format!("`{}` is not a percentage", names::quote(text));
            let help = match text.parse::<u32>() {
                Ok(count) => format!("write \"{count}%\", or {count} without quotes for a number of entries"),
                Err(_) => "write \"0%\" to \"100%\", or a number of entries without quotes".to_owned(),
            };
            faults.push(Fault::new(at.place, message).help(help));
        }
        raw::Share::Count(count) => match u32::try_from(*count) {
            Ok(count) => return Some(MaxDelete::Count(count)),
            Err(_) => {
                let message = format!("max_delete is a number of entries, 0 to {}", u32::MAX);
                faults.push(Fault::new(at.place, message).help("write for example 10 or \"50%\""));
            }
        },
    }
    None
}

fn manage(at: &At<raw::Manage>, faults: &mut Faults) -> Option<Manage> {
    match &at.value {
        raw::Manage::Word(word) => match word.as_str() {
            "owned" => Some(Manage::Owned),
            "all" => Some(Manage::All),
            other => {
                let fault = Fault::new(at.place, format!("`{}` is no way to manage", names::quote(other)));
                faults.push(match names::nearest(other, ["owned", "all"]) {
                    Some(near) => fault.help(format!("there is \"{near}\"")),
                    None if scope(other).is_ok() => {
                        fault.help(format!("write it as a list: [\"{}\"]", names::quote(other)))
                    }
                    None => fault.help("write \"owned\", \"all\", or a list such as [\"192.0.2.0/24\", \"fwmark:7\"]"),
                });
                None
            }
        },
        raw::Manage::Within(list) => {
            if list.is_empty() {
                let fault = Fault::new(at.place, "an empty list would let ipvsd manage nothing");
                faults.push(fault.help("write \"owned\" to delete only what ipvsd added"));
                return None;
            }
            let mut scopes = Vec::new();
            let mut broken = false;
            for at in list {
                match scope(&at.value) {
                    Ok(scope) => scopes.push(scope),
                    Err((message, help)) => {
                        broken = true;
                        faults.push(Fault::new(at.place, message).help(help));
                    }
                }
            }
            // With a part of the list missing, services would seem to lie outside.
            (!broken).then_some(Manage::Within(scopes))
        }
    }
}

/// A prefix, a bare address (a prefix of full length) or a firewall mark.
fn scope(text: &str) -> Result<Scope, (String, String)> {
    if text.starts_with("fwmark") {
        return match text.parse::<ServiceKey>() {
            Ok(ServiceKey::Mark { family, mark }) => Ok(Scope::Mark(family, mark)),
            Ok(ServiceKey::Address { .. }) => {
                Err((format!("`{}` is not a firewall mark", names::quote(text)), MARKS.into()))
            }
            Err(error) => Err((names::sentence(&error.to_string()), MARKS.into())),
        };
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Scope::Prefix(IpNet::from(address)));
    }
    let help = || "write for example \"192.0.2.0/24\", \"2001:db8::/64\", \"192.0.2.10\" or \"fwmark:7\"".to_owned();
    let Ok(net) = text.parse::<IpNet>() else {
        return Err((format!("`{}` is neither a prefix nor a mark", names::quote(text)), help()));
    };
    if net != net.trunc() {
        return Err((format!("the prefix {net} has bits set beyond its length"), format!("write \"{}\"", net.trunc())));
    }
    Ok(Scope::Prefix(net))
}

const MARKS: &str = "write \"fwmark:1\" to \"fwmark:4294967295\" (IPv4), or the same with \"fwmark6:\" (IPv6)";
