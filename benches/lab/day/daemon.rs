//! `ipvsd run`, what it logs, and what the kernel says of its process.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// What its log said.
#[derive(Debug, Default)]
pub struct Told {
    pub passes: u64,
    /// How long the passes took, in milliseconds, that found a change to make.
    pub milliseconds: Vec<f64>,
    /// Operations that repaired drift.
    pub repaired: u64,
    /// Lines that must not be there.
    pub bad: Vec<String>,
}

pub struct Daemon {
    child: Child,
    told: Arc<Mutex<Told>>,
    reader: Option<JoinHandle<()>>,
    program: PathBuf,
    arguments: Vec<String>,
}

/// A look at its process.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub rss_kib: f64,
    pub anonymous_kib: f64,
    pub descriptors: f64,
    pub threads: f64,
    /// Of processor time, since it began.
    pub cpu_seconds: f64,
}

/// Of /proc, in a second: USER_HZ, which is the same wherever there is IPVS.
const TICKS: f64 = 100.0;

impl Daemon {
    pub fn start(program: &Path, config: &Path, state: &Path) -> anyhow::Result<Self> {
        let arguments = ["--config", &config.to_string_lossy(), "--state-dir", &state.to_string_lossy()]
            .map(str::to_owned)
            .to_vec();
        let mut child = Command::new(program)
            .args(&arguments)
            .args(["run", "--log-format", "json"])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("ipvsd run")?;
        let told = Arc::new(Mutex::new(Told::default()));
        let stderr = child.stderr.take().context("no standard error")?;
        let reader = std::thread::spawn({
            let told = Arc::clone(&told);
            move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    lock(&told).read(&line);
                }
            }
        });
        Ok(Self { child, told, reader: Some(reader), program: program.to_owned(), arguments })
    }

    /// Runs another of ipvsd's commands beside it.
    pub fn command(&self, words: &[&str]) -> anyhow::Result<()> {
        let ended = Command::new(&self.program).args(&self.arguments).args(words).stdin(Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&ended.stderr);
        ensure!(ended.status.success(), "ipvsd {}: {}: {said}", words.join(" "), ended.status);
        Ok(())
    }

    pub fn told(&self) -> MutexGuard<'_, Told> {
        lock(&self.told)
    }

    pub fn sample(&mut self) -> anyhow::Result<Sample> {
        if let Some(status) = self.child.try_wait()? {
            bail!("ipvsd run has ended: {status}: {:?}", self.told().bad);
        }
        let folder = Path::new("/proc").join(self.child.id().to_string());
        let status = fs::read_to_string(folder.join("status"))?;
        let number = |label: &str| -> anyhow::Result<f64> {
            let line =
                status.lines().find_map(|line| line.strip_prefix(label)).with_context(|| format!("no {label}"))?;
            Ok(line.trim().trim_end_matches("kB").trim().parse()?)
        };
        let stat = fs::read_to_string(folder.join("stat"))?;
        // The name, in parentheses, may hold anything.
        let (_, fields) = stat.rsplit_once(')').context("no name")?;
        let ticks: Result<Vec<f64>, _> = fields.split_whitespace().skip(11).take(2).map(str::parse).collect();
        Ok(Sample {
            rss_kib: number("VmRSS:")?,
            anonymous_kib: number("RssAnon:")?,
            descriptors: fs::read_dir(folder.join("fd"))?.count() as f64,
            threads: number("Threads:")?,
            cpu_seconds: ticks?.iter().sum::<f64>() / TICKS,
        })
    }

    /// Ends it as systemd does, and waits for it and its log.
    pub fn end(mut self) -> anyhow::Result<(ExitStatus, Told)> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            ensure!(begin.elapsed() < Duration::from_secs(30), "ipvsd run does not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        let told = std::mem::take(&mut *self.told());
        Ok((status, told))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lock(told: &Mutex<Told>) -> MutexGuard<'_, Told> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Told {
    fn read(&mut self, line: &str) {
        let Ok(value) = serde_json::from_str::<Value>(line) else {
            self.bad.push(line.to_owned());
            return;
        };
        let text = |field: &str| value[field].as_str().unwrap_or_default();
        let number = |field: &str| value[field].as_f64().unwrap_or(0.0);
        match (text("level"), text("message")) {
            ("WARN", message) if message.starts_with("drift repaired: ") => self.repaired += 1,
            ("WARN", message) if message.contains(" is down: ") => {}
            ("WARN" | "ERROR", _) => self.bad.push(line.to_owned()),
            (_, "pass") => {
                self.passes += 1;
                if number("failed") > 0.0 {
                    self.bad.push(line.to_owned());
                }
                if number("changed") > 0.0 {
                    self.milliseconds.push(number("ms"));
                }
            }
            _ => {}
        }
    }
}
