//! `ipvsd explain`

mod scene;
mod words;

pub(super) use words::{Explanation, explain};

use clap::Args;
use serde_json::{Value, json};

use super::layout::wrap;
use super::output::Out;
use super::picture::Picture;
use super::{Exit, Failure, Format, Global, Outcome};
use crate::daemon::orders::Known;
use crate::ipvs::{Ipvs as _, Kernel};
use crate::reconcile::read_whole;

/// As wide as a paragraph is read with ease.
const WIDEST: usize = 100;

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// A service by its name in the configuration, which is all of its addresses, or by one address: tcp://…, fwmark:7
    #[arg(value_name = "SERVICE")]
    service: String,
    /// A destination: ADDRESS:PORT, or ADDRESS where that is clear
    #[arg(value_name = "DESTINATION")]
    destination: String,
    /// How to print the explanation
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    pub(super) output: Format,
}

impl Explain {
    pub(super) fn run(&self, global: &Global, out: &mut Out) -> Outcome {
        let mut kernel = Kernel::open()?;
        let live = read_whole(&mut kernel)?;
        let settings = kernel.settings()?;
        let picture = Picture::around(live, settings, global, out)?;
        let targets = known(&picture).look_up(&self.service, &self.destination).map_err(Failure::Usage)?;
        let explanations: Vec<Explanation> = targets.iter().map(|target| explain(&picture, *target)).collect();
        match self.output {
            Format::Json => out.json(&document(&picture, &explanations))?,
            Format::Text => {
                let width = out.width().map(|width| width.min(WIDEST));
                let paragraph = |one: &Explanation| match width {
                    Some(width) => wrap(&one.text(), width).join("\n") + "\n",
                    None => one.text() + "\n",
                };
                out.text(&explanations.iter().map(paragraph).collect::<Vec<_>>().join("\n"))?;
            }
        }
        Ok(Exit::Done)
    }
}

/// All that can be asked about, ipvsd's or not.
pub(super) fn known(picture: &Picture) -> Known {
    let known = picture.desired.as_deref().map(Known::of_desired).unwrap_or_default();
    let known = match picture.daemon_status() {
        Some(status) => known.and_status(status),
        None => known,
    };
    known.with(Some(&picture.live), &picture.record, &picture.overrides)
}

fn document(picture: &Picture, explanations: &[Explanation]) -> Value {
    json!({
        "explanations": explanations.iter().map(Explanation::document).collect::<Vec<_>>(),
        "daemon": picture.daemon.as_ref().map(|daemon| daemon.pid),
    })
}
