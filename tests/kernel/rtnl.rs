//! Interfaces, addresses and routes, with `ip -j` as the oracle: what it shows we read, and what we do it shows.

mod addresses;
mod links;
mod refusals;
mod routes;

use std::process::Command;

use ipvsd::host::rtnl::Rtnl;
use serde_json::Value;

use crate::netns;

/// A namespace that has nothing but a `lo` that is down, and both edges to it: ours, and `ip`.
fn enter() -> Rtnl {
    netns::enter_bare();
    Rtnl::open().unwrap()
}

/// What `ip -j` prints, or what it says instead.
fn ip(arguments: &[&str]) -> Result<Value, String> {
    let output = Command::new("ip").arg("-j").args(arguments).output().expect("these tests need ip");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    Ok(serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("ip -j {arguments:?}: {error}")))
}

/// The entries that `ip -j` prints. Filters leave empty objects behind.
fn entries(arguments: &[&str]) -> Vec<Value> {
    let Value::Array(all) = ip(arguments).unwrap() else { panic!("ip -j {arguments:?} printed no list") };
    all.into_iter().filter(|entry| entry.as_object().is_none_or(|entry| !entry.is_empty())).collect()
}

fn number<T: TryFrom<u64>>(entry: &Value, key: &str) -> T {
    let number = entry[key].as_u64().and_then(|number| number.try_into().ok());
    number.unwrap_or_else(|| panic!("no number {key} in {entry}"))
}

fn has(list: &Value, word: &str) -> bool {
    list.as_array().is_some_and(|list| list.iter().any(|entry| entry == word))
}

fn index(rtnl: &mut Rtnl, name: &str) -> u32 {
    rtnl.link(name).unwrap().unwrap_or_else(|| panic!("there is no interface {name}")).index
}
