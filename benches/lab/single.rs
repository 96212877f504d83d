//! One change in a table of many services: a health flip, an override, an edit. What it costs must follow the change, not the table.
//!
//! Time is taken from the moment of the change to the weight in the kernel, which this reads over netlink for the one service; processor
//! time and system calls are the daemon's, over all that the change makes it do, until it is at rest again. System calls are counted in
//! rounds of their own, since counting takes time.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
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
use crate::run::{Cell, Runs};
use crate::section::{Axis, Details, Figure, Part, Plot, Reach, Row, Section, Series};
use crate::shape::{Shape, WEIGHT};
use crate::usage::{self, Tracer};

const FLAT: &str = "table of 10,000 × 10 against 100 × 10";

pub const SECTION: Section = Section {
    name: "single",
    needs: &[],
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
    report,
};

pub const FLIP: &str = "health flip";
const OVERRIDE: &str = "weight override";
const COMMAND: &str = "ipvsd weight";
const EDIT: &str = "edited file";
const PARSE: &str = "parsing that file";
const CHANGES: [&str; 4] = [FLIP, OVERRIDE, COMMAND, EDIT];

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
    process: u32,
    kernel: Kernel,
    text: &'a str,
}

fn one_size(lab: &Lab, shape: Shape) -> anyhow::Result<()> {
    let place = Place::new(&format!("single-{}", shape.services))?;
    let server = Server::start()?;
    let text = configuration(shape, server.address);
    place.rename_into(&text)?;
    let mut daemon = daemon::start(lab, &place, shape)?;
    let (process, kernel) = (daemon.id(), Kernel::open()?);
    let mut bench = Bench { lab, shape, place: &place, server: &server, process, kernel, text: &text };
    let counted = if lab.options.quick { 1 } else { 3 };
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
    net::must_be(shape)?;
    net::must_be_by_ipvsadm(shape)?;
    daemon.must_run()?;
    daemon.kill()
}

