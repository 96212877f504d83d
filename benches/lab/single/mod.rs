//! One change in a table of many services: a health flip, an override, a change over the API, an edit. What it costs must follow the change, not the table.
//!
//! Time is taken from the moment of the change to the weight in the kernel, which this reads over netlink for the one service; processor
//! time and system calls are the daemon's, over all that the change makes it do, until it is at rest again. System calls are counted in
//! rounds of their own, since counting takes time.

mod offered;
mod report;
mod server;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use ipvsd::daemon::control::tell_overrides;
use ipvsd::ipvs::{Ipvs as _, Kernel};
use ipvsd::model::{DestinationKey, Override, Protocol, ServiceKey, WeightOverride};
use ipvsd::reconcile::{OverrideStore, unix_now};
use serde::Deserialize;

use crate::daemon::{self, Place, wait_until};
use crate::guest::Lab;
use crate::net;
use crate::section::{Need, Reach, Row, Section};
use crate::shape::{Shape, WEIGHT};
use crate::usage::{self, Tracer};
use offered::Offered;
use server::Server;

const FLAT: &str = "table of 10,000 × 10 against 100 × 10";

pub const SECTION: Section = Section {
    name: "single",
    needs: &[Need::InstructionClock],
    memory: "3G",
    seconds: [1800, 300],
    rows: &[
        Row { id: "flip-time", what: "one health flip, time", against: FLAT, reach: Reach::Times(2.0) },
        Row { id: "flip-calls", what: "one health flip, system calls", against: FLAT, reach: Reach::Times(2.0) },
        Row { id: "override-time", what: "one weight override, time", against: FLAT, reach: Reach::Times(2.0) },
        Row {
            id: "override-calls",
            what: "one weight override, system calls",
            against: FLAT,
            reach: Reach::Times(2.0),
        },
        Row { id: "api-time", what: "one API change, time", against: FLAT, reach: Reach::Times(2.0) },
        Row { id: "api-calls", what: "one API change, system calls", against: FLAT, reach: Reach::Times(2.0) },
        Row {
            id: "command-time",
            what: "`ipvsd weight` from its start, time",
            against: FLAT,
            reach: Reach::Times(2.0),
        },
        Row {
            id: "edit",
            what: "one edited weight in a file of 10,000 × 10, rename to kernel, quiet window left out",
            against: "parsing that file",
            reach: Reach::Times(2.0),
        },
    ],
    measure,
    report: report::report,
};

pub const FLIP: &str = "health flip";
const OVERRIDE: &str = "weight override";
const API: &str = "API change";
const COMMAND: &str = "ipvsd weight";
const EDIT: &str = "edited file";
const PARSE: &str = "parsing that file";
const CHANGES: [&str; 5] = [FLIP, OVERRIDE, API, COMMAND, EDIT];

/// The loop gathers verdicts so long before it answers them (`Schedule::BURST`).
const BURST: Duration = Duration::from_millis(50);
/// It leaves a file alone until it has been still for so long (`Schedule::QUIET`).
const QUIET: Duration = Duration::from_millis(100);
/// Another than the configured one.
const OTHER: u32 = 90;
/// How long one change may take.
const WITHIN: Duration = Duration::from_secs(120);

fn measure(lab: &mut Lab) -> anyhow::Result<()> {
    let sizes: &[u32] = if lab.options.quick { &[10, 100] } else { &[10, 100, 1000, 10_000] };
    for size in sizes {
        net::fresh(|| one_size(lab, Shape::of(*size))).with_context(|| format!("{size} × 10"))?;
    }
    Ok(())
}

/// What a change needs to know.
struct Bench<'a> {
    lab: &'a Lab,
    shape: Shape,
    place: &'a Place,
    server: &'a Server,
    offered: &'a Offered,
    process: u32,
    kernel: Kernel,
    text: &'a str,
}

