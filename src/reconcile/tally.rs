//! What the loop has done since it began, in numbers: for metrics, and for whoever asks what has been going on.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::backoff::Object;
use super::host::HostResult;
use super::pass::{PassError, Report, StepResult};
use super::schedule::Why;
use crate::plan::{Cause, Operation, Verb};

/// See the module. Times are seconds since 1970, and 0 is never.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Passes by what came of them, by what made them.
    pub passes: BTreeMap<Trigger, BTreeMap<PassEnd, u64>>,
    /// How long passes over everything took.
    pub whole: Durations,
    /// How long passes over some services took.
    pub part: Durations,
    /// Operations by what became of them, by what they were.
    pub operations: BTreeMap<Kind, BTreeMap<Outcome, u64>>,
    pub drift: Drift,
    pub configuration: Loads,
    /// When a pass over everything last left all of it as it should be, and read it back.
    pub verified_at: u64,
}

/// What made a pass; of several reasons the first one here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    Start,
    Reload,
    Files,
    /// Something came over the API.
    Api,
    /// The containers of the engine have changed.
    Docker,
    Names,
    Override,
    Health,
    Retry,
    Resync,
    /// A ramp had its next step, or a drain was looked at.
    Step,
}

/// What came of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PassEnd {
    /// All that it did succeeded.
    Done,
    /// Some of it failed.
    Failed,
    /// It would have deleted more than it may.
    Refused,
    /// The kernel could not be talked to.
    Impossible,
}

/// An operation, by what it does to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    AddService,
    EditService,
    DeleteService,
    AddDestination,
    EditDestination,
    DeleteDestination,
    /// Of the host around the table: addresses, sysctls, modules, timeouts, synchronisation.
    AddHost,
    EditHost,
    DeleteHost,
}

/// What became of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Done,
    /// Somebody else had done it already.
    Converged,
    /// A delete that waits for connections to end: it is quiesced.
    Draining,
    Failed,
    /// It was taken, and reads otherwise.
    Unverified,
    Skipped,
}

/// Operations that repaired what somebody else had changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Drift {
    pub services: u64,
    pub destinations: u64,
    pub host: u64,
}

/// What became of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Loads {
    /// Counts the configurations that came into force; the one at the start is 1.
    pub generation: u64,
    /// SHA-256 of what the files say that are in force, one after the other; empty where there is nothing to compute it from.
    pub sha256: String,
    /// When the one in force came into force.
    pub accepted_at: u64,
    pub accepted: u64,
    /// As often it was wrong, or would have deleted more than it may.
    pub refused: u64,
}

/// A histogram of durations.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Durations {
    /// Those up to each of [`Durations::BOUNDS`] and beyond the one before; and at the end those beyond all of them.
    pub counts: Vec<u64>,
    /// In seconds.
    pub sum: f64,
}

impl Durations {
    /// In seconds.
    pub const BOUNDS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

