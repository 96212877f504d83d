//! A running `ipvsd run`, for the sections that look at one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::guest::Lab;
use crate::net;
use crate::process::Daemon;
use crate::shape::Shape;
use crate::usage;

/// Where a daemon has its files.
#[derive(Debug, Clone)]
pub struct Place {
    /// Alone in its folder: what else is written there would wake the daemon.
    pub config: PathBuf,
    pub state: PathBuf,
    log: PathBuf,
}

impl Place {
    /// New, empty folders.
    pub fn new(folder: &str) -> anyhow::Result<Self> {
        let folder = Path::new("/run/bench").join(folder);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        let (config, state) = (folder.join("config"), folder.join("state"));
        for folder in [&config, &state] {
            fs::create_dir_all(folder)?;
        }
        Ok(Self { config: config.join("ipvsd.toml"), state, log: folder.join("log") })
    }

    /// Replaces the configuration, as every editor does.
    pub fn rename_into(&self, text: &str) -> anyhow::Result<Instant> {
        let new = self.state.with_file_name("new.toml");
        fs::write(&new, text)?;
        let at = Instant::now();
        fs::rename(&new, &self.config)?;
        Ok(at)
    }

    /// The command with what all of them need.
    pub fn command(&self, lab: &Lab, words: &[&str]) -> Command {
        let mut command = Command::new(&lab.options.ipvsd);
        command.args(words).arg("--config").arg(&self.config).arg("--state-dir").arg(&self.state);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }
}

/// How long a first pass may take.
const FIRST_PASS_WITHIN: Duration = Duration::from_secs(300);
const LOOK: Duration = Duration::from_micros(300);

/// Starts `ipvsd run`, and waits until its first pass has made the table and it has nothing to do any more.
pub fn start(lab: &Lab, place: &Place, shape: Shape) -> anyhow::Result<Daemon> {
    let log = fs::File::create(&place.log)?;
    let mut daemon = Daemon::start(place.command(lab, &["run"]).stderr(log))?;
    let begin = Instant::now();
    loop {
        thread::sleep(Duration::from_millis(300));
        daemon.must_run().with_context(|| said(place))?;
        let table = net::must_be(shape);
        match table {
            Ok(()) => break,
            Err(error) if begin.elapsed() > FIRST_PASS_WITHIN => return Err(error.context(said(place))),
            Err(_) => {}
        }
    }
    usage::rest(daemon.id())?;
    Ok(daemon)
}

/// The last of its log, for people who want to know why.
fn said(place: &Place) -> String {
    let log = fs::read_to_string(&place.log).unwrap_or_default();
    let from = log.lines().count().saturating_sub(10);
    let last: Vec<&str> = log.lines().skip(from).collect();
    format!("its log ends with: {}", last.join("\n"))
}

/// Waits until `is_so`; gives the moment when it was, late by a two-hundredth of what it took at most, or by [`LOOK`]. A look takes the
/// processor, of which there is one: to look all the time would be a fifth of what is measured where that takes long.
pub fn wait_until(
    what: &str,
    within: Duration,
    mut is_so: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<Instant> {
    let begin = Instant::now();
    loop {
        if is_so()? {
            return Ok(Instant::now());
        }
        if begin.elapsed() > within {
            bail!("waited {within:?} for {what}");
        }
        thread::sleep(LOOK.max(begin.elapsed() / 200));
    }
}

/// The same for what takes long, and costs something to look at.
pub fn wait_slowly(
    what: &str,
    within: Duration,
    mut is_so: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    wait_until(what, within, || {
        thread::sleep(Duration::from_millis(200));
        is_so()
    })
    .map(drop)
}
