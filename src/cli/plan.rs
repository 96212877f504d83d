//! `ipvsd plan`

use std::collections::BTreeMap;

use clap::Args;

use super::output::Out;
use super::{Exit, Failure, Format, Global, Outcome, look, overrides};
use crate::daemon::{Stays, hold_unknown, plans};
use crate::host::Edge;
use crate::ipvs::Kernel;
use crate::model::{Desired, Overrides, Record};
use crate::plan::render::{self, Style};
use crate::reconcile::{FileStore, Ground, Inputs, Observed, Place, Sight, Status, observe, unix_now};

#[derive(Debug, Args)]
pub(super) struct PlanCommand {
    /// How to print the plan
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    pub(super) output: Format,
    /// Also what stays as it is, and in JSON what is said of each operation and where its service is written
    #[arg(long)]
    detailed: bool,
}

impl PlanCommand {
    pub(super) fn run(&self, global: &Global, out: &mut Out) -> Outcome {
        let mut desired = global.load_now(out)?;
        let record = peek(&desired, out)?;
        hold(&mut desired, &record, out);
        let around = Around::peek(&desired, out)?;
        let observed = around.observe(&desired, &record, false)?;
        print(out, (self.output, self.detailed), &observed, &desired, &around)?;
        Ok(if !observed.plan.is_empty() {
            Exit::Changes
        } else if observed.plan.host.is_unknown() {
            Exit::Failed
        } else {
            Exit::Done
        })
    }
}

/// What a single pass goes by, besides the configuration: overrides, and what a running daemon knows.
pub(super) struct Around {
    pub(super) overrides: Overrides,
    pub(super) status: Option<Status>,
    pub(super) unix: u64,
}

impl Around {
    /// For showing what would be done: what cannot be known is warned of.
    pub(super) fn peek(desired: &Desired, out: &Out) -> Result<Self, Failure> {
        let overrides = look::peek_overrides(&desired.state_dir, out);
        let status = look::daemon(&desired.state_dir, out)?.map(|answer| answer.status);
        Ok(Self { overrides, status, unix: unix_now() })
    }

    /// For doing it, with no daemon there.
    pub(super) fn read(desired: &Desired) -> Result<Self, Failure> {
        Ok(Self { overrides: look::overrides(&desired.state_dir)?, status: None, unix: unix_now() })
    }

    /// Looks at the kernel.
    pub(super) fn observe<'a>(
        &self,
        desired: &'a Desired,
        record: &Record,
        restore_host: bool,
    ) -> anyhow::Result<Observed<'a>> {
        let farewells = BTreeMap::new();
        let (overrides, farewells, unix) = (&self.overrides, &farewells, self.unix);
        let inputs = Inputs { desired, record, overrides, farewells, unix, restore_host };
        let mut ground = Ground { ipvs: &mut Kernel::open()?, host: &mut Edge::default() };
        Ok(observe(&mut ground, &inputs, &mut self.sight())?)
    }

    pub(super) fn sight(&self) -> Sight<'_> {
        Sight::Once { status: self.status.as_ref() }
    }
}

/// What is owned, for a command that only looks.
pub(super) fn peek(desired: &Desired, out: &Out) -> anyhow::Result<Record> {
    let (record, damage) = FileStore::new(&desired.state_dir, Place::here()?).peek()?;
    if let Some(damage) = damage {
        out.warn(&damage);
    }
    Ok(record)
}

/// Containers are what a daemon follows. A command goes by what it has seen last; if that is nothing, what is owned stays. And so
/// it does where a name cannot be looked up.
pub(super) fn hold(desired: &mut Desired, record: &Record, out: &Out) -> Stays {
    let state_dir = desired.state_dir.clone();
    let stays = hold_unknown(desired, record, &state_dir);
    stays.words.iter().for_each(|words| out.warn(words));
    stays
}

/// Prints a plan that is not carried out, and whether it would be refused.
pub(super) fn print(
    out: &mut Out,
    (format, detailed): (Format, bool),
    observed: &Observed<'_>,
    desired: &Desired,
    around: &Around,
) -> std::io::Result<()> {
    let Observed { live, plan, .. } = observed;
    match format {
        Format::Json => {
            let mut document = plans::document(observed, desired, &around.overrides);
            if detailed {
                render::detail(&mut document, plan, &desired.origins, (live, &desired.table));
            }
            out.json(&document)
        }
        Format::Text => {
            let style = Style { color: out.color() };
            if !around.overrides.services.is_empty() {
                out.text("Overrides, until they are lifted:\n")?;
                for line in overrides::lines(&around.overrides, &desired.origins, Some(desired), around.unix).lines() {
                    out.text(&format!("  {line}\n"))?;
                }
                out.text("\n")?;
            }
            out.text(&render::text(plan, &desired.origins, style))?;
            if detailed {
                out.text(&render::unchanged_text(plan, &desired.origins, (live, &desired.table)))?;
            }
            for entry in &live.unknown {
                out.warn(&format!("not understood, left alone: {entry}"));
            }
            if let Some(refusal) = plans::refusal(plan, desired) {
                out.warn(&format!("apply will refuse this plan: {refusal}"));
            }
            Ok(())
        }
    }
}
