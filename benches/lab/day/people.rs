//! Those who change something during the day, each in a way of its own.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use fastrand::Rng;

use super::daemon::Daemon;
use super::listeners::Listeners;
use super::town::{EACH, Role, Town};
use crate::process::run;

/// Writes the file.
pub struct Editor {
    pub file: PathBuf,
    /// Where a new one is written before it takes the file's place.
    draft: PathBuf,
    pub edits: u32,
    random: Rng,
    /// The service, and the destination of another one, that it has taken out.
    out: (Option<usize>, Option<(usize, usize)>),
}

impl Editor {
    pub fn new(file: PathBuf, draft: PathBuf, seed: u64) -> Self {
        Self { file, draft, edits: 0, random: Rng::with_seed(seed), out: (None, None) }
    }

    /// Mostly a weight; now and then a destination or a service goes, and comes back the next time.
    pub fn edit(&mut self, town: &mut Town) -> anyhow::Result<()> {
        let own = town.of(Role::Editor);
        let (half, other) = own.split_at(own.len() / 2);
        let choose = |random: &mut Rng, from: &[usize]| from[random.usize(..from.len())];
        match self.edits % 10 {
            8 => match self.out.1.take() {
                Some((service, index)) => town.services[service].destinations[index].is_there = true,
                None => {
                    let (service, index) = (choose(&mut self.random, half), self.random.usize(..EACH));
                    town.services[service].destinations[index].is_there = false;
                    self.out.1 = Some((service, index));
                }
            },
            9 => match self.out.0.take() {
                Some(service) => town.services[service].is_there = true,
                None => {
                    let service = choose(&mut self.random, other);
                    town.services[service].is_there = false;
                    self.out.0 = Some(service);
                }
            },
            _ => {
                let (service, index) = (choose(&mut self.random, &own), self.random.usize(..EACH));
                town.services[service].destinations[index].weight = self.random.u32(1..=1000);
            }
        }
        self.edits += 1;
        self.write(town)
    }

    /// As editors and configuration management do: a new file, and a rename.
    pub fn write(&self, town: &Town) -> anyhow::Result<()> {
        fs::write(&self.draft, town.configuration())?;
        fs::rename(&self.draft, &self.file).context("cannot rename")
    }
}

/// Somebody with `ipvsadm`.
pub struct Meddler {
    random: Rng,
    turn: u32,
    /// The services in which something is wrong, and since when.
    wrong: Vec<(usize, Instant)>,
    /// How long each repair took.
    pub repairs: Vec<Duration>,
}

/// The resync's 30 seconds, and as much again for a busy machine.
const REPAIRED_WITHIN: Duration = Duration::from_secs(60);

impl Meddler {
    pub fn new(seed: u64) -> Self {
        Self { random: Rng::with_seed(seed), turn: 0, wrong: Vec::new(), repairs: Vec::new() }
    }

    /// Edits or deletes a destination, or adds one, in a service where nothing is wrong.
    pub fn meddle(&mut self, town: &Town) -> anyhow::Result<()> {
        let mut own = town.of(Role::Meddler);
        own.retain(|service| self.wrong.iter().all(|(wrong, _)| wrong != service));
        let number = own[self.random.usize(..own.len())];
        let service = town.services[number].address.to_string();
        let destination = town.services[number].destinations[self.random.usize(..EACH)].address.to_string();
        let words: &[&str] = match self.turn % 3 {
            0 => &["-e", "-t", &service, "-r", &destination, "-m", "-w", "77"],
            1 => &["-d", "-t", &service, "-r", &destination],
            _ => &["-a", "-t", &service, "-r", "127.9.9.9:9", "-m", "-w", "1"],
        };
        run("ipvsadm", words, "")?;
        self.turn += 1;
        self.wrong.push((number, Instant::now()));
        Ok(())
    }