    pub fn add(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        let index = Self::BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(Self::BOUNDS.len());
        if self.counts.len() <= index {
            self.counts.resize(Self::BOUNDS.len() + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(index) {
            *count += 1;
        }
        self.sum += seconds;
    }
}

macro_rules! words {
    ($name:ident: $($variant:ident $word:literal),+) => {
        impl $name {
            /// Every one there is.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// As it is called in JSON and in metrics.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }
    };
}

pub(super) use words;

words!(Trigger: Start "start", Reload "reload", Files "files", Api "api", Docker "docker", Names "names", Override "override", Health "health", Retry "retry",
    Resync "resync", Step "step");
words!(PassEnd: Done "done", Failed "failed", Refused "refused", Impossible "impossible");
words!(Kind: AddService "add_service", EditService "edit_service", DeleteService "delete_service",
    AddDestination "add_destination", EditDestination "edit_destination", DeleteDestination "delete_destination",
    AddHost "add_host", EditHost "edit_host", DeleteHost "delete_host");
words!(Outcome: Done "done", Converged "converged", Draining "draining", Failed "failed", Unverified "unverified",
    Skipped "skipped");

impl Trigger {
    fn of(why: Why) -> Self {
        let Why { start, files, reload, resync, retry, health, overrides, api, docker, names, step: _, poll: _ } = why;
        let reasons = [
            (start, Self::Start),
            (reload, Self::Reload),
            (files, Self::Files),
            (api, Self::Api),
            (docker, Self::Docker),
            (names, Self::Names),
            (overrides, Self::Override),
            (health, Self::Health),
            (retry, Self::Retry),
            (resync, Self::Resync),
        ];
        reasons.into_iter().find_map(|(is_set, trigger)| is_set.then_some(trigger)).unwrap_or(Self::Step)
    }
}

impl Kind {
    fn of(operation: &Operation) -> Self {
        match operation {
            Operation::AddService { .. } => Self::AddService,
            Operation::EditService { .. } => Self::EditService,
            Operation::DeleteService { .. } => Self::DeleteService,
            Operation::AddDestination { .. } => Self::AddDestination,
            Operation::EditDestination { .. } => Self::EditDestination,
            Operation::DeleteDestination { .. } => Self::DeleteDestination,
        }
    }

    fn of_host(verb: Verb) -> Self {
        match verb {
            Verb::Add => Self::AddHost,
            Verb::Edit => Self::EditHost,
            Verb::Delete => Self::DeleteHost,
        }
    }
}

impl Outcome {
    fn of(result: &StepResult) -> Self {
        match result {
            StepResult::Done => Self::Done,
            StepResult::Converged => Self::Converged,
            StepResult::Draining { .. } => Self::Draining,
            StepResult::Failed(_) => Self::Failed,
            StepResult::Unverified(_) => Self::Unverified,
            StepResult::Skipped { .. } => Self::Skipped,
        }
    }

    fn of_host(result: &HostResult) -> Self {
        match result {
            HostResult::Done => Self::Done,
            HostResult::Failed(_) => Self::Failed,
            HostResult::Unverified(_) => Self::Unverified,
            HostResult::Skipped(_) => Self::Skipped,
        }
    }
}

impl Tally {
    /// Counts a pass, over everything or a part, that ended at `unix`.
    pub(super) fn pass(
        &mut self,
        why: Why,
        is_whole: bool,
        took: Duration,
        result: &Result<Report, PassError>,
        unix: u64,
    ) {
        let end = match result {
            Err(_) => PassEnd::Impossible,
            Ok(report) if report.refused.is_some() => PassEnd::Refused,
            Ok(report) if report.failed() > 0 || report.store_error.is_some() => PassEnd::Failed,
            Ok(_) => PassEnd::Done,
        };
        *self.passes.entry(Trigger::of(why)).or_default().entry(end).or_default() += 1;
        if is_whole {
            self.whole.add(took)
        } else {
            self.part.add(took)
        }
        let Ok(report) = result else { return };
        for (step, result) in report.outcomes() {
            let kind = Kind::of(&step.operation);
            self.operation(kind, Outcome::of(result));
            if step.cause == Cause::Drift && result.is_ok() {
                match step.operation.destination() {
                    Some(_) => self.drift.destinations += 1,
                    None => self.drift.services += 1,
                }
            }
        }
        for (step, result) in report.host_outcomes() {
            self.operation(Kind::of_host(step.operation.kind()), Outcome::of_host(result));
            self.drift.host += u64::from(step.cause == Cause::Drift && result.is_ok());
        }
        let waits = report.plan.notes.iter().any(|note| Object::waiting(note).is_some())
            || report.plan.host.notes.iter().any(|note| Object::host_waiting(note).is_some());
        if is_whole && end == PassEnd::Done && !waits {
            self.verified_at = unix;
        }
    }

    fn operation(&mut self, kind: Kind, outcome: Outcome) {
        *self.operations.entry(kind).or_default().entry(outcome).or_default() += 1;
    }

    /// A configuration has come into force. What tells it from others is not known yet.
    pub(super) fn accepted(&mut self, unix: u64) {
        let loads = &mut self.configuration;
        loads.generation += 1;
        loads.accepted += 1;
        loads.accepted_at = unix;
        loads.sha256.clear();
    }

    /// Takes in what tells the one in force from others, unless that is known.
    pub(super) fn tell_apart(&mut self, fingerprint: impl FnOnce() -> Option<String>) {
        let sha256 = &mut self.configuration.sha256;
        if sha256.is_empty() {
            *sha256 = fingerprint().unwrap_or_default();
        }
    }

    /// One has not.
    pub(super) fn refused(&mut self) {
        self.configuration.refused += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_json_says() {
        fn same<T: Copy + Serialize>(all: &[T], word: impl Fn(T) -> &'static str) {
            for one in all {
                assert_eq!(serde_json::to_value(one).unwrap(), word(*one));
            }
        }
        same(Trigger::ALL, Trigger::as_str);
        same(PassEnd::ALL, PassEnd::as_str);
        same(Kind::ALL, Kind::as_str);
        same(Outcome::ALL, Outcome::as_str);
    }

    #[test]
    fn durations_fall_into_their_buckets() {
        let mut durations = Durations::default();
        for micros in [0, 1000, 1001, 10_000_000, 60_000_000] {
            durations.add(Duration::from_micros(micros));
        }
        assert_eq!(durations.counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert!((durations.sum - 70.002_001).abs() < 1e-9);
    }

    #[test]
    fn a_configuration_is_told_from_others_once() {
        let mut tally = Tally::default();
        for name in ["one", "two"] {
            tally.accepted(7);
            assert_eq!(tally.configuration.sha256, "", "not known of this one");
            tally.tell_apart(|| Some(name.into()));
            tally.tell_apart(|| panic!("it is known"));
            assert_eq!(tally.configuration.sha256, name);
        }
    }

    #[test]
    fn it_goes_through_json_and_back() {
        let mut tally = Tally::default();
        *tally.passes.entry(Trigger::Start).or_default().entry(PassEnd::Done).or_default() += 1;
        tally.operation(Kind::AddService, Outcome::Failed);
        tally.whole.add(Duration::from_millis(3));
        tally.accepted(7);
        tally.tell_apart(|| Some("ab".into()));
        let text = serde_json::to_string(&tally).unwrap();
        assert!(text.contains(r#""passes":{"start":{"done":1}}"#), "{text}");
        assert_eq!(serde_json::from_str::<Tally>(&text).unwrap(), tally);
    }
}
