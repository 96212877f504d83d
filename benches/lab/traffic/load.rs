//! The client: ab, and what it says.

use anyhow::{Context, ensure};

use crate::process::run;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub name: &'static str,
    pub requests: u32,
    /// At the same time.
    pub connections: u32,
    /// Which path, and the length of what is there.
    pub path: &'static str,
    pub length: usize,
    /// Each request over a connection of its own.
    pub close: bool,
}

/// Asks all of it, in the namespace of this thread. Gives back the requests of a second.
///
/// # Errors
///
/// A request failed, or one was not answered as it must be.
pub fn ask(load: Load, address: &str) -> anyhow::Result<f64> {
    let (requests, connections) = (load.requests.to_string(), load.connections.to_string());
    let url = format!("http://{address}{}", load.path);
    let mut arguments = vec!["-q", "-n", &requests, "-c", &connections, "-s", "10"];
    if !load.close {
        arguments.push("-k");
    }
    arguments.push(&url);
    let said = run("ab", &arguments, "")?;
    read(load, &said).with_context(|| format!("ab said:\n{said}"))
}

fn read(load: Load, said: &str) -> anyhow::Result<f64> {
    let after = |label: &str| said.lines().find_map(|line| line.strip_prefix(label)).map(str::trim);
    let number = |label: &str| -> anyhow::Result<f64> {
        let words = after(label).with_context(|| format!("no {label}"))?;
        Ok(words.split_whitespace().next().context("no number")?.parse()?)
    };
    let bodies = load.length as f64 * f64::from(load.requests);
    ensure!(number("Complete requests:")? == f64::from(load.requests), "not all of them came");
    ensure!(number("Failed requests:")? == 0.0, "requests failed");
    ensure!(after("Non-2xx responses:").is_none(), "answers were errors");
    ensure!(number("HTML transferred:")? == bodies, "the bodies were not those of the file");
    let kept = after("Keep-Alive requests:").map_or(Ok(0.0), str::parse)?;
    ensure!(kept == if load.close { 0.0 } else { f64::from(load.requests) }, "{kept} requests over kept connections");
    number("Requests per second:")
}
