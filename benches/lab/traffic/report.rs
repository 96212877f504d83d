//! On the host: shares of the direct way.

use std::collections::BTreeMap;

use super::load::Load;
use super::rig::{WAYS, Way};
use super::{LOADS, cell};
use crate::run::{Cell, Runs, Spread};
use crate::section::{Details, Figure, Part};

pub fn report(runs: &Runs) -> anyhow::Result<Part> {
    let mut figures = BTreeMap::new();
    let mut lines = Vec::new();
    for way in WAYS {
        let mut line = vec![label(way).to_owned()];
        for load in LOADS {
            let (own, direct) = (cell(way, load), cell(Way::Direct, load));
            let [own, direct] =
                [&own, &direct].map(|what| Cell { what, size: load.connections, value: "requests_per_second" });
            let share = runs.ratio(own, direct)?;
            line.push(if way == Way::Direct { absolute(runs.spread(own)?, load) } else { percent(share) });
            if !matches!(way, Way::Direct | Way::Routed) && load.name == "requests" {
                let routed = cell(Way::Routed, load);
                let routed = runs.ratio(own, Cell { what: &routed, ..own })?.median;
                let note = format!("{routed:.2} of a plain router in that place; the article: {}", article(way));
                figures.insert(row(way), Figure { value: share, note });
            }
        }
        line.push(article(way).to_owned());
        lines.push(line);
    }
    let head = ["", "requests/s", "new connections/s", "one stream of large bodies", "the article"];
    let details = Details {
        title: "The article's claim: what is left of a direct connection".to_owned(),
        head: head.map(str::to_owned).to_vec(),
        lines,
        note: NOTE.to_owned(),
    };
    Ok(Part { figures, details: vec![details], plots: Vec::new() })
}

const NOTE: &str = "ab asks one nginx worker: over 16 connections that stay; over a new connection for each request; and for bodies \
    of 1 MiB over a single connection. Shares of the direct way within the same round: median (lowest to highest). Client, \
    director and server share the one emulated processor of one machine, whose clock goes by instructions, and there is no network card: a \
    share says how many of all instructions the way takes for itself, and what a director costs in a real network, where it has processors and \
    cards of its own, is less. The router is the \
    director itself, for an address that is no service: what a machine in \
    between costs without IPVS, while the answers go straight back as with dr and tunnel; with nat and HAProxy they go through it as well. HAProxy is as it comes, without splicing. \
    The table of IPVS was made by `ipvsd apply`. The counters of ipvsadm, of HAProxy and of the interfaces show \
    that each way was the one it is said to be; a run in which they do not fails.";

/// The row of a way that is compared.
fn row(way: Way) -> &'static str {
    match way {
        Way::Direct => "direct",
        Way::Routed => "routed",
        Way::Nat => "ipvs-nat",
        Way::Dr => "ipvs-dr",
        Way::Tunnel => "ipvs-tunnel",
        Way::Haproxy => "haproxy",
    }
}

fn label(way: Way) -> &'static str {
    match way {
        Way::Direct => "direct",
        Way::Routed => "the client's packets through a router",
        Way::Nat => "IPVS, nat",
        Way::Dr => "IPVS, dr",
        Way::Tunnel => "IPVS, tunnel",
        Way::Haproxy => "HAProxy, tcp mode",
    }
}

fn article(way: Way) -> &'static str {
    match way {
        Way::Direct => "100 %",
        Way::Routed => "–",
        Way::Nat | Way::Dr | Way::Tunnel => "within 5 %",
        Way::Haproxy => "about 60 %",
    }
}

fn percent(share: Spread) -> String {
    let Spread { median, low, high, runs: _ } = share;
    format!("{:.0} % ({:.0} to {:.0})", median * 100.0, low * 100.0, high * 100.0)
}

fn absolute(spread: Spread, load: Load) -> String {
    let mebibytes = load.length as f64 / f64::from(1 << 20);
    let (scale, unit) = if mebibytes < 1.0 { (1.0, "") } else { (mebibytes, " MiB/s") };
    let Spread { median, low, high, runs: _ } = spread;
    format!("{:.0}{unit} ({:.0} to {:.0})", median * scale, low * scale, high * scale)
}
