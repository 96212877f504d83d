//! The client: wrk, and what it says.

use anyhow::{Context, bail, ensure};

use crate::process::run;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub name: &'static str,
    /// At the same time.
    pub connections: u32,
    /// Which path, and the length of what is there.
    pub path: &'static str,
    pub length: usize,
    /// Each request over a connection of its own.
    pub close: bool,
}

/// What was got.
#[derive(Debug, Clone, Copy, Default)]
pub struct Got {
    pub requests: f64,
    pub requests_per_second: f64,
    pub bytes_per_second: f64,
    /// Half of the requests took no longer.
    pub milliseconds: f64,
}

/// Asks for so many seconds, in the namespace of this thread.
pub fn ask(load: Load, address: &str, seconds: u32) -> anyhow::Result<Got> {
    let (connections, duration) = (load.connections.to_string(), format!("{seconds}s"));
    let url = format!("http://{address}{}", load.path);
    let mut arguments = vec!["-t", "1", "-c", &connections, "-d", &duration, "--latency", "--timeout", "10s"];
    if load.close {
        arguments.extend(["-H", "Connection: close"]);
    }
    arguments.push(&url);
    let said = run("wrk", &arguments, "")?;
    read(&said, load.length as f64).with_context(|| format!("wrk said:\n{said}"))
}

/// # Errors
///
/// A request failed, or there was none.
fn read(said: &str, length: f64) -> anyhow::Result<Got> {
    let after = |label: &str| {
        let line = said.lines().find_map(|line| line.trim_start().strip_prefix(label));
        line.map(str::trim).with_context(|| format!("no {label}"))
    };
    // wrk says nothing of errors if there were none.
    for bad in ["Socket errors", "Non-2xx"] {
        ensure!(after(bad).is_err(), "requests failed");
    }
    let count = said.lines().find_map(|line| line.trim().split_once(" requests in "));
    let requests_per_second: f64 = after("Requests/sec:")?.parse()?;
    let got = Got {
        requests: count.context("no count")?.0.parse()?,
        requests_per_second,
        bytes_per_second: requests_per_second * length,
        milliseconds: milliseconds(after("50%")?)?,
    };
    ensure!(got.requests > 0.0, "no request was answered");
    Ok(got)
}

/// `1.23ms`
fn milliseconds(text: &str) -> anyhow::Result<f64> {
    for (unit, factor) in [("us", 1e-3), ("ms", 1.0), ("s", 1e3)] {
        if let Some(number) = text.strip_suffix(unit) {
            return Ok(number.parse::<f64>()? * factor);
        }
    }
    bail!("not a time: {text}")
}
