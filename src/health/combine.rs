//! What the checks of one destination say together. Pure.

use std::time::Instant;

use super::machine::Machine;
use crate::model::{Health, NamedCheck, Pass};
use crate::reconcile::CheckVerdict;

/// A reason names so many checks; of the others there is only a number.
const NAMED: usize = 3;

/// What one check says, and why it is down if it is.
#[derive(Debug)]
pub(super) struct CheckState {
    pub(super) verdict: CheckVerdict,
    pub(super) why: String,
}

impl CheckState {
    pub(super) fn of(named: &NamedCheck, machine: &Machine, now: Instant) -> Self {
        let verdict = CheckVerdict {
            name: named.name.clone(),
            kind: named.check.probe.kind(),
            health: machine.health(),
            reason: machine.found().to_owned(),
            flapping: machine.is_flapping(now),
            took: machine.took(),
        };
        Self { verdict, why: machine.why(now) }
    }

    /// Of a check that cannot be made yet, because its way through the service is not there.
    pub(super) fn waiting(named: &NamedCheck, health: Health) -> Self {
        let verdict = CheckVerdict {
            name: named.name.clone(),
            kind: named.check.probe.kind(),
            health,
            reason: String::new(),
            flapping: false,
            took: None,
        };
        Self { verdict, why: "not checked yet: there is no way to it through the service".to_owned() }
    }
}

/// With `All`, down if one is down, else unknown if one is unknown. With `Any`, up if one is up, and down only if all
/// are down.
pub(super) fn health(pass: Pass, of: impl IntoIterator<Item = Health>) -> Health {
    let (mut up, mut down, mut unknown) = (false, false, false);
    for health in of {
        match health {
            Health::Up => up = true,
            Health::Down => down = true,
            Health::Unknown => unknown = true,
        }
    }
    match pass {
        Pass::All if down => Health::Down,
        Pass::Any if up => Health::Up,
        _ if unknown => Health::Unknown,
        Pass::All if up => Health::Up,
        Pass::Any if down => Health::Down,
        // No checks: nobody says anything.
        _ => Health::Unknown,
    }
}

/// Why a destination is down: `http: status 500, expected 200-299`; of several checks, `NAME (http): …; NAME (tcp): …`.
pub(super) fn reason(states: &[CheckState]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut more = 0_usize;
    for CheckState { verdict, why } in states.iter().filter(|state| state.verdict.health == Health::Down) {
        match (parts.len(), states.len()) {
            (NAMED.., _) => more += 1,
            (_, 1) => parts.push(format!("{}: {why}", verdict.kind)),
            _ => parts.push(format!("{} ({}): {why}", verdict.name, verdict.kind)),
        }
    }
    if more > 0 {
        parts.push(format!("and {more} more"));
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use Health::{Down, Unknown, Up};

    #[test]
    fn checks_become_one() {
        for (of, all, any) in [
            (vec![], Unknown, Unknown),
            (vec![Up], Up, Up),
            (vec![Down], Down, Down),
            (vec![Unknown], Unknown, Unknown),
            (vec![Up, Down], Down, Up),
            (vec![Up, Unknown], Unknown, Up),
            (vec![Down, Unknown], Down, Unknown),
            (vec![Up, Down, Unknown], Down, Up),
            (vec![Down, Down], Down, Down),
        ] {
            assert_eq!((health(Pass::All, of.clone()), health(Pass::Any, of.clone())), (all, any), "{of:?}");
        }
    }

    fn state(name: &str, health: Health, why: &str) -> CheckState {
        let verdict = CheckVerdict {
            name: name.to_owned(),
            kind: "http",
            health,
            reason: String::new(),
            flapping: false,
            took: None,
        };
        CheckState { verdict, why: why.to_owned() }
    }

    #[test]
    fn a_reason_names_the_check_where_there_are_several() {
        assert_eq!(reason(&[state("web", Down, "status 500")]), "http: status 500");
        assert_eq!(reason(&[state("web", Down, "status 500"), state("db", Up, "")]), "web (http): status 500");
        let five: Vec<CheckState> = "abcde".chars().map(|c| state(&c.to_string(), Down, "refused")).collect();
        assert_eq!(reason(&five), "a (http): refused; b (http): refused; c (http): refused; and 2 more");
    }
}
