//! How much it takes to check many destinations: the real engine against real listeners on 127.0.0.0/8.
//!
//! `cargo bench --bench health -- [--destinations N] [--http PERCENT] [--seconds N] [--interval MS] [--at-once N]`
//!
//! The servers run in a second process, so that what is measured is the checking alone. Prints a table in Markdown and
//! the same as JSON. The numbers are for people to judge; it fails only when the run was not valid: a server that could
//! not be started, checks that failed, or fewer runs than were due.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is for people to read")]

mod measure;
mod serve;

use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use ipvsd::health::{Engine, Meter};
use ipvsd::model::{Check, Checks, DestinationKey, Health, Http, NamedCheck, Pass, Probe, StatusSet, Timing, Via};
use ipvsd::reconcile::{Assignment, Assignments, Checker};

/// What is to be measured.
#[derive(Debug, Clone, Copy)]
struct Options {
    destinations: u32,
    /// How many of them are checked by http, in percent; the others by tcp.
    http: u32,
    seconds: u64,
    interval: Duration,
    at_once: usize,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let interval = Duration::from_secs(1);
        let mut options = Self { destinations: 10_000, http: 50, seconds: 20, interval, at_once: 1000 };
        while let Some(name) = arguments.next() {
            if name == "--bench" {
                continue; // cargo says so
            }
            let value: u32 = arguments.next().with_context(|| format!("{name} wants a number"))?.parse()?;
            match name.as_str() {
                "--destinations" => options.destinations = value.clamp(1, 200_000),
                "--http" => options.http = value.min(100),
                "--seconds" => options.seconds = u64::from(value.max(1)),
                "--interval" => options.interval = Duration::from_millis(u64::from(value.max(1))),
                "--at-once" => options.at_once = usize::try_from(value)?,
                _ => bail!("unknown option {name}"),
            }
        }
        Ok(options)
    }

    /// All destinations, the two kinds of checks mixed evenly.
    fn assignments(&self, port: u16) -> Assignments {
        let tcp = self.check("tcp", Probe::Tcp { send: None, expect: None });
        let http = self.check("http", http());
        let one = |index: u32| {
            let is_http = (index + 1) * self.http / 100 > index * self.http / 100;
            let checks = if is_http { http.clone() } else { tcp.clone() };
            let destination = DestinationKey { address: address(index), port };
            let assignment = Assignment { name: "web".to_owned(), checks, seed: Health::Unknown, mark: None };
            let service = ipvsd::model::ServiceKey::Address {
                protocol: ipvsd::model::Protocol::Tcp,
                address: Ipv4Addr::new(192, 0, 2, u8::try_from(index % 200).unwrap_or(0)).into(),
                port: 80,
            };
            ((service, destination), assignment)
        };
        (0..self.destinations).map(one).collect()
    }

    fn check(&self, name: &str, probe: Probe) -> Arc<Checks> {
        let timing = Timing {
            interval: self.interval,
            timeout: self.interval,
            rise: 2,
            fall: 3,
            jitter: 0,
            fast_interval: None,
            down_interval: None,
            down_after: Duration::from_secs(60),
        };
        let check = Check { probe, timing, address: None, port: None, via: Via::Destination, flap: None };
        Arc::new(Checks { pass: Pass::All, list: vec![NamedCheck { name: name.to_owned(), check }] })
    }
}

fn http() -> Probe {
    Probe::Http(Http {
        tls: None,
        method: "GET".to_owned(),
        path: "/healthz".to_owned(),
        host: None,
        headers: Vec::new(),
        status: StatusSet(vec![(200, 299)]),
        body: None,
        location: None,
    })
}

/// 127.1.0.1 and on: each destination has an address of its own.
fn address(index: u32) -> IpAddr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 1)) + index).into()
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.first().map(String::as_str) {
        Some("serve") => serve::serve(arguments.get(1).map(String::as_str)),
        _ => Options::parse(arguments.into_iter()).and_then(bench),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn bench(options: Options) -> anyhow::Result<()> {
    measure::raise_limits()?;
    let server = serve::Server::start(options.destinations)?;
    let assignments = options.assignments(server.port);
    // The first runtime of a process leaves two descriptors for signals.
    drop(tokio::runtime::Builder::new_current_thread().enable_all().build()?);
    let descriptors_before = measure::descriptors()?;

    let (send, events) = mpsc::channel();
    let (mut engine, runner) = Engine::new(move |event| _ = send.send(event), options.at_once);
    let thread = std::thread::Builder::new().name("checks".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(runner.run());
        std::io::Result::Ok(())
    })?;

    let began = Instant::now();
    engine.assign(&assignments);
    let assigned = began.elapsed();
    // From unknown to up: the first runs come ahead of their turn, and go on in it from the third interval at the latest.
    listen(&engine, &events, began + options.interval * 3);
    let first = engine.meter();
    let again = Instant::now();
    engine.assign(&assignments);
    let assigned_again = again.elapsed();

    let (start, before, usage) = (Instant::now(), engine.meter(), measure::Usage::now()?);
    let mut passes = Vec::new();
    let mut spread = Vec::new();
    let mut peak_descriptors = 0;
    let mut last = (start, before.runs);
    for step in 1..=options.seconds * 10 {
        listen(&engine, &events, start + Duration::from_millis(100) * u32::try_from(step)?);
        let (now, runs) = (Instant::now(), engine.meter().runs);
        spread.push((runs - last.1) as f64 / (now - last.0).as_secs_f64());
        last = (now, runs);
        if step % 10 == 0 {
            // What a pass of the loop asks once in a while.
            let pass = Instant::now();
            let verdicts = engine.verdicts();
            passes.push(pass.elapsed());
            drop(verdicts);
            peak_descriptors = peak_descriptors.max(measure::descriptors()?);
        }
    }
    let (elapsed, usage) = (start.elapsed(), measure::Usage::now()?.since(&usage));
    let steady = engine.meter().since(&before);
    let waiting = measure::time_wait(server.port)?;
    let up = engine.verdicts().destinations.values().filter(|verdict| verdict.health == Health::Up).count();
    engine.assign(&Assignments::new());
    drop(engine);
    thread.join().ok().context("the checks' thread panicked")??;
    let descriptors_after = measure::descriptors()?;
    let peak = measure::peak_memory()?;
    server.stop()?;

    let report = Report {
        options,
        elapsed,
        first,
        steady,
        usage,
        peak,
        spread,
        waiting,
        descriptors: [descriptors_before, peak_descriptors, descriptors_after],
        assigned: [assigned, assigned_again],
        pass: passes.into_iter().max().unwrap_or_default(),
    };
    report.print();
    let due = f64::from(options.destinations) * elapsed.as_secs_f64() / options.interval.as_secs_f64();
    ensure!(report.steady.bad == 0, "not valid: {} checks failed", report.steady.bad);
    ensure!(up == assignments.len(), "not valid: only {up} of {} are up", assignments.len());
    ensure!(report.steady.runs as f64 > due * 0.9, "not valid: {} runs where {due} were due", report.steady.runs);
    Ok(())
}

