//! The host as the loop sees it, and what is done to it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::rtnl::{AddressInfo, Error, LinkInfo, Refusal, Rtnl};
use super::{modules, sysctl};
use crate::model::{Footing, HostKey, HostValue};
use crate::reconcile::Host;

/// The host around IPVS, in the network namespace of the thread that uses it.
#[derive(Debug, Default)]
pub struct Edge {
    /// Opened when it is wanted, and again after trouble.
    rtnl: Option<Rtnl>,
}

impl Host for Edge {
    fn look(&mut self, keys: &BTreeSet<HostKey>) -> Result<BTreeMap<HostKey, HostValue>, String> {
        let mut found = BTreeMap::new();
        let names = keys.iter().filter_map(|key| match key {
            HostKey::Module(name) => Some(&**name),
            _ => None,
        });
        found.extend(modules::present(names).into_iter().map(|name| (HostKey::Module(name), HostValue::There)));
        for key in keys {
            if let HostKey::Sysctl(name) = key
                && let Some(value) = sysctl::try_read(name)?
            {
                found.insert(key.clone(), HostValue::Text(value));
            }
        }
        if keys.iter().any(|key| key.interface().is_some()) {
            found.extend(self.with(|rtnl| interfaces(rtnl, keys)).map_err(|error| error.to_string())?);
        }
        Ok(found)
    }

    fn set(&mut self, changes: &[(&HostKey, Option<&HostValue>)]) -> Vec<Result<(), String>> {
        let mut results = Vec::with_capacity(changes.len());
        // Addresses of one interface go together: there may be thousands.
        for run in changes.chunk_by(|a, b| batch(a).is_some() && batch(a) == batch(b)) {
            match (run, run.first().and_then(batch)) {
                (run, Some((interface, add))) => {
                    let addresses: Vec<IpAddr> = run.iter().filter_map(|(key, _)| key.address().copied()).collect();
                    match self.with(|rtnl| set_addresses(rtnl, interface, &addresses, add)) {
                        Ok(outcomes) => results.extend(outcomes),
                        Err(error) => results.extend(run.iter().map(|_| Err(error.to_string()))),
                    }
                }
                (run, None) => results.extend(run.iter().map(|(key, value)| self.set_one(key, *value))),
            }
        }
        results
    }

    fn footing(&mut self, interface: &str) -> Result<Option<Footing>, String> {
        self.with(|rtnl| footing(rtnl, interface)).map_err(|error| error.to_string())
    }
}

/// What changes of addresses can be sent together: of one interface, and all to be added, or all to be deleted.
fn batch<'a>(change: &(&'a HostKey, Option<&HostValue>)) -> Option<(&'a str, bool)> {
    let (HostKey::Address { interface, .. }, value) = change else { return None };
    Some((interface, value.is_some()))
}

impl Edge {
    /// Does something with the socket, and closes it if it is in doubt.
    fn with<T>(&mut self, work: impl FnOnce(&mut Rtnl) -> Result<T, Error>) -> Result<T, Error> {
        let mut rtnl = match self.rtnl.take() {
            Some(rtnl) => rtnl,
            None => Rtnl::open()?,
        };
        let result = work(&mut rtnl);
        if !matches!(result, Err(Error::Netlink(_))) {
            self.rtnl = Some(rtnl);
        }
        result
    }

    fn set_one(&mut self, key: &HostKey, value: Option<&HostValue>) -> Result<(), String> {
        match (key, value) {
            (HostKey::Module(name), Some(_)) => modules::load(name),
            (HostKey::Sysctl(name), Some(HostValue::Text(value))) => sysctl::write(name, value),
            (HostKey::Interface(name), Some(_)) => {
                self.with(|rtnl| add(rtnl, name)).map_err(|error| error.to_string()).flatten()
            }
            (HostKey::Interface(name), None) => self.with(|rtnl| delete(rtnl, name)).map_err(|error| error.to_string()),
            _ => Err(format!("{key} cannot be set so")),
        }
    }
}

