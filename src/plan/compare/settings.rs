//! What a configuration says besides the table, as names and words that can be compared.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::checks::{checks_of, settings_of_check, words_of_checks};
use super::{About, Difference};
use crate::model::{
    Api, ApiListen, ApiTls, Auto, Check, Desired, DestinationKey, Docker, DockerTls, Hooks, Initial, Manage, MaxDelete,
    Named, OnDown, Policy, Reach, Scope, Selector, ServiceKey, Share,
};
use crate::plan::host::host_wanted;
use crate::plan::render::{host_value, words};

/// A value in the configuration's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) text: String,
    /// It may be a secret: that it is another one is said, and not which.
    pub(super) hidden: bool,
}

impl<T: ToString> From<T> for Value {
    fn from(text: T) -> Self {
        Self { text: text.to_string(), hidden: false }
    }
}

/// Settings of one object, by their names.
pub(super) type Settings = BTreeMap<String, Value>;

/// All that is not the same.
pub(super) fn differences(from: &Desired, to: &Desired) -> Vec<Difference> {
    let (mut before, mut after) = (around(from), around(to));
    let keys: BTreeSet<ServiceKey> = to.table.services.keys().copied().collect();
    for key in keys {
        let about = About::Service(key);
        let mut of_after = service(to, &key);
        let of_before = if from.table.services.contains_key(&key) {
            let mut of_before = service(from, &key);
            checks(from, to, &key, &mut of_before, &mut of_after);
            of_before
        } else {
            // It says of itself what is not as usual.
            let usual = policy(&Policy::new(to.drain));
            of_after.retain(|name, value| name != "name" && usual.get(name) != Some(value));
            let lists = words_of_service(to, &key);
            if let Some(common) = common(&lists) {
                of_after.insert("check".to_owned(), common.into());
            } else {
                of_after.extend(lists.into_iter().map(|(key, words)| (format!("check of {key}"), words.into())));
            }
            Settings::new()
        };
        before.insert(about.clone(), of_before);
        after.insert(about, of_after);
    }
    let objects: BTreeSet<&About> = before.keys().chain(after.keys()).collect();
    let nothing = Settings::new();
    let mut found = Vec::new();
    for about in objects {
        let (from, to) = (before.get(about).unwrap_or(&nothing), after.get(about).unwrap_or(&nothing));
        let names: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
        for name in names {
            let (from, to) = (from.get(name), to.get(name));
            if from != to {
                let said = |value: &Value| if value.hidden { "(hidden)".to_owned() } else { value.text.clone() };
                found.push(Difference {
                    about: about.clone(),
                    setting: name.clone(),
                    from: from.map(said),
                    to: to.map(said),
                });
            }
        }
    }
    found
}

/// What is not any service's.
fn around(desired: &Desired) -> BTreeMap<About, Settings> {
    let Desired {
        table: _,
        origins: _,
        manage,
        max_delete,
        resync,
        state_dir,
        policies,
        drain,
        checks_at_once,
        check_marks,
        hooks,
        api,
        docker,
        // See `host_wanted`.
        host,
        resolve,
    } = desired;
    let daemon = [
        ("manage", manage_words(manage).into()),
        ("max_delete", max_delete_words(*max_delete).into()),
        ("resync", time(*resync).into()),
        ("resolve", time(*resolve).into()),
        ("state_dir", state_dir.display().into()),
        ("drain", time(*drain).into()),
        ("checks_at_once", checks_at_once.into()),
        ("check_marks", format!("{check_marks:#x}").into()),
    ];
    let mut all = BTreeMap::from([(About::Daemon, named(daemon))]);
    let mut defined: BTreeMap<&str, &Check> = BTreeMap::new();
    let of_labels = docker.iter().flat_map(|docker| docker.checks.values());
    for checks in policies.values().flat_map(checks_of).chain(of_labels) {
        defined.extend(checks.list.iter().map(|named| (named.name.as_str(), &named.check)));
    }
    for (name, check) in defined {
        all.insert(About::Check(name.to_owned()), settings_of_check(check));
    }
    if let Some(Hooks { on_change, timeout, at_once }) = hooks {
        let keys = [
            ("on_change", on_change.join(" ").into()),
            ("timeout", time(*timeout).into()),
            ("at_once", at_once.into()),
        ];
        all.insert(About::Hooks, named(keys));
    }
    all.extend(api.iter().map(|api| (About::Api, of_api(api))));
    all.extend(docker.iter().map(|docker| (About::Docker, of_docker(docker))));
    for (key, value) in host_wanted(desired, &BTreeMap::new(), &BTreeSet::new()) {
        // An interface comes with the addresses that it is for.
        if host.addresses.is_some() || key.interface().is_none() {
            all.insert(About::Host(key), [(String::new(), host_value(&value).into())].into());
        }
    }
    all
}