    /// Sees what has been repaired, by `ipvsadm`.
    pub fn look(&mut self, town: &Town) -> anyhow::Result<()> {
        let mut still = Vec::new();
        for (number, since) in self.wrong.drain(..) {
            let service = &town.services[number];
            if listed(&service.address.to_string())? == service.table() {
                self.repairs.push(since.elapsed());
                continue;
            }
            ensure!(since.elapsed() < REPAIRED_WITHIN, "drift in {} was not repaired", service.address);
            still.push((number, since));
        }
        self.wrong = still;
        Ok(())
    }

    pub fn is_done(&self) -> bool {
        self.wrong.is_empty()
    }
}

/// The destinations of a service with their weights, as `ipvsadm` lists them.
fn listed(service: &str) -> anyhow::Result<BTreeSet<(String, u32)>> {
    let text = run("ipvsadm", &["-Ln", "-t", service], "")?;
    let rows = text.lines().filter_map(|line| line.trim_start().strip_prefix("-> ")).skip(1);
    let row = |row: &str| -> anyhow::Result<(String, u32)> {
        let mut columns = row.split_whitespace();
        let address = columns.next().context("no address")?;
        Ok((address.to_owned(), columns.nth(1).context("no weight")?.parse()?))
    };
    rows.map(row).collect()
}

/// Listeners that close and open again.
pub struct Health {
    random: Rng,
    closed: Vec<(usize, usize, Instant)>,
    pub flips: u32,
}

impl Health {
    pub fn new(seed: u64) -> Self {
        Self { random: Rng::with_seed(seed), closed: Vec::new(), flips: 0 }
    }

    /// Closes one.
    pub fn close(&mut self, town: &mut Town, listeners: &Listeners) -> anyhow::Result<()> {
        let own = town.of(Role::Health);
        let (service, index) = (own[self.random.usize(..own.len())], self.random.usize(..EACH));
        let destination = &mut town.services[service].destinations[index];
        if destination.is_open {
            listeners.close(destination.address)?;
            destination.is_open = false;
            self.closed.push((service, index, Instant::now()));
        }
        Ok(())
    }

    /// Opens those again that have been closed long enough to be noticed, and were: by `ipvsadm`, they have no weight.
    pub fn open(&mut self, town: &mut Town, listeners: &Listeners) -> anyhow::Result<()> {
        let mut still = Vec::new();
        for (number, index, since) in self.closed.drain(..) {
            let interval = Duration::from_secs(town.interval.into());
            let service = &mut town.services[number];
            if since.elapsed() < interval * 2 || listed(&service.address.to_string())? != service.table() {
                let address = service.destinations[index].address;
                ensure!(since.elapsed() < interval * 6, "that nobody listens on {address} any more was not noticed");
                still.push((number, index, since));
                continue;
            }
            let destination = &mut service.destinations[index];
            listeners.open(destination.address)?;
            destination.is_open = true;
            self.flips += 1;
        }
        self.closed = still;
        Ok(())
    }
}

/// Somebody with `ipvsd weight` and `ipvsd drain`.
pub struct Operator {
    random: Rng,
    pub orders: u32,
    drained: Vec<(String, String)>,
}

impl Operator {
    pub fn new(seed: u64) -> Self {
        Self { random: Rng::with_seed(seed), orders: 0, drained: Vec::new() }
    }

    /// Another weight for some seconds, or a drain that is taken back the time after the next.
    pub fn order(&mut self, town: &Town, daemon: &Daemon) -> anyhow::Result<()> {
        let own = town.of(Role::Operator);
        let service = &town.services[own[self.random.usize(..own.len())]];
        let destination = service.destinations[self.random.usize(..EACH)].address.to_string();
        if self.orders.is_multiple_of(2) {
            daemon.command(&["weight", &service.name, &destination, "5", "--for", "15s"])?;
        } else {
            self.lift(daemon)?;
            daemon.command(&["drain", &service.name, &destination])?;
            self.drained.push((service.name.clone(), destination));
        }
        self.orders += 1;
        Ok(())
    }

    /// Takes all drains back.
    pub fn lift(&mut self, daemon: &Daemon) -> anyhow::Result<()> {
        for (name, destination) in self.drained.drain(..) {
            daemon.command(&["undrain", &name, &destination])?;
        }
        Ok(())
    }
}