/// One destination of the first service is checked, and no resync comes in between.
fn configuration(shape: Shape, server: SocketAddr) -> String {
    let head = format!(
        "[daemon]\nresync = \"1d\"\n\n[checks.bench]\ntcp = {{ send = \"ping\", expect = \"pong\" }}\naddress = \"{}\"\nport = {}\n\
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
        let at = self.weight(service, 5, OTHER)?;
        Ok((at - renamed).saturating_sub(QUIET))
    }

    fn take_back(&mut self, change: &str) -> anyhow::Result<()> {
        let (service, destination) = match change {
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
        let (service, destination) = (key(self.shape, service), destination_key(self.shape, service, destination));
        wait_until(&format!("weight {weight} of {destination} of {service}"), WITHIN, || {
            let found = self.kernel.read_services(&[service])?;
            let found = found.get(&service).context("the service is gone")?;
            let found = found.destinations.get(&destination).context("the destination is gone")?;
            Ok(found.settings.weight == weight)
        })
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

/// A server that is checked: it answers, until it goes away in the midst of a check.
struct Server {
    address: SocketAddr,
    is_leaving: Arc<AtomicBool>,
    gone: mpsc::Receiver<Instant>,
    come_back: mpsc::Sender<()>,
}

impl Server {
    fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let is_leaving = Arc::new(AtomicBool::new(false));
        let (say_gone, gone) = mpsc::channel();
        let (come_back, back) = mpsc::channel();
        let leaving = Arc::clone(&is_leaving);
        // It ends with its channels, or with the machine.
        thread::spawn(move || serve(listener, address, &leaving, &say_gone, &back));
        Ok(Self { address, is_leaving, gone, come_back })
    }

    /// The moment when it went.
    fn go_away(&self) -> anyhow::Result<Instant> {
        self.is_leaving.store(true, Ordering::Relaxed);
        self.gone.recv_timeout(WITHIN).context("nobody checks")
    }

    fn come_back(&self) -> anyhow::Result<()> {
        self.come_back.send(()).context("the server has ended")
    }
}

fn serve(
    mut listener: TcpListener,
    address: SocketAddr,
    is_leaving: &AtomicBool,
    gone: &mpsc::Sender<Instant>,
    back: &mpsc::Receiver<()>,
) -> Option<()> {
    loop {
        let (mut stream, _) = listener.accept().ok()?;
        let mut ping = [0; 4];
        if stream.read_exact(&mut ping).is_err() {
            continue;
        }
        if !is_leaving.swap(false, Ordering::Relaxed) {
            let _ = stream.write_all(b"pong");
            continue;
        }
        drop(listener);
        let at = Instant::now();
        drop(stream);
        gone.send(at).ok()?;
        back.recv().ok()?;
        listener = TcpListener::bind(address).ok()?;
    }
}

fn report(runs: &Runs) -> anyhow::Result<Part> {
    let mut part = Part::default();
    let sizes = runs.sizes(EDIT);
    let most = *sizes.last().context("no size")?;
    // Small ones are in the plot only: what stays the same is said of tables that are some size.
    let least = sizes.iter().copied().find(|size| *size >= 100 || *size == most).context("no size")?;
    let mut figure = |id, (what, value): (&str, &str), further: &str| -> anyhow::Result<()> {
        let cell = |size| Cell { what, size, value };
        let ratio = runs.ratio(cell(most), cell(least))?;
        part.figures.insert(id, Figure { value: ratio, note: further.to_owned() });
        Ok(())
    };
    for (id, change) in [("flip", FLIP), ("override", OVERRIDE), ("command", COMMAND)] {
        let cpu = |size| runs.spread(Cell { what: change, size, value: "cpu_ms" });
        let cpu = format!("of the processor's time {:.1} ×", cpu(most)?.median / cpu(least)?.median);
        match id {
            "flip" => {
                figure("flip-time", (change, "ms"), &cpu)?;
                figure("flip-calls", ("health flip, counted", "syscalls"), "")?;
            }
            "override" => {
                figure("override-time", (change, "ms"), &cpu)?;
                figure("override-calls", ("weight override, counted", "syscalls"), "")?;
            }
            _ => figure("command-time", (change, "ms"), &cpu)?,
        }
    }
    let edit =
        runs.ratio(Cell { what: EDIT, size: most, value: "ms" }, Cell { what: PARSE, size: most, value: "ms" })?;
    part.figures.insert("edit", Figure { value: edit, note: format!("{most} × 10") });
    part.details.push(details(runs, &sizes)?);
    part.plots.push(plot(runs, &sizes)?);
    Ok(part)
}

fn details(runs: &Runs, sizes: &[u32]) -> anyhow::Result<Details> {
    let mut lines = Vec::new();
    for what in CHANGES.into_iter().chain([PARSE]) {
        for &size in sizes {
            let ms = runs.spread(Cell { what, size, value: "ms" })?;
            let (mut cpu, mut calls) = (String::new(), String::new());
            if what != PARSE {
                cpu = format!("{:.1}", runs.spread(Cell { what, size, value: "cpu_ms" })?.median);
                let counted = format!("{what}, counted");
                calls = format!("{:.0}", runs.spread(Cell { what: &counted, size, value: "syscalls" })?.median);
            }
            let spread = format!("{:.1} to {:.1}", ms.low, ms.high);
            lines.push(vec![what.to_owned(), format!("{size} × 10"), format!("{:.1}", ms.median), spread, cpu, calls]);
        }
    }
    Ok(Details {
        title: "One change".to_owned(),
        head: [
            "what",
            "table",
            "ms to the kernel",
            "of the runs",
            "ms of the daemon's processor time",
            "its system calls",
        ]
        .map(str::to_owned)
        .to_vec(),
        lines,
        note: format!(
            "A flip is counted from the moment when the server goes away in the midst of a check, less the {} ms in which verdicts are \
             gathered; an override from the moment when the daemon is told, `ipvsd weight` from the start of the command; an edit from the \
             rename, less the {} ms for which a file has to be still. One destination is checked once a second, which is in the system calls.",
            BURST.as_millis(),
            QUIET.as_millis()
        ),
    })
}

fn plot(runs: &Runs, sizes: &[u32]) -> anyhow::Result<Plot> {
    let mut series = Vec::new();
    for (what, name, peer) in [
        (FLIP, "health flip", false),
        (OVERRIDE, "weight override", false),
        (COMMAND, "ipvsd weight", false),
        (EDIT, "edited file", false),
        (PARSE, "parsing that file", true),
    ] {
        let points =
            sizes.iter().map(|&size| Ok((f64::from(size), runs.spread(Cell { what, size, value: "ms" })?.median)));
        series.push(Series { name: name.to_owned(), points: points.collect::<anyhow::Result<_>>()?, peer });
    }
    Ok(Plot {
        name: "growth",
        title: "One change".to_owned(),
        x: Axis { label: "services of 10 destinations".to_owned(), logarithmic: true },
        y: Axis { label: "milliseconds, in the emulated machine".to_owned(), logarithmic: true },
        series,
    })
}
