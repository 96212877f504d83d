//! `ipvsd diff`

use std::path::{Path, PathBuf};

use clap::Args;

use super::output::Out;
use super::{Exit, Failure, Format, Global, Outcome};
use crate::config::{self, Problem, Problems};
use crate::model::Desired;
use crate::plan::compare;
use crate::plan::render::{Style, comparison_json, comparison_text};

#[derive(Debug, Args)]
pub(super) struct Diff {
    /// A configuration file or a directory of them; - is standard input
    #[arg(value_name = "A")]
    from: PathBuf,
    /// What to compare it with; for the kernel's table there is `ipvsd plan --config A`
    #[arg(value_name = "B")]
    to: PathBuf,
    /// How to print the differences
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    pub(super) output: Format,
}

impl Diff {
    pub(super) fn run(&self, _: &Global, out: &mut Out) -> Outcome {
        let is_stdin = |path: &Path| path.as_os_str() == "-";
        if is_stdin(&self.from) && is_stdin(&self.to) {
            return Err(Failure::Usage("only one of the two can be standard input".to_owned()));
        }
        // Of the files alone: what came over the API, or which machine this is, is no part of either.
        let (from, to) =
            match (config::load(std::slice::from_ref(&self.from)), config::load(std::slice::from_ref(&self.to))) {
                (Ok(from), Ok(to)) => (from.desired, to.desired),
                (from, to) => return Err(Failure::Config(together(from.err(), to.err()))),
            };
        self.print(&from, &to, out)
    }

    fn print(&self, from: &Desired, to: &Desired, out: &mut Out) -> Outcome {
        let comparison = compare(from, to);
        match self.output {
            Format::Json => out.json(&comparison_json(&comparison))?,
            Format::Text => out.text(&comparison_text(&comparison, Style { color: out.color() }))?,
        }
        Ok(if comparison.is_empty() { Exit::Done } else { Exit::Changes })
    }
}

/// What is wrong with either is said in one go, and once where both read the same file.
fn together(from: Option<Problems>, to: Option<Problems>) -> Problems {
    let mut all = Problems { sources: Vec::new(), list: Vec::new() };
    for Problems { sources, list } in from.into_iter().chain(to) {
        all.sources.extend(sources);
        let news: Vec<Problem> = list.into_iter().filter(|problem| !all.list.contains(problem)).collect();
        all.list.extend(news);
    }
    all
}
