//! The guards: what refuses a whole plan before any of it is applied.

use std::fmt;

use crate::model::MaxDelete;

use super::operation::Verb;
use super::{Plan, render};

/// A plan that deletes more than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyDeletes {
    /// Entries that would be deleted.
    pub deletes: usize,
    /// Live entries that could be.
    pub owned: usize,
    pub max: MaxDelete,
}

impl std::error::Error for TooManyDeletes {}

impl fmt::Display for TooManyDeletes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { deletes, owned, max } = *self;
        let entries = if owned == 1 { "entry" } else { "entries" };
        write!(f, "would delete {deletes} of {owned} owned {entries}")?;
        match max {
            MaxDelete::Percent(percent) => {
                write!(f, " ({}), more than max_delete = \"{percent}%\" allows", Share(deletes, owned))?;
            }
            MaxDelete::Count(count) => write!(f, ", more than max_delete = {count} allows")?,
        }
        f.write_str("; see what with `ipvsd plan`, then allow it once with --force, or raise daemon.max_delete")
    }
}

/// A percentage, rounded up to a tenth: what is over a limit is never shown as the limit.
struct Share(usize, usize);

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0 as u128 * 1000).div_ceil((self.1 as u128).max(1));
        match tenths % 10 {
            0 => write!(f, "{}%", tenths / 10),
            rest => write!(f, "{}.{rest}%", tenths / 10),
        }
    }
}

/// Refuses a plan that deletes more entries than `max`: more than the count, or a larger share of
/// [`Plan::owned`] than the percentage. Exactly as many are allowed.
pub fn guard(plan: &Plan, max: MaxDelete) -> Result<(), TooManyDeletes> {
    let deletes = plan.deletes();
    let owned = plan.owned;
    let allowed = match max {
        MaxDelete::Count(count) => deletes as u128 <= u128::from(count),
        MaxDelete::Percent(percent) => deletes as u128 * 100 <= u128::from(percent) * owned as u128,
    };
    if allowed { Ok(()) } else { Err(TooManyDeletes { deletes, owned, max }) }
}

/// A plan that holds operations of other kinds than those that were allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAllowed {
    /// How many operations of the plan are not allowed.
    pub operations: usize,
    /// The first of them, in words.
    pub first: String,
    pub allowed: Vec<Verb>,
}

impl std::error::Error for NotAllowed {}

impl fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operations, first, allowed } = self;
        let allowed: Vec<&str> = allowed.iter().map(|verb| verb.as_str()).collect();
        let allowed = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(" and ") };
        match operations {
            1 => write!(f, "the plan holds an operation that is not allowed: {first}")?,
            more => write!(f, "the plan holds {more} operations that are not allowed, the first being: {first}")?,
        }
        write!(f, "; only {allowed} was asked for, so nothing of it is applied")
    }
}

/// Refuses a plan that holds an operation of another kind than `allowed`.
pub fn only(plan: &Plan, allowed: &[Verb]) -> Result<(), NotAllowed> {
    let mut others = plan.steps.iter().filter(|step| !allowed.contains(&step.operation.kind()));
    match others.next() {
        None => Ok(()),
        Some(first) => Err(NotAllowed {
            operations: 1 + others.count(),
            first: render::operation_line(&first.operation),
            allowed: allowed.to_vec(),
        }),
    }
}