fn named<const N: usize>(settings: [(&str, Value); N]) -> Settings {
    settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What a service says besides its table and its checks.
fn service(desired: &Desired, key: &ServiceKey) -> Settings {
    let mut settings = desired.policies.get(key).map(policy).unwrap_or_default();
    if let Some(origin) = desired.origins.get(key) {
        settings.insert("name".to_owned(), origin.name.as_str().into());
    }
    settings
}

fn policy(policy: &Policy) -> Settings {
    let Policy {
        checks: _,
        on_down,
        slow_start,
        fallback,
        min_healthy,
        initial,
        panic_threshold,
        drain,
        containers,
        named: names,
        // What is so of containers just now is not the configuration's.
        quiesced: _,
        ended: _,
    } = policy;
    let on_down = match on_down {
        OnDown::Quiesce => "quiesce",
        OnDown::Delete => "delete",
        OnDown::Ignore => "ignore",
    };
    let initial = match initial {
        Initial::Live => "live",
        Initial::Up => "up",
        Initial::Down => "down",
    };
    let mut settings = named([
        ("on_down", on_down.into()),
        ("slow_start", time(*slow_start).into()),
        ("initial", initial.into()),
        ("drain", time(*drain).into()),
    ]);
    let mut put = |name: &str, value: Option<Value>| settings.extend(value.map(|value| (name.to_owned(), value)));
    put("fallback", fallback.map(|(key, settings)| format!("{key} {}", words::destination(&settings)).into()));
    put("min_healthy", min_healthy.map(share).map(Value::from));
    put("panic_threshold", panic_threshold.map(|percent| format!("{percent}%").into()));
    if let Some(selector) = containers {
        settings.extend(of_selector(selector).into_iter().map(|(name, value)| (format!("containers.{name}"), value)));
    }
    // They are in no table: what they stand for is not the configuration's.
    settings.extend(names.iter().map(|named| (format!("destination {}:{}", named.host, named.port), of_named(named))));
    settings
}

fn of_named(named: &Named) -> Value {
    let Named { host: _, port: _, all, settings, name, checks, written: _, addresses: _ } = named;
    let called = name.as_ref().map(|name| format!("{name:?} ")).unwrap_or_default();
    let first = if *all { "" } else { ", the first address" };
    let checks = checks.as_ref().map(|checks| format!(", check {}", words_of_checks(checks))).unwrap_or_default();
    format!("{called}{}{first}{checks}", words::destination(settings)).into()
}

/// The checks of the destinations of a service that both have; one line where they are the same for all of them.
fn checks(from: &Desired, to: &Desired, key: &ServiceKey, before: &mut Settings, after: &mut Settings) {
    let (of_before, of_after) = (words_of_service(from, key), words_of_service(to, key));
    // Of those that come and go the plan tells.
    let both = of_before.iter().filter_map(|(key, words)| Some((key, words.as_str(), of_after.get(key)?.as_str())));
    let both: Vec<(&DestinationKey, &str, &str)> = both.collect();
    let one = both.first().map(|(_, from, to)| (*from, *to));
    let is_one = one.is_some_and(|one| both.iter().all(|(_, from, to)| (*from, *to) == one));
    for (key, from, to) in both {
        let name = if is_one { "check".to_owned() } else { format!("check of {key}") };
        before.insert(name.clone(), from.into());
        after.insert(name, to.into());
    }
    if common(&of_after).is_none() {
        let new = of_after.iter().filter(|(key, _)| !of_before.contains_key(key));
        after.extend(new.map(|(key, words)| (format!("check of {key}"), words.into())));
    }
}

/// The checks of each destination, by their names.
fn words_of_service(desired: &Desired, key: &ServiceKey) -> BTreeMap<DestinationKey, String> {
    let policy = desired.policies.get(key);
    let destinations = desired.table.services.get(key).into_iter().flat_map(|service| service.destinations.keys());
    let words = |destination: &DestinationKey| {
        let checks = policy.and_then(|policy| policy.checks.get(destination));
        (*destination, checks.map_or_else(|| "none".to_owned(), |checks| words_of_checks(checks)))
    };
    destinations.map(words).collect()
}

/// What is the same for all, if anything is, and if it is anything.
fn common(lists: &BTreeMap<DestinationKey, String>) -> Option<&str> {
    let first = lists.values().next()?;
    lists.values().all(|words| words == first).then_some(first)
}

fn of_api(api: &Api) -> Settings {
    let Api { listen, tls, tokens, writes_per_second, default_host, metrics_services, metrics_destinations } = api;
    let listen = match listen {
        ApiListen::Tcp(address) => address.to_string(),
        ApiListen::Unix { path, mode, group } => {
            let group = group.as_ref().map_or_else(String::new, |group| format!(" group {group}"));
            format!("{} mode {mode:o}{group}", path.display())
        }
    };
    let mut settings = named([
        ("listen", listen.into()),
        ("writes_per_second", writes_per_second.into()),
        ("metrics_services", metrics_services.into()),
        ("metrics_destinations", metrics_destinations.into()),
    ]);
    let mut put = |name: &str, value: Option<Value>| settings.extend(value.map(|value| (name.to_owned(), value)));
    put("tokens", tokens.as_ref().map(|path| path.display().into()));
    put("default_host", default_host.map(Value::from));
    if let Some(ApiTls { certificate, key, client_ca }) = tls {
        put("tls.certificate", Some(certificate.display().into()));
        put("tls.key", Some(key.display().into()));
        put("tls.client_ca", client_ca.as_ref().map(|path| path.display().into()));
    }
    settings
}

fn of_docker(docker: &Docker) -> Settings {
    let Docker { endpoint, tls, resync, stop_timeout, hosts, network, auto, swarm, checks: _ } = docker;
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    let mut settings = named([
        ("endpoint", endpoint.into()),
        ("resync", time(*resync).into()),
        ("stop_timeout", time(*stop_timeout).into()),
        ("swarm", swarm.into()),
        ("host", hosts.join(" ").into()),
    ]);
    let mut put = |name: &str, value: Option<Value>| settings.extend(value.map(|value| (name.to_owned(), value)));
    put("network", network.as_ref().map(Value::from));
    if let Some(DockerTls { ca, client }) = tls {
        put("tls.ca", ca.as_ref().map(|path| path.display().into()));
        put("tls.certificate", client.as_ref().map(|(path, _)| path.display().into()));
        put("tls.key", client.as_ref().map(|(_, path)| path.display().into()));
    }
    if let Some(Auto { addresses, settings: of_service, policy: of_policy, selector }) = auto {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        put("auto.address", Some(addresses.join(" ").into()));
        put("auto.service", Some(words::service(of_service).into()));
        let inner = policy(of_policy).into_iter().chain(of_selector(selector));
        settings.extend(inner.map(|(name, value)| (format!("auto.{name}"), value)));
    }
    settings
}

fn of_selector(selector: &Selector) -> Settings {
    let Selector { label, value, port, network, reach, healthcheck, weight, forward, tunnel: _, checks } = selector;
    let reach = match reach {
        Reach::Container => "container",
        Reach::Published => "published",
    };
    let mut settings = named([
        ("label", label.into()),
        ("address", reach.into()),
        ("healthcheck", healthcheck.into()),
        ("weight", weight.into()),
        ("forward", words::forward(forward).into()),
    ]);
    let mut put = |name: &str, value: Option<Value>| settings.extend(value.map(|value| (name.to_owned(), value)));
    put("value", value.as_ref().map(Value::from));
    put("port", port.map(Value::from));
    put("network", network.as_ref().map(Value::from));
    put("check", checks.as_ref().map(|checks| words_of_checks(checks).into()));
    settings
}

fn manage_words(manage: &Manage) -> String {
    match manage {
        Manage::Owned => "owned".to_owned(),
        Manage::All => "all".to_owned(),
        Manage::Within(scopes) => {
            let words = scopes.iter().map(|scope| match scope {
                Scope::Prefix(prefix) => prefix.to_string(),
                Scope::Mark(family, mark) => ServiceKey::Mark { family: *family, mark: *mark }.to_string(),
            });
            words.collect::<Vec<_>>().join(" ")
        }
    }
}

fn max_delete_words(max: MaxDelete) -> String {
    match max {
        MaxDelete::Percent(percent) => format!("{percent}%"),
        MaxDelete::Count(count) => count.to_string(),
    }
}

fn share(share: Share) -> String {
    match share {
        Share::Count(count) => count.to_string(),
        Share::Percent(percent) => format!("{percent}%"),
    }
}

/// As the configuration takes it: `1m30s`, `400ms`.
pub(super) fn time(time: Duration) -> String {
    if time.is_zero() { "0s".to_owned() } else { humantime::format_duration(time).to_string().replace(' ', "") }
}
