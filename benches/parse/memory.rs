//! The memory that reading takes, in a process of its own: what is resident at most, and what stays.

use std::fs;
use std::hint::black_box;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail, ensure};
use ipvsd::config;
use serde_json::{Value, json};

use super::text::{self, Form, Shape};

/// What stays resident of a configuration, against the size of its text.
pub fn figure(form: Form, shape: Shape) -> anyhow::Result<Value> {
    let folder = tempfile::tempdir()?;
    let name = if form == Form::Yaml { "yaml" } else { "toml" };
    let path = folder.path().join(format!("all.{name}"));
    let text = text::whole(form, shape);
    fs::write(&path, &text)?;
    let output = Command::new(std::env::current_exe()?).arg("memory").arg(&path).output()?;
    ensure!(output.status.success(), "the process that reads it failed: {}", String::from_utf8_lossy(&output.stderr));
    let words = String::from_utf8(output.stdout)?;
    let numbers: Vec<u64> = words.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let [peak, after, before] = numbers[..] else { bail!("it said {words:?}") };
    let kib = text.len() as f64 / 1024.0;
    Ok(json!({
        "figure": format!("memory {name}"), "ratio": after.saturating_sub(before) as f64 / kib, "reach": Value::Null,
        "kib": after - before, "against_kib": kib, "peak_kib": peak, "resident_kib": after,
    }))
}

/// Reads a file, lets go of all but what was asked for, and says what is resident: at most, now, and before.
pub fn child(arguments: &[String]) -> anyhow::Result<()> {
    let path = PathBuf::from(arguments.first().context("memory wants a file")?);
    let before = status("VmRSS:")?;
    let desired = config::load(&[path])?.desired;
    let (peak, after) = (status("VmHWM:")?, status("VmRSS:")?);
    println!("{peak} {after} {before}");
    black_box(desired);
    Ok(())
}

/// A number of this process's, in KiB.
fn status(name: &str) -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
