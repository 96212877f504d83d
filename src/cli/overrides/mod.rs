//! Operators' overrides, as `drain`, `undrain`, `weight` and `health` give them: look at what there is, write the override
//! down, tell the daemon, say what happened, and wait if asked to.

mod list;
mod wait;

pub(super) use list::{ListOverrides, lines};

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use super::output::{Out, with_reasons};
use super::{Exit, Failure, Format, Global, Outcome, look};
use crate::daemon::control::tell_overrides;
use crate::daemon::orders::{self, Given, Known, Target};
use crate::ipvs::{Error, Ipvs as _, Kernel};
use crate::model::{Action, Live, ServiceKey};
use crate::reconcile::{read_whole, unix_now};
use crate::watch::SignalWatcher;
use wait::{End, Left, Pause, Progress};

/// What an override is about.
#[derive(Debug, Args)]
pub(super) struct About {
    /// A service by its name in the configuration, which is all of its addresses, or by one address: tcp://…, fwmark:7
    #[arg(value_name = "SERVICE")]
    service: String,
    /// A destination: ADDRESS:PORT, or ADDRESS where that is clear
    #[arg(value_name = "DESTINATION")]
    destination: String,
    /// How to print what was done
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    pub(super) output: Format,
}

/// Whether to wait until a destination has no connections left, and how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    pub(super) timeout: Option<Duration>,
}

/// What was ordered, and what came of it.
pub(super) struct Ordered {
    known: Known,
    state_dir: PathBuf,
    targets: Vec<Target>,
    pub(super) given: Vec<Given>,
    /// A daemon is there, and was told.
    pub(super) daemon: bool,
    /// For whoever wants to wait.
    kernel: Option<Kernel>,
}

/// Gives an override, or takes one back. Whoever `waits` is to read the table: better to fail before the override than after it.
pub(super) fn order(
    action: Action,
    (service, destination): (&str, &str),
    waits: bool,
    global: &Global,
    out: &Out,
) -> Result<Ordered, Failure> {
    let (mut known, state_dir) = wanted(global, out)?;
    let live = live(&known.resolve_service(service).unwrap_or_default());
    let record = look::record(&state_dir, out)?;
    let overrides = look::overrides(&state_dir)?;
    known = known.with(live.as_ref().ok(), &record, &overrides);
    let targets = known.resolve(service, destination).map_err(Failure::Usage)?;
    if let Some(refusal) = targets.iter().find_map(|target| action.refusal(&known, *target)) {
        return Err(Failure::Other(anyhow::Error::msg(refusal)));
    }
    let kernel = match live {
        Err(error) if waits => return Err(error.into()),
        Err(error) => {
            out.warn(&format!("the override is given without a look at the kernel's table: {error}"));
            None
        }
        Ok(_) if waits => Some(Kernel::open()?),
        Ok(_) => None,
    };
    for warning in targets.iter().filter_map(|target| action.warning(&known, *target)) {
        out.warn(&warning);
    }
    let given = orders::give(action, &known, &targets, &state_dir, unix_now())?;
    let daemon = tell_overrides(&state_dir).unwrap_or_else(|error| {
        out.warn(&format!("{}: it will find the override at its next pass", with_reasons(&error.into())));
        true
    });
    Ok(Ordered { known, state_dir, targets, given, daemon, kernel })
}

impl About {
    /// Gives an override, or takes one back, and says so.
    pub(super) fn give(&self, action: Action, wait: Option<Wait>, global: &Global, out: &mut Out) -> Outcome {
        let Ordered { known, state_dir, targets, given, daemon, kernel } =
            order(action, (&self.service, &self.destination), wait.is_some(), global, out)?;
        if self.output == Format::Text {
            let text: String = given.iter().map(|given| format!("{}\n", given.sentence)).collect();
            out.text(&text)?;
        }
        if !daemon && given.iter().any(|given| given.before != given.after) {
            out.warn(&no_daemon(&state_dir));
        }
        let mut document = given_document(&known, &given, daemon);
        let exit = match (wait, kernel) {
            (Some(wait), Some(mut kernel)) => {
                let (end, left) = self.wait(&mut kernel, &targets, wait, out)?;
                document["left"] = json!(left);
                end
            }
            (None, _) | (_, None) => Exit::Done,
        };
        if self.output == Format::Json {
            out.json(&document)?;
        }
        Ok(exit)
    }

