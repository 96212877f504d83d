//! On the host: is it level?

use std::collections::BTreeMap;

use anyhow::{Context, ensure};

use crate::run::{Cell, Runs, Spread};
use crate::section::{Axis, Details, Figure, Part, Plot, Series};

/// The rows, the numbers behind them, and their units.
const LEVELS: [(&str, &str, &str); 3] =
    [("rss", "rss_mib", " MiB"), ("descriptors", "descriptors", ""), ("threads", "threads", "")];

pub fn report(runs: &Runs) -> anyhow::Result<Part> {
    let [size] = runs.sizes("run")[..] else { anyhow::bail!("days of several sizes") };
    let samples = |value| runs.rounds(Cell { what: "run", size, value });
    let seconds = samples("seconds")?;
    let mut figures = BTreeMap::new();
    let mut lines = Vec::new();
    for (id, value, unit) in LEVELS {
        let quarters = quarters(&samples(value)?.into_values().collect::<Vec<f64>>())?;
        let [_, second, _, last] = quarters;
        let ratio = |number: f64| number / second.median;
        let value =
            Spread { median: ratio(last.median), low: ratio(last.low), high: ratio(last.high), runs: last.runs };
        figures
            .insert(id, Figure { value, note: format!("medians {:.1} and {:.1}{unit}", last.median, second.median) });
        let cells = quarters.iter().map(|it| format!("{:.1}{unit} ({:.1} to {:.1})", it.median, it.low, it.high));
        lines.push([id.to_owned()].into_iter().chain(cells).collect());
    }
    let processor = quarters(&samples("processor_percent")?.into_values().collect::<Vec<f64>>())?;
    let cells = processor.iter().map(|it| format!("{:.0} % ({:.0} to {:.0})", it.median, it.low, it.high));
    lines.push(["processor".to_owned()].into_iter().chain(cells).collect());

    let number = |value| -> anyhow::Result<f64> { Ok(runs.spread(Cell { what: "day", size, value })?.median) };
    let note = format!(
        "{size} destinations with tcp checks, {:.0} s: {:.0} edits of the file, {:.0} changes by ipvsadm (repaired after {:.1} s, median, and {:.1} s at \
         most), {:.0} listeners that closed and opened again, {:.0} overrides, {:.0} checks. {:.0} passes; those that changed something took {:.0} ms \
         (median; {:.0} ms at most). Median of each quarter (lowest to highest). In the end ipvsadm showed what the file and the listeners said, and \
         the log had no failure.",
        number("seconds")?,
        number("edits")?,
        number("drifts")?,
        number("repair_seconds")?,
        number("repair_seconds_most")?,
        number("flips")?,
        number("overrides")?,
        number("checks")?,
        number("passes")?,
        number("pass_milliseconds")?,
        number("pass_milliseconds_most")?,
    );
    let head = ["", "first quarter", "second", "third", "last"].map(str::to_owned).to_vec();
    let details = Details { title: "The shape of a day in ten minutes".to_owned(), head, lines, note };
    let series = |name: &str, value| -> anyhow::Result<Series> {
        let points = samples(value)?.into_iter().filter_map(|(round, number)| Some((*seconds.get(&round)?, number)));
        Ok(Series { name: name.to_owned(), points: points.collect(), peer: false })
    };
    let plot = Plot {
        name: "day",
        title: "ipvsd run over a day's shape".to_owned(),
        x: Axis { label: "seconds".to_owned(), logarithmic: false },
        y: Axis { label: "MiB resident, descriptors, threads".to_owned(), logarithmic: false },
        series: vec![
            series("resident MiB", "rss_mib")?,
            series("descriptors", "descriptors")?,
            series("threads", "threads")?,
        ],
    };
    Ok(Part { figures, details: vec![details], plots: vec![plot] })
}

/// Median and spread of each quarter.
fn quarters(numbers: &[f64]) -> anyhow::Result<[Spread; 4]> {
    ensure!(numbers.len() >= 8, "too few samples");
    let quarter = |index: usize| {
        let bound = |index: usize| numbers.len() * index / 4;
        Spread::of(numbers[bound(index)..bound(index + 1)].iter().copied()).context("no samples")
    };
    Ok([quarter(0)?, quarter(1)?, quarter(2)?, quarter(3)?])
}
