//! What to do: the pure way from a live table and an effective one to an ordered list of operations.
//!
//! No IO, no clock, no log. The same inputs give the same plan.
//!
//! # What may be deleted
//!
//! Everything that is wanted is added or edited in place. What is live and not wanted is deleted only where
//! the policy allows it: under `manage = "owned"` what the ownership record names, under `"all"` everything,
//! under a list what the list covers. The rest is foreign: a [`Note`], never an operation.
//!
//! # The order
//!
//! Traffic first. A plan's steps stand in three stages, and within each of them services and destinations
//! stand in key order:
//!
//! 1. [`Stage::Raise`]: for each service its own add or edit, then the adds of its destinations, then the
//!    edits of destinations that keep or raise the weight.
//! 2. [`Stage::Lower`]: the edits of destinations that lower the weight.
//! 3. [`Stage::Delete`]: destinations, and services last of all.
//!
//! So the total weight of a service first only grows and then only shrinks towards what is wanted: if it has
//! destinations before and after, it is never empty in between, and if it has weight before and after, it is
//! never without, whatever prefix of the plan was carried out.
//!
//! That holds with failures too, if the first stage is finished before the second begins and
//! [`held_back`] is asked in between what must now wait.

mod compare;
mod diff;
mod guard;
mod hold;
mod host;
mod join;
mod leave;
mod note;
mod operation;
mod overlay;
pub mod render;
mod simulate;
mod weight;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod testing;

pub use compare::{About, Comparison, Difference, compare};
pub use diff::diff;
pub use guard::{NotAllowed, TooManyDeletes, guard, only};
pub use hold::{Skip, SkipReason, await_first_checks, held_back, hold};
pub use host::{HostInputs, HostNote, HostOperation, HostPlan, HostStep, addresses_of, host_diff, host_wanted};
pub use leave::{Leave, connections, drain};
pub use note::{Held, Note};
pub use operation::{Cause, Operation, ParseVerbError, Stage, Step, Verb};
pub use overlay::{Effective, Layers, Of, Overlaid, Weighed, helper as overlay_helper, overlay};
pub use simulate::{Nonsense, apply, simulate};
pub use weight::{Because, Factors, Ramp, weight};

use std::collections::BTreeSet;
use std::ops::Range;

use crate::model::ServiceKey;

/// The ordered operations that turn the live table into the effective one, and what was left alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// In the order of execution (see the module's documentation).
    pub steps: Vec<Step>,
    /// What is not done, and why.
    pub notes: Vec<Note>,
    /// Services and destinations that are wanted, live, and equal.
    pub unchanged: usize,
    /// Live services and destinations that the policy could delete, wanted or not: the guard's base.
    pub owned: usize,
    /// What is done to the host around the table.
    pub host: HostPlan,
}

/// Entries of a table by their kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Entries {
    pub services: usize,
    pub destinations: usize,
}

impl Entries {
    /// Services and destinations together.
    pub fn total(&self) -> usize {
        self.services + self.destinations
    }
}

/// What a plan does to the table, in entries. A deleted service counts its destinations as deleted, too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub add: Entries,
    pub edit: Entries,
    pub delete: Entries,
}

impl Entries {
    fn plus(self, other: Self) -> Self {
        Self { services: self.services + other.services, destinations: self.destinations + other.destinations }
    }
}

impl Counts {
    fn plus(self, other: Self) -> Self {
        let Self { add, edit, delete } = self;
        Self { add: add.plus(other.add), edit: edit.plus(other.edit), delete: delete.plus(other.delete) }
    }
}

impl Plan {
    /// Whether there is nothing to do. There may be notes all the same.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.host.is_empty()
    }

    /// What the plan does, in entries.
    pub fn counts(&self) -> Counts {
        self.steps.iter().fold(Counts::default(), |sum, step| sum.plus(step.operation.counts()))
    }

    /// How many entries the plan removes from the table, without those that are exempt: a service counts one and its
    /// destinations.
    pub fn deletes(&self) -> usize {
        let counted = self.steps.iter().filter(|step| !step.leave.exempt);
        counted.map(|step| step.operation.counts().delete.total()).sum()
    }

    /// What goes of these services does not count for `max_delete`.
    pub fn exempt(&mut self, services: &BTreeSet<ServiceKey>) {
        for step in &mut self.steps {
            step.leave.exempt |= services.contains(step.operation.service());
        }
    }

    /// Whether any of it repairs what somebody else did.
    pub fn has_drift(&self) -> bool {
        let host = self.host.steps.iter().map(|step| step.cause);
        self.steps.iter().map(|step| step.cause).chain(host).any(|cause| cause == Cause::Drift)
    }

    /// The indices of the steps of a stage. The three ranges follow one another and are all of the plan.
    pub fn stage(&self, stage: Stage) -> Range<usize> {
        let start = self.steps.partition_point(|step| step.operation.stage() < stage);
        let end = self.steps.partition_point(|step| step.operation.stage() <= stage);
        start..end
    }

    /// Whether something is wanted that this plan does not do: operations that wait or are held back.
    pub fn is_waiting(&self) -> bool {
        self.host.is_waiting()
            || self.notes.iter().any(|note| matches!(note, Note::Waiting { .. } | Note::HeldBack { .. }))
    }
}
