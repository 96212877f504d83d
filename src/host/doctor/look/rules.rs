//! The packet filter's rules that rewrite source addresses.
//!
//! Its programs are asked only where the kernel has such rules already: they load modules and make tables otherwise.

use std::fs;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use super::ask;
use super::kernel::findable;
use crate::host::doctor::facts::{Filters, Module, NatRules, SourceNat};
use crate::host::modules;

/// Modules of nftables that are there if it has rules of that kind in some network namespace.
const OF_NFT: [&str; 2] = ["nft_masq", "nft_nat"];

/// Which programs there are.
pub(super) fn filters() -> Filters {
    Filters { iptables: is_on_path("iptables"), nft: is_on_path("nft") }
}

fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

pub(super) fn look() -> NatRules {
    let mut known = Vec::new();
    let mut hint = None;
    let mut any = false;
    for (tables, programs) in [
        ("ip_tables_names", ["iptables-legacy-save", "iptables-save"]),
        ("ip6_tables_names", ["ip6tables-legacy-save", "ip6tables-save"]),
    ] {
        let names = fs::read_to_string(format!("/proc/thread-self/net/{tables}")).unwrap_or_default();
        if names.lines().any(|name| name == "nat") {
            any = true;
            match ask(programs[0], &["-t", "nat"]).or_else(|_| ask(programs[1], &["-t", "nat"])) {
                Ok(text) => known.extend(of_iptables(&text)),
                Err(_) => hint = Some("iptables has a table nat".to_owned()),
            }
        }
    }
    if has_nft() {
        match (of_nft_here(), modules::present(OF_NFT).pop_first()) {
            (Some(rules), _) => {
                any = true;
                known.extend(rules);
            }
            (None, Some(module)) => {
                any = true;
                hint = Some(format!("nftables has rules that rewrite addresses (the module {module} is loaded)"));
            }
            (None, None) => {}
        }
    }
    match (any, hint) {
        (false, _) => NatRules::None,
        (true, Some(hint)) if known.is_empty() => NatRules::Unknown(hint),
        (true, _) => NatRules::Known(known),
    }
}

/// Whether nftables is there, so that to ask for its rules loads nothing: it is loaded, or is no module that could be.
fn has_nft() -> bool {
    !modules::present(["nf_tables"]).is_empty() || matches!(findable("nf_tables"), Module::Missing(_))
}

/// Those of nftables, and those that iptables put there; nothing if it cannot be asked.
fn of_nft_here() -> Option<Vec<SourceNat>> {
    let document: Value = serde_json::from_str(&ask("nft", &["-j", "list", "ruleset"]).ok()?).ok()?;
    let mut rules = of_nft(&document);
    for program in ["iptables-nft-save", "ip6tables-nft-save"] {
        rules.extend(ask(program, &["-t", "nat"]).map(|text| of_iptables(&text)).unwrap_or_default());
    }
    Some(rules)
}

/// Rules as iptables-save(8) prints them: `-A POSTROUTING -s 10.0.0.0/8 -o eth0 -j MASQUERADE`.
fn of_iptables(text: &str) -> Vec<SourceNat> {
    text.lines().filter_map(iptables_rule).collect()
}

fn iptables_rule(line: &str) -> Option<SourceNat> {
    let words = words(line);
    let mut rule = SourceNat { text: line.trim().to_owned(), ..SourceNat::default() };
    let mut rewrites = false;
    let mut rest = words.iter().map(String::as_str);
    while let Some(word) = rest.next() {
        match word {
            "-A" | "--comment" => drop(rest.next()),
            "-s" => rule.from = network(rest.next()?),
            "-d" => rule.to = network(rest.next()?),
            "-o" => rule.out = rest.next().map(str::to_owned),
            "-j" => {
                rewrites = matches!(rest.next(), Some("MASQUERADE" | "SNAT"));
                // What follows is how, not when.
                break;
            }
            "-m" => match rest.next() {
                Some("ipvs") => rule.ipvs = true,
                Some("comment") => {}
                _ => rule.more = true,
            },
            "--ipvs" => rule.ipvs = true,
            "--vproto" | "--vaddr" | "--vport" | "--vdir" | "--vmethod" | "--vportctl" => drop(rest.next()),
            "!" => {
                rule.more = true;
                rest.next();
                rest.next();
            }
            _ => rule.more = true,
        }
    }
    rewrites.then_some(rule)
}

/// Words, of which some are in double quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('"').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// A network, or a single address.
fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// Rules of `nft -j list ruleset` (libnftables-json(5)).
fn of_nft(document: &Value) -> Vec<SourceNat> {
    let entries = document["nftables"].as_array().map(Vec::as_slice).unwrap_or_default();
    entries.iter().filter_map(|entry| nft_rule(&entry["rule"])).collect()
}

fn nft_rule(rule: &Value) -> Option<SourceNat> {
    let statements = rule["expr"].as_array()?;
    let verb = statements
        .iter()
        .find_map(|statement| ["masquerade", "snat"].into_iter().find(|verb| statement.get(*verb).is_some()))?;
    let place = |key: &str| rule[key].as_str().unwrap_or("?").to_owned();
    let mut found = SourceNat {
        text: format!("{verb} in table {} {}, chain {}", place("family"), place("table"), place("chain")),
        ..SourceNat::default()
    };
    for statement in statements {
        let object = statement.as_object()?;
        for (name, body) in object {
            match name.as_str() {
                "match" => nft_match(body, &mut found),
                "masquerade" | "snat" | "counter" | "log" => {}
                _ => found.more = true,
            }
        }
    }
    Some(found)
}

