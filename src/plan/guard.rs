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
    /// What they are: `entry`, `address`.
    pub what: &'static str,
    pub max: MaxDelete,
}

impl TooManyDeletes {
    /// Refuses more deletes than `max`: more than the count, or a larger share of what is owned than the percentage.
    /// Exactly as many are allowed.
    pub(super) fn check(deletes: usize, owned: usize, what: &'static str, max: MaxDelete) -> Result<(), Self> {
        let allowed = match max {
            MaxDelete::Count(count) => deletes as u128 <= u128::from(count),
            MaxDelete::Percent(percent) => deletes as u128 * 100 <= u128::from(percent) * owned as u128,
        };
        if allowed { Ok(()) } else { Err(Self { deletes, owned, what, max }) }
    }
}

impl std::error::Error for TooManyDeletes {}

impl fmt::Display for TooManyDeletes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { deletes, owned, what, max } = *self;
        write!(f, "would delete {deletes} of {}", render::words::count(owned, &format!("owned {what}")))?;
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
/// [`Plan::owned`] than the percentage; or that takes as many addresses from services that go on. Exactly as many are
/// allowed.
pub fn guard(plan: &Plan, max: MaxDelete) -> Result<(), TooManyDeletes> {
    TooManyDeletes::check(plan.deletes(), plan.owned, "entry", max)?;
    plan.host.guard(max)
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
    let table = plan.steps.iter().filter(|step| !allowed.contains(&step.operation.kind()));
    let host = plan.host.steps.iter().filter(|step| !allowed.contains(&step.operation.kind()));
    let first = table.clone().map(|step| render::operation_line(&step.operation)).next();
    let first = first.or_else(|| host.clone().map(|step| render::host_operation_line(&step.operation)).next());
    match first {
        None => Ok(()),
        Some(first) => Err(NotAllowed { operations: table.count() + host.count(), first, allowed: allowed.to_vec() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Manage, Record, Table};
    use crate::plan::diff;
    use crate::plan::testing::table;

    /// A plan that deletes `deletes` of `owned` destinations, and one edit.
    fn plan(deletes: usize, owned: usize) -> Plan {
        let mut live = table(&[("tcp://192.0.2.10:80", &[])]);
        let service = live.services.values_mut().next().unwrap();
        for number in 1..owned {
            let port = u16::try_from(number).unwrap();
            let key = crate::model::DestinationKey { address: [10, 0, 0, 1].into(), port };
            service.destinations.insert(key, crate::plan::testing::weight(1));
        }
        let mut effective = live.clone();
        if deletes == owned {
            effective = Table::default();
        } else {
            let destinations = &mut effective.services.values_mut().next().unwrap().destinations;
            for _ in 0..deletes {
                destinations.pop_first();
            }
        }
        let plan = diff(&live, &effective, &Manage::All, &Record::default());
        assert_eq!((plan.deletes(), plan.owned), (deletes, owned));
        plan
    }

    #[test]
    fn exactly_the_limit_is_allowed() {
        for (deletes, owned, percent, allowed) in [
            (0, 10, 0, true),
            (1, 10, 0, false),
            (1, 1000, 0, false),
            (1, 2, 50, true),
            (1, 2, 49, false),
            (2, 2, 50, false),
            (2, 2, 99, false),
            (2, 2, 100, true),
            (1, 3, 33, false),
            (1, 3, 34, true),
            (2, 3, 66, false),
            (126, 250, 50, false),
            (125, 250, 50, true),
        ] {
            let got = guard(&plan(deletes, owned), MaxDelete::Percent(percent));
            assert_eq!(got.is_ok(), allowed, "{deletes} of {owned}, {percent}%");
        }
        for (deletes, count, allowed) in [(0, 0, true), (1, 0, false), (5, 5, true), (6, 5, false)] {
            assert_eq!(guard(&plan(deletes, 10), MaxDelete::Count(count)).is_ok(), allowed, "{deletes}, {count}");
        }
    }

    #[test]
    fn a_plan_of_nothing_on_nothing_is_allowed() {
        assert_eq!(guard(&Plan::default(), MaxDelete::Percent(0)), Ok(()));
    }

    #[test]
    fn a_refusal_says_how_much_and_what_to_do() {
        let error = guard(&plan(40, 50), MaxDelete::Percent(50)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "would delete 40 of 50 owned entries (80%), more than max_delete = \"50%\" allows; \
             see what with `ipvsd plan`, then allow it once with --force, or raise daemon.max_delete"
        );
        let error = guard(&plan(2, 3), MaxDelete::Count(1)).unwrap_err();
        assert!(error.to_string().starts_with("would delete 2 of 3 owned entries, more than max_delete = 1 allows;"));
    }

    #[test]
    fn a_share_over_the_limit_never_reads_as_the_limit() {
        assert_eq!(Share(126, 250).to_string(), "50.4%");
        assert_eq!(Share(5001, 10_000).to_string(), "50.1%");
        assert_eq!(Share(1, 3).to_string(), "33.4%");
        assert_eq!(Share(usize::MAX, usize::MAX).to_string(), "100%");
    }

    #[test]
    fn only_what_was_asked_for() {
        let live = table(&[("tcp://192.0.2.10:80", &[("10.0.0.1:80", 1), ("10.0.0.2:80", 1)])]);
        let effective = table(&[("tcp://192.0.2.10:80", &[("10.0.0.2:80", 2), ("10.0.0.3:80", 1)])]);
        let plan = diff(&live, &effective, &Manage::All, &Record::default());
        assert_eq!(only(&plan, &[Verb::Add, Verb::Edit, Verb::Delete]), Ok(()));
        assert_eq!(
            only(&plan, &[Verb::Add, Verb::Edit]).unwrap_err().to_string(),
            "the plan holds an operation that is not allowed: delete destination 10.0.0.1:80 of \
             tcp://192.0.2.10:80; only add and edit was asked for, so nothing of it is applied"
        );
        let error = only(&plan, &["add".parse().unwrap()]).unwrap_err();
        assert_eq!(error.operations, 2);
        assert_eq!(error.first, "edit destination 10.0.0.2:80 of tcp://192.0.2.10:80: weight 1 → 2");
        assert_eq!(only(&Plan::default(), &[]), Ok(()));
        assert_eq!(
            "create".parse::<Verb>().unwrap_err().to_string(),
            "`create` is not an operation: expected add, edit or delete"
        );
    }
}