/// Plays the loop: looks at the verdicts whenever it is told that one has changed.
fn listen(engine: &Engine, events: &mpsc::Receiver<ipvsd::reconcile::Event>, until: Instant) {
    while events.recv_timeout(until.saturating_duration_since(Instant::now())).is_ok() {
        // The loop gathers what comes within a moment, too.
        std::thread::sleep(Duration::from_millis(20));
        drop(engine.verdicts());
    }
}

struct Report {
    options: Options,
    elapsed: Duration,
    first: Meter,
    steady: Meter,
    usage: measure::Usage,
    /// KiB
    peak: u64,
    /// Runs that ended in a second, for each tenth of one.
    spread: Vec<f64>,
    /// In TIME_WAIT on our side, and on the servers'.
    waiting: [usize; 2],
    /// Before, the most, after.
    descriptors: [usize; 3],
    /// All of them at first, and the same again.
    assigned: [Duration; 2],
    /// The slowest answer to what the verdicts are.
    pass: Duration,
}

impl Report {
    fn rows(&self) -> Vec<(&'static str, f64, &'static str)> {
        let ms = |duration: Duration| (duration.as_secs_f64() * 1e5).round() / 100.0;
        let share = |time: Duration| (time.as_secs_f64() / self.elapsed.as_secs_f64() * 1000.0).round() / 10.0;
        let mean = self.spread.iter().sum::<f64>() / self.spread.len().max(1) as f64;
        let variance =
            self.spread.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / self.spread.len().max(1) as f64;
        let percent = |value: f64| (value * 1000.0).round() / 10.0;
        let (lowest, highest) =
            self.spread.iter().fold((f64::MAX, 0.0_f64), |(low, high), rate| (low.min(*rate), high.max(*rate)));
        vec![
            ("destinations", f64::from(self.options.destinations), ""),
            ("checked by http", f64::from(self.options.http), "%"),
            ("interval", ms(self.options.interval), "ms"),
            ("checks at once, at most", self.options.at_once as f64, ""),
            ("measured for", (self.elapsed.as_secs_f64() * 10.0).round() / 10.0, "s"),
            ("runs", self.steady.runs as f64, ""),
            ("runs that failed", self.steady.bad as f64, ""),
            ("CPU, of one core", share(self.usage.user + self.usage.system), "%"),
            ("… in user space", share(self.usage.user), "%"),
            ("… in the kernel", share(self.usage.system), "%"),
            ("peak memory", (self.peak as f64 / 102.4).round() / 10.0, "MiB"),
            ("start late, median", ms(self.steady.lateness(0.5)), "ms"),
            ("start late, p99", ms(self.steady.lateness(0.99)), "ms"),
            ("start late, p99.9", ms(self.steady.lateness(0.999)), "ms"),
            ("start late, most", ms(self.steady.lateness(1.0)), "ms"),
            ("start late at first, p99", ms(self.first.lateness(0.99)), "ms"),
            ("start late at first, most", ms(self.first.lateness(1.0)), "ms"),
            ("rate per 100 ms, deviation", percent(variance.sqrt() / mean), "%"),
            ("rate per 100 ms, lowest", percent(lowest / mean), "%"),
            ("rate per 100 ms, highest", percent(highest / mean), "%"),
            ("in flight, most", self.steady.max_in_flight as f64, ""),
            ("in TIME_WAIT, ours", self.waiting[0] as f64, ""),
            ("in TIME_WAIT, the servers'", self.waiting[1] as f64, ""),
            ("descriptors before", self.descriptors[0] as f64, ""),
            ("descriptors, most seen", self.descriptors[1] as f64, ""),
            ("descriptors after", self.descriptors[2] as f64, ""),
            ("assign all", ms(self.assigned[0]), "ms"),
            ("assign the same again", ms(self.assigned[1]), "ms"),
            ("verdicts, slowest", ms(self.pass), "ms"),
        ]
    }

    fn print(&self) {
        let rows = self.rows();
        println!("| what | measured |\n|---|---:|");
        for (what, value, unit) in &rows {
            println!("| {what} | {value}{}{unit} |", if unit.is_empty() { "" } else { " " });
        }
        let json: serde_json::Map<String, serde_json::Value> =
            rows.iter().map(|(what, value, _)| ((*what).to_owned(), (*value).into())).collect();
        println!("\n{}", serde_json::Value::Object(json));
    }
}