    fn wait(
        &self,
        kernel: &mut Kernel,
        targets: &[Target],
        wait: Wait,
        out: &mut Out,
    ) -> Result<(Exit, Left), Failure> {
        let (wake, woken) = channel();
        let _signals = SignalWatcher::start(move |event| wake.send(event).unwrap_or_default())?;
        let mut progress = Progress::new(out.width_of_errors());
        let mut pause = |time| match woken.recv_timeout(time) {
            Err(RecvTimeoutError::Timeout) => Pause::Over,
            Ok(_) | Err(RecvTimeoutError::Disconnected) => Pause::Interrupted,
        };
        let said: &Out = out;
        let mut show = |left: &Left, now| {
            if let Some(line) = progress.line(&left.words(), now) {
                said.progress(&line);
            }
        };
        let ended = wait::wait(kernel, targets, wait.timeout, &Instant::now, &mut pause, &mut show);
        out.progress(progress.end());
        let (left, why) = match ended? {
            End::Drained => {
                if self.output == Format::Text {
                    out.text("no connections are left\n")?;
                }
                return Ok((Exit::Done, Left::default()));
            }
            End::TimedOut(left) => (left, left.after(wait.timeout.unwrap_or_default().as_secs())),
            End::Interrupted(left) => (
                left,
                format!(
                    "interrupted, {}; the override stays: `ipvsd undrain {} {}` takes it back",
                    left.words(),
                    self.service,
                    self.destination
                ),
            ),
        };
        // As JSON, what is left stands in the document.
        out.complain(&why);
        Ok((Exit::Failed, left))
    }
}

fn no_daemon(state_dir: &Path) -> String {
    format!(
        "no daemon is running with state directory {}: the override takes effect with the next `ipvsd apply` or `ipvsd run`",
        state_dir.display()
    )
}

/// What is configured, and where the state is. With a configuration that is not good, what the daemon has in force is
/// what overrides are about: a slip in a file is no reason to leave clients on a broken server.
fn wanted(global: &Global, out: &Out) -> Result<(Known, PathBuf), Failure> {
    match global.load(out) {
        Ok(desired) => Ok((Known::of_desired(&desired), desired.state_dir)),
        Err(Failure::Config(problems)) => {
            let state_dir = global.state_dir_or(None);
            match look::daemon(&state_dir, out)? {
                Some(answer) => {
                    out.warn(&global.lacking("the override is about what the daemon has in force"));
                    Ok((Known::of_status(&answer.status), state_dir))
                }
                None => Err(Failure::Config(problems)),
            }
        }
        Err(failure) => Err(failure),
    }
}

/// What the kernel has of the services that were meant, or, if it takes that to know what was meant, of all.
fn live(services: &[ServiceKey]) -> Result<Live, Error> {
    let mut kernel = Kernel::open()?;
    match services {
        [] => read_whole(&mut kernel),
        services => Ok(Live { services: kernel.read_services(services)?, unknown: Vec::new() }),
    }
}

fn given_document(known: &Known, given: &[Given], daemon: bool) -> Value {
    let overrides: Vec<Value> = given
        .iter()
        .map(|Given { target, before, after, sentence }| {
            json!({
                "service": target.service,
                "name": known.name(&target.service),
                "destination": target.destination,
                "drained_since": after.drained_since,
                "weight": after.weight,
                "health": after.health,
                "changed": before != after,
                "text": sentence,
            })
        })
        .collect();
    json!({ "overrides": overrides, "daemon": daemon })
}
