//! What a scrape costs with 10,000 destinations: the making of the page, and all of it over TCP on this host.
//!
//! `cargo bench --bench metrics [-- --json]`
//!
//! Prints a line for each figure, or the same as JSON: the median of so many scrapes, in milliseconds, and the longest, beside the limit that
//! is promised and whether it is kept; and at the end whether the run was valid. It fails only when it was not: a scrape that is not all of it.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is for people to read")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use ipvsd::api::{self, About, Backstage, Broadcast, Sample, Scene};
use ipvsd::model::{
    Api, ApiListen, DestinationKey, DestinationSettings, Forward, Health, Live, LiveDestination, LiveService,
    Scheduler, ServiceFlags, ServiceKey, ServiceSettings, Stats,
};
use ipvsd::reconcile::{CheckVerdict, DestinationStatus, Event, ServiceStatus, Status, Verdict, Verdicts};
use serde_json::json;
use tokio::sync::watch;

const SERVICES: u16 = 1000;
const DESTINATIONS: u8 = 10;
const ROUNDS: usize = 15;
/// What is promised of the release build, in milliseconds.
const LIMIT: f64 = 250.0;

fn main() -> ExitCode {
    let as_json = std::env::args().any(|argument| argument == "--json");
    match figures(as_json) {
        Ok(()) => {
            if !as_json {
                println!("valid: every scrape was whole");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("NOT VALID: {error:#}");
            ExitCode::FAILURE
        }
    }
}

struct Still {
    about: About,
    status: Arc<Status>,
    verdicts: Arc<Verdicts>,
    sample: Arc<Sample>,
    broadcast: Broadcast,
}

impl Backstage for Still {
    fn about(&self) -> &About {
        &self.about
    }

    fn status(&self) -> Arc<Status> {
        Arc::clone(&self.status)
    }

    fn verdicts(&self) -> Arc<Verdicts> {
        Arc::clone(&self.verdicts)
    }

    fn sample(&self) -> Arc<Sample> {
        Arc::clone(&self.sample)
    }

    fn wake(&self, _: Event) {}

    fn unix(&self) -> u64 {
        1_700_000_000
    }

    fn broadcast(&self) -> &Broadcast {
        &self.broadcast
    }
}

fn still() -> Still {
    let (mut status, mut verdicts, mut live) = (Status::default(), Verdicts::default(), Live::default());
    let since = Instant::now();
    for number in 0..SERVICES {
        let service = ServiceKey::Mark { family: ipvsd::model::Family::V4, mark: u32::from(number) + 1 };
        let mut told = ServiceStatus {
            name: Some(format!("service-{number}")),
            up: DESTINATIONS.into(),
            of: DESTINATIONS.into(),
            ..ServiceStatus::default()
        };
        let mut there = LiveService {
            settings: ServiceSettings {
                scheduler: Scheduler::new("wlc"),
                flags: ServiceFlags::default(),
                persistence: None,
            },
            stats: stats(u64::from(number) * 1_000_003),
            destinations: Default::default(),
        };
        for last in 1..=DESTINATIONS {
            let [high, low] = number.to_be_bytes();
            let destination = DestinationKey { address: [10, high, low, last].into(), port: 8080 };
            let settings =
                DestinationSettings { forward: Forward::Nat, weight: 100, max_connections: 0, min_connections: 0 };
            there.destinations.insert(
                destination,
                LiveDestination {
                    settings,
                    active_connections: 1234,
                    inactive_connections: 56,
                    persistent_connections: 7,
                    stats: stats(u64::from(number) * 10_007 + u64::from(last)),
                },
            );
            told.destinations.insert(
                destination,
                DestinationStatus {
                    health: Some(Health::Up),
                    checks: Some(Health::Up),
                    since: Some(1_700_000_000),
                    configured: Some(100),
                    effective: 100,
                    ..DestinationStatus::default()
                },
            );
            let check = CheckVerdict {
                name: "web".to_owned(),
                kind: "http",
                health: Health::Up,
                reason: String::new(),
                flapping: false,
                took: Some(Duration::from_micros(1234)),
            };
            let verdict = Verdict { health: Health::Up, reason: String::new(), since, checks: vec![check] };
            verdicts.destinations.insert((service, destination), verdict);
        }
        status.services.insert(service, told);
        live.services.insert(service, there);
    }
    Still {
        broadcast: Broadcast::default(),
        about: About { version: "0".to_owned(), pid: 1, started: 1_700_000_000 },
        status: Arc::new(status),
        verdicts: Arc::new(verdicts),
        sample: Arc::new(Sample { unix_ms: 1_700_000_000_000, live }),
    }
}

fn stats(count: u64) -> Stats {
    Stats {
        connections: count,
        in_packets: count * 12,
        out_packets: count * 11,
        in_bytes: count * 1500,
        out_bytes: count * 15_000,
        connection_rate: 250,
        in_packet_rate: 3000,
        out_packet_rate: 2800,
        in_byte_rate: 400_000,
        out_byte_rate: 4_000_000,
    }
}

fn figures(as_json: bool) -> anyhow::Result<()> {
    let still = Arc::new(still());
    let most_destinations = usize::from(SERVICES) * usize::from(DESTINATIONS);
    let scene = Scene {
        about: &still.about,
        status: &still.status,
        verdicts: &still.verdicts,
        sampled: still.sample.unix_ms,
        live: &still.sample.live,
        traffic: &api::Traffic::default(),
        broadcast: &still.broadcast,
        most_services: SERVICES.into(),
        most_destinations,
    };
    let page = api::render_metrics(&scene);
    ensure!(page.matches("ipvsd_destination_up{").count() == most_destinations, "not every destination is in it");
    let made = (0..ROUNDS).map(|_| {
        let started = Instant::now();
        let length = std::hint::black_box(api::render_metrics(&scene)).len();
        Ok((length, started.elapsed()))
    });
    say("making the page", page.len(), made, as_json)?;

    let address = serve(Arc::clone(&still))?;
    let scraped = (0..ROUNDS).map(|_| {
        // Past the time in which a page serves others, too.
        thread::sleep(Duration::from_millis(1050));
        let started = Instant::now();
        let length = scrape(address)?;
        Ok((length, started.elapsed()))
    });
    say("a scrape", page.len(), scraped, as_json)
}

fn say(
    name: &str,
    expected: usize,
    runs: impl Iterator<Item = anyhow::Result<(usize, Duration)>>,
    as_json: bool,
) -> anyhow::Result<()> {
    let mut times = Vec::new();
    for run in runs {
        let (length, took) = run?;
        // What HTTP has counted meanwhile makes a page a little longer.
        ensure!((expected..expected + 4096).contains(&length), "{name}: {length} bytes instead of {expected}");
        times.push(took.as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    let median = times.get(times.len() / 2).copied().context("nothing was measured")?;
    let longest = times.last().copied().unwrap_or(median);
    let megabytes = expected as f64 / 1e6;
    if as_json {
        println!(
            "{}",
            json!({
                "name": name,
                "median_ms": median,
                "longest_ms": longest,
                "megabytes": megabytes,
                "limit_ms": LIMIT,
                "is_within": median <= LIMIT,
                "runs": times.len(),
                "valid": true,
            })
        );
    } else {
        let word = if median <= LIMIT { "within" } else { "OVER" };
        let runs = times.len();
        println!(
            "{name}: {median:.1} ms, median of {runs} (longest {longest:.1}), {megabytes:.1} MB; {word} the limit of {LIMIT} ms"
        );
    }
    Ok(())
}

fn serve(stage: Arc<Still>) -> anyhow::Result<SocketAddr> {
    let listen = ApiListen::Tcp(([127, 0, 0, 1], 0).into());
    let (wanted, of_server) = watch::channel(Some(Arc::new(Api { listen, ..Api::default() })));
    let (told, listening) = watch::channel(None);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if let Ok(runtime) = runtime {
            runtime.block_on(api::serve(api::router(stage), of_server, told));
        }
        drop(wanted);
    });
    let started = Instant::now();
    loop {
        if let Some(ApiListen::Tcp(address)) = listening.borrow().clone() {
            return Ok(address);
        }
        ensure!(started.elapsed() < Duration::from_secs(10), "the server does not listen");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The length of the body.
fn scrape(address: SocketAddr) -> anyhow::Result<usize> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    ensure!(answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(b"# EOF\n"), "it is not a page of metrics");
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n").context("there is no head")?;
    Ok(answer.len() - head - 4)
}