/// Those of `keys` that are interfaces or addresses, and there.
fn interfaces(rtnl: &mut Rtnl, keys: &BTreeSet<HostKey>) -> Result<BTreeMap<HostKey, HostValue>, Error> {
    let links: BTreeMap<u32, LinkInfo> = rtnl.links()?.into_iter().map(|link| (link.index, link)).collect();
    let mut found = BTreeMap::new();
    let mut foreign: BTreeMap<u32, usize> = BTreeMap::new();
    for info in rtnl.addresses()? {
        let Some(link) = links.get(&info.index) else { continue };
        let key = HostKey::Address { interface: link.name.clone(), address: info.address };
        if is_ours(&info) && keys.contains(&key) {
            found.insert(key, HostValue::There);
        } else if !is_link_local(info.address) {
            *foreign.entry(info.index).or_default() += 1;
        }
    }
    for link in links.values() {
        let key = HostKey::Interface(link.name.clone());
        if keys.contains(&key) {
            let foreign = foreign.get(&link.index).copied().unwrap_or(0);
            found.insert(key, HostValue::Link { dummy: is_dummy(link), up: link.up, foreign });
        }
    }
    Ok(found)
}

fn footing(rtnl: &mut Rtnl, interface: &str) -> Result<Option<Footing>, Error> {
    let Some(link) = rtnl.link(interface)? else { return Ok(None) };
    let addresses = rtnl.addresses()?;
    let address = addresses.into_iter().filter(|info| info.index == link.index).find_map(|info| match info.address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    });
    Ok(Some(Footing { index: link.index, address }))
}

fn is_dummy(link: &LinkInfo) -> bool {
    link.kind.as_deref() == Some("dummy")
}

/// Whether an address is as ipvsd puts it there. An interface has an IPv6 address once, whatever the prefix; of IPv4 it may
/// have the same with another prefix beside it.
fn is_ours(info: &AddressInfo) -> bool {
    info.address.is_ipv6() || info.prefix == 32
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

/// The interface of that name. One that has it as an alternative name only is another one: it is looked at by its own.
fn named(rtnl: &mut Rtnl, name: &str) -> Result<Option<LinkInfo>, Error> {
    Ok(rtnl.link(name)?.filter(|link| link.name == name))
}

/// Makes the interface, if it is not there, and sets it up, if it is of our kind; or in words why it cannot be.
fn add(rtnl: &mut Rtnl, name: &str) -> Result<Result<(), String>, Error> {
    if rtnl.link(name)?.is_none() {
        match rtnl.add_dummy(name) {
            // Somebody else was faster.
            Err(Error::Refused(refusal)) if refusal.already_exists() => {}
            other => other?,
        }
    }
    match rtnl.link(name)? {
        Some(link) if link.name != name => {
            Ok(Err(format!("{name} is an alternative name of the interface {0}: write {0}", link.name)))
        }
        Some(link) if is_dummy(&link) && !link.up => rtnl.set_up(link.index).map(Ok),
        _ => Ok(Ok(())),
    }
}

/// Deletes the interface, if it is of our kind.
fn delete(rtnl: &mut Rtnl, name: &str) -> Result<(), Error> {
    match named(rtnl, name)? {
        Some(link) if is_dummy(&link) => match rtnl.delete_link(link.index) {
            Err(Error::Refused(refusal)) if refusal.is_missing() => Ok(()),
            other => other,
        },
        _ => Ok(()),
    }
}

/// Adds or deletes addresses of one interface: one result each. What is so already is no failure.
fn set_addresses(
    rtnl: &mut Rtnl,
    interface: &str,
    addresses: &[IpAddr],
    add: bool,
) -> Result<Vec<Result<(), String>>, Error> {
    let Some(link) = named(rtnl, interface)? else {
        // Addresses go with their interface.
        let outcome = if add { Err(format!("there is no interface {interface}")) } else { Ok(()) };
        return Ok(vec![outcome; addresses.len()]);
    };
    let outcomes = if add {
        rtnl.add_addresses(link.index, addresses)?
    } else {
        let there = rtnl.addresses()?.into_iter().filter(|info| info.index == link.index && is_ours(info));
        let there: BTreeMap<IpAddr, u8> = there.map(|info| (info.address, info.prefix)).collect();
        let usual = |address: &IpAddr| if address.is_ipv4() { 32 } else { 128 };
        let prefix = |address: &IpAddr| there.get(address).copied().unwrap_or_else(|| usual(address));
        let addresses: Vec<(IpAddr, u8)> = addresses.iter().map(|address| (*address, prefix(address))).collect();
        rtnl.delete_addresses(link.index, &addresses)?
    };
    let is_so = |refusal: &Refusal| if add { refusal.already_exists() } else { refusal.is_missing() };
    let outcome = |result: Result<(), Refusal>| match result {
        Err(refusal) if !is_so(&refusal) => Err(refusal.to_string()),
        _ => Ok(()),
    };
    Ok(outcomes.into_iter().map(outcome).collect())
}