fn one_size(lab: &Lab, shape: Shape) -> anyhow::Result<()> {
    let place = Place::new(&format!("single-{}", shape.services))?;
    let server = Server::start()?;
    let offered = Offered::new(&place);
    let text = configuration(shape, server.address, &offered.section());
    place.rename_into(&text)?;
    let mut daemon = daemon::start(lab, &place, shape)?;
    let (process, kernel) = (daemon.id(), Kernel::open()?);
    offered.put()?;
    let mut bench =
        Bench { lab, shape, place: &place, server: &server, offered: &offered, process, kernel, text: &text };
    // Their number is the same every time, or nearly so.
    let counted = 1;
    for round in 0..lab.options.runs + counted {
        let traced = round >= lab.options.runs;
        for change in CHANGES {
            bench.run(change, round, traced).with_context(|| format!("{change}, round {round}"))?;
        }
        if !traced {
            let took = parse(&text)?;
            lab.say(PARSE, shape.services, round, &[("ms", took.as_secs_f64() * 1e3)])?;
        }
    }
    offered.delete()?;
    wait_until("what came over the API to be gone", WITHIN, || {
        Ok(!bench.kernel.read_services(&[Offered::service()])?.contains_key(&Offered::service()))
    })?;
    net::must_be(shape)?;
    net::must_be_by_ipvsadm(shape)?;
    daemon.must_run()?;
    daemon.kill()
}

/// One destination of the first service is checked, and no resync comes in between.
fn configuration(shape: Shape, server: SocketAddr, api: &str) -> String {
    let head = format!(
        "[daemon]\nresync = \"1d\"\n\n{api}[checks.bench]\ntcp = {{ send = \"ping\", expect = \"pong\" }}\naddress = \"{}\"\nport = {}\n\
         interval = \"1s\"\ntimeout = \"900ms\"\nrise = 1\nfall = 1\n",
        server.ip(),
        server.port(),
    );
    let first = format!("\"{}\", weight = {WEIGHT}", shape.destination(0, 0));
    shape.toml(&head).replacen(&first, &format!("{first}, check = \"bench\""), 1)
}

