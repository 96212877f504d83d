//! What needs no kernel, measured on the host itself: from the start of a process to the end of its first pass, and the binary.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Instant;

use anyhow::{Context, ensure};
use ipvsd::daemon::control::StatusCell;
use ipvsd::daemon::{FileSource, HookRunner, Lock, Runtime};
use ipvsd::health::Engine;
use ipvsd::host::Edge;
use ipvsd::ipvs::Fake;
use ipvsd::reconcile::{Company, Event, FileStore, Loop, Now, Place, RecordStore as _, StoredOverrides};

use crate::guest::Lab;
use crate::run::{Cell, Runs};
use crate::section::{Figure, Part, Reach, Row, Section};
use crate::shape::Shape;

pub const SECTION: Section = Section {
    name: "native",
    needs: &[],
    memory: "host",
    seconds: [120, 60],
    rows: &[
        Row {
            id: "start",
            what: "start to first pass done, 100 × 10, native with a fake kernel",
            against: "–",
            reach: Reach::Below(50.0, "ms"),
        },
        Row { id: "binary", what: "stripped release binary", against: "–", reach: Reach::Below(12.0, "MB") },
    ],
    measure,
    report,
};

const START: &str = "start to first pass";
const BINARY: &str = "binary";
const SIZE: u32 = 100;

fn measure(lab: &mut Lab) -> anyhow::Result<()> {
    let folder = env::temp_dir().join(format!("ipvsd-bench-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let done = measure_in(lab, &folder);
    fs::remove_dir_all(&folder)?;
    done
}

fn measure_in(lab: &Lab, folder: &Path) -> anyhow::Result<()> {
    let config = folder.join("ipvsd.toml");
    fs::write(&config, Shape::of(SIZE).toml(""))?;
    for round in 0..=lab.options.runs * 2 {
        let state = folder.join(format!("state-{round}"));
        let mut command = Command::new(env::current_exe()?);
        command.arg("first-pass").arg(&config).arg(&state).stdout(Stdio::null());
        let begin = Instant::now();
        let status = command.status()?;
        let took = begin.elapsed();
        ensure!(status.success(), "the first pass failed: {status}");
        // The first one has to be read from the disk.
        if round > 0 {
            eprintln!("start to first pass: {:.1} ms", took.as_secs_f64() * 1e3);
            lab.say(START, SIZE, round, &[("ms", took.as_secs_f64() * 1e3)])?;
        }
    }
    let size = fs::metadata(&lab.options.ipvsd)?.len() as f64 / 1e6;
    lab.say(BINARY, 0, 0, &[("mb", size)])
}

/// A process of its own: what `ipvsd run` does until its first pass is done (`daemon::run`), on a kernel that is a fake.
pub fn first_pass(arguments: &[String]) -> anyhow::Result<()> {
    let [config, state] = arguments else { anyhow::bail!("which configuration, and where is its state?") };
    let mut source = FileSource::new(vec![PathBuf::from(config)], Some(PathBuf::from(state)));
    let desired = source.first().map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
    let (wake, events) = channel();
    let send = move |event| wake.send(event).unwrap_or_default();
    let _lock = Lock::take(&desired.state_dir)?;
    let mut store = FileStore::new(&desired.state_dir, Place::here()?);
    let (record, _) = store.load()?;
    let mut kernel = Fake::new();
    let runtime = Runtime::start()?;
    let spawner = runtime.spawner();
    let mut hooks = HookRunner::start(&spawner);
    let (mut engine, runner) = Engine::new(send.clone(), desired.checks_at_once);
    spawner.spawn_local(|| runner.run());
    let board = StatusCell::default();
    let mut overrides = StoredOverrides::new(&desired.state_dir);
    source.watch(send.clone());
    // It is heard when the first pass is done.
    send(Event::Stop);
    let mut host = Edge::default();
    let company = Company {
        source: &mut source,
        store: &mut store,
        overrides: &mut overrides,
        checker: &mut engine,
        listener: &mut hooks,
        host: &mut host,
        board: &mut board.clone(),
    };
    Loop::new(&mut kernel, company, (desired, record), Now::read()).run(&events, &Now::read);
    let shape = Shape::of(SIZE);
    let made: usize = kernel.table().values().map(|service| 1 + service.destinations.len()).sum();
    ensure!(made == shape.objects() as usize, "the first pass made {made} objects");
    ensure!(board.get().pass_at > 0, "there was no pass");
    Ok(())
}

fn report(runs: &Runs) -> anyhow::Result<Part> {
    let mut part = Part::default();
    let start = runs.spread(Cell { what: START, size: SIZE, value: "ms" })?;
    part.figures.insert("start", Figure { value: start, note: "on the host itself".to_owned() });
    let binary = runs.spread(Cell { what: BINARY, size: 0, value: "mb" }).context("the binary")?;
    part.figures.insert("binary", Figure { value: binary, note: String::new() });
    Ok(part)
}
