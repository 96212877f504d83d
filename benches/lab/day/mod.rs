//! The shape of 24 hours in ten minutes: many services with checks, and everybody changes something all the time.
//!
//! An edit of the file a second; somebody else's `ipvsadm` twice a minute; listeners that close and open again; `ipvsd weight` and
//! `ipvsd drain` now and then. Containers that come and go have their place in [`people`], once there is a source for them.
//!
//! It is not valid if in the end the table is not what the file and the listeners say, if drift was not repaired, or if the log
//! has a failure. Whether memory, descriptors and threads are level is what it measures.

mod daemon;
mod listeners;
mod people;
mod report;
mod town;

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::guest::Lab;
use crate::process::run;
use crate::run::Spread;
use crate::section::{Need, Reach, Row, Section};
use daemon::Daemon;
use listeners::Listeners;
use people::{Editor, Health, Meddler, Operator};
use town::Town;

const AGAINST: &str = "the second quarter of the day";

pub const SECTION: Section = Section {
    name: "day",
    // Emulated processors are too slow for so many checks, and what comes late is then taken for lost.
    needs: &[Need::UserModeLinux],
    memory: "1024M",
    seconds: [1200, 300],
    rows: &[
        Row { id: "rss", what: "a day's resident set, last quarter", against: AGAINST, reach: Reach::Times(1.05) },
        Row {
            id: "descriptors",
            what: "a day's open descriptors, last quarter",
            against: AGAINST,
            reach: Reach::Times(1.05),
        },
        Row { id: "threads", what: "a day's threads, last quarter", against: AGAINST, reach: Reach::Times(1.0) },
    ],
    measure,
    report: report::report,
};

/// How large, how long, and how often what happens: all in seconds.
struct Shape {
    services: u32,
    interval: u32,
    seconds: u32,
    drift: u32,
    close: u32,
    order: u32,
}

const FULL: Shape = Shape { services: 1000, interval: 30, seconds: 600, drift: 30, close: 3, order: 10 };
const QUICK: Shape = Shape { services: 100, interval: 5, seconds: 60, drift: 10, close: 3, order: 5 };
/// Between two looks at the process, in seconds.
const SAMPLE: u32 = 2;
/// Checks may need three intervals, and what waits for a resync half a minute.
const PATIENCE: Duration = Duration::from_secs(180);

fn measure(lab: &mut Lab) -> anyhow::Result<()> {
    let shape = if lab.options.quick { QUICK } else { FULL };
    let mut town = Town::new(shape.services, shape.interval);
    let size = u32::try_from(town.destinations())?;
    let listeners = Listeners::start(town.destinations())?;
    for destination in town.services.iter().flat_map(|service| &service.destinations) {
        listeners.open(destination.address)?;
    }
    // The file is alone in its folder: whatever else is written there wakes the daemon.
    let (folder, state) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let mut editor = Editor::new(folder.path().join("ipvsd.toml"), state.path().join("new.toml"), 1);
    editor.write(&town)?;
    let mut daemon = Daemon::start(&lab.options.ipvsd, &editor.file, state.path())?;
    settle(&town).context("at the start")?;

    let (mut meddler, mut health, mut operator) = (Meddler::new(2), Health::new(3), Operator::new(4));
    let (begin, checks) = (Instant::now(), listeners.accepted());
    let mut last = (begin, daemon.sample()?.cpu_seconds);
    for second in 1..=shape.seconds {
        sleep((begin + Duration::from_secs(u64::from(second))).saturating_duration_since(Instant::now()));
        editor.edit(&mut town)?;
        if second % shape.drift == 0 {
            meddler.meddle(&town)?;
        }
        if second % shape.close == 0 {
            health.close(&mut town, &listeners)?;
        }
        health.open(&mut town, &listeners)?;
        if second % shape.order == 0 {
            operator.order(&town, &daemon)?;
        }
        meddler.look(&town)?;
        if second % SAMPLE == 0 {
            let (now, sample) = (Instant::now(), daemon.sample()?);
            let values = [
                ("seconds", (now - begin).as_secs_f64()),
                ("rss_mib", sample.rss_kib / 1024.0),
                ("anonymous_mib", sample.anonymous_kib / 1024.0),
                ("descriptors", sample.descriptors),
                ("threads", sample.threads),
                ("processor_percent", (sample.cpu_seconds - last.1) / (now - last.0).as_secs_f64() * 100.0),
            ];
            lab.say("run", size, second / SAMPLE, &values)?;
            last = (now, sample.cpu_seconds);
        }
    }
    let elapsed = begin.elapsed().as_secs_f64();
    let checks = (listeners.accepted() - checks) as f64;

    operator.lift(&daemon)?;
    settle(&town).context("at the end")?;
    meddler.look(&town)?;
    ensure!(meddler.is_done(), "drift was not repaired");
    let (status, told) = daemon.end()?;
    ensure!(status.success(), "ipvsd run ended: {status}");
    ensure!(told.bad.is_empty(), "the log has what must not be there:\n{}", told.bad.join("\n"));
    let drifts = u64::try_from(meddler.repairs.len())?;
    ensure!(told.repaired >= drifts, "the log tells of {} repairs, and there were {drifts}", told.repaired);
    // Those that are closed are not counted by us, and asked more often.
    let due = f64::from(size) * elapsed / f64::from(shape.interval);
    ensure!(checks > due * 0.8, "{checks} checks came, and {due} were due");
    ensure!(
        elapsed < f64::from(shape.seconds) * 1.5,
        "the day took {elapsed} s instead of {}: too slow a machine",
        shape.seconds
    );

    let repairs = Spread::of(meddler.repairs.iter().map(Duration::as_secs_f64)).context("no drift")?;
    let passes = Spread::of(told.milliseconds.iter().copied()).context("no pass changed anything")?;
    let values = [
        ("seconds", elapsed),
        ("edits", f64::from(editor.edits)),
        ("drifts", drifts as f64),
        ("repair_seconds", repairs.median),
        ("repair_seconds_most", repairs.high),
        ("flips", f64::from(health.flips)),
        ("overrides", f64::from(operator.orders)),
        ("checks", checks),
        ("passes", told.passes as f64),
        ("pass_milliseconds", passes.median),
        ("pass_milliseconds_most", passes.high),
    ];
    lab.say("day", size, 1, &values)
}

/// Waits until the table is what the file and the listeners say, by `ipvsadm`.
fn settle(town: &Town) -> anyhow::Result<()> {
    let begin = Instant::now();
    let wanted = town.table();
    loop {
        let found: BTreeSet<String> =
            run("ipvsadm", &["-Sn"], "")?.lines().map(|line| line.trim_end().to_owned()).collect();
        if found == wanted {
            return Ok(());
        }
        if begin.elapsed() > PATIENCE {
            let show =
                |lines: Vec<&String>| lines.iter().take(10).map(|line| format!("\n  {line}")).collect::<String>();
            let (missing, wrong) = (wanted.difference(&found).collect(), found.difference(&wanted).collect());
            anyhow::bail!("the table is not as it must be; missing:{}\ntoo much:{}", show(missing), show(wrong));
        }
        sleep(Duration::from_millis(500));
    }
}