fn nft_match(body: &Value, found: &mut SourceNat) {
    let equal = body["op"] == "==" || body["op"].is_null();
    let right = &body["right"];
    let field = body["left"]["payload"]["field"].as_str();
    let key = body["left"]["meta"]["key"].as_str();
    match (field, key) {
        (Some("saddr"), _) if equal && nft_network(right).is_some() => found.from = nft_network(right),
        (Some("daddr"), _) if equal && nft_network(right).is_some() => found.to = nft_network(right),
        (_, Some("oifname" | "oif")) if equal && right.is_string() => found.out = right.as_str().map(str::to_owned),
        _ => found.more = true,
    }
}

/// `"10.0.0.1"` or `{"prefix": {"addr": "10.0.0.0", "len": 8}}`.
fn nft_network(value: &Value) -> Option<IpNet> {
    if let Some(text) = value.as_str() {
        return network(text);
    }
    let prefix = &value["prefix"];
    let address: IpAddr = prefix["addr"].as_str()?.parse().ok()?;
    IpNet::new(address, u8::try_from(prefix["len"].as_u64()?).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Option<IpNet> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn rules_of_iptables() {
        let text = "# Generated by iptables-save v1.8.9\n*nat\n:POSTROUTING ACCEPT [0:0]\n\
            -A POSTROUTING -s 10.2.0.0/24 -m ipvs --vproto 6 --vaddr 10.2.0.10 --vport 80 -j MASQUERADE\n\
            -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE\n\
            -A POSTROUTING -d 10.2.0.11/32 -o eth1 -m comment --comment \"to web -j ACCEPT\" -j SNAT --to-source 10.2.0.1\n\
            -A POSTROUTING -p tcp -m tcp --dport 80 -j MASQUERADE\n\
            -A PREROUTING -d 192.0.2.1/32 -p tcp -j DNAT --to-destination 10.2.0.11\n\
            -A POSTROUTING -s 10.0.0.0/8 -j ACCEPT\nCOMMIT\n";
        let rules = of_iptables(text);
        let short: Vec<_> =
            rules.iter().map(|rule| (rule.from, rule.to, rule.out.as_deref(), rule.ipvs, rule.more)).collect();
        assert_eq!(
            short,
            [
                (net("10.2.0.0/24"), None, None, true, false),
                (net("172.17.0.0/16"), None, None, false, true),
                (None, net("10.2.0.11/32"), Some("eth1"), false, false),
                (None, None, None, false, true),
            ]
        );
        assert_eq!(rules[1].text, "-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE");
    }

    #[test]
    fn rules_of_nftables() {
        let document = serde_json::json!({ "nftables": [
            { "metainfo": { "version": "1.0.6", "json_schema_version": 1 } },
            { "table": { "family": "ip", "name": "ipvsd", "handle": 1 } },
            { "chain": { "family": "ip", "table": "ipvsd", "name": "postrouting", "type": "nat", "hook": "postrouting" } },
            { "rule": { "family": "ip", "table": "ipvsd", "chain": "postrouting", "handle": 3, "expr": [
                { "match": { "op": "==", "left": { "payload": { "protocol": "ip", "field": "saddr" } },
                    "right": { "prefix": { "addr": "10.2.0.0", "len": 24 } } } },
                { "match": { "op": "==", "left": { "payload": { "protocol": "ip", "field": "daddr" } },
                    "right": "10.2.0.11" } },
                { "match": { "op": "==", "left": { "payload": { "protocol": "tcp", "field": "dport" } }, "right": 8080 } },
                { "masquerade": null } ] } },
            { "rule": { "family": "inet", "table": "nat", "chain": "out", "handle": 4, "expr": [
                { "match": { "op": "==", "left": { "meta": { "key": "oifname" } }, "right": "eth1" } },
                { "counter": { "packets": 0, "bytes": 0 } }, { "snat": { "addr": "10.2.0.1" } } ] } },
            { "rule": { "family": "ip", "table": "filter", "chain": "x", "handle": 5, "expr": [ { "accept": null } ] } },
            { "rule": { "family": "ip", "table": "nat", "chain": "x", "handle": 6, "expr": [
                { "match": { "op": "!=", "left": { "payload": { "protocol": "ip", "field": "daddr" } },
                    "right": "10.2.0.11" } }, { "masquerade": null } ] } },
        ]});
        let rules = of_nft(&document);
        let short: Vec<_> = rules.iter().map(|rule| (rule.from, rule.to, rule.out.as_deref(), rule.more)).collect();
        assert_eq!(
            short,
            [
                (net("10.2.0.0/24"), net("10.2.0.11/32"), None, true),
                (None, None, Some("eth1"), false),
                (None, None, None, true),
            ]
        );
        assert_eq!(rules[1].text, "snat in table inet nat, chain out");
        assert_eq!(of_nft(&serde_json::json!(null)), []);
    }
}