impl Bench<'_> {
    /// Makes a change, waits for it, and takes it back.
    fn run(&mut self, change: &str, round: u32, traced: bool) -> anyhow::Result<()> {
        usage::rest(self.process)?;
        let tracer = if traced { Some(Tracer::start(self.process)?) } else { None };
        let before = usage::usage(self.process)?.cpu;
        let took = match change {
            FLIP => self.flip()?,
            OVERRIDE => self.give_override()?,
            API => self.ask()?,
            COMMAND => self.command()?,
            _ => self.edit()?,
        };
        usage::rest(self.process)?;
        let cpu = usage::usage(self.process)?.cpu.saturating_sub(before);
        let size = self.shape.services;
        match tracer {
            Some(tracer) => {
                let calls = tracer.count()?;
                ensure!(calls > 0, "no system calls were counted");
                self.lab.say(&format!("{change}, counted"), size, round, &[("syscalls", calls as f64)])?;
            }
            None => {
                let (ms, cpu) = (took.as_secs_f64() * 1e3, cpu.as_secs_f64() * 1e3);
                eprintln!("{change}, {size} × 10: {ms:.1} ms, {cpu:.1} ms of the processor");
                self.lab.say(change, size, round, &[("ms", ms), ("cpu_ms", cpu)])?;
            }
        }
        self.take_back(change)?;
        usage::rest(self.process)
    }

    fn flip(&mut self) -> anyhow::Result<Duration> {
        let gone = self.server.go_away()?;
        let at = self.weight(0, 0, 0)?;
        Ok((at - gone).saturating_sub(BURST))
    }

    /// In the middle of the table.
    fn overridden(&self) -> (u32, u32) {
        (self.shape.services / 2, 5)
    }

    fn set_override(&self, weight: Option<u32>) -> anyhow::Result<Instant> {
        let (service, destination) = self.overridden();
        let (service, destination) = (key(self.shape, service), destination_key(self.shape, service, destination));
        let weight = weight.map(|weight| WeightOverride { weight, since: unix_now(), until: None });
        let given = Override { weight, ..Override::default() };
        let change = |overrides: &mut ipvsd::model::Overrides| overrides.set(service, destination, given);
        OverrideStore::new(&self.place.state).change(Duration::from_secs(1), unix_now(), change)?;
        let at = Instant::now();
        ensure!(tell_overrides(&self.place.state)?, "the daemon was not there to be told");
        Ok(at)
    }

    /// As the command leaves it, without the command.
    fn give_override(&mut self) -> anyhow::Result<Duration> {
        let told = self.set_override(Some(OTHER))?;
        let (service, destination) = self.overridden();
        Ok(self.weight(service, destination, OTHER)? - told)
    }

    fn ask(&mut self) -> anyhow::Result<Duration> {
        let asked = self.offered.set_weight(OTHER)?;
        let (asked_at, at) = (asked.at, self.weight_of(Offered::service(), Offered::destination(), OTHER)?);
        asked.done()?;
        Ok(at - asked_at)
    }

    fn command(&mut self) -> anyhow::Result<Duration> {
        let (service, destination) = self.overridden();
        let words = [
            &format!("service-{service}"),
            &self.shape.destination(service, destination).to_string(),
            &OTHER.to_string(),
        ];
        let mut command = self.place.command(self.lab, &["weight"]);
        let begin = Instant::now();
        let mut child = command.args(words).spawn()?;
        let at = self.weight(service, destination, OTHER)?;
        ensure!(child.wait()?.success(), "`ipvsd weight` failed");
        Ok(at - begin)
    }

    /// A destination of the last service.
    fn edit(&mut self) -> anyhow::Result<Duration> {
        let service = self.shape.services - 1;
        let line = |weight| format!("\"{}\", weight = {weight}", self.shape.destination(service, 5));
        let edited = self.text.replacen(&line(WEIGHT), &line(OTHER), 1);
        ensure!(edited != self.text, "there is nothing to edit");
        let renamed = self.place.rename_into(&edited)?;
        let at = wait_until("the edit in the kernel", WITHIN, || {
            self.has_weight(key(self.shape, service), destination_key(self.shape, service, 5), OTHER)
        })?;
        Ok((at - renamed).saturating_sub(QUIET))
    }

    fn take_back(&mut self, change: &str) -> anyhow::Result<()> {
        let (service, destination) = match change {
            API => {
                self.offered.set_weight(WEIGHT)?.done()?;
                return self.weight_of(Offered::service(), Offered::destination(), WEIGHT).map(drop);
            }
            FLIP => {
                self.server.come_back()?;
                (0, 0)
            }
            OVERRIDE | COMMAND => {
                self.set_override(None)?;
                self.overridden()
            }
            _ => {
                self.place.rename_into(self.text)?;
                (self.shape.services - 1, 5)
            }
        };
        self.weight(service, destination, WEIGHT).map(drop)
    }

    /// Waits for a weight in the kernel.
    fn weight(&mut self, service: u32, destination: u32, weight: u32) -> anyhow::Result<Instant> {
        self.weight_of(key(self.shape, service), destination_key(self.shape, service, destination), weight)
    }

    fn weight_of(&mut self, service: ServiceKey, destination: DestinationKey, weight: u32) -> anyhow::Result<Instant> {
        let what = format!("weight {weight} of {destination} of {service}");
        wait_until(&what, WITHIN, || self.has_weight(service, destination, weight))
    }

    fn has_weight(&mut self, service: ServiceKey, destination: DestinationKey, weight: u32) -> anyhow::Result<bool> {
        let found = self.kernel.read_services(&[service])?;
        let found = found.get(&service).context("the service is gone")?;
        let found = found.destinations.get(&destination).context("the destination is gone")?;
        Ok(found.settings.weight == weight)
    }
}

fn key(shape: Shape, service: u32) -> ServiceKey {
    let at = shape.service(service);
    ServiceKey::Address { protocol: Protocol::Tcp, address: (*at.ip()).into(), port: at.port() }
}

fn destination_key(shape: Shape, service: u32, destination: u32) -> DestinationKey {
    let at = shape.destination(service, destination);
    DestinationKey { address: (*at.ip()).into(), port: at.port() }
}

/// The file as plain structs, which is the least that whoever reads it has to do.
fn parse(text: &str) -> anyhow::Result<Duration> {
    #[derive(Deserialize)]
    struct File {
        services: Vec<Service>,
    }
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "it is only read")]
    struct Service {
        name: String,
        address: String,
        scheduler: String,
        destinations: Vec<Destination>,
    }
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "it is only read")]
    struct Destination {
        address: String,
        weight: u32,
    }
    let begin = Instant::now();
    let file: File = toml::from_str(text)?;
    let took = begin.elapsed();
    ensure!(!file.services.is_empty() && !file.services[0].destinations.is_empty(), "nothing was read");
    Ok(took)
}
