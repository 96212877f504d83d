//! Programming a table: from none to a full one, and a pass over one that is full.
//!
//! Every cold run has a network namespace of its own, and is valid only if the kernel then lists exactly the table that it was told.
//! What is compared with each other runs one after the other, round by round.

mod report;
mod sections;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};
use ipvsd::config;
use ipvsd::host::Edge;
use ipvsd::ipvs::{Ipvs, Kernel, Outcome, carry_out};
use ipvsd::model::{Desired, Protocol, Record, ServiceKey, Table};
use ipvsd::plan::{self, Operation};
use ipvsd::reconcile::{FileStore, Ground, Hands, Options, Place, RecordStore, Sight, Terms, pass, unix_now};

use crate::guest::Lab;
use crate::net;
use crate::process::{self, Daemon};
use crate::shape::Shape;
pub use sections::{BY_INSTRUCTIONS, SECTION};

/// How long a peer may take to its full table.
const FULL_WITHIN: Duration = Duration::from_secs(300);

// The names of what is measured.
const RESTORE: &str = "ipvsadm -R";
const KEEPALIVED: &str = "keepalived, start to full table";
const LDIRECTORD: &str = "ldirectord, start to full table";
const BATCH: &str = "C, batched";
const SINGLE: &str = "C, one by one";
const OPERATIONS: &str = "ipvsd, the operations";
pub const APPLY: &str = "ipvsd apply";
const LOAD: &str = "ipvsd, the configuration";
const READ_BACK: &str = "ipvsd, the read back";
pub const DUMP: &str = "C, bare dumps";
const NARROW: &str = "C, bare dumps of a page each";
const READ: &str = "ipvsd, the read alone";
pub const PASS: &str = "ipvsd, a converged pass";
const APPLY_AGAIN: &str = "ipvsd apply, converged";

/// By instructions, up to the largest table.
fn measure_by_instructions(lab: &mut Lab) -> anyhow::Result<()> {
    let sizes: &[u32] = if lab.options.quick { &[10, 100] } else { &[10, 100, 1000, 10_000] };
    measure(lab, sizes, &[])
}

/// By an ordinary clock, with ldirectord, too. A run that takes minutes has more of the host in it than of anything else.
fn measure_by_clock(lab: &mut Lab) -> anyhow::Result<()> {
    let sizes: &[u32] = if lab.options.quick { &[10, 100] } else { &[10, 100, 1000] };
    measure(lab, sizes, &[LDIRECTORD_SIZE])
}

fn measure(lab: &mut Lab, sizes: &[u32], of_ldirectord: &[u32]) -> anyhow::Result<()> {
    let bench = Bench { lab, folder: PathBuf::from("/run/bench") };
    fs::create_dir_all(&bench.folder)?;
    for size in sizes {
        bench.prepare(Shape::of(*size))?;
    }
    for size in of_ldirectord {
        bench.prepare(Shape::of(*size))?;
    }
    // Where ldirectord looks for them.
    for (program, link) in [("ipvsadm", "/sbin/ipvsadm"), ("perl", "/usr/bin/perl")] {
        if !Path::new(link).exists() {
            std::os::unix::fs::symlink(Path::new("/usr/local/bin").join(program), link)?;
        }
    }
    // Programs that run for the first time wait for the machine, which translates them: once for nothing.
    bench.warm_up(Shape::of(10)).context("the warm-up")?;
    for round in 0..bench.lab.options.runs {
        for size in sizes {
            bench.round(round, Shape::of(*size)).with_context(|| format!("{size} × 10, round {round}"))?;
        }
        for size in of_ldirectord {
            bench.ldirectord(round, Shape::of(*size)).context("ldirectord")?;
        }
    }
    Ok(())
}

/// It starts ipvsadm several times for each destination, and reads all that it lists.
const LDIRECTORD_SIZE: u32 = 1;
/// What one operation at a time takes too long for.
const MOST_SINGLE: u32 = 1000;

struct Bench<'a> {
    lab: &'a Lab,
    folder: PathBuf,
}

