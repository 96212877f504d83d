//! What was measured, and how it is summed up.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

/// One measured run: a line of JSON on the guest's standard output.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    pub section: String,
    /// Who did what: `ipvsadm -R`.
    pub what: String,
    /// Services, of ten destinations each; or whatever else grows.
    pub size: u32,
    /// What is compared within one round was measured one right after the other.
    pub round: u32,
    /// Numbers by their names: `ms`, `syscalls`, `kib`.
    pub values: BTreeMap<String, f64>,
}

/// Median, lowest and highest of some numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    pub median: f64,
    pub low: f64,
    pub high: f64,
    pub runs: usize,
}

impl Spread {
    /// `None` of no numbers.
    pub fn of(numbers: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = numbers.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 };
        Some(Self { median, low, high, runs: sorted.len() })
    }
}

/// The runs of one section.
#[derive(Debug, Default)]
pub struct Runs(pub Vec<Run>);

/// What is asked for: who did what, of what size, and which number of it.
#[derive(Debug, Clone, Copy)]
pub struct Cell<'a> {
    pub what: &'a str,
    pub size: u32,
    pub value: &'a str,
}

impl Runs {
    /// The sizes in which this was measured, ascending.
    pub fn sizes(&self, what: &str) -> Vec<u32> {
        let sizes: BTreeSet<u32> = self.0.iter().filter(|run| run.what == what).map(|run| run.size).collect();
        sizes.into_iter().collect()
    }

    /// The numbers of a cell by their rounds.
    ///
    /// # Errors
    ///
    /// There are none, or one of the runs lacks that number, or has one that makes no sense.
    pub fn rounds(&self, cell: Cell<'_>) -> anyhow::Result<BTreeMap<u32, f64>> {
        let Cell { what, size, value } = cell;
        let mut rounds = BTreeMap::new();
        for run in self.0.iter().filter(|run| run.what == what && run.size == size) {
            let number = *run.values.get(value).with_context(|| format!("a run of {what} × {size} has no {value}"))?;
            ensure!(number.is_finite() && number >= 0.0, "a run of {what} × {size} has {value} {number}");
            let before = rounds.insert(run.round, number);
            ensure!(before.is_none(), "{what} × {size} has round {} twice", run.round);
        }
        ensure!(!rounds.is_empty(), "nothing was measured of {what} × {size}");
        Ok(rounds)
    }

    /// Median and spread of a cell.
    ///
    /// # Errors
    ///
    /// As [`Runs::rounds`].
    pub fn spread(&self, cell: Cell<'_>) -> anyhow::Result<Spread> {
        Spread::of(self.rounds(cell)?.into_values()).context("nothing was measured")
    }

    /// How many times `b` goes into `a`, round by round: noise that lasts hits both.
    ///
    /// # Errors
    ///
    /// As [`Runs::rounds`]; or the two have not the same rounds.
    pub fn ratio(&self, a: Cell<'_>, b: Cell<'_>) -> anyhow::Result<Spread> {
        let (upper, lower) = (self.rounds(a)?, self.rounds(b)?);
        ensure!(upper.keys().eq(lower.keys()), "{a:?} and {b:?} were not measured in the same rounds");
        let ratios = upper.values().zip(lower.values()).map(|(upper, lower)| upper / lower);
        Spread::of(ratios).context("nothing was measured")
    }
}