impl Bench<'_> {
    fn file(&self, shape: Shape, kind: &str) -> PathBuf {
        self.folder.join(format!("{}.{kind}", shape.services))
    }

    fn prepare(&self, shape: Shape) -> anyhow::Result<()> {
        let kinds = [
            ("toml", shape.toml("")),
            ("rules", shape.rules()),
            ("keepalived", shape.keepalived()),
            ("ldirectord", shape.ldirectord()),
        ];
        for (kind, text) in kinds {
            fs::write(self.file(shape, kind), text)?;
        }
        Ok(())
    }

    fn warm_up(&self, shape: Shape) -> anyhow::Result<()> {
        self.prepare(shape)?;
        net::fresh(|| self.restore(shape))?;
        net::fresh(|| self.keepalived(shape))?;
        net::fresh(|| self.operations(shape))?;
        net::fresh(|| process::time(&mut self.ipvsd(&["apply"], shape, &self.state()?)))?;
        for mode in ["batch", "single", "dump", "narrow"] {
            let shape = if ["dump", "narrow"].contains(&mode) { Shape { services: 0, ..shape } } else { shape };
            net::fresh(|| self.minimal(mode, shape))?;
        }
        Ok(())
    }

    /// A state directory with nothing in it.
    fn state(&self) -> anyhow::Result<PathBuf> {
        let state = self.folder.join("state");
        if state.exists() {
            fs::remove_dir_all(&state)?;
        }
        fs::create_dir_all(&state)?;
        Ok(state)
    }

    fn say(&self, what: &str, shape: Shape, round: u32, took: Duration) -> anyhow::Result<()> {
        eprintln!("{what}, {} × {}: {:.0} ms", shape.services, shape.destinations, took.as_secs_f64() * 1e3);
        self.lab.say(what, shape.services, round, &[("ms", took.as_secs_f64() * 1e3)])
    }

    /// Everybody once, each on a kernel as new.
    fn round(&self, round: u32, shape: Shape) -> anyhow::Result<()> {
        let cold = |what: &str, work: &(dyn Fn() -> anyhow::Result<Duration> + Sync)| -> anyhow::Result<()> {
            let checked = || {
                let took = work()?;
                net::must_be(shape)?;
                if round == 0 {
                    net::must_be_by_ipvsadm(shape)?;
                }
                Ok(took)
            };
            let took = net::fresh(checked).with_context(|| what.to_owned())?;
            self.say(what, shape, round, took)
        };
        cold(BATCH, &|| self.minimal("batch", shape))?;
        cold(OPERATIONS, &|| self.operations(shape))?;
        cold(SINGLE, &|| self.minimal("single", shape))?;
        if shape.services <= MOST_SINGLE {
            cold(RESTORE, &|| self.restore(shape))?;
        }
        cold(KEEPALIVED, &|| self.keepalived(shape))?;
        net::fresh(|| self.apply(round, shape))
    }

    fn minimal(&self, mode: &str, shape: Shape) -> anyhow::Result<Duration> {
        let words = [mode, &shape.services.to_string(), &shape.destinations.to_string()];
        let program = self.lab.options.minimal.to_str().context("a path")?;
        let said = process::run(program, &words, "")?;
        Ok(Duration::from_secs_f64(said.trim().parse::<f64>()? / 1e3))
    }

    fn load(&self, shape: Shape) -> anyhow::Result<Desired> {
        let loaded = config::load(&[self.file(shape, "toml")]);
        Ok(loaded.map_err(|problems| anyhow!("the configuration is wrong: {problems:?}"))?.desired)
    }

    /// The operations of the plan, through the library, as a pass carries them out.
    fn operations(&self, shape: Shape) -> anyhow::Result<Duration> {
        let desired = self.load(shape)?;
        let plan = plan::diff(&Table::default(), &desired.table, &desired.manage, &Record::default());
        let operations: Vec<&Operation> = plan.steps.iter().map(|step| &step.operation).collect();
        let mut kernel = Kernel::open()?;
        let begin = Instant::now();
        let outcomes = carry_out(&mut kernel, &operations)?;
        let took = begin.elapsed();
        ensure!(operations.len() == shape.objects() as usize, "{} operations", operations.len());
        let failed = outcomes.iter().find(|outcome| **outcome != Outcome::Done);
        ensure!(failed.is_none(), "an operation came to {failed:?}");
        Ok(took)
    }

    fn restore(&self, shape: Shape) -> anyhow::Result<Duration> {
        let rules = fs::File::open(self.file(shape, "rules"))?;
        process::time(Command::new("ipvsadm").arg("-R").stdin(rules))
    }

    /// From its start until the last destination is there; it has been quiet about it, since it would else wait for the console.
    fn keepalived(&self, shape: Shape) -> anyhow::Result<Duration> {
        let mut command = Command::new("keepalived");
        command.args(["--dont-fork", "--check", "--no-syslog", "--use-file"]).arg(self.file(shape, "keepalived"));
        for kind in ["pid", "checkers_pid"] {
            command.arg(format!("--{kind}")).arg(self.folder.join(kind));
        }
        until_full(&mut command, shape)
    }

    fn ldirectord(&self, round: u32, shape: Shape) -> anyhow::Result<()> {
        let took = net::fresh(|| {
            let mut command = Command::new("ldirectord");
            command.arg(self.file(shape, "ldirectord")).arg("start").env("LC_ALL", "C");
            let took = until_full(&mut command, shape)?;
            net::must_be(shape)?;
            Ok(took)
        })?;
        self.say(LDIRECTORD, shape, round, took)
    }

    fn ipvsd(&self, words: &[&str], shape: Shape, state: &Path) -> Command {
        let mut command = Command::new(&self.lab.options.ipvsd);
        command.args(words).arg("--config").arg(self.file(shape, "toml")).arg("--state-dir").arg(state);
        command.stdout(Stdio::null());
        command
    }

    /// `ipvsd apply` on an empty table, and then what it takes to look at a full one.
    fn apply(&self, round: u32, shape: Shape) -> anyhow::Result<()> {
        let state = self.state()?;
        let took = process::time(&mut self.ipvsd(&["apply"], shape, &state))?;
        net::must_be(shape)?;
        self.say(APPLY, shape, round, took)?;
        if round == 0 {
            net::must_be_by_ipvsadm(shape)?;
        }
        self.say(DUMP, shape, round, self.minimal("dump", shape)?)?;
        self.say(NARROW, shape, round, self.minimal("narrow", shape)?)?;
        let begin = Instant::now();
        let desired = self.load(shape)?;
        self.say(LOAD, shape, round, begin.elapsed())?;
        let keys: Vec<ServiceKey> = desired.table.services.keys().copied().collect();
        let mut kernel = Kernel::open()?;
        let begin = Instant::now();
        let found = kernel.read_services(&keys)?;
        let took = begin.elapsed();
        ensure!(found.len() == shape.services as usize, "{} services were read back", found.len());
        drop(found);
        self.say(READ_BACK, shape, round, took)?;
        let begin = Instant::now();
        let live = kernel.read()?;
        let took = begin.elapsed();
        ensure!(live.services.len() == shape.services as usize, "{} services were read", live.services.len());
        drop(live);
        self.say(READ, shape, round, took)?;
        self.say(PASS, shape, round, self.pass(shape, &state)?)?;
        let took = process::time(&mut self.ipvsd(&["apply"], shape, &state))?;
        self.say(APPLY_AGAIN, shape, round, took)?;
        net::must_be(shape)
    }

    /// A whole pass, through the library.
    fn pass(&self, shape: Shape, state: &Path) -> anyhow::Result<Duration> {
        let desired = self.load(shape)?;
        let mut store = FileStore::new(state, Place::here()?);
        let (mut record, _) = store.load()?;
        let (mut kernel, mut host) = (Kernel::open()?, Edge::default());
        let begin = Instant::now();
        let ground = Ground { ipvs: &mut kernel, host: &mut host };
        let hands = Hands { ground, record: &mut record, store: &mut store };
        let options = Options { force: false, only: None, held: &|_| None, host_held: &|_| None };
        let report = pass(hands, Terms::plain(&desired, unix_now()), &mut Sight::Once { status: None }, &options)?;
        let took = begin.elapsed();
        ensure!(report.results.is_empty(), "a pass over a converged table had {} operations", report.results.len());
        let unchanged = report.plan.unchanged;
        ensure!(unchanged == shape.objects() as usize, "a pass found {unchanged} objects unchanged");
        Ok(took)
    }
}

/// Starts a daemon, and says how long it takes until the kernel has the whole table.
///
/// The last service is asked for, again and again, since that costs the kernel next to nothing; when it is there, all of it.
fn until_full(command: &mut Command, shape: Shape) -> anyhow::Result<Duration> {
    let last = shape.service(shape.services - 1);
    let last = ServiceKey::Address { protocol: Protocol::Tcp, address: (*last.ip()).into(), port: last.port() };
    let mut kernel = Kernel::open()?;
    let begin = Instant::now();
    let mut daemon = Daemon::start(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()))?;
    let took = loop {
        let found = kernel.read_services(&[last])?;
        let is_full = |len: usize| len == shape.destinations as usize;
        if found.get(&last).is_some_and(|service| is_full(service.destinations.len())) {
            let took = begin.elapsed();
            if net::must_be(shape).is_ok() {
                break took;
            }
        }
        if begin.elapsed() > FULL_WITHIN {
            return Err(net::must_be(shape).err().unwrap_or_else(|| anyhow!("the table is full by now")))
                .with_context(|| format!("the table is not full after {FULL_WITHIN:?}"));
        }
        daemon.must_run()?;
        std::thread::sleep(Duration::from_millis(2));
    };
    daemon.kill()?;
    Ok(took)
}
